package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// minPseudonymKey is the shortest key: as long as the hash (RFC 2104 section 3).
const minPseudonymKey = 32

// Pseudonyms returns a recorder that puts pseudonyms in the place of people's names and ids, and hands everything else on to
// next as it is. The same name has the same pseudonym for as long as the key stays the same, so that what one person did can
// still be told from what others did; who it was can be found out with the key only, by [Pseudonym].
//
// User, UserID and Actor are replaced. Wherever one of the three stands as a word of its own in another text of the same
// event, such as the path or the reason, it is replaced there too. What an event says of somebody whom it does not name
// stays: do not put [AccessGranted] events on routes that have other people's names in their paths. The address and the
// browser stay as well, and may tell an insider who it was (GDPR, recital 26: pseudonymised data are personal data still).
//
// The key is at least 32 random bytes, and not one that is used for anything else.
func Pseudonyms(key []byte, next Recorder) (Recorder, error) {
	if len(key) < minPseudonymKey {
		return nil, errors.New("audit: the key for pseudonyms is too short: make 32 random bytes and keep them apart from the log")
	}
	if next == nil {
		return nil, errNowhere
	}
	return pseudonyms{slices.Clone(key), next}, nil
}

// Pseudonym is what [Pseudonyms] writes for a name or an id: a keyed hash (HMAC-SHA-256, 128 bits of it), which does not
// look at upper and lower case. An empty name stays empty.
func Pseudonym(key []byte, name string) string {
	if name == "" {
		return ""
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte(strings.ToLower(name)))
	return "p-" + hex.EncodeToString(m.Sum(nil)[:16])
}

type pseudonyms struct {
	key  []byte
	next Recorder
}

func (p pseudonyms) Record(ctx context.Context, e Event) error {
	var words []string
	for _, s := range []*string{&e.User, &e.UserID, &e.Actor} {
		if *s != "" && !slices.Contains(words, *s) {
			words = append(words, *s)
		}
		*s = Pseudonym(p.key, *s)
	}
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) }) // alice@example.com before alice
	for _, word := range words {
		short, number := utf8.RuneCountInString(word) < 3, strings.Trim(word, "0123456789.") == ""
		p.replace(&e.Path, word)
		if short { // 7, or al: not a name anybody would find in running text
			continue
		}
		for _, s := range []*string{&e.Reason, &e.Method, &e.HTTPMethod} {
			p.replace(s, word)
		}
		if !number { // there, a number is a version
			p.replace(&e.UserAgent, word)
			p.replace(&e.RequestID, word)
		}
		if kindByName[e.Name] == nil { // an application's own
			p.replace((*string)(&e.Name), word)
		}
	}
	return p.next.Record(ctx, e)
}

// replace puts the pseudonym wherever word stands between what is neither letter nor digit.
func (p pseudonyms) replace(text *string, word string) {
	s := *text
	var out strings.Builder
	from, before := 0, utf8.RuneError
	for i := 0; i < len(s); {
		if n, ok := foldedPrefix(s[i:], word); ok && !inWord(before) {
			if after, _ := utf8.DecodeRuneInString(s[i+n:]); !inWord(after) {
				out.WriteString(s[from:i])
				out.WriteString(Pseudonym(p.key, word))
				from, i = i+n, i+n
				before = utf8.RuneError
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		before, i = r, i+size
	}
	if from > 0 {
		*text = out.String() + s[from:]
	}
}

func inWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

// foldedPrefix reports whether s begins with word, whatever the case, and with how many bytes.
func foldedPrefix(s, word string) (n int, ok bool) {
	for _, w := range word {
		r, size := utf8.DecodeRuneInString(s[n:])
		if size == 0 || unicode.ToLower(r) != unicode.ToLower(w) {
			return 0, false
		}
		n += size
	}
	return n, true
}
