// Package texts holds every word that a person reads: pages, mails and SMS, in English, Dutch, German, French and Spanish.
//
// [Default] is the catalog that comes with the module. [Catalog.With] replaces single texts, or adds a language, without
// copying the rest:
//
//	mine, err := texts.Default().With("en", map[texts.Key]string{texts.ButtonLogIn: "Sign in"})
//
// A text may hold placeholders: {site} stands for a value, and {n|minute|minutes} for the first form when the value of
// {n} is "1", else for the second.
package texts

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// ErrText is a replacement that [Catalog.With] refuses.
var ErrText = errors.New("texts: refused")

// fallback is the language of every text that another one lacks.
const fallback = "en"

// Catalog is a set of texts in several languages. It is immutable and safe for concurrent use. The zero value and nil
// mean [Default].
type Catalog struct {
	langs   map[string]map[Key]string // by canonical BCP 47 tag
	order   []string                  // English first
	matcher language.Matcher          // over order
}

// Default returns the catalog that comes with the module.
func Default() *Catalog { return builtin() }

var builtin = sync.OnceValue(func() *Catalog {
	return newCatalog(map[string]map[Key]string{fallback: english, "nl": dutch, "de": german, "fr": french, "es": spanish})
})

func newCatalog(langs map[string]map[Key]string) *Catalog {
	c := &Catalog{langs: langs, order: slices.Sorted(maps.Keys(langs))}
	// The matcher answers with its first language when nothing fits.
	slices.SortStableFunc(c.order, func(a, b string) int {
		switch fallback {
		case a:
			return -1
		case b:
			return 1
		}
		return 0
	})
	tags := make([]language.Tag, len(c.order))
	for i, l := range c.order {
		tags[i] = language.MustParse(l) // canonical already
	}
	c.matcher = language.NewMatcher(tags)
	return c
}

func (c *Catalog) orDefault() *Catalog {
	if c == nil || c.langs == nil {
		return builtin()
	}
	return c
}

// With returns a catalog in which overrides replace the texts of lang, a BCP 47 tag. c stays as it was. A language that c
// does not have is added; what it lacks comes from its parent (nl-BE: nl), then from English.
//
// It refuses, with an error that is [ErrText], a key that does not exist, an empty text, control characters other than a
// new line (and that one too in a subject), a text whose placeholders are not exactly those of the English one, and a
// {code} that does not stand on a line of its own. A factor of the app's own may be named by method.NAME, use.NAME and
// hint.NAME (the last with or without {destination}).
func (c *Catalog) With(lang string, overrides map[Key]string) (*Catalog, error) {
	c = c.orDefault()
	tag, err := language.Parse(lang)
	if err != nil || tag.IsRoot() {
		return nil, fmt.Errorf("%w: %q is not a language", ErrText, lang)
	}
	if len(overrides) == 0 {
		return c, nil
	}
	for _, key := range slices.Sorted(maps.Keys(overrides)) { // sorted, so that the same mistake gives the same error
		if err := check(key, overrides[key]); err != nil {
			return nil, fmt.Errorf("%w: %s, %q: %s", ErrText, tag, string(key), err)
		}
	}
	texts := maps.Clone(c.langs[tag.String()])
	if texts == nil {
		texts = make(map[Key]string, len(overrides))
	}
	maps.Copy(texts, overrides)
	langs := maps.Clone(c.langs)
	langs[tag.String()] = texts
	return newCatalog(langs), nil
}

// check reports what is wrong with text as a replacement of key.
func check(key Key, text string) error {
	got, err := placeholders(text)
	if err != nil {
		return err
	}
	want, err := placeholdersOf(key, got)
	if err != nil {
		return err
	}
	for name := range want {
		if !got[name] {
			return fmt.Errorf("the placeholder {%s} is missing", name)
		}
	}
	for name := range got {
		if !want[name] {
			return fmt.Errorf("there is no placeholder {%s}", name)
		}
	}
	switch {
	case strings.TrimSpace(text) == "":
		return errors.New("empty")
	case !utf8.ValidString(text):
		return errors.New("not UTF-8")
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }):
		return errors.New("control character")
	case strings.HasSuffix(string(key), ".subject") && strings.Contains(text, "\n"):
		return errors.New("a subject is one line")
	case want["code"] && !slices.Contains(strings.Split(text, "\n"), "{code}"):
		return errors.New("{code} needs a line of its own")
	}
	return nil
}

// placeholdersOf returns the placeholders that a text of key must have. got are those it has.
func placeholdersOf(key Key, got map[string]bool) (map[string]bool, error) {
	if text, ok := english[key]; ok {
		return placeholders(text)
	}
	kind, name, _ := strings.Cut(string(key), ".")
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && name != "" {
		switch kind {
		case "method", "use":
			return nil, nil
		case "hint":
			return map[string]bool{"destination": got["destination"]}, nil
		}
	}
	return nil, errors.New("no such key")
}

// Languages returns the canonical tags of the languages there are, English first.
func (c *Catalog) Languages() []string { return slices.Clone(c.orDefault().order) }

// maxPreference bounds what is read of one Accept-Language header; browsers send less than 100 bytes.
const maxPreference = 512

// Match returns the language, one of [Catalog.Languages], for a person's preferences, the strongest first: each is a
// BCP 47 tag, such as the account's language, or the value of an Accept-Language header (RFC 9110 section 12.5.4). One
// that is empty, malformed or fits nothing leaves the choice to the next; after the last it is English.
func (c *Catalog) Match(preferences ...string) string {
	c = c.orDefault()
	if !slices.ContainsFunc(preferences, func(p string) bool { return p != "" }) {
		return c.order[0] // most programs ask for none, and the matcher takes its time to say so
	}
	for i, p := range preferences {
		if len(p) > maxPreference {
			preferences = slices.Clone(preferences)
			preferences[i] = p[:max(0, strings.LastIndexByte(p[:maxPreference], ','))]
		}
	}
	_, index := language.MatchStrings(c.matcher, preferences...)
	return c.order[index]
}

// Text returns the text for key in lang, or in English when lang has none. args are pairs of placeholder name and value.
// A value is inserted as it is: braces in it mean nothing. A placeholder without a value stays as it stands. An unknown
// key is its own text.
func (c *Catalog) Text(lang string, key Key, args ...string) string {
	text, ok := c.lookup(lang, key)
	if !ok {
		return string(key)
	}
	return expand(text, args)
}

func (c *Catalog) lookup(lang string, key Key) (string, bool) {
	c = c.orDefault()
	for {
		if text, ok := c.langs[lang][key]; ok {
			return text, true
		}
		cut := strings.LastIndexByte(lang, '-')
		if cut < 0 {
			break
		}
		lang = lang[:cut]
	}
	text, ok := c.langs[fallback][key]
	return text, ok
}
