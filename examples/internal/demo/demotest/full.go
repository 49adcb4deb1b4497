package demotest

import (
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/examples/internal/demo"
	"github.com/sallyport-go/sallyport/stores"
)

// diskFull tells what happens when the file of a store cannot grow, and when it can again.
func diskFull(t *testing.T, of build) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "login.db")+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // the one that knows how large the file may be
	t.Cleanup(func() { _ = db.Close() })
	store, err := stores.NewSQL(db, stores.SQLite, stores.SQLOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.CreateSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := start(t, of, func(d *demo.Demo) { d.Store = store }, "-key", filepath.Join(dir, "key"), "-login-rate", "1000")
	s.fails = true
	p := s.program()
	login := func(name string) (answer, reply) {
		t.Helper()
		return p.json("/api/login", "", map[string]string{"username": name, "password": demo.Password})
	}
	_, dave := login("dave")
	_, bob := login("bob")
	now := time.Now()
	bad := map[string]string{"code": wrong(totp(t, bobSecret, now.Add(-30*time.Second)), totp(t, bobSecret, now), totp(t, bobSecret, now.Add(30*time.Second)))}
	a, _ := p.json("/api/login/verify", bob.Token, bad)
	s.expect(a, http.StatusUnauthorized, "")

	if _, err := db.Exec("PRAGMA max_page_count = 1"); err != nil { // as many as there are
		t.Fatal(err)
	}
	for _, size := range []int{1000, 100, 1} {
		for i := 0; ; i++ {
			ok, err := store.CompareAndSwap(t.Context(), fmt.Sprintf("filler/%d/%d", size, i), nil, make([]byte, size), time.Time{})
			if err != nil {
				break
			}
			if !ok || i > 10_000 {
				t.Fatal("the file does not get full")
			}
		}
	}
	for _, name := range []string{"dave", "carol", "reports"} {
		if a, _ := login(name); name != "reports" && a.status != http.StatusServiceUnavailable || a.status == http.StatusOK {
			t.Errorf("I-20: %s got %d while the disk was full\n%s", name, a.status, a)
		}
	}
	for range 5 {
		if a, _ := p.json("/api/login/verify", bob.Token, bad); a.status == http.StatusOK {
			t.Error("I-20: a wrong code let somebody in while the disk was full")
		}
	}
	s.expect(p.do(http.MethodGet, "/api/me", "", "Authorization", "Bearer "+dave.Token), http.StatusOK, "") // reading goes on

	if _, err := db.Exec("PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	a, dave2 := login("dave")
	s.expect(a, http.StatusOK, "")
	s.expect(p.do(http.MethodPost, "/api/logout", "", "Authorization", "Bearer "+dave.Token), http.StatusOK, "")
	s.expect(p.do(http.MethodGet, "/api/me", "", "Authorization", "Bearer "+dave.Token), http.StatusUnauthorized, "")
	s.expect(p.do(http.MethodGet, "/api/me", "", "Authorization", "Bearer "+dave2.Token), http.StatusOK, "")
	for range 3 {
		p.json("/api/login/verify", bob.Token, bad)
	}
	a, _ = login("bob")
	s.expect(a, http.StatusTooManyRequests, "")
	compared := 0
	for _, name := range s.events() {
		if name == "Invalid MFA entered" {
			compared++
		}
	}
	if compared > 3 {
		t.Errorf("I-20: %d wrong codes were compared, so a counter fell back", compared)
	}
}
