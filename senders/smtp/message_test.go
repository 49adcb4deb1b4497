package smtp

import (
	"bytes"
	"mime"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/challenge"
)

// Whatever a message holds, the mail has the header fields that this package writes, each once, and one recipient.
func FuzzNothingAddsAHeaderField(f *testing.F) {
	f.Add("carol@example.com", "Your code", "Your code is 271828.", "en")
	f.Add("carol@example.com\r\nBcc: eve@example.net", "x\r\nBcc: eve@example.net", "\r\n.\r\nMAIL FROM:<eve>", "en\r\nBcc: e@f.g")
	f.Add("a,b@c.d", "=?utf-8?q?x=0D=0ABcc:_e?=", "From here\n.\n", "x-y")
	f.Add("käthe@example.com", strings.Repeat("Überlang ", 60), "\x00\xff", "")
	f.Add("a@b.c", strings.Repeat("word ", 40), "", "de-CH")
	from := &mail.Address{Name: "Acme", Address: "login@acme.example"}
	allowed := []string{"Auto-Submitted", "Content-Language", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To"}
	f.Fuzz(func(t *testing.T, to, subject, body, language string) {
		msg, err := compose(from, challenge.Message{Channel: challenge.ChannelEmail, To: to, Subject: subject, Body: body, Language: language})
		if err != nil {
			return
		}
		var b bytes.Buffer
		if _, err := msg.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		m, err := mail.ReadMessage(&b)
		if err != nil {
			t.Fatalf("unreadable: %v", err)
		}
		for name, values := range m.Header {
			if !slices.Contains(allowed, name) || len(values) != 1 {
				t.Errorf("field %s: %q", name, values)
			}
		}
		if list, err := m.Header.AddressList("To"); err != nil || len(list) != 1 || list[0].Address != to {
			t.Errorf("To %v of %q, %v", list, to, err)
		}
		got, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
		if err == nil && !strings.Contains(subject, "=?") && strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(subject), " ") {
			t.Errorf("Subject %q of %q", got, subject)
		}
	})
}
