// Stdlib is a site whose pages open after both steps of a login, on the standard library's mux.
//
//	go run ./examples/stdlib
//
// It runs on http://127.0.0.1:8080 and tells who can log in there. What you would copy is in this file; package demo holds
// the flags, the accounts and the pages.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/webauthn"
	"github.com/sallyport-go/sallyport/examples/internal/demo"
	"github.com/sallyport-go/sallyport/middleware"
)

func main() { demo.Main(site) }

// site is everything between the server and the pages.
func site(d *demo.Demo) (http.Handler, error) {
	// The second factors. The first that somebody has is the one asked for.
	factors := []challenge.Factor{
		&challenge.TOTP{Issuer: "Sallyport demo"},
		challenge.Fallback(&challenge.SMS{Sender: d.SMS}, "email"),
		&challenge.Email{Sender: d.Mail},
		&challenge.Recovery{},
	}
	if d.Passkeys { // a browser makes them for a site with a name, not for one with an address
		factors = append(factors, new(webauthn.Factor))
	}

	// The machine that decides who is somebody. Fields that are zero have strict defaults.
	logins, err := challenge.New(challenge.Config{
		Site:         d.Site, // https://acme.example
		InsecureHTTP: d.InsecureHTTP,

		Users:   d.Accounts, // your table of users
		Policy:  d.Accounts.Policy,
		Store:   d.Store,
		Keys:    d.Keys,
		Factors: factors,
		Audit:   d.Audit,
		Notices: d.Mail, // tells people by mail what happened to their account

		AccessTokens: 5 * time.Minute, // a program need not send its password, or its login's token, with each request

		Passwordless: d.Passwordless, // "passkey": one that has verified the person counts as both factors

		PasswordGuesses: d.PasswordGuesses,
		CodeGuesses:     d.CodeGuesses,
		BlockFor:        d.BlockFor,
		CodeTTL:         d.CodeTTL,
		PendingTTL:      d.PendingTTL,
		TrustDevices:    d.TrustDevices,
		ResendAfter:     d.ResendAfter,

		InsecureUnlimitedSends: d.UnlimitedSends,
	})
	if err != nil {
		return nil, err
	}
	if err := d.Import(context.Background(), logins); err != nil { // authenticators that people have already
		return nil, err
	}

	// How it is reached over HTTP.
	web, err := middleware.New(logins, middleware.Config{
		Brand:          "Sallyport demo",
		LoginRate:      d.LoginRate,
		TrustedProxies: d.TrustedProxies,
		PasskeyScript:  webauthn.Script,
	})
	if err != nil {
		return nil, err
	}
	api := web.API()
	pages, err := d.Pages(logins, web)
	if err != nil {
		return nil, err
	}

	mux := http.NewServeMux()

	// Everybody. Sessions tells the page who is there, if anybody is.
	mux.Handle("/{$}", web.Sessions(pages.Home()))
	mux.Handle("/outbox", web.Sessions(pages.Outbox()))
	mux.Handle("/", pages.NotFound())

	// The doors: login, code, enrolment, step-up and logout. They guard themselves.
	mux.Handle("/login", web.Pages())
	mux.Handle("/login/", web.Pages())
	mux.Handle("/logout", web.Pages())

	// Behind both steps.
	mux.Handle("/account", web.RequireSecondFactor(pages.Account()))

	// Second factors, recovery codes, known devices and logins, for everybody's own account. They guard themselves.
	mux.Handle("/account/security", web.Security())
	mux.Handle("/account/security/", web.Security())

	// Behind a second step of the last five minutes.
	mux.Handle("/account/transfer", web.RequireFresh(demo.Fresh)(pages.Transfer()))
	mux.Handle("/admin", web.RequireFresh(demo.Fresh)(pages.Admin())) // asks by itself who may

	// Programs: JSON, with a bearer token, HTTP Basic or the cookie.
	mux.Handle("/api/", api.Routes()) // login, code, step-up and logout; not found for the rest
	mux.Handle("/api/me", api.RequireSecondFactor(pages.Me()))

	return web.AuditLog(web.RateLimit(middleware.ByClient)(mux)), nil
}
