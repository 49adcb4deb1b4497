package challenge

import "context"

// Passwords checks a password. The default reads argon2id and bcrypt hashes; an app whose passwords live elsewhere (LDAP, an
// existing function) gives its own. It must be safe for concurrent use.
//
// Check is also called for names that do not exist and for blocked budgets, with an Account whose ID is empty, so that they
// cost the same: it must then do the work of a real comparison and report false. An account that will be refused whatever its
// password is has Disabled set: it must cost the same too, so no new hash is to be made for it.
// An error that wraps ErrUnavailable, or any other, denies.
type Passwords interface {
	Check(ctx context.Context, a Account, password []byte) (PasswordMatch, error)
}

// PasswordMatch is the answer of [Passwords].
type PasswordMatch struct {
	OK      bool   // the password is right
	NewHash string // when right and the stored hash is outdated: its replacement, for PasswordHashSetter
}
