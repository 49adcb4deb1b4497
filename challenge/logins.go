package challenge

import (
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge/texts"
)

// Config says how people log in. The zero value of every field is the strict one; what has no safe default must be given.
type Config struct {
	// Site is the public origin, such as https://acme.example. It is the only source of cookie rules, expected origin and the
	// origin line of an SMS; nothing of that is ever taken from a request.
	Site string
	// InsecureHTTP allows a Site that begins with http://. For localhost only: cookies lose Secure and their __Host- name.
	InsecureHTTP bool

	Users  Users
	Policy Policy
	// Store keeps everything. Accounts, when set, keeps accounts and authenticators instead, which must be durable.
	Store    Store
	Accounts Store
	// Keys encrypt secrets and key every hash; the first writes, all read. They may be missing only when every store forgets
	// everything with its process (stores.Memory).
	Keys    []Key
	Factors []Factor
	// Shadow is a policy that only reports: where a login would have gone another way by it, the audit says so. See [Policy].
	Shadow Policy
	// Trials are factors that only report. Each stands beside the factor of the same name in Factors, is shown the answers that
	// that one has judged, and where it judges otherwise the audit says so: another provider, or other settings. A
	// trial sends nothing and its verdict counts for nothing. It must keep no record of the answers that it sees.
	Trials    []Factor
	Passwords Passwords // nil means Argon2id{}
	Audit     audit.Recorder
	// AuditRequired denies what could not be recorded, instead of counting it.
	AuditRequired bool
	// Observer, when set, is told of what takes time: calls of stores and users, the queue for password hashing, sends.
	Observer Observer

	PasswordGuesses int           // zero means 3
	CodeGuesses     int           // zero means 3
	BlockFor        time.Duration // zero means 5 minutes; a year is the most

	CodeTTL    time.Duration // of a sent code; zero means 10 minutes, which is also the most (NIST SP 800-63B-4 section 3.1.3.2)
	PendingTTL time.Duration // of a pending login; zero means 10 minutes, which is also the most
	// ResendAfter is the cooldown between two messages to one account from one class of clients; zero means 30 seconds.
	ResendAfter time.Duration
	Sends       SendLimits
	// InsecureUnlimitedSends removes cooldown and every send limit. For tests only: somebody pays for each SMS.
	InsecureUnlimitedSends bool

	// TrustDevices is how long a person may trust a device, on which the next logins then ask for the password only. Zero, the
	// default, means never; the most is 30 days. Any change of password or factors ends all trust.
	TrustDevices time.Duration

	// Passwordless names the factor, such as "passkey", whose answers count as both factors when the device has verified the
	// person by PIN or biometry: without a name and without a password. Empty, the default, means none. The factor must be
	// [Discoverable], as webauthn.Factor is.
	Passwordless string

	Idle     time.Duration // zero means 1 hour, which is also the most
	Absolute time.Duration // zero means 24 hours, which is also the most

	// Notices, when set, tells people by mail what happened to their account: a factor added or removed, a recovery code
	// used, a login from a new device (of a program: from a new network), a block. At most one of a kind for each account and
	// day, after the answer; each authenticator and each recovery code is a kind of its own, up to 50 mails a day.
	Notices Sender

	// AccessTokens is how long an access token lives, which a program gets for a login or for a service account's password;
	// see [Logins.Exchange]. Zero, the default, means that there are none; the most is 15 minutes.
	AccessTokens time.Duration

	Texts *texts.Catalog // nil means texts.Default()
	// Mail replaces templates of the HTML that mails have beside their text: "mail" (the whole), or its parts "header", "code"
	// and "footer"; what it lacks stays ours. The dot is a [Mail]; that of "code" a [MailParagraph]. An empty "mail" means text
	// only. Ours asks nothing of the network, has no links, and leaves the colours, light or dark, to the reader's program.
	Mail *template.Template
	// CanonicalName makes one form of every way to write a name; nil means UsernameCaseMapped (RFC 8265).
	CanonicalName func(string) (string, error)

	// HashSlots is how many passwords are checked at once; zero means GOMAXPROCS-1. HashQueue is how many may wait; zero
	// means 256. What comes beyond is refused at once with a BusyError. Raise HashSlots when somebody else checks the passwords.
	HashSlots, HashQueue int

	Clock  func() time.Time // nil means time.Now
	Random io.Reader        // nil means crypto/rand.Reader
}

