package senders

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/sallyport-go/sallyport/challenge"
)

var (
	bearerKey     = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]{1,512}$`)            // what a bearer token may be (RFC 6750 §2.1)
	languageTag   = regexp.MustCompile(`^[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*$`) // the shape of RFC 5646 §2.1
	sendGridField = regexp.MustCompile(`^personalizations(\.[0-9]+)?\.to(\.|$)`) // what an error says of a bad To
)

// SendGridConfig is an account at SendGrid. It prints without its key.
type SendGridConfig struct {
	// APIKey needs the permission "Mail Send" and no other.
	APIKey string `json:"-"`
	// From is the sender, as login@acme.example or Acme <login@acme.example>. SendGrid must have verified it.
	From string
	// BaseURL is what comes before /v3/mail/send; empty means https://api.sendgrid.com. An account in the European Union has
	// https://api.eu.sendgrid.com.
	BaseURL string `json:"-"`
	// Timeout bounds one post beside the context's deadline. Zero means 10 seconds.
	Timeout time.Duration
	// Transport replaces http.DefaultTransport.
	Transport http.RoundTripper `json:"-"`
	// InsecureHTTP allows an http:// BaseURL, where everybody on the way can read the codes and the key. For tests on one
	// machine only.
	InsecureHTTP bool
}

// Format hides everything.
func (SendGridConfig) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "sendgrid config") }

// SendGrid sends mail with one HTTP POST to SendGrid's v3 Mail Send. It refuses what [challenge.Message.CheckMail] refuses,
// before anything is sent.
//
// Tracking of clicks, openings and subscriptions is switched off in each request: it would put links and pictures of
// theirs into the mail. A person who has unsubscribed from the app's other mail still gets codes and notices.
//
// A message counts as delivered when SendGrid answers 202, "valid and queued". Redirects are not followed, at most 16 KiB
// of the answer are read, and nothing is tried again. A refusal can be found with errors.As and *[StatusError]; one of the
// To address is [challenge.ErrRecipient] too. Safe for concurrent use.
type SendGrid struct {
	endpoint      endpoint
	from          sendGridAddress
	authorization string
}

var _ challenge.Sender = (*SendGrid)(nil)

// NewSendGrid checks c. Its errors say what to change and never repeat the key.
func NewSendGrid(c SendGridConfig) (*SendGrid, error) {
	refuse := func(s string) (*SendGrid, error) { return nil, errors.New("senders: sendgrid: " + s) }
	if !bearerKey.MatchString(c.APIKey) {
		return refuse("APIKey is missing or has the wrong form: copy it from SendGrid's console (SG.…)")
	}
	from, err := mail.ParseAddress(c.From)
	// An encoded word can decode to a line break.
	if err != nil || strings.ContainsFunc(c.From+from.Name, unicode.IsControl) {
		return refuse("From is missing or not a mail address: write login@acme.example or Acme <login@acme.example>")
	}
	if c.BaseURL == "" {
		c.BaseURL = "https://api.sendgrid.com"
	}
	e, err := newEndpoint(c.BaseURL, c.InsecureHTTP, c.Timeout, c.Transport)
	if err != nil {
		return nil, fmt.Errorf("senders: sendgrid: BaseURL: %w", err)
	}
	if e.url.User != nil || e.url.RawQuery != "" {
		return refuse("BaseURL has a user part or a query: give the key in APIKey")
	}
	e.url = e.url.JoinPath("v3", "mail", "send")
	return &SendGrid{e, sendGridAddress{from.Address, from.Name}, "Bearer " + c.APIKey}, nil
}

// The request, as far as it is used here, in the words of SendGrid's OpenAPI description.
type (
	sendGridMail struct {
		Personalizations []sendGridTo      `json:"personalizations"`
		From             sendGridAddress   `json:"from"`
		Subject          string            `json:"subject"`
		Content          []sendGridContent `json:"content"`
		Headers          map[string]string `json:"headers"`
		MailSettings     struct {
			Unsubscribed sendGridSwitch `json:"bypass_unsubscribe_management"`
		} `json:"mail_settings"`
		TrackingSettings struct {
			Clicks        sendGridClicks `json:"click_tracking"`
			Openings      sendGridSwitch `json:"open_tracking"`
			Subscriptions sendGridSwitch `json:"subscription_tracking"`
			Analytics     sendGridSwitch `json:"ganalytics"`
		} `json:"tracking_settings"`
	}
	sendGridTo struct {
		To []sendGridAddress `json:"to"`
	}
	sendGridAddress struct {
		Email string `json:"email"`
		Name  string `json:"name,omitempty"`
	}
	sendGridContent struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}
	sendGridSwitch struct {
		Enable bool `json:"enable"`
	}
	sendGridClicks struct {
		Enable     bool `json:"enable"`
		EnableText bool `json:"enable_text"`
	}
)

// Send posts m once.
func (s *SendGrid) Send(ctx context.Context, m challenge.Message) error {
	if s == nil || s.endpoint.client == nil {
		return errors.New("senders: sendgrid: not constructed: use NewSendGrid")
	}
	if err := m.CheckMail(); err != nil {
		return fmt.Errorf("senders: sendgrid: %w", err)
	}
	if m.Subject == "" {
		return errors.New("senders: sendgrid: the message has no subject, which SendGrid asks for")
	}
	mail := sendGridMail{
		Personalizations: []sendGridTo{{[]sendGridAddress{{Email: m.To}}}},
		From:             s.from,
		Subject:          m.Subject,
		Content:          []sendGridContent{{"text/plain", m.Body}}, // SendGrid wants it before the HTML
		// No answer from a holiday responder, which would quote the code (RFC 3834 §5).
		Headers: map[string]string{"Auto-Submitted": "auto-generated"},
	}
	if m.HTML != "" {
		mail.Content = append(mail.Content, sendGridContent{"text/html", m.HTML})
	}
	if languageTag.MatchString(m.Language) {
		mail.Headers["Content-Language"] = m.Language // RFC 3282
	}
	mail.MailSettings.Unsubscribed.Enable = true
	body, err := json.Marshal(mail)
	if err != nil {
		return errors.New("senders: sendgrid: the message cannot be written as JSON")
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("Accept", "application/json")
	h.Set("Authorization", s.authorization)
	status, answer, err := s.endpoint.post(ctx, h, bytes.NewReader(body))
	switch {
	case err != nil:
		return fmt.Errorf("senders: sendgrid: %w", err)
	case status == http.StatusAccepted:
		return nil
	case status == http.StatusBadRequest && refusesTo(answer):
		return fmt.Errorf("senders: sendgrid: %w: %w", challenge.ErrRecipient, &StatusError{Status: status})
	}
	return fmt.Errorf("senders: sendgrid: %w", &StatusError{Status: status})
}

// refusesTo reports whether an answer complains of the address and of nothing else.
func refusesTo(answer []byte) bool {
	var a struct {
		Errors []struct {
			Field string `json:"field"`
		} `json:"errors"`
	}
	if json.Unmarshal(answer, &a) != nil {
		return false
	}
	for _, e := range a.Errors {
		if !sendGridField.MatchString(e.Field) {
			return false
		}
	}
	return len(a.Errors) > 0
}

// Format hides the key.
func (SendGrid) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "sendgrid") }
