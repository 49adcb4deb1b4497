package texts_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge/texts"
)

// keys reads the constants of type Key out of the source, so that none can be forgotten here.
func keys(t testing.TB) []texts.Key {
	file, err := parser.ParseFile(token.NewFileSet(), "keys.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []texts.Key
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			s, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, texts.Key(s))
		}
		return true
	})
	if len(all) < 50 {
		t.Fatalf("only %d keys: did keys.go move?", len(all))
	}
	return all
}

var placeholder = regexp.MustCompile(`\{[^}|]*(\|[^}]*)?\}`)

func placeholders(text string) []string {
	var names []string
	for _, p := range placeholder.FindAllString(text, -1) {
		if !strings.Contains(p, "|") {
			names = append(names, p)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestEveryTextExistsInEveryLanguageWithTheSamePlaceholders(t *testing.T) {
	c := texts.Default()
	if got, want := c.Languages(), []string{"en", "de", "es", "fr", "nl"}; !slices.Equal(got, want) {
		t.Fatalf("languages %q, want %q", got, want)
	}
	for _, key := range keys(t) {
		english := c.Text("en", key)
		if english == string(key) {
			t.Errorf("en has no %s", key)
		}
		for _, lang := range c.Languages()[1:] {
			text := c.Text(lang, key)
			if got, want := placeholders(text), placeholders(english); !slices.Equal(got, want) {
				t.Errorf("%s %s has placeholders %q, want %q", lang, key, got, want)
			}
			// Equal to English means forgotten, but for words that are the same.
			if text == english && strings.Contains(text, " ") && key != texts.TitlePage && !strings.HasPrefix(string(key), "duration.") {
				t.Errorf("%s %s is still English: %q", lang, key, text)
			}
		}
	}
}

func TestEveryTextOfTheModulePassesItsOwnRules(t *testing.T) {
	c := texts.Default()
	for _, lang := range c.Languages() {
		for _, key := range keys(t) {
			if _, err := c.With(lang, map[texts.Key]string{key: c.Text(lang, key)}); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestCodeMails: the subject shows on locked screens, and a code is copied more safely from a line of its own.
func TestACodeStandsOnItsOwnLineAndNeverInASubject(t *testing.T) {
	c := texts.Default()
	for _, lang := range c.Languages() {
		args := []string{"code", "012345", "minutes", "10", "site", "https://acme.example"}
		if s := c.Text(lang, texts.MailCodeSubject, args...); strings.Contains(s, "012345") || !strings.Contains(s, "https://acme.example") {
			t.Errorf("%s subject %q", lang, s)
		}
		for _, key := range []texts.Key{texts.MailCodeBody, texts.SMSCodeBody} {
			body := c.Text(lang, key, args...)
			if !slices.Contains(strings.Split(body, "\n"), "012345") || !strings.Contains(body, "10 ") || strings.Contains(body, "{") {
				t.Errorf("%s %s: %q", lang, key, body)
			}
		}
	}
}

// The characters of GSM 03.38 outside ASCII letters, digits and punctuation that our languages could use. One other
// character turns an SMS into UCS-2 and 160 characters into 70.
func TestAnSMSFitsOnePartOfGSM7(t *testing.T) {
	c := texts.Default()
	for _, lang := range c.Languages() {
		body := c.Text(lang, texts.SMSCodeBody, "code", "0123456789", "minutes", "10")
		for _, r := range body {
			if r > 126 && !strings.ContainsRune("èéùìòÇØøÅåÆæßÉÄÖÑÜ§äöñüà¡¿£¥", r) || strings.ContainsRune("`^{}\\[~]|", r) {
				t.Errorf("%s: %q is not in the basic GSM 03.38 alphabet", lang, r)
			}
		}
		if n := len([]rune(body)) + len("\n\n@login.some-longer-name.example #0123456789"); n > 160 {
			t.Errorf("%s: %d characters with the origin-bound line", lang, n)
		}
	}
}

// I-10: whoever is refused reads the same text, so it must say what helps in each case.
func TestTheRefusalAlwaysSpeaksOfWaiting_I10(t *testing.T) {
	minutes := map[string]string{"en": "minutes", "de": "Minuten", "es": "minutos", "fr": "minutes", "nl": "minuten"}
	for lang, word := range minutes {
		if text := texts.Default().Text(lang, texts.ErrorRefused); !strings.Contains(text, word) {
			t.Errorf("%s: %q", lang, text)
		}
	}
}

func TestAValueIsNeverExpanded(t *testing.T) {
	got := texts.Default().Text("en", texts.NoticeFallback, "method", "{destination}", "destination", "{method} {n|a|b} <b>")
	if want := "{destination}: {method} {n|a|b} <b>."; !strings.HasSuffix(got, want) {
		t.Errorf("%q, want the end %q", got, want)
	}
}

func TestAMissingValueIsSeenAndAnOddArgumentIgnored(t *testing.T) {
	if got := texts.Default().Text("en", texts.HintSMS, "destination"); got != "We sent a code by SMS to {destination}." {
		t.Error(got)
	}
}

func TestOneIsSingular(t *testing.T) {
	for _, test := range []struct {
		lang string
		d    time.Duration
		want string
	}{
		{"en", 0, "1 second"},
		{"en", -time.Hour, "1 second"},
		{"en", 1200 * time.Millisecond, "2 seconds"},
		{"en", time.Minute, "1 minute"},
		{"en", 5 * time.Minute, "5 minutes"},
		{"en", 5*time.Minute + 1, "6 minutes"},
		{"nl", time.Minute, "1 minuut"},
		{"de", 20 * time.Hour, "20 Stunden"},
		{"es", 72 * time.Hour, "3 días"},
		{"xx", 30 * time.Second, "30 seconds"},
		{"en", 1<<63 - 1, "106752 days"},
	} {
		if got := texts.Default().Duration(test.lang, test.d); got != test.want {
			t.Errorf("%s %v: %q, want %q", test.lang, test.d, got, test.want)
		}
	}
}

func TestWithReplacesOneTextAndLeavesTheRest(t *testing.T) {
	before := texts.Default()
	after, err := before.With("nl", map[texts.Key]string{texts.ButtonLogIn: "Aanmelden"})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys(t) {
		for _, lang := range before.Languages() {
			want := before.Text(lang, key)
			if lang == "nl" && key == texts.ButtonLogIn {
				want = "Aanmelden"
			}
			if got := after.Text(lang, key); got != want {
				t.Errorf("%s %s: %q, want %q", lang, key, got, want)
			}
		}
	}
	if got := before.Text("nl", texts.ButtonLogIn); got != "Inloggen" {
		t.Errorf("the default changed: %q", got)
	}
}

func TestANewLanguageFallsBackToItsParentAndToEnglish(t *testing.T) {
	c, err := texts.Default().With("nl-be", map[texts.Key]string{texts.ButtonLogIn: "Aanmelden"})
	if err != nil {
		t.Fatal(err)
	}
	c, err = c.With("it", map[texts.Key]string{texts.ButtonLogIn: "Accedi"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		lang string
		key  texts.Key
		want string
	}{
		{"nl-BE", texts.ButtonLogIn, "Aanmelden"},
		{"nl-BE", texts.ButtonCancel, "Annuleren"},
		{"it", texts.ButtonLogIn, "Accedi"},
		{"it", texts.ButtonCancel, "Cancel"},
		{"", texts.ButtonCancel, "Cancel"},
		{"de-AT-1996", texts.ButtonCancel, "Abbrechen"},
	} {
		if got := c.Text(test.lang, test.key); got != test.want {
			t.Errorf("%s %s: %q, want %q", test.lang, test.key, got, test.want)
		}
	}
	if got := c.Match("it-CH"); got != "it" {
		t.Errorf("it-CH: %q", got)
	}
	if got := c.Match("nl-BE,nl;q=0.9"); got != "nl-BE" {
		t.Errorf("nl-BE: %q", got)
	}
	if got := c.Languages()[0]; got != "en" {
		t.Errorf("first language %q", got)
	}
}

func TestWithRefusesWhatWouldLoseSomething(t *testing.T) {
	for name, test := range map[string]struct {
		lang string
		key  texts.Key
		text string
	}{
		"unknown key":                  {"en", "button.log-on", "Log on"},
		"unknown key of a method":      {"en", "method.", "Voice"},
		"method with capitals":         {"en", "method.Voice", "Voice"},
		"lost placeholder":             {"en", texts.HintSMS, "We sent a code."},
		"lost code":                    {"en", texts.SMSCodeBody, "Valid for {minutes} minutes."},
		"foreign placeholder":          {"en", texts.HintSMS, "{destination} {name}"},
		"code in a subject":            {"en", texts.MailCodeSubject, "{code} for {site}"},
		"code inside a line":           {"en", texts.SMSCodeBody, "Code {code} for {minutes} minutes"},
		"subject of two lines":         {"en", texts.MailCodeSubject, "Code\nBcc: {site}"},
		"carriage return":              {"en", texts.ButtonCancel, "Stop\r"},
		"broken placeholder":           {"en", texts.HintSMS, "{destination} {destination"},
		"closing brace":                {"en", texts.HintSMS, "{destination} }"},
		"nested placeholder":           {"en", texts.DurationDays, "{n} {n|{n}|days}"},
		"only a choice":                {"en", texts.DurationDays, "{n|day|days}"},
		"a choice of one":              {"en", texts.DurationDays, "{n} {n|days}"},
		"a choice of three":            {"en", texts.DurationDays, "{n} {n|a|b|c}"},
		"empty":                        {"en", texts.ButtonCancel, " \n"},
		"not UTF-8":                    {"en", texts.ButtonCancel, "Stop\xff"},
		"not a language":               {"english please", texts.ButtonCancel, "Stop"},
		"no language":                  {"", texts.ButtonCancel, "Stop"},
		"undetermined language":        {"und", texts.ButtonCancel, "Stop"},
		"placeholder in a method name": {"en", "method.voice", "Voice {destination}"},
	} {
		if _, err := texts.Default().With(test.lang, map[texts.Key]string{test.key: test.text}); !errors.Is(err, texts.ErrText) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFactorOfTheAppsOwnGetsWordsOfItsOwn(t *testing.T) {
	c := texts.Default()
	if c.Method("de", "voice") != "Anderer Code" || c.Use("de", "voice") != "Anderen Code benutzen" || c.Hint("de", "voice", "+49…") != c.Text("de", texts.HintCustom) {
		t.Error("an unknown factor has no general words")
	}
	c, err := c.With("en", map[texts.Key]string{"method.voice": "Voice call", "use.voice": "Call me", "hint.voice": "We are calling {destination}."})
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range []string{"en", "de"} {
		if c.Method(lang, "voice") != "Voice call" || c.Use(lang, "voice") != "Call me" || c.Hint(lang, "voice", "+49…") != "We are calling +49…." {
			t.Errorf("%s: the factor's own words are not used", lang)
		}
	}
	for _, name := range []string{"voice", "email", "sms", "none"} {
		if got := c.Hint("en", name, ""); got != "Enter the code for this login." {
			t.Errorf("%s: a hint about a code that was never sent: %q", name, got)
		}
	}
}

func TestMatch(t *testing.T) {
	c := texts.Default()
	for _, test := range []struct {
		name        string
		preferences []string
		want        string
	}{
		{"nothing known", nil, "en"},
		{"nothing asked for", []string{"", ""}, "en"},
		{"account language first", []string{"nl", "de-DE,de;q=0.9"}, "nl"},
		{"no account language", []string{"", "de-DE,de;q=0.9,en;q=0.8"}, "de"},
		{"account language that we do not have", []string{"ja", "fr-CA"}, "fr"},
		{"malformed account language", []string{"x\x00y", "es-MX"}, "es"},
		{"by weight", []string{"en;q=0.1, fr;q=0.9"}, "fr"},
		{"refused by weight zero", []string{"fr;q=0, nl"}, "nl"},
		{"Swiss German", []string{"gsw-CH"}, "de"},
		{"anything", []string{"*"}, "en"},
		{"none of ours", []string{"ja,ko;q=0.5"}, "en"},
		{"longer than is read", []string{"nl," + strings.Repeat("ja,", 10000) + "fr"}, "nl"},
		{"what stands behind that", []string{strings.Repeat("ja,", 10000) + "fr", "nl"}, "nl"},
		{"long without a comma", []string{strings.Repeat("a-", 10000)}, "en"},
	} {
		if got := c.Match(test.preferences...); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestMatchLeavesItsArgumentsAlone(t *testing.T) {
	long := strings.Repeat("nl,", 1000)
	preferences := []string{long}
	texts.Default().Match(preferences...)
	if preferences[0] != long {
		t.Error("the caller's slice was written to")
	}
}

func TestTheZeroCatalogIsTheDefault(t *testing.T) {
	var c *texts.Catalog
	for _, c := range []*texts.Catalog{c, new(texts.Catalog)} {
		if c.Text("fr", texts.ButtonCancel) != "Annuler" || c.Match("fr") != "fr" || len(c.Languages()) != 5 {
			t.Error("the zero catalog has no texts")
		}
		if _, err := c.With("fr", map[texts.Key]string{texts.ButtonCancel: "Abandonner"}); err != nil {
			t.Error(err)
		}
	}
}

func FuzzMatch(f *testing.F) {
	for _, seed := range [][2]string{{"nl", "de-DE,de;q=0.9"}, {"", "*"}, {"zh-Hant-TW", "en;q=0.0"}, {"a-b-c", ",,;q=;"}, {"\xff", "de;q=NaN"}, {"en-u-co-phonebk", "i-klingon"}} {
		f.Add(seed[0], seed[1])
	}
	c := texts.Default()
	f.Fuzz(func(t *testing.T, account, header string) {
		got := c.Match(account, header)
		if !slices.Contains(c.Languages(), got) {
			t.Errorf("%q, %q: %q is not one of ours", account, header, got)
		}
		if again := c.Match(account, header); again != got {
			t.Errorf("%q, %q: %q, then %q", account, header, got, again)
		}
	})
}

func FuzzWith(f *testing.F) {
	for _, seed := range []string{"{n} days", "{n|a|b}", "{", "}", "{n}{n|{|}", "{N}", "{n}\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := texts.Default().With("en", map[texts.Key]string{texts.DurationDays: text})
		if err != nil {
			return
		}
		// What was accepted shows the value, and has no brace left.
		got := c.Text("en", texts.DurationDays, "n", "4711")
		if !strings.Contains(got, "4711") || strings.ContainsAny(got, "{}") {
			t.Errorf("%q gives %q", text, got)
		}
	})
}

func ExampleCatalog_With() {
	mine, err := texts.Default().With("en", map[texts.Key]string{
		texts.ButtonLogIn: "Sign in",
		"method.voice":    "Voice call", // a factor of the app's own
	})
	fmt.Println(err)
	fmt.Println(mine.Text("en", texts.ButtonLogIn), "·", mine.Text("en", texts.ButtonCancel), "·", mine.Method("en", "voice"))
	_, err = mine.With("en", map[texts.Key]string{texts.HintSMS: "We sent a code."})
	fmt.Println(err)
	// Output:
	// <nil>
	// Sign in · Cancel · Voice call
	// texts: refused: en, "hint.sms": the placeholder {destination} is missing
}

func ExampleCatalog_Match() {
	c := texts.Default()
	account, header := "", "nl-BE,nl;q=0.9,en;q=0.8"
	fmt.Println(c.Match(account, header))
	// Output: nl
}
