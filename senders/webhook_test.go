package senders_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/senders"
	"github.com/sallyport-go/sallyport/senders/sendertest"
)

// The secret of the Standard Webhooks libraries' published test vector.
const (
	vectorKey = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	secret    = "whsec_" + vectorKey
)

// request is what a test server has received.
type request struct {
	header http.Header
	path   string
	body   []byte
}

// recorder answers every request with status and answer, and keeps it.
type recorder struct {
	*httptest.Server
	mu   sync.Mutex
	reqs []request
}

func serve(t *testing.T, answer http.HandlerFunc) *recorder {
	t.Helper()
	r := &recorder{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.reqs = append(r.reqs, request{req.Header, req.URL.Path, body})
		r.mu.Unlock()
		req.Body = io.NopCloser(strings.NewReader(string(body)))
		answer(w, req)
	}))
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.StartTLS()
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) requests() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]request(nil), r.reqs...)
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }

// parrot refuses and repeats what it was sent: the answer that must not reach a log.
func parrot(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusBadRequest)
	_, _ = io.Copy(w, r.Body)
	fmt.Fprint(w, r.Header)
}

// silent never answers, not even when the client hangs up.
func silent(_ http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

func webhook(t *testing.T, r *recorder, path string) *senders.Webhook {
	t.Helper()
	w, err := senders.NewWebhook(senders.WebhookConfig{URL: strings.Replace(r.URL, "https://", "https://hook:pa55word@", 1) + path,
		Secrets: []string{secret}, Transport: r.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

type hookBody struct {
	Type      string
	Timestamp time.Time
	Data      struct{ Channel, To, Code, Subject, Body, HTML, Language string }
}

func (r *recorder) messages() []challenge.Message {
	var ms []challenge.Message
	for _, q := range r.requests() {
		var b hookBody
		if json.Unmarshal(q.body, &b) != nil {
			continue
		}
		d := b.Data
		ms = append(ms, challenge.Message{Channel: d.Channel, To: d.To, Code: challenge.Code(d.Code), Subject: d.Subject, Body: d.Body, HTML: d.HTML, Language: d.Language})
	}
	return ms
}

func TestAWebhookKeepsTheRulesOfASender(t *testing.T) { // I-21
	good := serve(t, ok)
	sendertest.Run(t, sendertest.Harness{
		Sender: webhook(t, good, "/hook?key=k3y"), Delivered: good.messages,
		Refused: webhook(t, serve(t, parrot), "/hook?key=k3y"),
		Stuck:   webhook(t, serve(t, silent), "/hook?key=k3y"),
		Secrets: []string{secret, vectorKey, "pa55word", "k3y"},
	})
}

func TestAWebhookRequestIsSignedAsStandardWebhooksSays(t *testing.T) {
	srv := serve(t, ok)
	second := "whsec_" + base64.StdEncoding.EncodeToString([]byte("another secret of 32 random byte"))
	w, err := senders.NewWebhook(senders.WebhookConfig{URL: srv.URL, Secrets: []string{secret, second}, Transport: srv.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Send(t.Context(), mailCode); err != nil {
			t.Fatal(err)
		}
	}
	reqs := srv.requests()
	if reqs[0].header.Get("webhook-id") == reqs[1].header.Get("webhook-id") {
		t.Error("two messages share an id")
	}
	q := reqs[0]
	id, at := q.header.Get("webhook-id"), q.header.Get("webhook-timestamp")
	if id == "" || strings.Contains(id, ".") {
		t.Errorf("id %q", id)
	}
	if unix, err := strconv.ParseInt(at, 10, 64); err != nil || time.Since(time.Unix(unix, 0)).Abs() > time.Minute {
		t.Errorf("timestamp %q", at)
	}
	signatures := strings.Fields(q.header.Get("webhook-signature"))
	if len(signatures) != 2 {
		t.Fatalf("%d signatures for two secrets", len(signatures))
	}
	for i, s := range []string{secret, second} {
		key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "whsec_"))
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, at, q.body)
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); signatures[i] != want {
			t.Errorf("signature %d is %s, want %s", i, signatures[i], want)
		}
	}
	if got := q.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
}

func TestAWebhookBodyTellsCodesFromNotices(t *testing.T) {
	srv := serve(t, ok)
	w := webhook(t, srv, "/hook")
	for _, m := range []challenge.Message{mailCode, notice, smsCode} {
		if err := w.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"sallyport.code", "sallyport.notice", "sallyport.code"} {
		var b hookBody
		if err := json.Unmarshal(srv.requests()[i].body, &b); err != nil || b.Type != want || time.Since(b.Timestamp).Abs() > time.Minute {
			t.Errorf("request %d: type %q, timestamp %v, %v", i, b.Type, b.Timestamp, err)
		}
	}
	if s := string(srv.requests()[1].body); strings.Contains(s, `"code":`) {
		t.Errorf("a notice has a code: %s", s)
	}
	if user, pass, _ := (&http.Request{Header: srv.requests()[0].header}).BasicAuth(); user != "hook" || pass != "pa55word" {
		t.Error("the URL's user part was not sent as Basic")
	}
}

func TestAWebhookWithoutSecretsSendsNoSignature(t *testing.T) {
	srv := serve(t, ok)
	w, err := senders.NewWebhook(senders.WebhookConfig{URL: srv.URL, Transport: srv.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Send(t.Context(), smsCode); err != nil {
		t.Fatal(err)
	}
	if _, has := srv.requests()[0].header["Webhook-Signature"]; has {
		t.Error("signed without a secret")
	}
}

func TestAWebhookAnswerOtherThan2xxIsAFailureWithItsStatus(t *testing.T) {
	for _, status := range []int{204, 200, 301, 302, 307, 308, 400, 401, 429, 500, 503} {
		elsewhere := serve(t, ok)
		srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", elsewhere.URL+"/271828")
			w.WriteHeader(status)
		})
		err := webhook(t, srv, "/").Send(t.Context(), mailCode)
		if n := len(elsewhere.requests()); n != 0 {
			t.Errorf("%d: a redirect was followed", status)
		}
		if n := len(srv.requests()); n != 1 {
			t.Errorf("%d: %d requests", status, n)
		}
		var se *senders.StatusError
		switch {
		case status < 300 && err != nil:
			t.Errorf("%d: %v", status, err)
		case status >= 300 && (!errors.As(err, &se) || se.Status != status):
			t.Errorf("%d: error %v does not carry the status", status, err)
		}
	}
}

func TestAnEndlessAnswerIsReadToALimit(t *testing.T) { // I-23
	gone := make(chan int64, 1)
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var written int64
		chunk := make([]byte, 4096)
		for {
			n, err := w.Write(chunk)
			written += int64(n)
			if err != nil || r.Context().Err() != nil || written > 1<<30 {
				gone <- written
				return
			}
		}
	})
	if err := webhook(t, srv, "/").Send(t.Context(), mailCode); err != nil {
		t.Fatal(err)
	}
	if n := <-gone; n > 64<<20 {
		t.Errorf("the server could write %d bytes", n)
	}
}

