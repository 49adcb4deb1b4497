package middlewaretest

import "testing"

func TestPathsBelongToTheClosestRoute(t *testing.T) {
	routes := []route{}
	for pattern, public := range map[string]bool{
		"/": true, "/account/": false, "/account/help": true, "GET /orders/{id}": false, "POST /orders/{id}": true,
		"/files/{path...}": false, "/exact/{$}": true,
	} {
		rt := parseRoute(pattern)
		rt.public = public
		routes = append(routes, rt)
	}
	for _, c := range []struct {
		method, path string
		public       bool
	}{
		{"GET", "/", true},
		{"GET", "/anything/else", true},
		{"GET", "/account", true}, // the subtree begins behind the slash
		{"GET", "/account/", false},
		{"GET", "/account/x/y", false},
		{"GET", "/account/help", true},
		{"GET", "/account/help/", false},
		{"GET", "/%61ccount/x", false}, // a router decodes each segment
		{"GET", "/account%2fx", true},
		{"GET", "//account/x", true}, // not cleaned: a router that cleans redirects
		{"GET", "/orders/1", false},
		{"HEAD", "/orders/1", false},
		{"POST", "/orders/1", true},
		{"GET", "/orders/1/2", true},
		{"GET", "/files/a/b", false},
		{"GET", "/exact/", true},
	} {
		if got := isPublic(routes, c.method, c.path); got != c.public {
			t.Errorf("%s %s: public is %v", c.method, c.path, got)
		}
	}
	if isPublic(routes[:0], "GET", "/") {
		t.Error("what belongs to no route is public")
	}
	exact := parseRoute("/exact/{$}")
	exact.public = true
	if isPublic([]route{exact}, "GET", "/exact/x") || isPublic([]route{exact}, "GET", "/exact") {
		t.Error("{$} matches more than the end")
	}
}

func TestEveryPatternHasAPathThatItMatches(t *testing.T) {
	for _, pattern := range []string{"/", "/{$}", "/account", "/account/", "GET /orders/{id}", "POST acme.example/a/{b}/c", "/files/{path...}", "GET /x/{id:[0-9]+}", "/a-{b}/c/{$}"} {
		rt := parseRoute(pattern)
		method := rt.method
		if method == "" {
			method = "BREW"
		}
		for _, p := range rt.examples() {
			if _, ok := rt.matches(method, p); !ok {
				t.Errorf("%s does not match its example %s", pattern, p)
			}
		}
	}
}
