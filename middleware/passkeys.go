package middleware

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/texts"
)

// Names of methods that pages treat differently from others.
const (
	methodPasskey  = "passkey"
	methodRecovery = "recovery"
	methodPassword = "password" // of a step-up
)

// setScript keeps what browsers need for passkeys.
func (w *core) setScript(script []byte) {
	if len(script) == 0 {
		return
	}
	sum := sha256.Sum256(script)
	w.script = bytes.Clone(script)
	w.scriptTag = `"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"`
	w.passkeyPath = w.paths.Login + "/passkey.js"
	w.alonePath = w.paths.Login + "/passkey"
}

// withPasskey poses a challenge again where the code page would show one that is gone, as a wrong answer takes it, or too old.
// Nothing is sent by it. An answer that refuses stays that refusal.
func (g *Group) withPasskey(v *visit, a answer) answer {
	session := a.session
	if a.outcome.Session != nil {
		session = a.outcome.Session
	}
	p, ok := session.Pending()
	if !ok || p.Stage != challenge.StageCode || p.Prompt.Method != methodPasskey || g.poses(p.Prompt) {
		return a
	}
	if _, err := g.logins.Resend(v.parent, v.client(), session, "", methodPasskey); err != nil && a.kind == show {
		return g.explain(v, err, atCode)
	}
	return a
}

// poses reports whether a challenge can still be answered.
func (g *Group) poses(p challenge.Prompt) bool {
	return p.Options != nil && g.logins.Now().Before(p.Expires)
}

// alone is the one step of a login by a passkey that counts as both factors.
func (g *Group) alone(v *visit, in input) answer {
	next := g.follow(in.fields["next"])
	out, err := g.logins.Passwordless(v.parent, v.client(), v.session, challenge.PasswordlessInput{Slot: g.slot, Code: in.fields["code"], Next: next})
	a := g.after(v, out, err, atLogin)
	switch a.problem {
	case refusedLogin:
		a.text = texts.ErrorPasskeyRefused
	case malformedCode:
		a.text = texts.PasskeyFailed
	case noCode, codeExpired:
		a.text = texts.PasskeyCancelled
	}
	if a.next == "" {
		a.next = next
	}
	return a
}

// showAlone poses a challenge that a passkey alone may answer.
func (g *Group) showAlone(v *visit) answer {
	p, err := g.logins.BeginPasswordless(v.parent)
	if err != nil {
		return g.explain(v, err, atLogin)
	}
	return answer{kind: show, at: atAlone, stepUp: &challenge.StepUpPrompt{Methods: []string{p.Method}, Prompt: p}}
}

// servesScript reports whether a request is for the script.
func (w *core) servesScript(r *http.Request) bool {
	if w.script == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	target, _, _ := strings.Cut(r.RequestURI, "?") // in front of any http.StripPrefix
	return r.URL.Path == w.passkeyPath || target == w.passkeyPath
}
