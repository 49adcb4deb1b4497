// Package audit holds the events that a login leaves behind and the formats they are written in.
//
// An [Event] is a value; a [Recorder] takes it. [To] writes one line an event to an io.Writer in a [Format] such as
// [Datadog]. No value of an event can end its line or add a field to it.
//
// # Where events go
//
// [To] writes to a file or a pipe, [Slog] hands events to a logger, [Fanout] gives them to several recorders, [Memory]
// keeps them for a test and [Discard] drops them. A [Queue] in front of a slow one takes events at once, [File] is a file
// that can be rotated, and [Pseudonyms] takes the names out. Anything else, such as a table, is one method: Record.
//
// # What a line looks like
//
// [Datadog], [JSON], [ECS] and [OCSF] render the same event; [FormatByName] finds one by the name a flag gives. Each is a
// function, and so is a format of your own.
//
// # What every line keeps to
//
// Values are cut at a fixed number of runes, with a mark, and whatever is not printable is escaped as \uXXXX: line ends,
// control and bidi characters, invisible runes, bytes that are no UTF-8. Quotes and backslashes are escaped the same way.
// So jq, grep and a SIEM see one event a line, and a terminal shows what is there.
package audit

import (
	"context"
	"net/netip"
	"time"
)

// Outcome says how a decision went.
type Outcome uint8

const (
	Failure Outcome = iota // the zero value: what is not known to have succeeded has failed
	Success
)

func (o Outcome) String() string {
	if o == Success {
		return "success"
	}
	return "failure"
}

// Name is the name of an event, as it stands in evt.name. An application may record events under names of its own; one of
// Sallyport's has a row in kinds.go, which says how the formats classify it.
type Name string

// The eight events of the Mendix MFA module, in its own words.
const (
	CodeCreated      Name = "MFA code created"
	LoginWithMFA     Name = "user login with MFA"
	CodeValidated    Name = "MFA validated"
	UnknownUser      Name = "unknown user"
	InvalidPassword  Name = "invalid password"
	NoPendingLogin   Name = "MFA enabled but no session found"
	InvalidCode      Name = "Invalid MFA entered"
	CodeGuessesSpent Name = "Max MFA attempts exceeded"

	// Further events, after the same pattern.
	PasswordsSpent    Name = "Max login attempts exceeded"
	MalformedCode     Name = "Malformed MFA entered"
	ReplayedCode      Name = "Replayed MFA entered" // in place of InvalidCode when the code was right but used before
	LoginWithoutMFA   Name = "user login without MFA"
	LoginRefused      Name = "login refused" // disabled or service account, epoch moved, policy; Reason says which
	PasswordValidated Name = "password validated"
	FirstFactor       Name = "first factor accepted" // another way in than a password; Reason names the channel
	LoginCancelled    Name = "login cancelled"
	Logout            Name = "logout"
	LogoutEverywhere  Name = "logout everywhere"
	SessionEnded      Name = "session ended"
	AccessToken       Name = "access token created" // short-lived, from a login or a service account's password
	SteppedUp         Name = "fresh authentication"
	PasswordAgain     Name = "password confirmed"
	GuessesReleased   Name = "guesses released"
	FactorEnrolled    Name = "second factor enrolled"
	FactorRemoved     Name = "second factor removed"
	FactorDisabled    Name = "second factor disabled"
	FactorRenamed     Name = "second factor renamed"
	FactorPreferred   Name = "second factor preferred" // what the account is asked for first
	DeviceTrusted     Name = "device trusted"
	DeviceForgotten   Name = "device forgotten"
	DeviceDistrusted  Name = "device no longer trusted"
	FactorImported    Name = "second factor imported"
	EnrolmentRefused  Name = "enrolment refused"
	RecoveryCodeUsed  Name = "recovery code used"
	RecoveryCodesMade Name = "recovery codes created"
	SendFailed        Name = "MFA send failed"
	SendRefused       Name = "MFA send refused" // a send budget is spent; Reason says which
	FallbackTaken     Name = "MFA fallback taken"
	SendsNearlySpent  Name = "MFA send budget nearly spent" // of all together; Reason says how far
	PumpingSuspected  Name = "SMS pumping suspected"        // too few codes come back; Reason says from which numbers
	NoticeSent        Name = "notice sent"                  // a mail about the account; Reason says which
	AccountBlocked    Name = "account blocked"
	AccountUnblocked  Name = "account unblocked"
	LimitHit          Name = "rate limit exceeded"
	CrossSite         Name = "cross-site request refused"
	CredentialRefused Name = "credential refused"
	CredentialUsed    Name = "credential accepted" // Basic: a request served by itself, without a login
	AccessGranted     Name = "access"
	ReportOnly        Name = "report only"          // what runs in trial would have done otherwise; Reason says what
	StoreFailed       Name = "store failed"         // or users, policy, factor; Reason says which, and whether the request was refused
	EventsDropped     Name = "audit events dropped" // of a Queue; Reason says how many
)

// Event is one decision. It holds no password, code, token or secret; nothing that takes an Event needs to look for one.
type Event struct {
	Time      time.Time
	Name      Name
	Outcome   Outcome
	User      string     // usr.name: the account's own name once known, else the name that was typed, in canonical form
	UserID    string     // the account's id, empty when unknown
	Client    netip.Addr // the client's address; invalid when there is none
	UserAgent string
	RequestID string
	PendingID string // public id of the pending login, from the right password to the login it becomes; of an access token: the login it was made from
	LoginID   string // public id of the login; the event that begins it has both. Neither is a token
	Method    string // the second factor or the way in: totp, email, sms, recovery, password, basic …
	Reason    string // the true reason, in a few fixed words; never shown to the client
	Actor     string // who did it, when it was not the user: an administrator's name
	// Of access events only:
	HTTPMethod string
	Path       string
	Status     int
}

// Recorder takes events. Record must be safe for concurrent use. An error means that the event may be lost.
type Recorder interface {
	Record(ctx context.Context, e Event) error
}

// RecorderFunc makes a function a Recorder.
type RecorderFunc func(ctx context.Context, e Event) error

// Record calls f.
func (f RecorderFunc) Record(ctx context.Context, e Event) error { return f(ctx, e) }

// Format appends e to dst as one line, newline included, and returns the longer slice.
type Format func(dst []byte, e Event) []byte
