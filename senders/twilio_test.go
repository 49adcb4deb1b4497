package senders_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/senders"
	"github.com/sallyport-go/sallyport/senders/sendertest"
)

const sid, token = "AC0123456789abcdef0123456789abcdef", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
const service = "MG0123456789abcdef0123456789abcdef"

func twilio(t *testing.T, r *recorder, change func(*senders.TwilioConfig)) *senders.Twilio {
	t.Helper()
	c := senders.TwilioConfig{AccountSID: sid, AuthToken: token, From: "+15005550006", BaseURL: r.URL, Transport: r.Client().Transport}
	if change != nil {
		change(&c)
	}
	s, err := senders.NewTwilio(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func created(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, `{"sid":"SM1","status":"queued","error_code":null,"error_message":null}`)
}

func TestTwilioKeepsTheRulesOfASender(t *testing.T) { // I-21
	good := serve(t, created)
	sendertest.Run(t, sendertest.Harness{
		Channel: challenge.ChannelSMS,
		Sender:  twilio(t, good, nil), Refused: twilio(t, serve(t, parrot), nil), Stuck: twilio(t, serve(t, silent), nil),
		Secrets: []string{token, sid},
		Delivered: func() (ms []challenge.Message) {
			for _, q := range good.requests() {
				form, _ := url.ParseQuery(string(q.body))
				ms = append(ms, challenge.Message{To: form.Get("To"), Body: form.Get("Body")})
			}
			return ms
		},
	})
}

func TestATwilioRequestIsAsTheProviderDocuments(t *testing.T) {
	for _, c := range []struct {
		name             string
		change           func(*senders.TwilioConfig)
		path, user, form string
	}{
		{"a number", nil, "/2010-04-01/Accounts/" + sid + "/Messages.json", sid, "Body=*&From=%2B15005550006&To=%2B31600000001"},
		{"a messaging service", func(c *senders.TwilioConfig) { c.From, c.MessagingServiceSID = "", service },
			"/2010-04-01/Accounts/" + sid + "/Messages.json", sid, "Body=*&MessagingServiceSid=" + service + "&To=%2B31600000001"},
		{"an API key", func(c *senders.TwilioConfig) { c.APIKey = "SK1" },
			"/2010-04-01/Accounts/" + sid + "/Messages.json", "SK1", "Body=*&From=%2B15005550006&To=%2B31600000001"},
		{"a compatible provider below a path", func(c *senders.TwilioConfig) { c.BaseURL += "/api/laml/" },
			"/api/laml/2010-04-01/Accounts/" + sid + "/Messages.json", sid, "Body=*&From=%2B15005550006&To=%2B31600000001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := serve(t, created)
			if err := twilio(t, srv, c.change).Send(t.Context(), smsCode); err != nil {
				t.Fatal(err)
			}
			q := srv.requests()[0]
			user, pass, _ := (&http.Request{Header: q.header}).BasicAuth()
			form := strings.Replace(string(q.body), url.QueryEscape(smsCode.Body), "*", 1)
			if q.path != c.path || user != c.user || pass != token || form != c.form {
				t.Errorf("path %s, user %s, form %s", q.path, user, form)
			}
			if got := q.header.Get("Content-Type"); got != "application/x-www-form-urlencoded" {
				t.Errorf("content type %q", got)
			}
			values, err := url.ParseQuery(string(q.body))
			if err != nil {
				t.Fatal(err)
			}
			fields := map[string]any{}
			for name, v := range values {
				fields[name] = v[0]
			}
			for _, v := range violations(t, published(t, "twilio-create-message.json"), fields, "form") {
				t.Error(v)
			}
		})
	}
}

