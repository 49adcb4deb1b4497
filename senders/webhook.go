package senders

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// WebhookConfig says where a [Webhook] posts. It prints without its URL and secrets.
type WebhookConfig struct {
	// URL is the address, https:// unless InsecureHTTP. A user part is sent as HTTP Basic.
	URL string `json:"-"`
	// Secrets sign each request, each in the form whsec_ and base64 of 24 to 64 random bytes. Give one; two while the
	// receiver changes over. None leaves requests unsigned: then the receiver must know the caller by other means, since
	// whoever can post to it can have messages sent.
	Secrets []string `json:"-"`
	// Timeout bounds one post beside the context's deadline. Zero means 10 seconds.
	Timeout time.Duration
	// Transport replaces http.DefaultTransport, for example to trust a private certificate authority.
	Transport http.RoundTripper `json:"-"`
	// InsecureHTTP allows http://, where everybody on the way can read the codes. For tests on one machine only.
	InsecureHTTP bool
}

// Format hides everything: the URL may hold credentials.
func (WebhookConfig) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "webhook config") }

// Webhook posts every message, whatever its channel, as JSON to one address:
//
//	{"type":"sallyport.code","timestamp":"2026-11-02T15:04:05Z","data":{"channel":"email","to":"carol@example.com",
//	 "code":"123456","subject":"…","body":"…","html":"…","language":"en"}}
//
// type is sallyport.notice, without a code, for a notice. Empty subject, html and language are left out.
//
// Requests follow the Standard Webhooks specification 1.0.0: webhook-id names the message, webhook-timestamp is the time of
// the post in Unix seconds, and webhook-signature, for each secret, is "v1," and the base64 of HMAC-SHA256 over
// id.timestamp.body, several parted by a space. A receiver in Go calls [VerifyWebhook]; one in another language uses the
// specification's library, or compares in constant time, refuses a timestamp more than five minutes off, and treats an id
// it has seen as done.
//
// Any 2xx is success. Redirects are not followed, at most 16 KiB of the answer are read, and nothing is tried again.
// A refusal by status can be found with errors.As and *[StatusError]. Safe for concurrent use.
type Webhook struct {
	endpoint endpoint
	keys     [][]byte
}

var _ challenge.Sender = (*Webhook)(nil)

// NewWebhook checks c. Its errors say what to change and never repeat the URL or a secret.
func NewWebhook(c WebhookConfig) (*Webhook, error) {
	e, err := newEndpoint(c.URL, c.InsecureHTTP, c.Timeout, c.Transport)
	if err != nil {
		return nil, fmt.Errorf("senders: webhook: %w", err)
	}
	keys, err := webhookKeys(c.Secrets)
	if err != nil {
		return nil, err
	}
	return &Webhook{endpoint: e, keys: keys}, nil
}

type webhookBody struct {
	Type      string      `json:"type"`
	Timestamp time.Time   `json:"timestamp"`
	Data      webhookData `json:"data"`
}

type webhookData struct {
	Channel  string `json:"channel"`
	To       string `json:"to"`
	Code     string `json:"code,omitempty"`
	Subject  string `json:"subject,omitempty"`
	Body     string `json:"body"`
	HTML     string `json:"html,omitempty"`
	Language string `json:"language,omitempty"`
}

// Send posts m once.
func (w *Webhook) Send(ctx context.Context, m challenge.Message) error {
	if w == nil || w.endpoint.client == nil {
		return errors.New("senders: webhook: not constructed: use NewWebhook")
	}
	now := time.Now()
	kind := "sallyport.code"
	if m.Code == "" {
		kind = "sallyport.notice"
	}
	body, err := json.Marshal(webhookBody{kind, now.UTC().Truncate(time.Second),
		webhookData{m.Channel, m.To, string(m.Code), m.Subject, m.Body, m.HTML, m.Language}})
	if err != nil {
		return errors.New("senders: webhook: the message cannot be written as JSON")
	}
	id, at := "msg_"+rand.Text(), strconv.FormatInt(now.Unix(), 10)
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", at)
	if len(w.keys) > 0 {
		h.Set("Webhook-Signature", webhookSignature(w.keys, id, at, body))
	}
	status, _, err := w.endpoint.post(ctx, h, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("senders: webhook: %w", err)
	}
	if status < 200 || status > 299 {
		return fmt.Errorf("senders: webhook: %w", &StatusError{Status: status})
	}
	return nil
}

// Format hides the URL and the keys.
func (Webhook) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "webhook") }

func webhookSignature(keys [][]byte, id, timestamp string, body []byte) string {
	signatures := make([]string, len(keys))
	for i, key := range keys {
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(webhookMAC(key, id, timestamp, body))
	}
	return strings.Join(signatures, " ")
}

func webhookMAC(key []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}
