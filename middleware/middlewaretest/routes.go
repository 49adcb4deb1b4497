package middlewaretest

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Mux is an [http.ServeMux] that remembers what was registered. An app whose set-up takes anything with a Handle method can
// be given one in its tests. The zero value is ready to use; register before serving, from one goroutine.
type Mux struct {
	http.ServeMux
	routes Routes
}

// Handle registers a handler, like http.ServeMux.
func (m *Mux) Handle(pattern string, handler http.Handler) {
	m.ServeMux.Handle(pattern, handler)
	m.routes = append(m.routes, pattern)
}

// HandleFunc registers a function, like http.ServeMux.
func (m *Mux) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	m.Handle(pattern, http.HandlerFunc(handler))
}

// Routes are the patterns that were registered, for App.Routes.
func (m *Mux) Routes() Routes { return append(Routes(nil), m.routes...) }

// Routes collects routes for App.Routes.
type Routes []string

// Walk takes one route of chi's Walk, and always returns nil. It turns chi's pattern into one of http.ServeMux.
func (r *Routes) Walk(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
	switch {
	case strings.HasSuffix(pattern, "/*"):
		pattern = strings.TrimSuffix(pattern, "*")
	case strings.HasSuffix(pattern, "/"):
		pattern += "{$}"
	}
	*r = append(*r, method+" "+pattern)
	return nil
}

// route is a pattern taken apart.
type route struct {
	pattern      string
	method, host string
	path         string // with wildcards
	public       bool
}

func parseRoute(pattern string) route {
	rt := route{pattern: pattern}
	rest := pattern
	if method, after, found := strings.Cut(pattern, " "); found {
		rt.method, rest = method, strings.TrimLeft(after, " \t")
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		rt.host, rt.path = rest[:i], rest[i:]
	}
	return rt
}

// sameAs reports whether another pattern means this route: the same path for the same method or for all.
func (rt route) sameAs(other route) bool {
	return rt.host == other.host && strings.TrimSuffix(rt.path, "{$}") == strings.TrimSuffix(other.path, "{$}") &&
		(other.method == "" || other.method == rt.method)
}

var wildcard = regexp.MustCompile(`\{[^/]*\}`)

// examples are paths that the pattern matches: of a subtree, its root and something below.
func (rt route) examples() []string {
	path := strings.TrimSuffix(rt.path, "{$}")
	path = wildcard.ReplaceAllString(path, "1")
	if strings.HasSuffix(rt.path, "/") {
		return []string{path, path + "1"}
	}
	return []string{path}
}

// tree is the path without its end, if the pattern matches everything below it.
func (rt route) tree() (root string, below bool) {
	i := strings.LastIndexByte(rt.path, '/')
	end := rt.path[i+1:]
	return rt.path[:i], end == "" || strings.HasSuffix(end, "...}")
}

// matches reports whether a request for an escaped path belongs to the route, and how closely: by how many literal segments, then
// by whether it names the method.
// Nothing is cleaned: what a mux redirects it does not serve.
func (rt route) matches(method, path string) (closeness int, ok bool) {
	if rt.method != "" && rt.method != method && !(rt.method == http.MethodGet && method == http.MethodHead) {
		return 0, false
	}
	if rt.method != "" {
		closeness = 1
	}
	want, got := strings.Split(rt.path[1:], "/"), strings.Split(path[1:], "/")
	for i := range got { // as http.ServeMux: a segment at a time
		if plain, err := url.PathUnescape(got[i]); err == nil {
			got[i] = plain
		}
	}
	for i, w := range want {
		last := i == len(want)-1
		switch {
		case last && (w == "" || strings.HasSuffix(w, "...}")):
			return closeness, len(got) > i
		case i >= len(got):
			return 0, false
		case w == "{$}":
			closeness += 2
			if !last || got[i] != "" {
				return 0, false
			}
		case wildcard.MatchString(w):
		case w != got[i]:
			return 0, false
		default:
			closeness += 4
		}
	}
	return closeness + 2, len(want) == len(got)
}

// isPublic reports whether a path belongs to a public route. What belongs to none is not.
func isPublic(routes []route, method, path string) bool {
	best, public := -1, false
	for _, rt := range routes {
		if n, ok := rt.matches(method, path); ok && n > best {
			best, public = n, rt.public
		}
	}
	return public
}
