package middlewaretest_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/pquerna/otp/totp"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/middleware"
	"github.com/sallyport-go/sallyport/middleware/middlewaretest"
	"github.com/sallyport-go/sallyport/stores"
)

// shop is an app: alice logs in with a password and an authenticator app.
func shop() (*middleware.Web, *challengetest.Clock) {
	kit := challengetest.New(challengetest.NewClock())
	kit.Users.Add(challenge.Account{ID: "1", Name: "alice"}, password)
	c := kit.Config(&stores.Memory{Clock: kit.Clock.Now})
	c.Site = site
	logins, err := challenge.New(c)
	if err != nil {
		panic(err)
	}
	if err := logins.ImportTOTP(context.Background(), "1", secret, "phone"); err != nil {
		panic(err)
	}
	web, err := middleware.New(logins, middleware.Config{})
	if err != nil {
		panic(err)
	}
	return web, kit.Clock
}

// printer stands where a test has its *testing.T.
type printer struct{}

func (printer) Helper()                   {}
func (printer) Errorf(f string, a ...any) { fmt.Printf(f+"\n", a...) }
func (printer) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

// An app whose set-up registers on a Mux need not list its routes again. Somebody has forgotten a guard.
func ExampleCheck() {
	web, _ := shop()
	orders := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "orders") })

	mux := new(middlewaretest.Mux)
	mux.Handle("/login", web.Pages())
	mux.Handle("/login/", web.Pages())
	mux.Handle("GET /orders", web.RequireSecondFactor(orders))
	mux.Handle("GET /orders/{id}", orders)

	var t printer // in a test: *testing.T
	middlewaretest.Check(t, middlewaretest.App{
		Handler: mux, Site: site, Username: "alice", Password: password,
		Routes: mux.Routes(),
	})
	// Output:
	// route GET /orders/{id} (I-02):
	// 	GET /orders/1: somebody who shows nothing (cookie) got 200
	// 	HEAD /orders/1: somebody who shows nothing (cookie) got 200
	// 	GET /orders/1%2f: somebody who shows nothing (cookie) got 200
	// 	… and 11 more
	// 	If everybody may see it, name it in App.Public.
}

// A chi router lists its routes itself.
func ExampleRoutes_Walk() {
	web, _ := shop()
	router := chi.NewRouter()
	router.Mount("/login", web.Pages())
	router.With(web.RequireSecondFactor).Get("/orders/{id}", http.NotFound)

	var routes middlewaretest.Routes
	if err := chi.Walk(router, routes.Walk); err != nil {
		panic(err)
	}
	middlewaretest.Check(printer{}, middlewaretest.App{
		Handler: router, Site: site, Username: "alice", Password: password,
		Routes: append(routes[:0:0], "GET /orders/{id}"),
	})
	fmt.Println(routes[len(routes)-1])
	// Output: GET /orders/{id}
}

func ExampleLogin() {
	web, clock := shop()
	mux := http.NewServeMux()
	mux.Handle("/login", web.Pages())
	mux.Handle("/login/", web.Pages())
	mux.Handle("/account", web.RequireSecondFactor(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, _ := middleware.Authenticated(r.Context())
		fmt.Fprint(w, "hello ", login.Username)
	})))

	client := middlewaretest.Login(printer{}, middlewaretest.App{
		Handler: mux, Site: site, Username: "alice", Password: password,
		Code: func() string {
			clock.Advance(30 * time.Second) // a code works once
			code, _ := totp.GenerateCode(secret, clock.Now())
			return code
		},
	})
	res, err := client.Get(site + "/account")
	if err != nil {
		panic(err)
	}
	fmt.Println(res.StatusCode)
	// Output: 200
}
