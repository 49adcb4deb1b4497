package middleware_test

import (
	"fmt"
	"html/template"
	"net/http/httptest"
	"regexp"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/challenge/texts"
	"github.com/sallyport-go/sallyport/middleware"
	"github.com/sallyport-go/sallyport/stores"
)

// pages are our own templates; the others stay Sallyport's.
var pages = template.Must(template.New("").Parse(`
{{define "header"}}<header class="shop"><a href="/">{{.Brand}}</a></header>{{end}}

{{define "style.css"}}
body { margin: 2rem auto; max-width: 24rem; font: 1rem/1.5 system-ui, sans-serif; }
.shop { border-bottom: 2px solid #0b5d66; }
.error { color: #9b1c1c; }
{{end}}

{{define "login"}}{{template "top" .}}
<p>Good to see you.</p>
{{template "messages" .}}
<form method="post" action="{{.Action}}">
{{template "hidden" .}}{{template "next" .}}
<label for="username">{{.Text "label.username"}}</label>
<input id="username" name="username" value="{{.Username}}" required autocomplete="username" autocapitalize="none">
{{template "password-field" .}}
<button>{{.Text "button.log-in"}}</button>
</form>
{{if .Alone}}{{template "passkey-form" .}}{{end}}
{{template "bottom" .}}{{end}}
`))

// A header, a style sheet, a login page and some words of the app's own. docs/pages.md names everything that a template finds.
func ExampleConfig_pages() {
	catalog, err := texts.Default().With("en", map[texts.Key]string{
		texts.ButtonLogIn: "Sign in",

		"method.pager": "Pager",                                    // in lists and mails
		"use.pager":    "Page me instead",                          // the button that changes to it
		"hint.pager":   "We paged {destination}. Type the digits.", // above the field; {destination} may be left out
	})
	if err != nil {
		panic(err)
	}
	config := challengetest.New(challengetest.NewClock()).Config(new(stores.Memory)) // yours: see challenge.Config
	config.Texts = catalog
	logins, err := challenge.New(config)
	if err != nil {
		panic(err)
	}
	web, err := middleware.New(logins, middleware.Config{Brand: "Shop", Pages: pages})
	if err != nil {
		panic(err)
	}
	w := httptest.NewRecorder()
	web.Pages().ServeHTTP(w, httptest.NewRequest("GET", "/login", nil))
	fmt.Println(w.Code)
	for _, part := range regexp.MustCompile(`<(header|button).*|.*(Good to|\.shop).*`).FindAllString(w.Body.String(), -1) {
		fmt.Println(part)
	}
	fmt.Println(catalog.Hint("en", "pager", "•••42"))
	// Output:
	// 200
	// .shop { border-bottom: 2px solid #0b5d66; }
	// <header class="shop"><a href="/">Shop</a></header>
	// <p>Good to see you.</p>
	// <button>Sign in</button>
	// We paged •••42. Type the digits.
}
