package challenge

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/netip"
	"slices"
	"time"
)

// Slot says where a token may be shown. A token works only in the slot it was issued for (I-18).
type Slot byte

const (
	Cookie Slot = 'c'
	Bearer Slot = 'b'
)

// tokenLength is that of 256 random bits in base64url without padding, which is also what scs makes.
const tokenLength = 43

// Kinds of session record.
const (
	kindNobody    byte = 0
	kindAnonymous byte = 'a'
	kindPending   byte = 'p'
	kindLogin     byte = 'l'
	recordVersion byte = 1
)

// Session is what a token stands for at the moment it was read: nobody, a pending login or a login, and the app's own data.
// The zero value is nobody. A Session is not safe for concurrent use.
type Session struct {
	slot    Slot
	kind    byte
	stale   bool // a login that was to be touched when it was read
	key     string
	raw     []byte   // as it was read: every write is a swap from these bytes
	pending *Pending // nil for other kinds: most sessions are logins, and they are read on every request
	login   Login
	created time.Time // of an anonymous session
	data    []byte
}

// Pending returns the pending login, if that is what the session is.
func (s *Session) Pending() (*Pending, bool) {
	if s == nil || s.kind != kindPending {
		return nil, false
	}
	return s.pending, true
}

// Login returns the finished login, if that is what the session is.
func (s *Session) Login() (*Login, bool) {
	if s == nil || s.kind != kindLogin {
		return nil, false
	}
	return &s.login, true
}

// Slot tells which slot the session's token belongs to.
func (s *Session) Slot() Slot { return s.slot }

// Data is the app's own data, encoded by whoever wrote it. It must not be changed in place.
func (s *Session) Data() []byte { return s.data }

// Exists reports whether a record stands behind the token: a login, a pending login or an app's anonymous data.
func (s *Session) Exists() bool { return s != nil && s.kind != kindNobody }

// Expires is the end that the session has by itself: a pending login's, or a login's absolute end (I-17).
func (s *Session) Expires() time.Time {
	if !s.Exists() {
		return time.Time{}
	}
	switch s.kind {
	case kindPending:
		return s.pending.Expires
	case kindLogin:
		return s.login.Expires
	}
	return s.created.Add(anonymousLife)
}

// anonymousLife is how long data of somebody who has not logged in is kept.
const anonymousLife = 24 * time.Hour

// Format shows the kind only.
func (s *Session) Format(f fmtState, _ rune) {
	switch {
	case s == nil || s.kind == kindNobody:
		writeRedacted(f, "session(nobody)")
	case s.kind == kindPending:
		writeRedacted(f, "session(pending)")
	case s.kind == kindLogin:
		writeRedacted(f, "session(login)")
	default:
		writeRedacted(f, "session(anonymous)")
	}
}

// Stage is what a pending login waits for.
type Stage byte

const (
	StageCode  Stage = 'c' // the second factor
	StageProof Stage = 'p' // a code to the account's own address, before an authenticator may be enrolled (I-02)
	StageEnrol Stage = 'e' // the first answer of the new authenticator
)

// Pending is a login that has shown its first factor only. It has no identity to act with: there is no way from here to an
// account but a right code (I-05).
type Pending struct {
	ID       string   // public id; the code form names it (I-03)
	Stage    Stage    // what it waits for
	Methods  []string // what may be used, preferred first; in StageProof where a code can go, in StageEnrol what can be enrolled
	Prompt   Prompt   // what the person was asked for last
	Next     string   // where the person wanted to go; not yet checked to be local
	Language string   // the account's own, if it has one
	Created  time.Time
	Expires  time.Time

	account   string
	name      string
	epoch     epoch
	blocks    uint64
	device    deviceID
	first     []Method
	channel   string // of the first factor: a second factor on it does not count (I-06)
	enrolling string // id of the authenticator that waits for its first answer
}

// Format shows the public id only.
func (p Pending) Format(f fmtState, _ rune) { writeRedacted(f, "pending("+p.ID+")") }

