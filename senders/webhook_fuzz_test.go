package senders_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/senders"
)

// FuzzVerifyWebhook: nothing passes that was not signed, whatever the headers are.
func FuzzVerifyWebhook(f *testing.F) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // the specification's example
	now := time.Unix(1614265330, 0)
	f.Add("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v2,x", []byte(`{"test": 2432232314}`))
	f.Add("", "-9223372036854775808", "v1,", []byte{})
	f.Add("x", "9223372036854775807", "v1a,v1,,=", []byte("x"))
	f.Add("x", "1614265330", "v1,AAAA v1,AAAA", []byte("x"))
	f.Fuzz(func(t *testing.T, id, at, signature string, body []byte) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {at}, "Webhook-Signature": {signature}}
		got, err := senders.VerifyWebhook(h, body, now, secret)
		if err == nil && (got != "msg_p5jXN8AQM9LWM0D4loKWxJek" || at != "1614265330" || string(body) != `{"test": 2432232314}`) {
			t.Fatalf("%q %q %q passes", id, at, signature)
		}
		if err != nil && got != "" {
			t.Fatal("an id beside an error")
		}
	})
}
