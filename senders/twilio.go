package senders

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// e164 is ITU-T E.164 §6: a plus, a country code that does not begin with 0, 15 digits at most. Seven is the shortest
// number in use with its country code.
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

var (
	accountSID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`) // goes into a path; compatible providers use UUIDs
	smsFrom    = regexp.MustCompile(`^\+?[A-Za-z0-9 ]{1,16}$`)
)

// unreachable are Twilio's error numbers that speak of the destination (its "Error and Warning Dictionary"): not a number,
// opted out, no mobile number, a landline, switched off or out of reach, unknown.
var unreachable = []int{21211, 21610, 21614, 21635, 30003, 30005, 30006}

// TwilioConfig is an account at Twilio or at a provider that speaks the same interface. It prints without its credentials.
type TwilioConfig struct {
	AccountSID string
	// AuthToken is the account's token, or the secret of APIKey.
	AuthToken string `json:"-"`
	// APIKey, the SID of an API key, takes the account's place as user name when it is set.
	APIKey string
	// From is the sending number in E.164, a short code or an alphanumeric sender id. Set this or MessagingServiceSID.
	From string
	// MessagingServiceSID lets a messaging service choose the sender.
	MessagingServiceSID string
	// BaseURL is what comes before /2010-04-01/Accounts/…; empty means https://api.twilio.com.
	BaseURL string `json:"-"`
	// Timeout bounds one post beside the context's deadline. Zero means 10 seconds.
	Timeout time.Duration
	// Transport replaces http.DefaultTransport.
	Transport http.RoundTripper `json:"-"`
	// InsecureHTTP allows an http:// BaseURL, where everybody on the way can read the codes and the token. For tests on one
	// machine only.
	InsecureHTTP bool
}

// Format hides everything.
func (TwilioConfig) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "twilio config") }

// Twilio sends an SMS with one HTTP POST to Twilio's Messages resource (API version 2010-04-01). It refuses other channels
// and a To that is not a number in E.164, before anything is sent.
//
// A message counts as delivered when the provider has accepted it. Redirects are not followed, at most 16 KiB of the answer
// are read, and nothing is tried again. A refusal by the provider can be found with errors.As and *[StatusError], whose
// Code is the provider's error number; one of the destination is [challenge.ErrRecipient] too. Safe for concurrent use.
type Twilio struct {
	endpoint      endpoint
	sender        url.Values // From or MessagingServiceSid
	authorization string
}

var _ challenge.Sender = (*Twilio)(nil)

// NewTwilio checks c. Its errors say what to change and never repeat a credential.
func NewTwilio(c TwilioConfig) (*Twilio, error) {
	refuse := func(s string) (*Twilio, error) { return nil, errors.New("senders: twilio: " + s) }
	switch {
	case !accountSID.MatchString(c.AccountSID):
		return refuse("AccountSID is missing or has the wrong form: copy it from the provider's console (AC…)")
	case c.AuthToken == "":
		return refuse("no AuthToken: copy the account's token, or the secret of APIKey")
	case c.APIKey != "" && !accountSID.MatchString(c.APIKey):
		return refuse("APIKey has the wrong form: give the key's SID (SK…), or leave it empty")
	case (c.From == "") == (c.MessagingServiceSID == ""):
		return refuse("set exactly one of From and MessagingServiceSID")
	case c.From != "" && !smsFrom.MatchString(c.From):
		return refuse("From has the wrong form: give a number in E.164 (+31…), a short code or an alphanumeric sender id")
	case c.MessagingServiceSID != "" && !accountSID.MatchString(c.MessagingServiceSID):
		return refuse("MessagingServiceSID has the wrong form: copy it from the provider's console (MG…)")
	}
	if c.BaseURL == "" {
		c.BaseURL = "https://api.twilio.com"
	}
	e, err := newEndpoint(c.BaseURL, c.InsecureHTTP, c.Timeout, c.Transport)
	if err != nil {
		return nil, fmt.Errorf("senders: twilio: BaseURL: %w", err)
	}
	if e.url.User != nil || e.url.RawQuery != "" {
		return refuse("BaseURL has a user part or a query: give the credentials in AccountSID and AuthToken")
	}
	e.url = e.url.JoinPath("2010-04-01", "Accounts", c.AccountSID, "Messages.json")
	t := &Twilio{endpoint: e, sender: url.Values{}}
	if c.From != "" {
		t.sender.Set("From", c.From)
	} else {
		t.sender.Set("MessagingServiceSid", c.MessagingServiceSID)
	}
	user := c.AccountSID
	if c.APIKey != "" {
		user = c.APIKey
	}
	t.authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+c.AuthToken))
	return t, nil
}

// Send posts m once.
func (t *Twilio) Send(ctx context.Context, m challenge.Message) error {
	switch {
	case t == nil || t.endpoint.client == nil:
		return errors.New("senders: twilio: not constructed: use NewTwilio")
	case m.Channel != challenge.ChannelSMS:
		return fmt.Errorf("senders: twilio: cannot send on channel %q: give this sender to the SMS factor only", m.Channel)
	case !e164.MatchString(m.To):
		return fmt.Errorf("senders: twilio: %w: To is not a number in E.164: store numbers as + and digits, with the country code", challenge.ErrRecipient)
	case m.Body == "":
		return errors.New("senders: twilio: the message has no body")
	}
	form := url.Values{"To": {m.To}, "Body": {m.Body}}
	for k, v := range t.sender {
		form[k] = v
	}
	h := http.Header{}
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	h.Set("Accept", "application/json")
	h.Set("Authorization", t.authorization)
	status, answer, err := t.endpoint.post(ctx, h, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("senders: twilio: %w", err)
	}
	// A refusal carries code; an accepted message that failed at once carries error_code. An answer of another form has
	// neither, and the status alone decides.
	var a struct {
		Code      int `json:"code"`
		ErrorCode int `json:"error_code"`
	}
	if json.Unmarshal(answer, &a) != nil {
		a.Code, a.ErrorCode = 0, 0
	}
	if ok := status >= 200 && status <= 299; !ok || a.ErrorCode != 0 {
		code := a.ErrorCode
		if !ok && a.Code != 0 {
			code = a.Code
		}
		refusal := &StatusError{Status: status, Code: code}
		if slices.Contains(unreachable, code) {
			return fmt.Errorf("senders: twilio: %w: %w", challenge.ErrRecipient, refusal)
		}
		return fmt.Errorf("senders: twilio: %w", refusal)
	}
	return nil
}

// Format hides the account and the token.
func (Twilio) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "twilio") }