// Prompt is what a person was asked for: a code by some method, sent somewhere.
type Prompt struct {
	Method   string
	Channel  string    // ChannelEmail or ChannelSMS when something was sent, else empty
	To       string    // the masked destination
	FellBack string    // the method that could not be used, when this one took its place
	Failed   bool      // nothing could be sent; no code exists that anybody knows
	Info     string    // the factor's own text for the person; to be escaped
	SentAt   time.Time // zero: no code exists
	Expires  time.Time // of the code
	ResendAt time.Time // when the next code can be asked for
	Options  []byte    // what the factor poses to the client, such as WebAuthn's request options in JSON; not a secret

	codeID recordID
	mac    []byte
	state  []byte // of a challenge; taken before it is verified
}

// Format shows the method only.
func (p Prompt) Format(f fmtState, _ rune) { writeRedacted(f, "prompt("+p.Method+")") }

// Method is one thing a person has shown, and when.
type Method struct {
	Name string // "password", "totp", "email", "sms", "recovery", …, or the name an app gave its own first factor
	At   time.Time
	weak bool // by an authenticator that a recovery code had added less than a day before (I-14)
}

// takesAway reports whether a second factor that was shown may take others away (I-14).
func (m Method) takesAway() bool { return m.Name != recoveryName && !m.weak }

// Login is somebody: both factors were right, or a policy said that the first was enough.
type Login struct {
	ID           string // public id of the login
	UserID       string
	Username     string
	Methods      []Method
	Fresh        time.Time // when a second factor was last shown; for an account without one, when the password was asked again
	Created      time.Time
	Seen         time.Time // at most a minute old for a live login
	Expires      time.Time // absolute end
	Addr         netip.Addr
	UserAgent    string
	Language     string // the account's own, if it has one
	SecondFactor bool   // a second factor was shown
	Grace        bool   // without the second factor that the policy asks for: enrol one; see [Grace]
	Service      bool   // a service account: for this one request, or with an access token
	Access       bool   // a short-lived access token: never fresh, and no factor can be changed with it; see [Logins.Exchange]

	id      recordID
	epoch   epoch
	device  deviceID
	tries   uint8      // wrong answers since the last right one; see maxTries
	channel string     // of the first factor: it counts for no step-up either (I-06)
	prompt  *Prompt    // of a step-up; nil without one
	enrol   *enrolling // an authenticator that is being enrolled; nil without one
}

// enrolling is an authenticator that waits for its first right answer in a finished login.
type enrolling struct {
	id     string
	prompt Prompt
}

// Prompt is what the person was asked for in a step-up.
func (l *Login) Prompt() Prompt {
	if l.prompt == nil {
		return Prompt{}
	}
	return *l.prompt
}

// MethodNames lists the methods in the order they were first shown.
func (l *Login) MethodNames() []string {
	names := make([]string, len(l.Methods))
	for i, m := range l.Methods {
		names[i] = m.Name
	}
	return names
}

// SealFor encrypts what is kept for a login's account outside of its records, such as an address that was typed and not used
// yet; [Logins.OpenFor] reads it, of the same account only.
func (l *Logins) SealFor(login *Login, data []byte) ([]byte, error) {
	return l.keys.Seal(data, "kept", login.UserID)
}

// OpenFor reads what [Logins.SealFor] made, with any key that is still read.
func (l *Logins) OpenFor(login *Login, sealed []byte) ([]byte, error) {
	return l.keys.Open(sealed, "kept", login.UserID)
}

// last is the method that was shown last.
func (l *Login) last() Method { return l.Methods[len(l.Methods)-1] }

// Showed reports whether a second factor among Methods was shown in this login itself, and is neither what a trusted device
// remembers nor what a recovery code has just added, which says no more than that code (I-14).
func (l *Login) Showed(m Method) bool {
	if m.weak {
		return false
	}
	i := slices.IndexFunc(l.Methods, func(m Method) bool { return m.Name == methodTrusted })
	return i < 0 || m.At.After(l.Methods[i].At)
}

