package senders

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The vector is that of the Standard Webhooks reference libraries (libraries/go/webhook_test.go, TestWebhookSign).
func TestTheSignatureEqualsThePublishedVector(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := webhookSignature([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The cases are those of the same file's TestWebhook, around the same vector, and what else an attacker may try.
func TestAWebhookIsVerifiedAsTheReferenceLibrariesDo(t *testing.T) {
	const (
		vectorSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
		good         = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
		wrong        = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
		other        = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	)
	signed := time.Unix(1614265330, 0)
	for _, c := range []struct {
		name    string
		change  func(http.Header)
		body    string
		now     time.Time
		secrets []string
		ok      bool
	}{
		{name: "as signed", ok: true},
		{name: "the second secret, while changing over", secrets: []string{other, vectorSecret}, ok: true},
		{name: "another secret", secrets: []string{other}},
		{name: "no id", change: func(h http.Header) { h.Del("webhook-id") }},
		{name: "no time", change: func(h http.Header) { h.Del("webhook-timestamp") }},
		{name: "no signature", change: func(h http.Header) { h.Del("webhook-signature") }},
		{name: "two ids", change: func(h http.Header) { h.Add("webhook-id", "msg_2") }},
		{name: "two times", change: func(h http.Header) { h.Add("webhook-timestamp", "1") }},
		{name: "wrong signature", change: func(h http.Header) { h.Set("webhook-signature", wrong) }},
		{name: "half a signature", change: func(h http.Header) { h.Set("webhook-signature", "v1,") }},
		{name: "half of the bytes", change: func(h http.Header) { h.Set("webhook-signature", good[:24]) }},
		{name: "another scheme", change: func(h http.Header) { h.Set("webhook-signature", strings.Replace(good, "v1,", "v2,", 1)) }},
		{name: "no scheme", change: func(h http.Header) { h.Set("webhook-signature", good[3:]) }},
		{name: "one of several", change: func(h http.Header) {
			h.Set("webhook-signature", strings.Join([]string{wrong, strings.Replace(wrong, "v1", "v2", 1), good, wrong}, " "))
		}, ok: true},
		{name: "another id", change: func(h http.Header) { h.Set("webhook-id", "msg_other") }},
		{name: "another time inside the window", change: func(h http.Header) { h.Set("webhook-timestamp", "1614265331") }},
		{name: "a time that is none", change: func(h http.Header) { h.Set("webhook-timestamp", "now") }},
		{name: "a time beyond all", change: func(h http.Header) { h.Set("webhook-timestamp", "9223372036854775807") }},
		{name: "another body", body: `{"test": 2432232315}`},
		{name: "a longer body", body: `{"test": 2432232314} `},
		{name: "5 minutes later", now: signed.Add(5 * time.Minute), ok: true},
		{name: "a replay after 5 minutes", now: signed.Add(5*time.Minute + time.Second)},
		{name: "from a clock 5 minutes ahead", now: signed.Add(-5 * time.Minute), ok: true},
		{name: "from the future", now: signed.Add(-5*time.Minute - time.Second)},
	} {
		h := http.Header{}
		h.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
		h.Set("webhook-timestamp", "1614265330")
		h.Set("webhook-signature", good)
		if c.change != nil {
			c.change(h)
		}
		body, now, secrets := `{"test": 2432232314}`, signed, []string{vectorSecret}
		if c.body != "" {
			body = c.body
		}
		if !c.now.IsZero() {
			now = c.now
		}
		if c.secrets != nil {
			secrets = c.secrets
		}
		id, err := VerifyWebhook(h, []byte(body), now, secrets...)
		if c.ok && (err != nil || id != "msg_p5jXN8AQM9LWM0D4loKWxJek") || !c.ok && (!errors.Is(err, ErrWebhook) || id != "") {
			t.Errorf("%s: id %q, %v", c.name, id, err)
		}
	}
	for name, secrets := range map[string][]string{"none": nil, "an empty one": {""}, "a short one": {"whsec_aHVudGVyMg=="}, "one without its prefix": {vectorSecret[6:]}} {
		if _, err := VerifyWebhook(http.Header{}, nil, signed, secrets...); err == nil || errors.Is(err, ErrWebhook) || strings.Contains(err.Error(), "aHVu") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
