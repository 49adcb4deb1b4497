package middleware_test

import (
	"fmt"
	"net/http"
)

func ExampleWeb_Security() {
	web := exampleWeb()
	mux := http.NewServeMux()
	mux.Handle("/login", web.Pages())
	mux.Handle("/login/", web.Pages())
	mux.Handle("/account/security", web.Security())
	mux.Handle("/account/security/", web.Security())

	for _, path := range []string{"/account/security", "/account/security/sessions"} {
		w := get(mux, path, func(*http.Request) {})
		fmt.Println(w.Code, w.Header().Get("Location"))
	}
	// Output:
	// 303 /login?next=%2Faccount%2Fsecurity
	// 303 /login?next=%2Faccount%2Fsecurity%2Fsessions
}
