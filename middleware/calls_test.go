package middleware_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/middleware"
	"github.com/sallyport-go/sallyport/middleware/middlewaretest"
	"github.com/sallyport-go/sallyport/stores"
)

// counted is a store that several processes could share, and counts its calls.
type counted struct {
	challenge.Store
	challenge.Taker
	loads, swaps, takes int
}

func (c *counted) Load(ctx context.Context, key string) ([]byte, error) {
	c.loads++
	return c.Store.Load(ctx, key)
}

func (c *counted) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error) {
	c.swaps++
	return c.Store.CompareAndSwap(ctx, key, old, new, expires)
}

func (c *counted) Take(ctx context.Context, key string, interval time.Duration, burst int) (bool, time.Duration, error) {
	c.takes++
	return c.Taker.Take(ctx, key, interval, burst)
}

// What docs/stores.md and the README say that a login costs.
func TestALoginIsEighteenCallsToTheStore(t *testing.T) {
	store := new(counted)
	kit, _, web := recipe(func(c *challenge.Config) {
		memory := &stores.Memory{Clock: c.Clock}
		store.Store, store.Taker = memory, memory
		c.Store = store
	})
	kit.Users.Add(challenge.Account{ID: "3", Name: "carol", Email: "carol@example.com"}, recipePassword)
	mux, api := recipeMux(web), web.API()
	mux.Handle("/api/login", api.Routes())
	mux.Handle("/api/login/", api.Routes())
	app := middlewaretest.App{Handler: web.RateLimit(middleware.ByClient)(mux), Site: recipeSite}

	code := map[string]func() string{
		"ann":   func() string { return recipeCode(kit.Clock) },
		"carol": func() string { return kit.Outbox.Code("carol@example.com") },
	}
	byJSON := func(name string) {
		token := ""
		for _, step := range []struct{ path, field string }{{"/api/login", "password"}, {"/api/login/verify", "code"}} {
			body := map[string]string{"username": name, "password": recipePassword}
			if step.field == "code" {
				body = map[string]string{"code": code[name]()}
			}
			raw, _ := json.Marshal(body) // strings
			r, err := http.NewRequest("POST", recipeSite+step.path, strings.NewReader(string(raw)))
			must(err)
			r.Header.Set("Content-Type", "application/json")
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			res, err := app.Client().Do(r)
			must(err)
			var answer struct{ Token string }
			must(json.NewDecoder(res.Body).Decode(&answer))
			must(res.Body.Close())
			token = answer.Token
		}
		if token == "" {
			t.Fatal(name, "is not in")
		}
	}
	at, err := url.Parse(recipeSite)
	must(err)
	known := map[string][]*http.Cookie{} // by name: what made a browser known
	pages := func(name string, cookies []*http.Cookie) {
		client := app.Client()
		client.Jar.SetCookies(at, cookies)
		page := read(client.Get(recipeSite + "/login"))
		page = read(client.PostForm(recipeSite+"/login", middlewaretest.FillIn(page, "username", name, "password", recipePassword)))
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the account page is the app's
		if got := shown(client.PostForm(recipeSite+"/login/verify", middlewaretest.FillIn(page, "code", code[name]()))); got != "/login/verify 303" {
			t.Fatal(name, got)
		}
		known[name] = slices.DeleteFunc(client.Jar.Cookies(at), func(c *http.Cookie) bool { return !strings.HasSuffix(c.Name, "-device") })
	}
	byPages := func(name string) { pages(name, nil) }
	again := func(name string) { pages(name, known[name]) }
	for _, c := range []struct {
		name, how           string
		login               func(string)
		loads, swaps, takes int
	}{
		{"ann", "an app, by JSON", byJSON, 9, 7, 2},
		{"ann", "an app, by pages", byPages, 10, 7, 2},
		{"ann", "an app, by pages, in a browser used before", again, 13, 7, 2},
		{"carol", "a mail, by JSON", byJSON, 14, 12, 2},
		{"carol", "a mail, by pages", byPages, 15, 12, 2},
		{"carol", "a mail, by pages, in a browser used before", again, 18, 12, 2},
	} {
		kit.Clock.Advance(2 * time.Minute) // the cooldown between two mails
		store.loads, store.swaps, store.takes = 0, 0, 0
		if c.login(c.name); store.loads != c.loads || store.swaps != c.swaps || store.takes != c.takes {
			t.Errorf("%s: %d Load, %d CompareAndSwap, %d Take, want %d, %d, %d", c.how, store.loads, store.swaps, store.takes, c.loads, c.swaps, c.takes)
		}
	}
}
