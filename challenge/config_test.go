package challenge_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/stores"
)

// durable is a store that outlives the process.
type durable struct{ challenge.Store }

// named is a factor with nothing but a name.
type named string

func (n named) Name() string                                  { return string(n) }
func (named) Begin(context.Context, *challenge.Attempt) error { return nil }
func (named) Verify(context.Context, *challenge.Attempt, []byte) (challenge.Proof, error) {
	return challenge.Proof{}, challenge.ErrWrongCode
}

func complete() challenge.Config {
	return challengetest.New(challengetest.NewClock()).Config(new(stores.Memory))
}

func TestI19EveryUnsafeConfigIsRefusedAndSaysWhatToDo(t *testing.T) {
	mail := &challenge.Email{Sender: new(challengetest.Outbox)}
	key := challengetest.Key(1)
	for _, c := range []struct {
		name   string
		change func(*challenge.Config)
		says   string
	}{
		{"no site", func(c *challenge.Config) { c.Site = "" }, "Config.Site is missing"},
		{"http", func(c *challenge.Config) { c.Site = "http://app.example" }, "is not https"},
		{"no scheme", func(c *challenge.Config) { c.Site = "app.example" }, "is not an origin"},
		{"another scheme", func(c *challenge.Config) { c.Site = "ftp://app.example" }, "neither scheme https nor http"},
		{"another scheme, insecure", func(c *challenge.Config) { c.Site, c.InsecureHTTP = "javascript://app.example", true }, "neither scheme https nor http"},
		{"site with a path", func(c *challenge.Config) { c.Site = "https://app.example/login" }, "is not an origin"},
		{"site with a query", func(c *challenge.Config) { c.Site = "https://app.example?x=1" }, "is not an origin"},
		{"site with a fragment", func(c *challenge.Config) { c.Site = "https://app.example#x" }, "is not an origin"},
		{"site with a user", func(c *challenge.Config) { c.Site = "https://me:pw@app.example" }, "is not an origin"},
		{"site without a host", func(c *challenge.Config) { c.Site = "https://:443" }, "is not an origin"},
		{"no users", func(c *challenge.Config) { c.Users = nil }, "Config.Users is missing"},
		{"no policy", func(c *challenge.Config) { c.Policy = nil }, "Config.Policy is missing"},
		{"no store", func(c *challenge.Config) { c.Store = nil }, "Config.Store is missing"},
		{"no audit", func(c *challenge.Config) { c.Audit = nil }, "Config.Audit is missing"},
		{"no key beside a durable store", func(c *challenge.Config) { c.Keys, c.Store = nil, durable{c.Store} }, "Config.Keys is missing"},
		{"no key beside durable accounts", func(c *challenge.Config) { c.Keys, c.Accounts = nil, durable{c.Store} }, "Config.Keys is missing"},
		{"a key of zeros", func(c *challenge.Config) { c.Keys = []challenge.Key{{ID: 1}} }, "all zero"},
		{"two keys of one id", func(c *challenge.Config) { c.Keys = []challenge.Key{key, key} }, "two keys have the id 1"},
		{"no factor", func(c *challenge.Config) { c.Factors = nil }, "Config.Factors is empty"},
		{"recovery codes only", func(c *challenge.Config) { c.Factors = []challenge.Factor{&challenge.Recovery{}} }, "recovery codes only"},
		{"a nil factor", func(c *challenge.Config) { c.Factors = append(c.Factors, nil) }, "nil factor"},
		{"two factors of one name", func(c *challenge.Config) { c.Factors = append(c.Factors, mail) }, `two factors are called "email"`},
		{"a factor called password", func(c *challenge.Config) { c.Factors = append(c.Factors, named("password")) }, `factor name "password"`},
		{"a factor with a name that is none", func(c *challenge.Config) { c.Factors = append(c.Factors, named("Push it\n")) }, "lower-case letters"},
		{"a factor without a name", func(c *challenge.Config) { c.Factors = append(c.Factors, named("")) }, "lower-case letters"},
		{"mail without a sender", func(c *challenge.Config) { c.Factors = []challenge.Factor{&challenge.Email{}} }, "no Sender"},
		{"SMS without a sender", func(c *challenge.Config) { c.Factors = []challenge.Factor{&challenge.SMS{}} }, "no Sender"},
		{"codes of four digits", func(c *challenge.Config) {
			c.Factors = []challenge.Factor{&challenge.Email{Sender: new(challengetest.Outbox), Digits: 4}}
		}, "4 digits"},
		{"a fallback to nowhere", func(c *challenge.Config) { c.Factors = []challenge.Factor{challenge.Fallback(mail, "sms")} }, `falls back to "sms"`},
		{"a wrapped factor's settings are checked too", func(c *challenge.Config) {
			c.Factors = []challenge.Factor{mail, challenge.Fallback(&challenge.SMS{}, "email")}
		}, "no Sender"},
		{"a custom factor without functions", func(c *challenge.Config) { c.Factors = append(c.Factors, &challenge.Custom{Method: "x"}) }, "Create, Deliver and To"},
		{"negative password guesses", func(c *challenge.Config) { c.PasswordGuesses = -1 }, "Config.PasswordGuesses is -1"},
		{"negative code guesses", func(c *challenge.Config) { c.CodeGuesses = -1 }, "Config.CodeGuesses is -1"},
		{"more than 100 password guesses", func(c *challenge.Config) { c.PasswordGuesses = 101 }, "at most 100"},
		{"more than 100 code guesses", func(c *challenge.Config) { c.CodeGuesses = 101 }, "at most 100"},
		{"negative block", func(c *challenge.Config) { c.BlockFor = -1 }, "Config.BlockFor is negative"},
		{"a block that no record can hold", func(c *challenge.Config) { c.BlockFor = 1<<63 - 1 }, "Config.BlockFor is"},
		{"codes that live for over 10 minutes", func(c *challenge.Config) { c.CodeTTL = 10*time.Minute + 1 }, "Config.CodeTTL is"},
		{"negative code life", func(c *challenge.Config) { c.CodeTTL = -1 }, "Config.CodeTTL is negative"},
		{"pending logins that live for over 10 minutes", func(c *challenge.Config) { c.PendingTTL = 10*time.Minute + 1 }, "Config.PendingTTL is"},
		{"negative pending life", func(c *challenge.Config) { c.PendingTTL = -1 }, "Config.PendingTTL is negative"},
		{"negative cooldown", func(c *challenge.Config) { c.ResendAfter = -1 }, "Config.ResendAfter is negative"},
		{"endless cooldown", func(c *challenge.Config) { c.ResendAfter = 2 * time.Hour }, "Config.ResendAfter is"},
		{"over an hour idle", func(c *challenge.Config) { c.Idle = time.Hour + 1 }, "Config.Idle is"},
		{"negative idle", func(c *challenge.Config) { c.Idle = -1 }, "Config.Idle is negative"},
		{"over a day", func(c *challenge.Config) { c.Absolute = 24*time.Hour + 1 }, "Config.Absolute is"},
		{"negative absolute end", func(c *challenge.Config) { c.Absolute = -1 }, "Config.Absolute is negative"},
		{"negative hash slots", func(c *challenge.Config) { c.HashSlots = -1 }, "Config.HashSlots is -1"},
		{"negative hash queue", func(c *challenge.Config) { c.HashQueue = -1 }, "Config.HashQueue is -1"},
		{"no limit on hash slots", func(c *challenge.Config) { c.HashSlots = 1 << 40 }, "that is no limit"},
		{"negative sends", func(c *challenge.Config) { c.Sends.PerAccountShort = -1 }, "Config.Sends.PerAccountShort is -1"},
		{"negative sends a day", func(c *challenge.Config) { c.Sends.PerAccountDay = -1 }, "Config.Sends.PerAccountDay is -1"},
		{"negative sends a client", func(c *challenge.Config) { c.Sends.PerClientHour = -1 }, "Config.Sends.PerClientHour is -1"},
		{"negative sends a range", func(c *challenge.Config) { c.Sends.PerPrefixHour = -1 }, "Config.Sends.PerPrefixHour is -1"},
		{"negative sends over all", func(c *challenge.Config) { c.Sends.GlobalHour = -1 }, "Config.Sends.GlobalHour is -1"},
		{"unlimited sends by a number", func(c *challenge.Config) { c.Sends.GlobalHour = 1 << 40 }, "that is no limit"},
		{"an alarm beyond the whole", func(c *challenge.Config) { c.Sends.AlarmPercent = 101 }, "shares of a hundred"},
		{"a negative alarm", func(c *challenge.Config) { c.Sends.AlarmPercent = -1 }, "Config.Sends.AlarmPercent is -1"},
		{"pumping of more than all", func(c *challenge.Config) { c.Sends.PumpingPercent = 101 }, "shares of a hundred"},
		{"a negative number of codes", func(c *challenge.Config) { c.Sends.PumpingSent = -1 }, "Config.Sends.PumpingSent is -1"},
		{"a country by its name", func(c *challenge.Config) { c.Sends.SMSOnlyTo = []string{"NL"} }, `"NL" is not the beginning of a number`},
		{"a number without a plus", func(c *challenge.Config) { c.Sends.SMSNeverTo = []string{"+31", "0031"} }, `"0031" is not the beginning of a number`},
		{"a random source that is broken", func(c *challenge.Config) { c.Random = strings.NewReader("") }, "random source"},
	} {
		conf := complete()
		c.change(&conf)
		l, err := challenge.New(conf)
		if err == nil || l != nil {
			t.Errorf("I-19: %s was accepted", c.name)
		} else if !strings.Contains(err.Error(), c.says) {
			t.Errorf("I-19: %s: %q does not say %q", c.name, err, c.says)
		}
	}
	_, err := challenge.New(challenge.Config{})
	for _, says := range []string{"Site", "Users", "Policy", "Store", "Audit", "Factors"} {
		if err == nil || !strings.Contains(err.Error(), "Config."+says) {
			t.Errorf("I-19: the zero Config: %v does not name %s", err, says)
		}
	}
}