// SendLimits bound what messages may cost (I-15). Zero values mean the defaults; they cannot be switched off one by one.
type SendLimits struct {
	// PerAccountShort is for 15 minutes, each account, and each destination; zero means 5. Logins of strangers, logins on known
	// devices, step-ups, and new destinations that are confirmed have so many each, so that none keeps the owner from another
	// (I-11); of a destination, step-ups share those of strangers.
	PerAccountShort int
	PerAccountDay   int // in 24 hours, likewise; zero means 20
	PerClientHour   int // each client address; zero means 30, and as many for new destinations
	PerPrefixHour   int // each range of 10,000 phone numbers; zero means 30, and as many for new numbers
	GlobalHour      int // over everybody; zero means 3000

	// AlarmPercent is the share of GlobalHour with which the audit gets its alarm, once an hour; zero means 80.
	AlarmPercent int

	// SMSOnlyTo are the beginnings of the numbers that may get an SMS, such as "+31"; nil means those of every country, and
	// of nothing that is no country (premium rate, satellite, freephone). SMSNeverTo are refused whatever SMSOnlyTo says.
	// An account whose number is refused gets its code by the fallback, if there is one. Name your countries.
	SMSOnlyTo, SMSNeverTo []string

	// Of PumpingSent or more codes sent by SMS in an hour to one country, or to one range of 10,000 numbers, fewer than
	// PumpingPercent were entered: then the audit gets an alarm, once an hour, for somebody may be paid for them. Zero means 20
	// and 20. RefusePumped also refuses such numbers, until the hour is over; think before of what it means to be
	// refused for a whole country, and give [SMS] a [Fallback].
	PumpingSent, PumpingPercent int
	RefusePumped                bool
}

// Site is the public origin in its parts.
type Site struct {
	Origin string // https://acme.example, without a path
	Host   string // acme.example, with a port when it is not the scheme's own
	Secure bool   // https
}

// Durations are the lifetimes in force. Trust is zero when no device can be trusted, Access when there are no access tokens.
type Durations struct{ Pending, Idle, Absolute, Code, Trust, Access time.Duration }

// Logins is the machine: it decides who is somebody. It is made by [New] and safe for concurrent use.
type Logins struct {
	site   Site
	users  Users
	policy Policy

	shadowPolicy Policy

	store     Store
	accounts  Store
	keys      *Keyring
	factors   []Factor
	trials    []Factor
	passwords Passwords
	gate      *gate
	rules     rules
	durations Durations
	sends     SendLimits
	texts     *texts.Catalog
	mails     *mails
	canonical func(string) (string, error)
	clock     func() time.Time
	random    io.Reader
	recorder  recorder
	shared    bool  // several processes may use Config.Store
	taker     Taker // Config.Store's own
	observer  Observer
	aside     aside
	verdicts  basicVerdicts

	trustFor        time.Duration
	alone           Factor // that counts as both; nil unless Config.Passwordless
	notices         Sender
	noticesUnderWay atomic.Int32
	noticesDone     sync.WaitGroup

	// The protocol's steps in their order. Tests leave one out or swap two to see that somebody notices.
	promotionSteps []protocolStep
	stepUpSteps    []protocolStep
	changeSteps    []protocolStep
	endingSteps    []endingStep
}

