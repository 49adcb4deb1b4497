package middlewaretest_test

import (
	"regexp"
	"testing"

	"github.com/sallyport-go/sallyport/middleware/middlewaretest"
)

var digits = regexp.MustCompile(`\d+`)

func TestFormsAreReadAsBrowsersReadThem(t *testing.T) {
	page := `<form><INPUT value='a&#43;b&amp;c' Name="csrf_token" TYPE=hidden type="hidden">
<input type="hidden"
 name="login" value=""/><input name="code" type="text" value="typed"/><input type="hidden" value="x"/></form>
<form><input type="hidden" name="csrf_token" value="second"/></form>`
	form := middlewaretest.FillIn(page, "code", "123456", "left over")
	if got := form.Encode(); got != "code=123456&csrf_token=a%2Bb%26c&login=" {
		t.Error(got)
	}
	if got := middlewaretest.CSRFToken(page); got != "a+b&c" {
		t.Error(got)
	}
	if got := middlewaretest.CSRFToken(`<input data-name=csrf_token data-value=x type=hidden><input type=hidden name=csrf_token value=a&#43;b>`); got != "a+b" {
		t.Errorf("without quotation marks: %q", got)
	}
	if middlewaretest.CSRFToken("") != "" {
		t.Error("a token out of nothing")
	}
}