func TestATwilioRefusalCarriesNumbersOnly(t *testing.T) { // I-21
	for _, c := range []struct {
		name, answer string
		status, code int
		recipient    bool
	}{
		{"invalid number", `{"code":21211,"message":"The 'To' number +31600000001 is not valid: 314159","status":400}`, 400, 21211, true},
		{"opted out", `{"code":21610,"message":"x","status":400}`, 400, 21610, true},
		{"bad token", `{"code":20003,"message":"Authenticate","status":401}`, 401, 20003, false},
		{"too many", `{"code":20429,"message":"Too Many Requests","status":429}`, 429, 20429, false},
		{"no JSON", `<html>314159</html>`, 502, 0, false},
		{"code as text", `{"code":"314159"}`, 400, 0, false},
		{"nothing", ``, 500, 0, false},
		{"redirect", ``, 307, 0, false},
		{"accepted but failed at once", `{"status":"failed","error_code":30007}`, 201, 30007, false},
		{"unknown handset at once", `{"status":"undelivered","error_code":30005}`, 201, 30005, true},
	} {
		srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://acme.example/")
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.answer)
		})
		err := twilio(t, srv, nil).Send(t.Context(), smsCode)
		var se *senders.StatusError
		if !errors.As(err, &se) || se.Status != c.status || se.Code != c.code || errors.Is(err, challenge.ErrRecipient) != c.recipient {
			t.Errorf("%s: error %v", c.name, err)
		} else if s := err.Error(); strings.Contains(s, "314159") || strings.Contains(s, "valid:") {
			t.Errorf("%s: the error repeats the answer: %s", c.name, s)
		}
	}
}

func TestANumberThatIsNotE164IsRefusedBeforeSending(t *testing.T) {
	srv := serve(t, created)
	s := twilio(t, srv, nil)
	for _, to := range []string{"", "0600000001", "+0600000001", "31600000001", "+31 6 0000 0001", "+3160000000１", "+1234567890123456",
		"+31600000001\n", "+31600000001,+15005550006", "whatsapp:+31600000001", "+123456"} {
		m := smsCode
		m.To = to
		if err := s.Send(t.Context(), m); err == nil || to != "" && strings.Contains(err.Error(), to) {
			t.Errorf("%q: error %v", to, err)
		}
	}
	for _, m := range []challenge.Message{mailCode, {Channel: challenge.ChannelSMS, To: "+31600000001"}} {
		if err := s.Send(t.Context(), m); err == nil {
			t.Errorf("%v was sent", m)
		}
	}
	if n := len(srv.requests()); n != 0 {
		t.Errorf("%d requests were made", n)
	}
	for _, to := range []string{"+31600000001", "+2901234", "+123456789012345"} {
		m := smsCode
		m.To = to
		if err := s.Send(t.Context(), m); err != nil {
			t.Errorf("%q: %v", to, err)
		}
	}
}

func TestTwilioThatIsMisconfiguredIsRefused(t *testing.T) { // I-19
	for name, change := range map[string]func(*senders.TwilioConfig){
		"no account":             func(c *senders.TwilioConfig) { c.AccountSID = "" },
		"an account with a path": func(c *senders.TwilioConfig) { c.AccountSID = "../../x" },
		"no token":               func(c *senders.TwilioConfig) { c.AuthToken = "" },
		"a key with a colon":     func(c *senders.TwilioConfig) { c.APIKey = "SK:1" },
		"no sender":              func(c *senders.TwilioConfig) { c.From = "" },
		"two senders":            func(c *senders.TwilioConfig) { c.MessagingServiceSID = "MG1" },
		"a sender with a break":  func(c *senders.TwilioConfig) { c.From = "+1\r\n2" },
		"a strange service":      func(c *senders.TwilioConfig) { c.From, c.MessagingServiceSID = "", "MG 1" },
		"http":                   func(c *senders.TwilioConfig) { c.BaseURL = "http://127.0.0.1/" },
		"a URL with a user":      func(c *senders.TwilioConfig) { c.BaseURL = "https://u:" + token + "@acme.example/" },
		"a URL with a query":     func(c *senders.TwilioConfig) { c.BaseURL = "https://acme.example/?t=" + token },
		"a negative timeout":     func(c *senders.TwilioConfig) { c.Timeout = -1 },
	} {
		c := senders.TwilioConfig{AccountSID: sid, AuthToken: token, From: "+15005550006"}
		if _, err := senders.NewTwilio(c); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if _, err := senders.NewTwilio(c); err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if err := new(senders.Twilio).Send(t.Context(), smsCode); err == nil {
		t.Error("a Twilio that nobody constructed sent")
	}
}
