package middleware

import (
	"net/url"
	"slices"
	"unicode/utf8"
)

// This file keeps what people have typed into the forms of the security pages, so that they do not have to do it again.

// typedFactor is what was typed into a form that is shown again.
type typedFactor struct {
	id, name, destination string
	field                 string // the one that the message is about
}

// typedIn is what stands in a form that was not used, to be shown again. Codes are not.
func typedIn(rt securityRoute, form url.Values) *typedFactor {
	value := func(name string) string {
		if v := form.Get(name); slices.Contains(rt.reads, name) && len(v) <= maxTyped && utf8.ValidString(v) {
			return v
		}
		return ""
	}
	t := &typedFactor{id: value("id"), name: value("name"), destination: value("destination")}
	name := "name-new"
	if t.id != "" {
		name = "name-" + t.id
	}
	for field, is := range map[string]string{"destination": "destination", "name": name} {
		if slices.Contains(rt.reads, field) && len(form[field]) > 1 {
			t.field = is
		}
	}
	return t
}

// typedKey is where the session keeps, among the app's values, what was typed into a form that was late: the step-up page
// comes first, and then the form again. It is encrypted, as addresses and numbers are elsewhere; neither a code nor a password is
// ever in it.
const typedKey = "sallyport.typed"

// maxTyped is how much of what was typed is shown again, in bytes.
const maxTyped = 1024

// keep puts it into the session for the next look at the page of path.
func (v *visit) keep(path string, t typedFactor) {
	if t.name == "" && t.destination == "" || len(t.id)+len(t.name)+len(t.destination) > maxTyped {
		return
	}
	kept := url.Values{"path": {path}, "id": {t.id}, "name": {t.name}, "destination": {t.destination}}
	sealed, err := v.core.logins.SealFor(v.login, []byte(kept.Encode()))
	if err != nil { // then it is typed again
		return
	}
	v.core.manager.Put(v, typedKey, sealed)
	v.committed = false // what the app has put there before was written before the machine was asked
}

// kept takes it out again, where the page is that one.
func (v *visit) kept(path string) *typedFactor {
	if _, err := v.load(); err != nil { // which open has found out already
		return nil
	}
	sealed := v.core.manager.GetBytes(v, typedKey)
	if sealed == nil {
		return nil
	}
	plain, _ := v.core.logins.OpenFor(v.login, sealed) // what cannot be read is nothing
	kept, err := url.ParseQuery(string(plain))
	if err != nil || kept.Get("path") != path {
		return nil
	}
	v.core.manager.Remove(v, typedKey)
	return &typedFactor{id: kept.Get("id"), name: kept.Get("name"), destination: kept.Get("destination")}
}
