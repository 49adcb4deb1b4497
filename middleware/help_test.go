package middleware

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

type atomicInt = atomic.Int64

type atomicErr struct{ p atomic.Pointer[error] }

func (a *atomicErr) set(err error) { a.p.Store(&err) }
func (a *atomicErr) get() error {
	if p := a.p.Load(); p != nil {
		return *p
	}
	return nil
}

var errTest = errors.New("broken for the test")

func between(t testing.TB, s, before, after string) string {
	t.Helper()
	_, rest, ok := strings.Cut(s, before)
	if !ok {
		t.Fatalf("no %q in\n%s", before, s)
	}
	v, _, _ := strings.Cut(rest, after)
	return unescape(v)
}

func codeOf(t testing.TB, secret string, now time.Time) string {
	t.Helper()
	c, err := totp.GenerateCode(secret, now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func queryOf(s string) string { return url.QueryEscape(s) }

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }
