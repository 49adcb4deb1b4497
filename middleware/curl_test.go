package middleware

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sallyport-go/sallyport/challenge"
)

func TestAProgramWithoutAnOriginMayPostAFormToAnHTTPSiteOnly_I24(t *testing.T) {
	for _, c := range []struct {
		name   string
		site   challenge.Site
		header http.Header
		want   bool
	}{
		{"curl, http site", challenge.Site{Origin: "http://127.0.0.1:8080", Host: "127.0.0.1:8080"}, http.Header{}, true},
		{"curl, https site", challenge.Site{Origin: "https://a.example", Host: "a.example", Secure: true}, http.Header{}, false},
		{"another origin, http site", challenge.Site{Origin: "http://127.0.0.1:8080", Host: "127.0.0.1:8080"}, http.Header{"Origin": {"http://evil.example"}}, false},
		{"an opaque origin, http site", challenge.Site{Origin: "http://127.0.0.1:8080", Host: "127.0.0.1:8080"}, http.Header{"Origin": {"null"}}, false},
		{"a foreign page, http site", challenge.Site{Origin: "http://127.0.0.1:8080", Host: "127.0.0.1:8080"}, http.Header{"Referer": {"http://evil.example/"}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := newForgery(&core{site: c.site, cookies: cookieNames{csrf: "csrf"}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			get, answer := httptest.NewRequest("GET", "/login", nil), httptest.NewRecorder()
			form, err := f.checkToken(answer, get)
			if err != nil {
				t.Fatal(err)
			}
			post := httptest.NewRequest("POST", "/login", nil)
			post.Header = c.header.Clone()
			post.AddCookie(answer.Result().Cookies()[0])
			post.Header.Set("X-CSRF-Token", form.token())
			if _, err := f.checkToken(httptest.NewRecorder(), post); (err == nil) != c.want {
				t.Errorf("checkToken: %v", err)
			}
			post.Header.Del("X-CSRF-Token")
			if _, err := f.checkToken(httptest.NewRecorder(), post); err == nil {
				t.Error("without a token it went through")
			}
		})
	}
}