var methodName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// New checks everything and copies what it is given. After it, nothing can be misconfigured (I-19).
func New(c Config) (*Logins, error) {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf("challenge: "+format, args...)) }

	site, err := parseSite(c.Site, c.InsecureHTTP)
	if err != nil {
		errs = append(errs, err)
	}
	if c.Users == nil {
		refuse("Config.Users is missing: give it your accounts")
	}
	if c.Policy == nil {
		refuse("Config.Policy is missing: challenge.Everyone asks everybody for a second factor")
	}
	if c.Store == nil {
		refuse("Config.Store is missing: new(stores.Memory) needs nothing installed")
	}
	if c.Audit == nil {
		refuse("Config.Audit is missing: audit.To(os.Stdout, audit.Datadog) writes lines")
	}
	apart := c.Accounts != nil
	if !apart {
		c.Accounts = c.Store
	}
	if len(c.Keys) == 0 && c.Store != nil {
		if !volatile(c.Store) || !volatile(c.Accounts) {
			refuse("Config.Keys is missing: a store that outlives the process needs keys that do too; make 32 random bytes and keep them outside the store")
		} else {
			k := Key{ID: 1}
			if _, err := rand.Read(k.Secret[:]); err != nil {
				refuse("random source: %w", err)
			}
			c.Keys = []Key{k}
		}
	}
	positive := func(name string, v *int, fallback int) {
		switch {
		case *v < 0:
			refuse("Config.%s is %d: it must be positive, or 0 for the default of %d", name, *v, fallback)
		case *v == 0:
			*v = fallback
		case *v > 10_000_000:
			refuse("Config.%s is %d: that is no limit", name, *v)
		}
	}
	positive("PasswordGuesses", &c.PasswordGuesses, 3)
	positive("CodeGuesses", &c.CodeGuesses, 3)
	if c.PasswordGuesses > 100 || c.CodeGuesses > 100 {
		refuse("Config.PasswordGuesses and CodeGuesses may be at most 100 (NIST SP 800-63B-4 section 3.2.2)")
	}
	positive("Sends.PerAccountShort", &c.Sends.PerAccountShort, 5)
	positive("Sends.PerAccountDay", &c.Sends.PerAccountDay, 20)
	positive("Sends.PerClientHour", &c.Sends.PerClientHour, 30)
	positive("Sends.PerPrefixHour", &c.Sends.PerPrefixHour, 30)
	positive("Sends.GlobalHour", &c.Sends.GlobalHour, 3000)
	positive("Sends.AlarmPercent", &c.Sends.AlarmPercent, 80)
	positive("Sends.PumpingSent", &c.Sends.PumpingSent, 20)
	positive("Sends.PumpingPercent", &c.Sends.PumpingPercent, 20)
	if c.Sends.AlarmPercent > 100 || c.Sends.PumpingPercent > 100 {
		refuse("Config.Sends.AlarmPercent and PumpingPercent are shares of a hundred: give 1 to 100")
	}
	for _, prefix := range slices.Concat(c.Sends.SMSOnlyTo, c.Sends.SMSNeverTo) {
		if !numberPrefix.MatchString(prefix) {
			refuse("Config.Sends.SMSOnlyTo and SMSNeverTo: %q is not the beginning of a number: write a plus and digits, such as +31", prefix)
		}
	}
	c.Sends.SMSOnlyTo, c.Sends.SMSNeverTo = slices.Clone(c.Sends.SMSOnlyTo), slices.Clone(c.Sends.SMSNeverTo)
	positive("HashSlots", &c.HashSlots, max(runtime.GOMAXPROCS(0)-1, 1))
	positive("HashQueue", &c.HashQueue, 256)
	lasts := func(name string, v *time.Duration, fallback, most time.Duration) {
		switch {
		case *v < 0:
			refuse("Config.%s is negative: give a positive duration, or 0 for the default of %v", name, fallback)
		case *v == 0:
			*v = fallback
		case *v > most:
			refuse("Config.%s is %v: the most is %v", name, *v, most)
		}
	}
	lasts("BlockFor", &c.BlockFor, 5*time.Minute, 365*24*time.Hour)
	lasts("CodeTTL", &c.CodeTTL, 10*time.Minute, 10*time.Minute)
	lasts("PendingTTL", &c.PendingTTL, 10*time.Minute, 10*time.Minute)
	lasts("ResendAfter", &c.ResendAfter, 30*time.Second, time.Hour)
	if c.TrustDevices < 0 || c.TrustDevices > mostTrusted {
		refuse("Config.TrustDevices is %v: give up to %v, or 0 to trust no device", c.TrustDevices, mostTrusted)
	}
	if c.AccessTokens < 0 || c.AccessTokens > mostAccess {
		refuse("Config.AccessTokens is %v: give up to %v, or 0 for none", c.AccessTokens, mostAccess)
	}
	lasts("Idle", &c.Idle, time.Hour, time.Hour)
	lasts("Absolute", &c.Absolute, 24*time.Hour, 24*time.Hour)
	if len(c.Factors) == 0 {
		refuse("Config.Factors is empty: without a second factor nobody whom the policy asks for one could log in")
	}
	if v, ok := c.Passwords.(interface{ Valid() error }); ok {
		if err := v.Valid(); err != nil {
			errs = append(errs, err)
		}
	}
	names, real := map[string]bool{}, false
	for _, f := range c.Factors {
		if f == nil {
			refuse("Config.Factors holds a nil factor")
			continue
		}
		name := f.Name()
		if !methodName.MatchString(name) || slices.Contains([]string{methodPassword, enrolmentCodeName, methodTrusted}, name) {
			refuse("factor name %q: use 1 to 32 lower-case letters, digits and hyphens; \"password\", \"enrolment-code\" and \"trusted-device\" are taken", name)
		}
		if names[name] {
			refuse("two factors are called %q: give each its own name", name)
		}
		names[name] = true
		real = real || name != recoveryName
		if v, ok := ability[Checker](f); ok {
			if err := v.Check(site); err != nil {
				errs = append(errs, err)
			}
		}
		if v, ok := ability[fallbacker](f); ok {
			for _, to := range v.fallsBack() {
				if !slices.ContainsFunc(c.Factors, func(f Factor) bool { return f != nil && f.Name() == to }) {
					refuse("factor %q falls back to %q, which is not in Config.Factors", name, to)
				}
			}
		}
	}
	trials := map[string]bool{}
	for _, f := range c.Trials {
		if f == nil {
			refuse("Config.Trials holds a nil factor")
			continue
		}
		if name := f.Name(); !names[name] || trials[name] {
			refuse("Config.Trials: %q is tried beside the one factor of that name in Config.Factors, and only once", name)
		}
		trials[f.Name()] = true
		if v, ok := ability[Checker](f); ok {
			if err := v.Check(site); err != nil {
				errs = append(errs, fmt.Errorf("factor in trial %q: %w", f.Name(), err))
			}
		}
	}
	var alone Factor
	if c.Passwordless != "" {
		if i := slices.IndexFunc(c.Factors, func(f Factor) bool { return f != nil && f.Name() == c.Passwordless }); i >= 0 {
			alone = c.Factors[i]
		}
		if _, ok := ability[Discoverable](alone); !ok {
			refuse("Config.Passwordless %q is no factor in Config.Factors that can count as both: webauthn.Factor can", c.Passwordless)
		}
	}
	if len(c.Factors) > 0 && !real {
		refuse("Config.Factors holds recovery codes only: they back another factor up")
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}

	if c.Random == nil {
		c.Random = rand.Reader
	}
	keys, err := NewKeyring(slices.Clone(c.Keys), c.Random)
	if err != nil {
		return nil, err
	}
	if c.Passwords == nil {
		c.Passwords = new(Argon2id)
	}
	if c.Texts == nil {
		c.Texts = texts.Default()
	}
	mails, err := newMails(c.Mail, site.Host, c.Texts)
	if err != nil {
		return nil, err
	}
	if c.CanonicalName == nil {
		c.CanonicalName = UsernameCaseMapped
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	l := &Logins{
		site: site, users: c.Users, policy: c.Policy, store: c.Store, accounts: c.Accounts, keys: keys,
		factors: slices.Clone(c.Factors), trials: slices.Clone(c.Trials), shadowPolicy: c.Shadow, passwords: c.Passwords, gate: newGate(c.HashSlots, c.HashQueue),
		rules: rules{
			passwordGuesses: c.PasswordGuesses, codeGuesses: c.CodeGuesses, blockFor: c.BlockFor,
			sendCooldown: c.ResendAfter, sendShort: c.Sends.PerAccountShort, sendDay: c.Sends.PerAccountDay, sendUnlimited: c.InsecureUnlimitedSends,
		},
		durations: Durations{Pending: c.PendingTTL, Idle: c.Idle, Absolute: c.Absolute, Code: c.CodeTTL, Trust: c.TrustDevices, Access: c.AccessTokens},
		sends:     c.Sends, texts: c.Texts, mails: mails, canonical: c.CanonicalName, clock: c.Clock, random: c.Random,
		promotionSteps: promotionSteps, stepUpSteps: stepUpSteps, changeSteps: changeSteps, endingSteps: endingSteps,
	}
	l.notices, l.trustFor, l.alone = c.Notices, c.TrustDevices, alone
	l.observe(c, apart)
	l.recorder.calls = make(chan struct{}, maxCalls)
	l.recorder.strangers = make(chan struct{}, maxCalls/4)
	l.recorder.to, l.recorder.required = c.Audit, c.AuditRequired
	l.verdicts = basicVerdicts{key: make([]byte, 32), known: map[basicKey]basicVerdict{}, flight: map[basicKey]*flight{}}
	if err := l.fill(l.verdicts.key); err != nil {
		return nil, err
	}
	return l, nil
}