func TestATimeoutOfTheWebhookItselfEndsASend(t *testing.T) {
	srv := serve(t, silent)
	w, err := senders.NewWebhook(senders.WebhookConfig{URL: srv.URL, Timeout: 20 * time.Millisecond, Transport: srv.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Send(t.Context(), mailCode); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestAWebhookDoesNotTrustAnUnknownCertificate(t *testing.T) {
	srv := serve(t, ok)
	w, err := senders.NewWebhook(senders.WebhookConfig{URL: srv.URL + "/?key=k3y"})
	if err != nil {
		t.Fatal(err)
	}
	err = w.Send(t.Context(), mailCode)
	if err == nil || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "k3y") {
		t.Errorf("error %v", err)
	}
	if len(srv.requests()) != 0 {
		t.Error("the message was sent")
	}
}

func TestAnAnswerThatIsNotHTTPIsNotRepeated(t *testing.T) { // I-21
	err := errorOf(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(conn, "HTTP/1.1 %s\r\n\r\n", body)
		conn.Close()
	})
	if err == nil || strings.Contains(err.Error(), "271828") {
		t.Errorf("error %v", err)
	}
}

func errorOf(t *testing.T, answer http.HandlerFunc) error {
	t.Helper()
	return webhook(t, serve(t, answer), "/").Send(t.Context(), mailCode)
}

func TestAWebhookThatIsMisconfiguredIsRefused(t *testing.T) { // I-19
	const hidden = "hunter2"
	for _, c := range []struct {
		name, says string
		config     senders.WebhookConfig
	}{
		{"no URL", "https://", senders.WebhookConfig{}},
		{"http", "InsecureHTTP", senders.WebhookConfig{URL: "http://u:" + hidden + "@acme.example/"}},
		{"HTTP in capitals", "InsecureHTTP", senders.WebhookConfig{URL: "HTTP://acme.example/"}},
		{"no host", "https://host", senders.WebhookConfig{URL: "https:///" + hidden}},
		{"port alone", "https://host", senders.WebhookConfig{URL: "https://:443/" + hidden}},
		{"opaque", "https://host", senders.WebhookConfig{URL: "https:acme.example"}},
		{"unreadable", "percent-encode", senders.WebhookConfig{URL: "https://u:" + hidden + "%zz@acme.example/"}},
		{"other scheme", "https://", senders.WebhookConfig{URL: "ftp://" + hidden + "@acme.example/", InsecureHTTP: true}},
		{"fragment", "fragment", senders.WebhookConfig{URL: "https://acme.example/#" + hidden}},
		{"negative timeout", "negative", senders.WebhookConfig{URL: "https://acme.example/", Timeout: -1}},
		{"secret without prefix", "whsec_", senders.WebhookConfig{URL: "https://acme.example/", Secrets: []string{vectorKey}}},
		{"empty secret", "whsec_", senders.WebhookConfig{URL: "https://acme.example/", Secrets: []string{""}}},
		{"second secret short", "secret 2", senders.WebhookConfig{URL: "https://acme.example/", Secrets: []string{secret, "whsec_aHVudGVyMg=="}}},
		{"secret not base64", "whsec_", senders.WebhookConfig{URL: "https://acme.example/", Secrets: []string{"whsec_" + hidden + "!"}}},
	} {
		_, err := senders.NewWebhook(c.config)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), hidden) {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
	if _, err := senders.NewWebhook(senders.WebhookConfig{URL: "http://127.0.0.1:1/", InsecureHTTP: true}); err != nil {
		t.Errorf("InsecureHTTP: %v", err)
	}
	if err := new(senders.Webhook).Send(t.Context(), mailCode); err == nil {
		t.Error("a Webhook that nobody constructed sent")
	}
}

func TestConfigurationsPrintWithoutSecrets(t *testing.T) { // I-21
	for _, v := range []any{
		senders.WebhookConfig{URL: "https://u:hunter2@acme.example/", Secrets: []string{"hunter2"}},
		senders.TwilioConfig{AccountSID: "AC1", AuthToken: "hunter2"},
		senders.SendGridConfig{APIKey: "hunter2"},
	} {
		j, err := json.Marshal(v)
		if s := fmt.Sprintf("%v %+v %#v %s", v, v, v, j); err != nil || strings.Contains(s, "hunter2") {
			t.Errorf("%T prints %s, %v", v, s, err)
		}
	}
}
