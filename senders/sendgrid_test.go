package senders_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/senders"
	"github.com/sallyport-go/sallyport/senders/sendertest"
)

const mailKey = "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"

func sendgrid(t *testing.T, r *recorder) *senders.SendGrid {
	t.Helper()
	s, err := senders.NewSendGrid(senders.SendGridConfig{APIKey: mailKey, From: "Acme Söhne <login@acme.example>", BaseURL: r.URL, Transport: r.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mails reads what was posted back, by the names of the published schema.
func (r *recorder) mails() (ms []challenge.Message) {
	for _, q := range r.requests() {
		var b struct {
			Personalizations []struct{ To []struct{ Email string } }
			Subject          string
			Content          []struct{ Type, Value string }
			Headers          map[string]string
		}
		if json.Unmarshal(q.body, &b) != nil || len(b.Personalizations) != 1 || len(b.Personalizations[0].To) != 1 {
			continue
		}
		m := challenge.Message{Channel: challenge.ChannelEmail, To: b.Personalizations[0].To[0].Email, Subject: b.Subject, Language: b.Headers["Content-Language"]}
		for _, c := range b.Content {
			switch c.Type {
			case "text/plain":
				m.Body = c.Value
			case "text/html":
				m.HTML = c.Value
			}
		}
		ms = append(ms, m)
	}
	return ms
}

func TestSendGridKeepsTheRulesOfASender(t *testing.T) { // I-21
	good := serve(t, ok)
	sendertest.Run(t, sendertest.Harness{
		Sender: sendgrid(t, good), Delivered: good.mails,
		Refused: sendgrid(t, serve(t, parrot)), Stuck: sendgrid(t, serve(t, silent)),
		Secrets: []string{mailKey},
	})
}

func TestASendGridRequestIsAsTheProviderPublishes(t *testing.T) {
	schema := published(t, "sendgrid-mail-send.json")
	both := mailCode
	both.HTML = "<p>314159</p>"
	for _, m := range []challenge.Message{mailCode, notice, both} {
		srv := serve(t, ok)
		if err := sendgrid(t, srv).Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		q := srv.requests()[0]
		var body map[string]any
		if err := json.Unmarshal(q.body, &body); err != nil {
			t.Fatal(err)
		}
		for _, v := range violations(t, schema, body, "request") {
			t.Error(v)
		}
		if q.path != "/v3/mail/send" || q.header.Get("Authorization") != "Bearer "+mailKey || q.header.Get("Content-Type") != "application/json" {
			t.Errorf("path %s, header %v", q.path, q.header)
		}
		for _, want := range []string{`"from":{"email":"login@acme.example","name":"Acme Söhne"}`,
			`"click_tracking":{"enable":false,"enable_text":false}`, `"open_tracking":{"enable":false}`, `"subscription_tracking":{"enable":false}`,
			`"bypass_unsubscribe_management":{"enable":true}`, `"content":[{"type":"text/plain"`, `"Auto-Submitted":"auto-generated"`} {
			if !strings.Contains(string(q.body), want) {
				t.Errorf("no %s in %s", want, q.body)
			}
		}
	}
}

func TestSendGridHasDeliveredOnlyWhatItHasQueued(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		status       int
		recipient    bool
	}{
		{"valid, but not queued (sandbox)", "", 200, false},
		{"bad key", `{"errors":[{"message":"The provided authorization grant is invalid, expired, or revoked","field":null,"help":null}]}`, 401, false},
		{"the address", `{"errors":[{"message":"Does not contain a valid address: carol@example.com 314159","field":"personalizations.0.to.0.email","help":null}]}`, 400, true},
		{"the address, in the older form", `{"errors":[{"message":"x","field":"personalizations.to"}]}`, 400, true},
		{"the sender", `{"errors":[{"message":"x","field":"from.email"}]}`, 400, false},
		{"the address and the sender", `{"errors":[{"field":"personalizations.0.to.0.email"},{"field":"from"}]}`, 400, false},
		{"no reason", `{"errors":[]}`, 400, false},
		{"no JSON", `314159`, 400, false},
		{"too many", ``, 429, false},
		{"down", ``, 503, false},
	} {
		srv := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status); fmt.Fprint(w, c.answer) })
		err := sendgrid(t, srv).Send(t.Context(), mailCode)
		var se *senders.StatusError
		if !errors.As(err, &se) || se.Status != c.status || errors.Is(err, challenge.ErrRecipient) != c.recipient {
			t.Errorf("%s: error %v", c.name, err)
		} else if s := err.Error(); strings.Contains(s, "314159") || strings.Contains(s, "carol") {
			t.Errorf("%s: the error repeats the answer: %s", c.name, s)
		}
	}
}

func TestSendGridRefusesWhatIsNotOneMailBeforeSending(t *testing.T) {
	srv := serve(t, ok)
	s := sendgrid(t, srv)
	for _, change := range []func(*challenge.Message){
		func(m *challenge.Message) { m.To = "carol@example.com, eve@example.net" },
		func(m *challenge.Message) { m.To = "carol@example.com\r\nBcc: eve@example.net" },
		func(m *challenge.Message) { m.Subject = "x\r\nBcc: eve@example.net" },
		func(m *challenge.Message) { m.Subject = "" },
		func(m *challenge.Message) { m.Body = "" },
		func(m *challenge.Message) { m.Channel = challenge.ChannelSMS },
	} {
		m := mailCode
		change(&m)
		if err := s.Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "eve") {
			t.Errorf("error %v", err)
		}
	}
	m := mailCode
	m.Language = "de\r\nBcc: eve@example.net"
	if err := s.Send(t.Context(), m); err != nil || len(srv.requests()) != 1 || strings.Contains(string(srv.requests()[0].body), "eve") {
		t.Errorf("%d requests, %v", len(srv.requests()), err)
	}
}

func TestSendGridThatIsMisconfiguredIsRefused(t *testing.T) { // I-19
	for name, change := range map[string]func(*senders.SendGridConfig){
		"no key":                         func(c *senders.SendGridConfig) { c.APIKey = "" },
		"a key with a break":             func(c *senders.SendGridConfig) { c.APIKey += "\r\nX: y" },
		"no sender":                      func(c *senders.SendGridConfig) { c.From = "" },
		"two senders":                    func(c *senders.SendGridConfig) { c.From = "a@acme.example, b@acme.example" },
		"a sender with an encoded break": func(c *senders.SendGridConfig) { c.From = "=?utf-8?q?Acme=0D=0Ax?= <login@acme.example>" },
		"http":                           func(c *senders.SendGridConfig) { c.BaseURL = "http://127.0.0.1/" },
		"a URL with a query":             func(c *senders.SendGridConfig) { c.BaseURL = "https://acme.example/?t=" + mailKey },
		"a URL with a user":              func(c *senders.SendGridConfig) { c.BaseURL = "https://u:" + mailKey + "@acme.example/" },
		"a negative timeout":             func(c *senders.SendGridConfig) { c.Timeout = -1 },
	} {
		c := senders.SendGridConfig{APIKey: mailKey, From: "login@acme.example"}
		if _, err := senders.NewSendGrid(c); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if _, err := senders.NewSendGrid(c); err == nil || strings.Contains(err.Error(), mailKey) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if err := new(senders.SendGrid).Send(t.Context(), mailCode); err == nil {
		t.Error("a SendGrid that nobody constructed sent")
	}
}
