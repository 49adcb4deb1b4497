package middleware

import (
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

func TestWhatIsMissingOrUnsafeIsRefusedAtStart_I19(t *testing.T) {
	if _, err := New(nil, Config{}); err == nil {
		t.Error("no logins")
	}
	w := found(t)
	for name, c := range map[string]Config{
		"a login path that is none":     {Paths: Paths{Login: "login"}},
		"a login path with a slash":     {Paths: Paths{Login: "/login/"}},
		"the root as login path":        {Paths: Paths{Login: "/"}},
		"an unclean path":               {Paths: Paths{Verify: "/a/../b"}},
		"two paths that are the same":   {Paths: Paths{Verify: "/x", Resend: "/x"}},
		"an account page off this site": {Paths: Paths{Account: "//evil.example"}},
		"a home page off this site":     {Paths: Paths{Home: "https://evil.example"}},
		"everybody as proxy":            {TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}},
		"an unknown forwarded header":   {ForwardedHeader: "X-Real-IP"},
		"a negative rate":               {LoginRate: -1},
		"a rate that is no limit":       {LoginRate: 2_000_000_000},
		"negative memory":               {MaxLimitKeys: -1},
		"a negative form":               {MaxForm: -1},
		"a cookie name that is none":    {CookieName: "a;b"},
		"an origin that is none":        {TrustedOrigins: []string{"shop.example/x"}},
		"a realm that ends its header":  {Realm: `a" b`},
		"a template that has no token":  {Pages: template.Must(template.New("login").Parse(`<form method="post"></form>`))},
	} {
		if _, err := New(w.logins, c); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	k := found(t)
	c := k.Config(lame{k.store})
	logins, err := challenge.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(logins, Config{}); err == nil {
		t.Error("limits of one process beside a shared store")
	}
}

func TestPathsAreConfigurable(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) {
		c.Paths = Paths{Login: "/in", Logout: "/out", Account: "/me", Home: "/welcome", API: "/v1"}
	})
	w.mux.Handle("/in", w.web.Pages())
	w.mux.Handle("/in/", w.web.Pages())
	w.mux.Handle("/out", w.web.Pages())
	w.mux.Handle("/v1/", w.web.API().Routes())
	b := w.browser()
	b.get("/in")
	b.want(b.post("/in", "username", "dave", "password", password), 303, "/me")
	b.get("/in")
	b.want(b.post("/out"), 303, "/welcome")
	if status, a, _ := w.call("POST", "/v1/login", "", `{"username":"dave","password":"`+password+`"}`); status != 200 || a["status"] != "authenticated" {
		t.Error(status, a)
	}
}

func TestAuditLogPutsTheLinesOfOneRequestTogether(t *testing.T) {
	w := found(t, func(_ *challenge.Config, c *Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	})
	ask := func(peer, id string) (string, audit.Event) {
		w.Audit.Take()
		r := httptest.NewRequest("POST", site+"/api/login", strings.NewReader(`{"username":"alice","password":"wrong"}`))
		r.RemoteAddr = peer
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("User-Agent", "test/1")
		if id != "" {
			r.Header.Set("X-Request-Id", id)
		}
		rec := httptest.NewRecorder()
		w.root.ServeHTTP(rec, r)
		return rec.Header().Get("X-Request-Id"), w.Audit.Events()[0]
	}
	id, e := ask("192.0.2.1:1", "mine")
	if id == "mine" || len(id) < 20 || e.RequestID != id || e.UserAgent != "test/1" || e.Client.String() != "192.0.2.1" {
		t.Error(id, e)
	}
	if id, e = ask("203.0.113.1:1", "proxy-7"); id != "proxy-7" || e.RequestID != id {
		t.Error(id, e)
	}
	if id, _ = ask("203.0.113.1:1", "a b\x00"); strings.ContainsAny(id, " \x00") {
		t.Errorf("%q", id)
	}
}

func TestAuditAccessSaysWhoDidWhat(t *testing.T) {
	w := found(t)
	w.mux.Handle("/account/audited", w.web.RequireSecondFactor(w.web.AuditAccess(http.NotFoundHandler())))
	b := w.browser().login()
	w.Audit.Take()
	b.get("/account/audited")
	e := w.Audit.Events()
	if len(e) != 1 || e[0].Name != audit.AccessGranted || e[0].User != "alice" || e[0].Method != "totp" || e[0].Path != "/account/audited" || e[0].HTTPMethod != "GET" || e[0].Status != 404 || e[0].RequestID == "" {
		t.Errorf("%+v", e)
	}
}

func TestWhatMustBeRecordedAndCannotBeIsDenied_I21(t *testing.T) {
	w := found(t, func(c *challenge.Config, _ *Config) { c.AuditRequired = true })
	w.Audit.Fail(errTest)
	if status, _, _ := w.call("GET", "/api/me", strings.Repeat("A", 43), ""); status != 503 {
		t.Error(status)
	}
	if status, _, _ := w.call("POST", "/api/login", "", `{"username":"dave","password":"`+password+`"}`); status != 503 {
		t.Error(status)
	}
}

func TestEnterIsTheOtherWayIn_I06(t *testing.T) {
	w := found(t)
	w.mux.HandleFunc("/callback", func(rw http.ResponseWriter, r *http.Request) {
		w.web.Enter(rw, r, r.URL.Query().Get("id"), challenge.FirstFactor{Method: "magic-link", Channel: challenge.ChannelEmail, Next: "/account/transfer"})
	})
	b := w.browser()
	b.want(b.get("/callback?id=1"), 303, "/login/verify")
	b.want(b.get("/account"), 303, "/login?next=%2Faccount")
	b.get("/login/verify")
	b.want(b.post("/login/verify", "code", b.code()), 303, "/account/transfer")
	// carol's only factor is the mailbox that the link came by.
	c := w.browser()
	if res := c.get("/callback?id=3"); res.StatusCode != 403 || len(c.cookies) > 1 {
		t.Error(res.StatusCode, c.cookies)
	}
	d := w.browser()
	d.want(d.get("/callback?id=4"), 303, "/account/transfer")
	if res := d.get("/callback?id=nobody"); res.StatusCode != 401 {
		t.Error(res.StatusCode)
	}
}
