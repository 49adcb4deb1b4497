package challenge

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// ErrUnknown is what [Users] answers for a name or id that it does not have.
var ErrUnknown = errors.New("challenge: unknown account")

// Account is one of the app's accounts as the machine sees it.
type Account struct {
	ID           string // stable, unique, never reused; at most 255 bytes
	Name         string // for people and audit lines
	PasswordHash string // PHC string of argon2id, or bcrypt's own format; empty when somebody else checks passwords
	Language     string // BCP 47; empty means: ask the client
	Email        string // a confirmed address, or empty
	Phone        string // a confirmed number in E.164, or empty
	Disabled     bool   // refused like a wrong password
	Service      bool   // a machine: HTTP Basic only, no second factor
}

// Format prints the id only, so that no verb shows a password hash, an address or a number.
func (a Account) Format(f fmtState, _ rune) { writeRedacted(f, "account("+a.ID+")") }

// LogValue is the id only.
func (a Account) LogValue() slog.Value { return slog.StringValue("account(" + a.ID + ")") }

// Users gives the machine the app's accounts. Both methods return [ErrUnknown] (wrapped or not) for what they do not
// have; any other error denies. They must be safe for concurrent use.
type Users interface {
	// Find looks an account up by its canonical name; only the ID of the answer is used.
	Find(ctx context.Context, name string) (Account, error)
	// ByID returns the account as it is now. It is asked again just before every promotion.
	ByID(ctx context.Context, id string) (Account, error)
}

// PasswordHashSetter is an optional ability of [Users]: it lets the machine replace an outdated hash after a right
// password. It must change nothing when the stored hash is no longer old.
type PasswordHashSetter interface {
	SetPasswordHash(ctx context.Context, id, old, new string) error
}

// LoginRecorder is an optional ability of [Users], called once after each full login. It is how an app keeps the
// LastLogin2FA and HasMFAenabled columns that the Mendix module has. Its error is audited and does not undo the login.
type LoginRecorder interface {
	LoggedIn(ctx context.Context, id string, l LoggedIn) error
}

// LoggedIn describes a full login to a [LoginRecorder].
type LoggedIn struct {
	At           time.Time
	Methods      []string // in the order they were shown: "password", "totp"
	SecondFactor bool     // a second factor was shown in this login (the module's LastLogin2FA)
	MFAEnabled   bool     // the account needs a second factor (the module's HasMFAenabled)
}
