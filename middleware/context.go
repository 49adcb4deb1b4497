package middleware

import (
	"context"
	"net/http"

	"github.com/sallyport-go/sallyport/challenge"
)

// Authenticated returns the login of the request that ctx belongs to. ok is false while only the password is known: a
// pending login has no identity. It must not be changed.
func Authenticated(ctx context.Context) (login *challenge.Login, ok bool) {
	v := visitOf(ctx)
	if v == nil || v.login == nil {
		return nil, false
	}
	return v.login, true
}

// PendingFrom returns the pending login of the request that ctx belongs to, for an app's own code page behind
// [Group.RequirePassword]. It has no identity to act with.
func PendingFrom(ctx context.Context) (*challenge.Pending, bool) {
	v := visitOf(ctx)
	if v == nil || v.session == nil {
		return nil, false
	}
	return v.session.Pending()
}

// ClientFrom is [Group.Client] for whoever has only the context of a request that came through one of our handlers.
func ClientFrom(ctx context.Context) challenge.Client {
	if v := visitOf(ctx); v != nil {
		return v.client()
	}
	return challenge.Client{}
}

// Client is who asks, as the machine and the audit see it: what an app's handler gives to methods of [challenge.Logins] such
// as CheckPassword and LogoutEverywhere.
func (g *Group) Client(r *http.Request) challenge.Client {
	if v := visitOf(r.Context()); v != nil && v.core == g.core {
		return v.client()
	}
	return g.client(r)
}

// CSRFToken returns the token for a form of the app's own, as its field csrf_token or its header X-CSRF-Token, and sets the
// cookie that belongs to it. Call it before the first byte of the answer, behind a guard or [Group.Sessions]; elsewhere
// it is empty.
func CSRFToken(ctx context.Context) string {
	v := visitOf(ctx)
	if v == nil {
		return ""
	}
	return v.handOut().token()
}

// handOut prepares a form token without checking any.
func (v *visit) handOut() *checked {
	if v.form == nil {
		ask := &http.Request{Method: http.MethodGet, Header: v.r.Header, URL: v.r.URL}
		v.form, _ = v.core.forgery.checkToken(v.w, ask.WithContext(v.parent))
	}
	return v.form
}
