package demotest

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func administration(t *testing.T, of build) {
	s := start(t, of, nil)
	s.expect(s.program().do(http.MethodGet, "/admin", ""), http.StatusSeeOther, "/login?next=%2Fadmin")

	other := s.browser()
	other.password("bob")
	other.post("/login/verify", "code", totp(t, bobSecret, time.Now()))
	other.get("/account")
	s.expect(other.get("/admin"), http.StatusForbidden, "")
	s.expect(other.post("/admin", "id", "1", "do", "block"), http.StatusForbidden, "")

	alice := s.browser()
	alice.password("alice")
	s.expect(alice.post("/login/verify", "code", totp(t, aliceSecret, time.Now())), http.StatusSeeOther, "/account")
	page := alice.get("/admin")
	s.expect(page, http.StatusOK, "")
	for _, name := range []string{"bob", "carol", "erin", "reports"} {
		if !strings.Contains(page.body, name) {
			t.Errorf("%s is not listed", name)
		}
	}
	s.expect(alice.post("/admin", "id", "2", "do", "nonsense"), http.StatusBadRequest, "")
	alice.get("/admin")
	s.expect(alice.post("/admin", "id", "99", "do", "block"), http.StatusBadRequest, "")

	// Blocked: the login that lives is over, and the right password is refused like a wrong one.
	alice.get("/admin")
	s.expect(alice.post("/admin", "id", "2", "do", "block"), http.StatusOK, "")
	s.expect(other.get("/account"), http.StatusSeeOther, "/login?next=%2Faccount")
	bob := s.program()
	a, _ := bob.json("/api/login", "", map[string]string{"username": "bob", "password": "correct-horse-battery"})
	s.expect(a, http.StatusUnauthorized, "")
	s.expect(alice.post("/admin", "id", "2", "do", "unblock"), http.StatusOK, "")
	a, _ = bob.json("/api/login", "", map[string]string{"username": "bob", "password": "correct-horse-battery"})
	s.expect(a, http.StatusOK, "")

	// A code for somebody who has nothing set up; not for somebody who has.
	alice.get("/admin")
	a = alice.post("/admin", "id", "6", "do", "code")
	s.expect(a, http.StatusOK, "")
	if !strings.Contains(a.body, "Give this code to erin in person") {
		t.Error("no code for erin")
	}
	s.expect(alice.post("/admin", "id", "2", "do", "code"), http.StatusConflict, "")
	if lines := strings.Join(s.lines(s.audit), "\n"); !strings.Contains(lines, `evt.name="account blocked"`) || !strings.Contains(lines, `evt.actor="alice"`) {
		t.Error("the audit does not say who did it:\n", lines)
	}
}