func TestConfigsThatAreFine(t *testing.T) {
	for name, change := range map[string]func(*challenge.Config){
		"as it comes":                      func(*challenge.Config) {},
		"no key beside stores.Memory":      func(c *challenge.Config) { c.Keys = nil },
		"keys beside a durable store":      func(c *challenge.Config) { c.Store = durable{c.Store} },
		"http, and it says so":             func(c *challenge.Config) { c.Site, c.InsecureHTTP = "http://localhost:8080", true },
		"a hundred guesses":                func(c *challenge.Config) { c.PasswordGuesses, c.CodeGuesses = 100, 100 },
		"the longest of everything":        func(c *challenge.Config) { c.Idle, c.Absolute, c.CodeTTL = time.Hour, 24*time.Hour, 10*time.Minute },
		"accounts in a store of their own": func(c *challenge.Config) { c.Accounts = durable{new(stores.Memory)} },
	} {
		c := complete()
		change(&c)
		if _, err := challenge.New(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSiteIsAnOriginInOneForm(t *testing.T) {
	for in, want := range map[string]challenge.Site{
		"https://app.example":       {Origin: "https://app.example", Host: "app.example", Secure: true},
		"https://App.Example/":      {Origin: "https://app.example", Host: "app.example", Secure: true},
		"https://app.example:443":   {Origin: "https://app.example", Host: "app.example", Secure: true},
		"https://app.example:8443":  {Origin: "https://app.example:8443", Host: "app.example:8443", Secure: true},
		"http://localhost:80":       {Origin: "http://localhost", Host: "localhost"},
		"http://127.0.0.1:8080":     {Origin: "http://127.0.0.1:8080", Host: "127.0.0.1:8080"},
		"HTTPS://app.example":       {Origin: "https://app.example", Host: "app.example", Secure: true},
		"https://[2001:db8::1]:443": {Origin: "https://[2001:db8::1]", Host: "[2001:db8::1]", Secure: true},
	} {
		c := complete()
		c.Site, c.InsecureHTTP = in, true
		l, err := challenge.New(c)
		if err != nil {
			t.Errorf("%s: %v", in, err)
		} else if l.Site() != want {
			t.Errorf("%s: %+v", in, l.Site())
		}
	}
}

func TestI08TheDefaultsAreTheStrictOnes(t *testing.T) {
	l, err := challenge.New(complete())
	if err != nil {
		t.Fatal(err)
	}
	want := challenge.Durations{Pending: 10 * time.Minute, Idle: time.Hour, Absolute: 24 * time.Hour, Code: 10 * time.Minute}
	if l.Durations() != want {
		t.Errorf("%+v", l.Durations())
	}
	if l.Texts() == nil || !l.Now().Equal(challengetest.NewClock().Now()) {
		t.Error("no texts, or another clock")
	}
	if name, err := l.CanonicalName("ALICE"); err != nil || name != "alice" {
		t.Errorf("%q %v", name, err)
	}
}

func TestNewCopiesWhatItIsGiven(t *testing.T) {
	c := complete()
	l, err := challenge.New(c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.Factors {
		c.Factors[i] = named("changed")
	}
	c.Keys[0] = challenge.Key{ID: 9}
	k := challengetest.New(challengetest.NewClock())
	_ = k
	c.Users.(*challengetest.Users).Add(challenge.Account{ID: "1", Name: "alice"}, password)
	if err := l.ImportTOTP(context.Background(), "1", secret, ""); err != nil {
		t.Errorf("I-19: a change of the Config after New reached the machine: %v", err)
	}
}

func TestAKeyThatIsMissingDenies(t *testing.T) {
	h := build(t)
	older := h.again(func(c *challenge.Config) { c.Keys = []challenge.Key{challengetest.Key(2), challengetest.Key(1)} })
	other := h.again(func(c *challenge.Config) { c.Keys = []challenge.Key{challengetest.Key(2)} })
	in := challenge.PasswordInput{Slot: challenge.Cookie, Name: "alice", Password: []byte(password)}
	if _, err := older.Password(context.Background(), challenge.Client{}, &challenge.Session{}, in); err != nil {
		t.Errorf("a key that is still read: %v", err)
	}
	if _, err := other.Password(context.Background(), challenge.Client{}, &challenge.Session{}, in); !errors.Is(err, challenge.ErrUnavailable) {
		t.Errorf("I-20: a key that is missing: %v", err)
	}
}

func TestConfigHasADocumentedZeroForEveryNumber(t *testing.T) {
	// A field of a kind that New does not know the zero of would be one more way to misconfigure it.
	c := complete()
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		switch f := v.Type().Field(i); f.Type.Kind() {
		case reflect.Int, reflect.Int64:
			neg := complete()
			reflect.ValueOf(&neg).Elem().Field(i).SetInt(-1)
			if _, err := challenge.New(neg); err == nil {
				t.Errorf("I-19: Config.%s of -1 is accepted", f.Name)
			}
		case reflect.Bool:
			if f.Name != "AuditRequired" && !strings.HasPrefix(f.Name, "Insecure") {
				t.Errorf("a switch that loosens something carries it in its name: %s", f.Name)
			}
		}
	}
}

var _ audit.Recorder = (*challengetest.Audit)(nil)
