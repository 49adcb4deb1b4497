// Package challenge decides who is somebody: a login exists only after the first factor and the second were right.
//
// It knows nothing of HTTP. Package middleware carries requests to it; a program of another kind can do the same.
//
// # The machine
//
// One pure function, step in state.go, decides over one record for each account. The loop around it loads the record,
// applies a step and swaps the result in; when somebody else was faster it starts again. So every decision is atomic over
// all processes that share a [Store].
//
//	          password right          code right               fresh code
//	Anonymous ──────────────► Pending ──────────► Authenticated ─────────► Authenticated (fresh)
//	   ▲  ▲                    │   │                    │
//	   │  └ expired, cancelled ┘   └ guesses spent ─► budget blocked (until time or an administrator releases it)
//	   └──────────────── logout, revoked, expired ──────┘
//
//	policy says "not needed":                 Anonymous ──password right──► Authenticated
//	policy says "needed", nothing enrolled:   Anonymous ──password right──► Pending (proof) ──► Pending (enrol) ──► Authenticated
//
// The two names most people need: [New], [Config].
//
// # A login, step by step
//
// A guess is spent before it is looked at. A right code is used up (a recovery code is gone, a time step cannot come
// again), the pending login is consumed, the login is stored under a token that nobody has seen, and the account's record
// takes it in; that last swap is the promotion, and only after it the token leaves. A crash between two of these steps
// costs a guess or a login and grants none. [Logins.LogoutEverywhere] works on the same record, so nothing slips past it.
//
// The two names most people need: [Logins.Password], [Logins.Verify].
//
// # Half-way is another type
//
// A [Session] is what a token stands for. It holds a [Pending], which has no identity to act with, or a [Login]. There is no
// flag to forget to check.
//
// The two names most people need: [Session.Login], [Session.Pending].
//
// # What an app gives
//
// [Users] are its accounts, [Policy] says who needs a second factor, [Store] keeps the records, a [Sender] brings messages,
// and each [Factor] is one kind of second factor: [TOTP], [Email], [SMS], [Recovery], [Custom], or one of its own. Extra
// abilities are optional interfaces: [Parser], [Deliverer], [Enroller], [Availability], [PasswordHashSetter],
// [LoginRecorder].
//
// # Other ways in
//
// OIDC, magic links, password resets and invitations end in [Logins.Enter]. It opens a pending login like a password does,
// and a second factor on the same channel does not count: one mailbox is never both factors.
//
// # When the app changes an account
//
// After a password change, a change of role or when an account is disabled in the app's own tables, call
// [Logins.AccountChanged]: every login and pending login of the account ends, on every node, before it returns. Even
// without the call, [Users] and [Policy] are asked again once a minute while a login is used.
//
// # Limits
//
// Password guesses, code guesses and messages are counted for each account, and apart from it for each device that the
// account has used before, so that a stranger cannot lock the owner out. docs/limits.md lists every counter.
//
// # What is seen from outside
//
// Every decision leaves one event in Config.Audit, with the true reason; the events of one login share the public ids of the
// pending login and of the login. What takes time is told to Config.Observer. docs/operations.md says what to watch.
//
// # Errors
//
// Branch with errors.Is and errors.As on the errors of this package. Test [ErrUnavailable] first: it may come joined with
// another, when a decision could not be recorded. Every error means that nobody was let in.
package challenge