// Checker is an optional ability of a [Factor]: New asks it whether its own settings are complete and safe.
type Checker interface {
	Check(s Site) error
}

func volatile(s Store) bool {
	v, ok := s.(Volatile)
	return ok && v.Volatile()
}

// parseSite takes an origin apart and refuses what is not just one.
func parseSite(site string, insecure bool) (Site, error) {
	if site == "" {
		return Site{}, errors.New("challenge: Config.Site is missing: give the public origin, such as https://acme.example")
	}
	u, err := url.Parse(site)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" || u.Opaque != "" {
		return Site{}, fmt.Errorf("challenge: Config.Site %q is not an origin: give scheme and host only, such as https://acme.example", site)
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		if !insecure {
			return Site{}, fmt.Errorf("challenge: Config.Site %q is not https: use https, or set InsecureHTTP for localhost", site)
		}
		host = strings.TrimSuffix(host, ":80")
	default:
		return Site{}, fmt.Errorf("challenge: Config.Site %q has neither scheme https nor http", site)
	}
	return Site{Origin: u.Scheme + "://" + host, Host: host, Secure: u.Scheme == "https"}, nil
}

// Site is the configured public origin.
func (l *Logins) Site() Site { return l.site }

// Texts are the texts in force.
func (l *Logins) Texts() *texts.Catalog { return l.texts }

// Now is the time by the configured clock.
func (l *Logins) Now() time.Time { return l.now() }

func (l *Logins) now() time.Time { return l.clock() }

// Durations are the lifetimes in force.
func (l *Logins) Durations() Durations { return l.durations }

// CanonicalName is the form of a name that limits and look-ups use. It is an error for what cannot be a name.
func (l *Logins) CanonicalName(name string) (string, error) { return l.canonical(name) }

// Taker is the store's own rate limiter. shared is true for a store that several processes may use: a limit of one process
// is then no limit (I-19). A shared store without one gives nil, true.
func (l *Logins) Taker() (t Taker, shared bool) {
	return l.taker, l.shared
}

func (l *Logins) factor(name string) Factor {
	for _, f := range l.factors {
		if f.Name() == name {
			return f
		}
	}
	if name == enrolmentCodeName {
		return enrolmentCode{}
	}
	return nil
}

func (l *Logins) randomID() (id recordID, err error) {
	if _, err := io.ReadFull(l.random, id[:]); err != nil {
		return id, unavailable("random source", err)
	}
	return id, nil
}
