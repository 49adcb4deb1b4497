package middleware

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxBody is the most that our own routes read: 16 KiB, which is also the longest answer of a passkey.
const maxBody = 16 << 10

var (
	errTooLarge    = errors.New("middleware: body too large")
	errContentType = errors.New("middleware: wrong content type")
	errBody        = errors.New("middleware: body cannot be read")
)

// fields are the values of a form or a JSON object that passed: each name once, each allowed, each a string.
type fields map[string]string

// readBody reads at most limit bytes and puts them back, so that whoever comes next finds the body whole.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if again, ok := r.Body.(*reread); ok { // read before, by a limit
		return again.all, again.err
	}
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	all, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	back := &reread{Reader: bytes.NewReader(all), Closer: r.Body}
	switch {
	case int64(len(all)) > limit:
		back.Reader = io.MultiReader(bytes.NewReader(all), r.Body)
		all, err = nil, errTooLarge
	case err != nil:
		back.Reader = io.MultiReader(bytes.NewReader(all), failing{err})
		all, err = nil, errBody
	}
	back.all, back.err = all, err
	r.Body = back
	return all, err
}

// reread is a body that was looked at and put back: it reads like the one that came. all is the whole of it, or err why not.
type reread struct {
	io.Reader
	io.Closer
	all []byte
	err error
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// readForm reads a form of the names given. Fields come from the body only, each at most once (I-24), in UTF-8. It leaves
// them in r.PostForm, where nosurf looks for its token.
func readForm(r *http.Request, names ...string) (fields, error) {
	all, err := readBody(r, maxBody)
	if err != nil {
		return nil, err
	}
	if !isContentType(r, "application/x-www-form-urlencoded") && (len(all) > 0 || r.Header["Content-Type"] != nil) {
		return nil, errContentType
	}
	form, err := parseForm(string(all), names)
	if err != nil {
		return nil, err
	}
	r.PostForm = make(url.Values, len(form))
	for name, v := range form {
		r.PostForm[name] = []string{v}
	}
	r.Form = r.PostForm
	return form, nil
}

// parseForm parses body strictly: none of names twice. A field that nobody asked for is left out, as a page that an app has
// replaced may have some of its own.
func parseForm(body string, names []string) (fields, error) {
	form := fields{}
	for len(body) > 0 {
		var pair string
		pair, body, _ = strings.Cut(body, "&")
		if pair == "" || strings.Contains(pair, ";") {
			return nil, errBody
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(rawName)
		value, err2 := url.QueryUnescape(rawValue)
		if err1 != nil || err2 != nil || !utf8.ValidString(value) {
			return nil, errBody
		}
		if !contains(names, name) {
			continue
		}
		if _, twice := form[name]; twice {
			return nil, errBody
		}
		form[name] = value
	}
	return form, nil
}

// readJSON reads one JSON object of strings, each of a name given and each at most once, in UTF-8, with nothing behind it.
// encoding/json by itself accepts duplicates (the last wins), names in other case, null for a string, and invalid UTF-8.
func readJSON(r *http.Request, names ...string) (fields, error) {
	all, err := readBody(r, maxBody)
	if err != nil {
		return nil, err
	}
	if !isContentType(r, "application/json") {
		return nil, errContentType
	}
	return parseJSON(all, names)
}

func parseJSON(body []byte, names []string) (fields, error) {
	if !utf8.Valid(body) {
		return nil, errBody
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errBody
	}
	object := fields{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok || !contains(names, name) {
			return nil, errBody
		}
		if _, twice := object[name]; twice {
			return nil, errBody
		}
		t, err = d.Token()
		value, ok := t.(string)
		if err != nil || !ok || strings.ContainsRune(value, utf8.RuneError) { // a lone surrogate escape
			return nil, errBody
		}
		object[name] = value
	}
	if t, err := d.Token(); err != nil || t != json.Delim('}') {
		return nil, errBody
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errBody
	}
	return object, nil
}

// isContentType reports whether the request says exactly once that its body is of type want, in UTF-8 if it names a charset.
func isContentType(r *http.Request, want string) bool {
	lines := r.Header["Content-Type"]
	if len(lines) != 1 {
		return false
	}
	got, params, err := mime.ParseMediaType(lines[0])
	if err != nil || got != want {
		return false
	}
	charset, named := params["charset"]
	return !named || strings.EqualFold(charset, "utf-8")
}

// hasBody reports whether a request carries a body, as far as its header tells.
func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}
