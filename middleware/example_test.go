package middleware_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/middleware"
	"github.com/sallyport-go/sallyport/stores"
)

// exampleWeb is a site with one account; a real one has challenge.Config of its own.
func exampleWeb(change ...func(*challenge.Config, *middleware.Config)) *middleware.Web {
	kit := challengetest.New(challengetest.NewClock())
	kit.Users.Add(challenge.Account{ID: "7", Name: "reports", Service: true}, "correct-horse-battery")
	c, mc := kit.Config(&stores.Memory{Clock: kit.Clock.Now}), middleware.Config{}
	for _, f := range change {
		f(&c, &mc)
	}
	logins, err := challenge.New(c)
	if err != nil {
		panic(err)
	}
	web, err := middleware.New(logins, mc)
	if err != nil {
		panic(err)
	}
	return web
}

func get(h http.Handler, target string, change func(*http.Request)) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest("GET", target, nil), httptest.NewRecorder()
	change(r)
	h.ServeHTTP(w, r)
	return w
}

func ExampleGroup_RequireSecondFactor() {
	web := exampleWeb()
	account := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, _ := middleware.Authenticated(r.Context())
		_, _ = io.WriteString(w, "hello "+login.Username)
	})
	mux := http.NewServeMux()
	mux.Handle("/login", web.Pages())
	mux.Handle("/account", web.RequireSecondFactor(account))

	w := get(mux, "/account", func(*http.Request) {})
	fmt.Println(w.Code, w.Header().Get("Location"))
	// Output: 303 /login?next=%2Faccount
}

func ExampleWeb_API() {
	web := exampleWeb()
	api := web.API()
	reports := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, _ := middleware.Authenticated(r.Context())
		_, _ = fmt.Fprint(w, "hello ", login.Username)
	})
	guarded := api.RequireSecondFactor(reports)

	w := get(guarded, "/api/reports", func(*http.Request) {})
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	w = get(guarded, "/api/reports", func(r *http.Request) { r.SetBasicAuth("reports", "correct-horse-battery") })
	fmt.Println(w.Code, w.Body)
	// Output:
	// 401 application/problem+json
	// 200 hello reports
}

func ExampleGroup_RequireFresh() {
	web := exampleWeb()
	transfer := web.API().RequireFresh(5 * time.Minute)(http.NotFoundHandler())

	w := get(transfer, "/api/transfer", func(r *http.Request) { r.SetBasicAuth("reports", "correct-horse-battery") })
	fmt.Println(w.Code) // a machine cannot show a second factor
	// Output: 403
}

func ExampleGroup_RateLimitRequests() {
	web := exampleWeb()
	search, err := web.RateLimitRequests("search", middleware.ByClient, middleware.Rate{Requests: 2, Per: time.Minute})
	if err != nil {
		panic(err)
	}
	h := search(http.NotFoundHandler())
	for range 3 {
		w := get(h, "/search", func(*http.Request) {})
		fmt.Println(w.Code)
	}
	// Output:
	// 404
	// 404
	// 429
}

func ExampleGroup_Sessions() {
	web := exampleWeb()
	basket := web.Sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		web.Session.Put(r.Context(), "basket", "apple")
		_, loggedIn := middleware.Authenticated(r.Context())
		_, _ = fmt.Fprint(w, "logged in: ", loggedIn)
	}))

	w := get(basket, "/basket", func(*http.Request) {})
	fmt.Println(w.Body, w.Result().Cookies()[0].Name)
	// Output: logged in: false __Host-sallyport
}
