package challenge_test

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// written is a store that keeps every byte that it was ever given.
type written struct {
	challenge.Store
	mu  sync.Mutex
	all strings.Builder
}

func (w *written) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error) {
	w.mu.Lock()
	for _, v := range []string{key, string(old), string(new)} {
		w.all.WriteString(v)
		w.all.WriteByte(0)
	}
	w.mu.Unlock()
	return w.Store.CompareAndSwap(ctx, key, old, new, expires)
}

func (w *written) Load(ctx context.Context, key string) ([]byte, error) {
	w.mu.Lock()
	w.all.WriteString(key + "\x00")
	w.mu.Unlock()
	return w.Store.Load(ctx, key)
}

func (w *written) Volatile() bool { return true }

// I-05, I-12, I-13, I-14, I-18: whoever reads the store, or kept a copy of all that it ever held, has nothing to log in with.
func TestWhatWasEverWrittenHoldsNoSecretInClear(t *testing.T) {
	w := new(written)
	o := owned(t, func(c *challenge.Config) { w.Store, c.Store = c.Store, w })
	secrets := map[string]string{"password": password, "imported secret": tablet, "other imported secret": secret}
	keep := func(what string, list ...string) {
		for _, v := range list {
			if len(v) < 6 {
				t.Fatalf("no %s: %q", what, v)
			}
			secrets[what+" "+v] = v
		}
	}
	outcome := func(what string, out challenge.Outcome, err error) string {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		keep(what+", token", out.Token)
		if out.Device != "" {
			keep(what+", device", out.Device)
		}
		if out.Trusted != "" {
			keep(what+", trusted device", out.Trusted)
		}
		keep(what+", recovery code", out.RecoveryCodes...)
		return out.Token
	}
	keep("recovery code", o.codes...)

	// Alice logs in on a trusted device, by a recovery code and by a step-up.
	c := challenge.Client{Addr: address(3), UserAgent: "Firefox"}
	out, err := o.logins.Password(ctx, c, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: "alice", Password: []byte(password)})
	token := outcome("pending login", out, err)
	out, err = o.logins.Verify(ctx, c, o.open(token), challenge.CodeInput{Code: o.codeOf(secret, 0), Trust: true})
	outcome("login", out, err)
	c.Trusted, c.Device = out.Trusted, out.Device
	out, err = o.logins.Password(ctx, c, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: "alice", Password: []byte(password)})
	outcome("trusted login", out, err)
	out = o.by(challenge.Client{}, func() string { return o.codes[1] })
	outcome("login by a recovery code", out, nil)
	out = o.by(challenge.Client{}, func() string { return o.codeOf(tablet, 0) })
	token = outcome("login by the tablet", out, nil)
	o.Clock.Advance(time.Minute)
	out, err = o.stepUp(token, "", o.codeOf(tablet, 0))
	token = outcome("step-up", out, err)
	out, err = o.passwordAgain(token, password)
	token = outcome("password again", out, err)

	// Everything that she can change, twice: confirmed and given up.
	for _, in := range []challenge.EnrolInput{{Method: "totp"}, {Method: "email", Destination: "alice@work.example"}, {Method: "sms", Destination: "+31612345678"}} {
		o.Clock.Advance(time.Minute)
		first, err := o.begin(token, in)
		if err != nil {
			t.Fatal(err)
		}
		o.Clock.Advance(time.Minute)
		if err := o.logins.CancelEnrolment(ctx, o.open(token)); err != nil {
			t.Fatal(err)
		}
		o.Clock.Advance(time.Minute)
		out, err = o.stepUp(token, "totp", o.codeOf(tablet, 0))
		token = outcome("step-up", out, err)
		out, err = o.passwordAgain(token, password)
		token = outcome("password again", out, err)
		second, err := o.begin(token, in)
		if err != nil {
			t.Fatal(err)
		}
		keep("of an enrolment by "+in.Method, first, second)
		if in.Destination != "" {
			keep("destination", in.Destination)
		} else {
			second = o.codeOf(second, 0)
		}
		keep("confirming code", second)
		out, err = o.confirm(token, second)
		token = outcome("change", out, err)
	}
	out, err = o.logins.RemoveFactor(ctx, challenge.Client{}, o.open(token), o.id("phone"))
	token = outcome("change", out, err)
	out, err = o.logins.RenewRecoveryCodes(ctx, challenge.Client{}, o.open(token))
	token = outcome("new codes", out, err)
	out, err = o.logins.EndOthers(ctx, challenge.Client{}, o.open(token))
	outcome("the others ended", out, err)

	// Sent codes, to addresses that the app has, and an enrolment in a login; guesses; an administrator.
	keep("address of the app's", "carol@example.com", "erin@example.com", "sam@example.com", "+31600000001", "alice@example.com")
	o.loginCarol()
	if _, err := o.password("sam", password); err != nil {
		t.Fatal(err)
	}
	token, new := o.proven("erin", "erin@example.com")
	keep("enrolled at a login", new, token)
	out, err = o.verify(token, o.codeOf(new, 0))
	outcome("enrolment", out, err)
	for range 3 {
		_, _ = o.password("carol", "a-wrong-password")
		_, _ = o.verify(o.on("alice", challenge.Client{}).Token, "918273")
	}
	keep("guess", "a-wrong-password", "918273")
	if err := o.logins.ResetFactors(ctx, "1", "admin"); err != nil {
		t.Fatal(err)
	}
	code, err := o.logins.EnrolmentCode(ctx, "1", "admin")
	if err != nil {
		t.Fatal(err)
	}
	keep("enrolment code", code)
	for _, m := range o.Outbox.Messages() {
		keep("sent code", string(m.Code))
	}
	o.logins.WaitForNotices()

	w.mu.Lock()
	all := w.all.String()
	w.mu.Unlock()
	if len(secrets) < 60 || len(all) < 50_000 {
		t.Fatalf("%d secrets in %d bytes: did the flows run?", len(secrets), len(all))
	}
	upper := strings.ToUpper(all)
	for what, v := range secrets {
		for how, s := range forms(v) {
			if strings.Contains(all, s) || len(s) > 8 && strings.Contains(upper, strings.ToUpper(s)) {
				t.Errorf("%s, %s, was written", strings.TrimSuffix(what, v), how)
			}
		}
	}
}

// forms are the ways in which a secret might be written.
func forms(v string) map[string]string {
	out := map[string]string{"as it is": v, "in base64": base64.RawStdEncoding.EncodeToString([]byte(v))[:len(v)], "in hexadecimal": hex.EncodeToString([]byte(v)), "without hyphens": strings.ReplaceAll(v, "-", "")}
	if raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(v); err == nil && len(raw) >= 16 {
		out["as bytes"], out["as bytes in hexadecimal"] = string(raw), hex.EncodeToString(raw)
	}
	if raw, err := base64.RawURLEncoding.DecodeString(v); err == nil && len(raw) == 32 {
		out["as bytes"] = string(raw)
	}
	return out
}
