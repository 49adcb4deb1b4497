// Package webauthn is the factor of passkeys: key pairs of WebAuthn (Web Authentication Level 3) whose private half stays in
// a phone, a computer, a password manager or a security key. It is a package of its own because the library behind it is
// large: who does not import it does not compile it.
//
//	challenge.New(challenge.Config{
//		Site:    "https://acme.example",
//		Factors: []challenge.Factor{new(webauthn.Factor), &challenge.TOTP{Issuer: "Acme"}, &challenge.Recovery{}},
//		…
//	})
//
// A passkey signs for one site only. The origin that it must have signed for is Config.Site, and nothing of a request; that
// is what makes it proof against phishing (NIST SP 800-63B-4 section 3.2.5).
//
// # Logging in
//
// Begin poses a challenge: what the client gets, challenge.Prompt.Options, is the JSON that
// PublicKeyCredential.parseRequestOptionsFromJSON reads. The answer is what PublicKeyCredential.toJSON gives, its JSON text
// written as one base64url string. The challenge is taken out of the session before the answer is verified, so an assertion
// that was accepted or refused once is worthless ever after.
//
// The two names most people need: [Factor], [ErrCloned].
//
// # Enrolling
//
// Enrol gives Enrolment.Options, the JSON of parseCreationOptionsFromJSON, and as Enrolment.Data the challenge that goes with
// it. Such data is no passkey: it cannot log in, and [Describe] refuses it. The answer to the options passes Verify with
// [challenge.PurposeEnrol], whose Proof.Enrolment is the passkey; written in place of the data that Verify has seen, and of
// nothing else, it uses the challenge up.
//
// The two names most people need: [Describe], [Description].
//
// # In the page
//
// [Script] is the only JavaScript: one static file for <script src="…" defer>, which needs no more than script-src 'self' in
// a Content-Security-Policy. Its head comment says what a form must have.
package webauthn
