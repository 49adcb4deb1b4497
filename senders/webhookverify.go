package senders

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// webhookWindow is how far a request's time may be off, either way: the tolerance of the Standard Webhooks libraries.
const webhookWindow = 5 * time.Minute

// ErrWebhook is a request that none of the secrets has signed, or that is too old or too new. Answer 401 and do nothing.
var ErrWebhook = errors.New("senders: webhook: not signed by the other side, or not now")

// VerifyWebhook is for the program that receives what a [Webhook] posts. It returns the message's id when one of secrets has
// signed exactly this header and body, in constant time, and the time of the post is within 5 minutes of now, which is
// time.Now() but for tests. All else is [ErrWebhook]; a secret in the wrong form, or none, is another error.
//
// Inside those 5 minutes a request that somebody has recorded verifies again: keep the ids for 10 minutes, and answer 2xx
// without sending for one that has been seen.
func VerifyWebhook(header http.Header, body []byte, now time.Time, secrets ...string) (id string, err error) {
	keys, err := webhookKeys(secrets)
	if err != nil {
		return "", err
	}
	if len(keys) == 0 {
		return "", errors.New("senders: webhook: no secret to verify with")
	}
	var values [3]string
	for i, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		list := header.Values(name)
		if len(list) != 1 || list[0] == "" {
			return "", fmt.Errorf("%w: the header %s is not there once", ErrWebhook, name)
		}
		values[i] = list[0]
	}
	id, at := values[0], values[1]
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > webhookWindow {
		return "", fmt.Errorf("%w: the time of the post is more than %v off", ErrWebhook, webhookWindow)
	}
	for signature := range strings.FieldsSeq(values[2]) {
		encoded, known := strings.CutPrefix(signature, "v1,")
		mac, err := base64.StdEncoding.DecodeString(encoded)
		if known && err == nil && slices.ContainsFunc(keys, func(key []byte) bool { return hmac.Equal(mac, webhookMAC(key, id, at, body)) }) {
			return id, nil
		}
	}
	return "", fmt.Errorf("%w: no signature fits", ErrWebhook)
}

// webhookKeys reads secrets. Its error does not repeat one.
func webhookKeys(secrets []string) (keys [][]byte, err error) {
	for i, s := range secrets {
		encoded, ok := strings.CutPrefix(s, "whsec_")
		key, err := base64.StdEncoding.DecodeString(encoded)
		// The bounds are the specification's ("Signature scheme").
		if !ok || err != nil || len(key) < 24 || len(key) > 64 {
			return nil, fmt.Errorf("senders: webhook: secret %d has the wrong form: write whsec_ and the base64 of 24 to 64 random bytes", i+1)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
