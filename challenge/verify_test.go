package challenge_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"

	"github.com/sallyport-go/sallyport/challenge"
)

// totp is alice's code as her phone shows it (RFC 6238), some steps away from now.
func (h *house) totp(steps int64) string { return totpOf(secret, h.Clock.Now().Unix()/30+steps) }

func totpOf(secret string, step int64) string {
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		panic(err)
	}
	m := hmac.New(sha1.New, key)
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	sum := m.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%1_000_000)
}

func (h *house) verify(token, code string) (challenge.Outcome, error) {
	h.t.Helper()
	return h.logins.Verify(context.Background(), challenge.Client{}, h.open(token), challenge.CodeInput{Code: code})
}

// loginCarol logs carol in and gives her token.
func (h *house) loginCarol() string {
	h.t.Helper()
	out, err := h.password("carol", password)
	if err == nil {
		out, err = h.verify(out.Token, h.Outbox.Code("carol@example.com"))
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return out.Token
}