// Format shows the public id and the account's id.
func (l Login) Format(f fmtState, _ rune) { writeRedacted(f, "login("+l.ID+" of "+l.UserID+")") }

// sessionKey is the store's key for a token: only a hash of it is stored. It is empty for what cannot be a token.
func sessionKey(slot Slot, token string) string {
	if len(token) != tokenLength {
		return ""
	}
	var buf [tokenLength]byte // a conversion would allocate
	for i := range buf {
		if buf[i] = token[i]; !inTokens[buf[i]] {
			return ""
		}
	}
	sum := sha256.Sum256(buf[:])
	key := [2 + tokenLength]byte{'s', byte(slot)}
	base64.RawURLEncoding.Encode(key[2:], sum[:])
	return string(key[:])
}

// inTokens are the bytes that tokens are made of: a table, because every one of a token's is looked up on every request.
var inTokens = func() (in [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		in[c] = true
	}
	return in
}()

// newToken draws 256 bits.
func newToken(random io.Reader) (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", unavailable("random source", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

func (id recordID) String() string { return hex.EncodeToString(id[:]) }

func encodePrompt(e *encoder, p *Prompt) {
	if p == nil || p.Method == "" {
		e.string("")
		return
	}
	e.string(p.Method)
	e.string(p.Channel)
	e.string(p.To)
	e.string(p.FellBack)
	e.bool(p.Failed)
	e.string(p.Info)
	e.time(p.SentAt)
	e.time(p.Expires)
	e.time(p.ResendAt)
	e.fixed(p.codeID[:])
	e.bytes(p.mac)
	e.bytes(p.state)
	e.bytes(p.Options)
}

func decodePrompt(d *decoder) *Prompt {
	method := d.string()
	if method == "" {
		return nil
	}
	p := &Prompt{Method: method}
	p.Channel = d.string()
	p.To = d.string()
	p.FellBack = d.string()
	p.Failed = d.bool()
	p.Info = d.string()
	p.SentAt = d.time()
	p.Expires = d.time()
	p.ResendAt = d.time()
	p.codeID = d.id()
	p.mac = d.bytes()
	p.state = d.bytes()
	p.Options = d.bytes()
	return p
}

func encodeMethods(e *encoder, ms []Method) {
	e.uint(uint64(len(ms)))
	for _, m := range ms {
		e.string(m.Name)
		e.time(m.At)
		e.bool(m.weak)
	}
}

// decodeMethods appends to ms.
func decodeMethods(d *decoder, ms []Method) []Method {
	for range d.count() {
		ms = append(ms, Method{d.string(), d.time(), d.bool()})
	}
	return slices.Clip(ms)
}

func encodeAddr(e *encoder, a netip.Addr) { e.bytes(a.AsSlice()) }

func decodeAddr(d *decoder) netip.Addr {
	var b [16]byte
	s := d.string()
	switch copy(b[:], s); len(s) {
	case 4:
		return netip.AddrFrom4([4]byte(b[:4]))
	case 16:
		return netip.AddrFrom16(b)
	case 0:
	default:
		d.bad = true
	}
	return netip.Addr{}
}

// same reports whether another reading of the record is of the same pending login, the same login or the same nobody.
func (s *Session) same(o *Session) bool {
	switch {
	case s.kind != o.kind:
		return false
	case s.kind == kindPending:
		return s.pending.ID == o.pending.ID
	case s.kind == kindLogin:
		return s.login.id == o.login.id
	}
	return true
}

// encode gives the record's bytes, the app's data last.
func (s *Session) encode() []byte {
	e := make(encoder, 0, 256+len(s.data))
	e.byte(s.kind)
	e.byte(recordVersion)
	switch s.kind {
	case kindAnonymous:
		e.time(s.created)
	case kindPending:
		p := s.pending
		id, _ := hex.DecodeString(p.ID)
		e.fixed(id)
		e.byte(byte(p.Stage))
		e.uint(uint64(len(p.Methods)))
		for _, m := range p.Methods {
			e.string(m)
		}
		encodePrompt(&e, &p.Prompt)
		e.string(p.Next)
		e.string(p.Language)
		e.time(p.Created)
		e.time(p.Expires)
		e.string(p.account)
		e.string(p.name)
		e.fixed(p.epoch[:])
		e.uint(p.blocks)
		e.fixed(p.device[:])
		encodeMethods(&e, p.first)
		e.string(p.channel)
		e.string(p.enrolling)
	case kindLogin:
		l := &s.login
		e.fixed([]byte(l.ID)) // in hex, as it is shown: reading it costs nothing then
		e.time(l.Seen)
		e.time(l.Expires)
		e.time(l.Created)
		e.time(l.Fresh)
		e.bool(l.SecondFactor)
		e.string(l.UserID)
		e.string(l.Username)
		encodeMethods(&e, l.Methods)
		e.fixed(l.epoch[:])
		e.fixed(l.device[:])
		encodeAddr(&e, l.Addr)
		e.string(l.UserAgent)
		e.string(l.channel)
		e.byte(l.tries)
		e.string(l.Language)
		e.bool(l.Grace)
		e.bool(l.Access)
		e.bool(l.Service)
		encodePrompt(&e, l.prompt)
		if l.enrol == nil {
			e.string("")
		} else {
			e.string(l.enrol.id)
			encodePrompt(&e, &l.enrol.prompt)
		}
	}
	return append(e, s.data...)
}

// decode reads what encode wrote.
func (s *Session) decode(raw []byte) error {
	d := decoder{s: string(raw)}
	s.raw = raw
	s.kind = d.byte()
	if d.byte() != recordVersion {
		d.bad = true
	}
	switch s.kind {
	case kindAnonymous:
		s.created = d.time()
	case kindPending:
		p := new(Pending)
		s.pending = p
		p.ID = recordID(d.id()).String()
		p.Stage = Stage(d.byte())
		if n := d.count(); n > 0 {
			p.Methods = make([]string, n)
			for i := range p.Methods {
				p.Methods[i] = d.string()
			}
		}
		if prompt := decodePrompt(&d); prompt != nil {
			p.Prompt = *prompt
		}
		p.Next = d.string()
		p.Language = d.string()
		p.Created = d.time()
		p.Expires = d.time()
		p.account = d.string()
		p.name = d.string()
		p.epoch = d.id()
		p.blocks = d.uint()
		p.device = d.id()
		p.first = decodeMethods(&d, nil)
		p.channel = d.string()
		p.enrolling = d.string()
	case kindLogin:
		l := &s.login
		if l.ID = d.take(2 * uint64(len(l.id))); !d.bad {
			_, err := hex.Decode(l.id[:], []byte(l.ID))
			d.bad = err != nil
		}
		l.Seen = d.time()
		l.Expires = d.time()
		l.Created = d.time()
		l.Fresh = d.time()
		l.SecondFactor = d.bool()
		l.UserID = d.string()
		l.Username = d.string()
		l.Methods = decodeMethods(&d, l.Methods)
		l.epoch = d.id()
		l.device = d.id()
		l.Addr = decodeAddr(&d)
		l.UserAgent = d.string()
		l.channel = d.string()
		l.tries = d.byte()
		l.Language = d.string()
		l.Grace = d.bool()
		l.Access = d.bool()
		l.Service = d.bool()
		l.prompt = decodePrompt(&d)
		if id := d.string(); id != "" {
			l.enrol = &enrolling{id: id}
			if p := decodePrompt(&d); p != nil {
				l.enrol.prompt = *p
			}
		}
	default:
		d.bad = true
	}
	if d.bad {
		*s = Session{}
		return unavailable("session", errRecord)
	}
	if d.rest() > 0 {
		s.data = raw[d.at:]
	}
	return nil
}
