// Package middleware puts Sallyport in front of net/http handlers: guards, login pages, a JSON login, limits and an audit
// trail, for any router. A request is somebody only after the password and the second factor were right.
//
// What decides is package challenge; this package reads requests, asks it, and writes answers. Start with [New] and
// [Web.Pages].
//
//	web, err := middleware.New(logins, middleware.Config{})
//	api := web.API()
//
//	mux.Handle("/login", web.Pages())
//	mux.Handle("/login/", web.Pages())
//	mux.Handle("/logout", web.Pages())
//	mux.Handle("/account", web.RequireSecondFactor(account))
//	mux.Handle("/account/security", web.Security())
//	mux.Handle("/account/security/", web.Security())
//	mux.Handle("/account/transfer", web.RequireFresh(5*time.Minute)(transfer))
//	mux.Handle("/api/login", api.Routes())
//	mux.Handle("/api/login/", api.Routes())
//	mux.Handle("/api/logout", api.Routes())
//	mux.Handle("/api/", api.RequireSecondFactor(reports))
//	http.ListenAndServe(addr, web.AuditLog(web.RateLimit(middleware.ByClient)(mux)))
//
// # Guards
//
// Every guard is a func(http.Handler) http.Handler. [Group.RequireSecondFactor] asks for a finished login,
// [Group.RequireFresh] for a recent one, [Group.RequireFactor] for a kind of second factor, and [Group.RequirePassword] is for
// an app's own code page. A guard looks at credentials and never at paths: whatever reaches the handler has passed it. Half
// a login gets the answer that nobody gets. Behind a guard, [Authenticated] says who is there; [PendingFrom] is another type
// and has no identity.
//
// A CORS middleware stands outside of the guards, which treat OPTIONS like any method.
//
// # Browsers and programs
//
// The methods of [Web] answer with pages and redirects, those of [API] with JSON and problem details (RFC 9457). What is
// decided is the same. An API's guards take one principal a request: a bearer token, HTTP Basic, or the session cookie. What
// the Authorization header shows is all that counts then; a wrong one never falls through to a cookie. [Cookies] makes an
// API for single-page apps.
//
// A program that should not send a password or a login's token each time exchanges it for an access token, which ends soon and
// is never fresh (challenge.Config.AccessTokens; off by default).
//
// The types of problems begin with urn:sallyport:problem: and are stable: docs/api.md has the table, and docs/openapi.json
// describes every JSON route.
//
// # Sessions
//
// The session cookie is __Host-sallyport on an https site: Secure, HttpOnly, SameSite=Lax. The record behind it is the login;
// the app's own data in it is [Web.Session], an scs manager, available behind every guard and behind [Group.Sessions]. That
// data follows a person through their login and is gone after the logout. Its token changes at the password, at the
// code and at step-up, and a token that the server has not made is never adopted. A handler whose data cannot be saved
// has its answer discarded: 503.
//
// LoadAndSave, RenewToken, Destroy and MergeSession of that manager are refused, as nothing that scs does may end, renew or
// bring back a login.
//
// Streams and WebSockets behind a guard: the request's context ends when the login does, which is looked up once a
// minute; after that, writes fail. Let your loop end with r.Context().
//
// # Other sites
//
// Every form post, login included, and every unsafe request whose principal is a cookie needs the site's own origin and a
// token, in the field csrf_token or the header X-CSRF-Token. [CSRFToken] gives it to the app's own forms. A WebSocket
// handshake by cookie needs the right origin. Clients without browser headers send Origin or Referer themselves (on a plain
// http site, which is for localhost, their token is enough). What origin is right comes from challenge.Config.Site and Config.TrustedOrigins, never from the Host header.
//
// # Self-service
//
// [Web.Security] serves the pages where people add, name and remove their second factors, make new recovery codes, and see
// and end their logins and known devices. A change of factors takes the password and a second factor of the last five
// minutes, whatever guard stands around the pages. A recovery code is enough to add a second factor and for nothing else
// there; what was added with one takes nothing away for 24 hours.
//
// With challenge.Config.Passwordless the login page offers passkeys that count as both factors, in the field for the name
// and by a button. Its challenge leaves nothing in the store until it is answered.
//
// The pages work without JavaScript, but for passkeys: [Config].PasskeyScript is the one script, and only the pages that
// need it allow one. An app replaces single templates by [Config].Pages, and texts by challenge.Config.Texts.
//
// # Limits
//
// [Group.RateLimit] slows credentials down, by [ByClient], [ByAccount] or a [Key] of the app's own. It is not what caps
// guesses: the account's budget is. With a store that several processes share it counts in that store.
//
// # Other ways in
//
// A login whose first factor the app checks itself (OIDC, magic link, password reset) enters by [Web.Enter], which names
// the channel it came by: a second factor on the same channel does not count.
//
// # Audit
//
// Every decision leaves one event through challenge.Config.Audit: here those are the refusals of guards, limits and
// cross-site checks, each once and only where a credential was shown, and one for each request that is answered 503 because
// something failed. Requests of nobody are counted, see [Web.Counts].
// [Group.AuditLog] gives the events of one request one id, and [Group.AuditAccess] leaves one for each request it wraps.
package middleware
