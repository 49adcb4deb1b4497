package middleware

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// maxNext is the longest target that is kept for after the login. It travels in the pending login's record.
const maxNext = 1024

// localPath reports whether target is a path on this site that a browser cannot read as anything else, and may therefore
// be followed after a login (I-24).
//
// It begins with one slash and is already clean: no "//", no dot segments, no backslash, no control character or space,
// no bytes beyond ASCII (a browser escapes those itself). A browser strips tabs and new lines and reads a backslash as a
// slash (WHATWG URL Standard, section 4.4), and http.Redirect cleans a path after it was checked; neither finds anything
// left to change here.
func localPath(target string) bool {
	if len(target) == 0 || len(target) > maxNext || target[0] != '/' {
		return false
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return false
		}
	}
	raw, _, _ := strings.Cut(target, "?")
	if !isClean(raw) || strings.Contains(target, "#") {
		return false
	}
	if !strings.Contains(raw, "%") { // one slash and then none of what a scheme, host or fragment needs
		return true
	}
	u, err := url.Parse(target)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && u.Opaque == "" && isClean(u.Path)
}

// isClean reports whether a path has no empty and no dot segments; a slash at its end is fine.
func isClean(p string) bool {
	clean := path.Clean(p)
	return p == clean || p == clean+"/"
}

// wanted is where a request that was sent to the login page wanted to go: its own address, when going there again after
// the login means the same. A post cannot be made again, so it has none.
func (w *core) wanted(r *http.Request) string {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return ""
	}
	return w.here(r)
}

// here is the address of a request, as far as it may be followed. A step-up comes back to the page that a post was meant
// for, to press the button once more.
func (w *core) here(r *http.Request) string {
	target := r.RequestURI // as it was sent, in front of any http.StripPrefix
	if !strings.HasPrefix(target, "/") {
		target = r.URL.RequestURI()
	}
	return w.follow(target)
}

// follow returns target when it may be followed after a login, else "". Our own login routes are not worth going to.
func (w *core) follow(target string) string {
	if !localPath(target) {
		return ""
	}
	p, _, _ := strings.Cut(target, "?")
	if under(p, w.paths.Login) || p == w.paths.Logout {
		return ""
	}
	return target
}

// under reports whether p is root or below it.
func under(p, root string) bool {
	return strings.HasPrefix(p, root) && (len(p) == len(root) || p[len(root)] == '/')
}
