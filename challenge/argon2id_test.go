package challenge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// cheap hashes in well under a millisecond.
func cheap() *Argon2id { return &Argon2id{Memory: 64, Time: 1, InsecureCheap: true} }

func check(t testing.TB, h *Argon2id, hash, password string) PasswordMatch {
	t.Helper()
	m, err := h.Check(t.Context(), Account{ID: "a-1", PasswordHash: hash}, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// From the test vectors of the reference implementation (github.com/P-H-C/phc-winner-argon2, src/test.c, version 0x13) and
// of PHP's, jBCrypt's and OpenBSD's bcrypt.
func TestPasswordsReadHashesMadeElsewhere(t *testing.T) {
	for _, v := range []struct{ password, hash string }{
		{"password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		{"password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
		{"password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
		{"differentpassword", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94"},
		{"password", "$argon2id$v=19$m=65536,t=2,p=1$ZGlmZnNhbHQ$vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw"},
		{"rasmuslerdorf", "$2y$07$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTpOq"}, // php.net, crypt()
		{"abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"},           // jBCrypt
		{"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},           // crypt_blowfish
	} {
		if m := check(t, cheap(), v.hash, v.password); !m.OK || !strings.HasPrefix(m.NewHash, "$argon2id$v=19$m=64,t=1,p=1$") {
			t.Errorf("%s is not read", v.hash)
		} else if again := check(t, cheap(), m.NewHash, v.password); !again.OK || again.NewHash != "" {
			t.Errorf("%s: its replacement is %+v", v.hash, again)
		}
		if m := check(t, cheap(), v.hash, v.password+"x"); m.OK || m.NewHash != "" {
			t.Errorf("%s: a wrong password matches", v.hash)
		}
		if err := cheap().Readable(v.hash); err != nil {
			t.Error(err)
		}
	}
}

func TestTheDefaultIsWhatOWASPRecommends(t *testing.T) {
	h := new(Argon2id)
	hash, err := h.Hash([]byte("correct-horse-battery"))
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%s, %v", hash, err)
	}
	if m := check(t, h, hash, "correct-horse-battery"); !m.OK || m.NewHash != "" {
		t.Errorf("%+v", m)
	}
	if m := check(t, h, hash, "correct-horse-batterz"); m.OK {
		t.Error("a wrong password matches")
	}
	if again, _ := h.Hash([]byte("correct-horse-battery")); again == hash {
		t.Error("two hashes share a salt")
	}
}

func TestPasswordBytesAreUsedAsSent(t *testing.T) {
	h := cheap()
	for _, password := range []string{" x ", "é", "e\u0301", "\x00", "a\x00b", "\xff\xfe", strings.Repeat("p", 1024), "line\n"} {
		hash, err := h.Hash([]byte(password))
		if err != nil || !check(t, h, hash, password).OK {
			t.Errorf("%q: %v", password, err)
		}
		for _, other := range []string{strings.TrimSpace(password), password + "\x00", "e\u0301", "é", strings.Repeat("p", 1023), "a"} {
			if other != password && check(t, h, hash, other).OK {
				t.Errorf("%q opens %q", other, password)
			}
		}
	}
}

func TestPasswordsThatAreNeverRight(t *testing.T) {
	h := cheap()
	long := strings.Repeat("p", 1025)
	for _, password := range []string{"", long} {
		if hash, err := h.Hash([]byte(password)); err == nil || hash != "" {
			t.Errorf("%d bytes are hashed", len(password))
		}
		// Hashes of them made by something else match nothing.
		p := h.params()
		salt := make([]byte, 16)
		if check(t, h, phc{p, salt, p.key([]byte(password), salt, 32)}.String(), password).OK {
			t.Errorf("%d bytes match", len(password))
		}
	}
	p, salt := h.params(), make([]byte, 16)
	if check(t, h, phc{p, salt, p.key([]byte(long[:1024]), salt, 32)}.String(), long).OK {
		t.Error("a long password was cut and matches")
	}

	hash, err := bcrypt.GenerateFromPassword([]byte(strings.Repeat("b", 72)), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if !check(t, h, string(hash), strings.Repeat("b", 72)).OK {
		t.Error("bcrypt with 72 bytes does not match")
	}
	for _, n := range []int{0, 71, 73, 100, 1024, 2000} {
		if check(t, h, string(hash), strings.Repeat("b", n)).OK {
			t.Errorf("bcrypt of 72 bytes matches %d", n)
		}
	}
	for _, a := range []Account{{}, {PasswordHash: string(hash)}, {ID: "a-1"}, {ID: "a-1", PasswordHash: "!"}, {ID: "a-1", PasswordHash: "correct"}} {
		for _, password := range []string{strings.Repeat("b", 72), "", "correct", "!"} {
			if m, err := h.Check(t.Context(), a, []byte(password)); err != nil || m.OK || m.NewHash != "" {
				t.Errorf("%v with %d bytes: %+v, %v", a, len(password), m, err)
			}
		}
	}
}

// What a hostile or broken table holds may cost no more than a bounded comparison, and is never right.
func TestI23HostileHashesAreNotComputed(t *testing.T) {
	const salt, tag = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, hash := range []string{
		"$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=1048576,t=1,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=65536,t=4294967295,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=8,t=1000000,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=65536,t=2,p=255$" + salt + "$" + tag,
		"$argon2id$v=19$m=65536,t=2,p=256$" + salt + "$" + tag,
		"$argon2id$v=19$m=0,t=2,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=64,t=2,p=0$" + salt + "$" + tag,
		"$argon2id$v=19$m=7,t=2,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=-64,t=2,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=+64,t=2,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=064,t=2,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$t=2,m=64,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=64,t=2,p=1,data=x$" + salt + "$" + tag,
		"$argon2id$v=16$m=64,t=2,p=1$" + salt + "$" + tag,
		"$argon2id$m=64,t=2,p=1$" + salt + "$" + tag,
		"$argon2i$v=19$m=64,t=2,p=1$" + salt + "$" + tag,
		"$argon2d$v=19$m=64,t=2,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=64,t=2,p=1$" + salt + "=$" + tag,
		"$argon2id$v=19$m=64,t=2,p=1$" + salt + "\n$" + tag,
		"$argon2id$v=19$m=64,t=2,p=1$$" + tag,
		"$argon2id$v=19$m=64,t=2,p=1$" + salt + "$",
		"$argon2id$v=19$m=64,t=2,p=1$" + salt + "$AAAA",
		"$argon2id$v=19$m=64,t=2,p=1$" + salt + "$" + tag + "$",
		"$argon2id$v=19$m=64,t=2,p=1$" + salt + "$" + strings.Repeat("A", 1000),
		"$2b$31$" + strings.Repeat("C", 53),
		"$2b$17$" + strings.Repeat("C", 53),
		"$2b$10$" + strings.Repeat("!", 53),
		"$2b$10$" + strings.Repeat("C", 52),
		"$2x$05$" + strings.Repeat("C", 53),
		"$2$05$" + strings.Repeat("C", 54),
		"5f4dcc3b5aa765d61d8327deb882cf99", "x",
	} {
		h := cheap()
		if err := h.Readable(hash); err == nil {
			t.Errorf("%.60s is read", hash)
		} else if strings.Contains(err.Error(), tag) {
			t.Error("an error quotes a hash")
		}
		began := time.Now()
		if m := check(t, h, hash, "password"); m.OK || time.Since(began) > 5*time.Second {
			t.Errorf("%.60s: %v after %v", hash, m.OK, time.Since(began))
		}
		// It is not skipped either: the work of the dummy was done in its place.
		if len(h.taken) != 1 || h.taken["m=64,t=1,p=1"] == 0 {
			t.Errorf("%.60s: %v was measured", hash, h.taken)
		}
	}
}

func TestEveryCheckDoesTheWorkOfAComparison(t *testing.T) {
	h := cheap()
	hash, _ := h.Hash([]byte("right"))
	for name, a := range map[string]Account{"unknown": {}, "no hash": {ID: "a-1"}, "known": {ID: "a-1", PasswordHash: hash}} {
		for _, password := range []string{"", "right", "wrong", strings.Repeat("x", 5000)} {
			h.taken = nil
			if _, err := h.Check(t.Context(), a, []byte(password)); err != nil || len(h.taken) != 1 {
				t.Errorf("%s, %d bytes: nothing was computed: %v", name, len(password), err)
			}
		}
	}
}

func TestARightPasswordUnderOtherParametersGetsANewHash(t *testing.T) {
	for _, other := range []*Argon2id{{Memory: 64, Time: 2, InsecureCheap: true}, {Memory: 128, Time: 1, InsecureCheap: true}, {Memory: 64, Time: 1, Threads: 2, InsecureCheap: true}} {
		hash, err := other.Hash([]byte("right"))
		if err != nil {
			t.Fatal(err)
		}
		if m := check(t, cheap(), hash, "right"); !m.OK || !strings.HasPrefix(m.NewHash, "$argon2id$v=19$m=64,t=1,p=1$") {
			t.Errorf("%v: %v, %.31s", other.params(), m.OK, m.NewHash)
		}
		if m := check(t, cheap(), hash, "wrong"); m.OK || m.NewHash != "" {
			t.Errorf("%v: %+v", other.params(), m)
		}
		if m, err := cheap().Check(t.Context(), Account{ID: "a-1", PasswordHash: hash, Disabled: true}, []byte("right")); err != nil || !m.OK || m.NewHash != "" {
			t.Errorf("I-10: of a disabled account: %+v, %v", m, err)
		}
		// Without an account its hash decides nothing, not even the cost.
		h := cheap()
		if m, err := h.Check(t.Context(), Account{PasswordHash: hash}, []byte("right")); err != nil || m.OK || h.taken["m=64,t=1,p=1"] == 0 {
			t.Errorf("%v: %+v, %v, %v", other.params(), m, err, h.taken)
		}
	}
}

func TestI10SlowestFollowsTheSlowestSchemeInUse(t *testing.T) {
	h := cheap()
	if h.Slowest() != 0 {
		t.Error("nothing was seen")
	}
	hash, _ := h.Hash([]byte("right"))
	began := time.Now()
	check(t, h, hash, "wrong")
	check(t, h, "", "wrong")
	if h.Slowest() != 0 {
		t.Error("one scheme has nothing to be levelled with")
	}
	slow, _ := bcrypt.GenerateFromPassword([]byte("right"), 8)
	check(t, h, string(slow), "wrong")
	took := time.Since(began)
	if got := h.Slowest(); got == 0 || got > took {
		t.Errorf("%v for comparisons that took %v together", got, took)
	}

	// Among times between 100 and 199 ms, it settles where about nine in ten are below.
	h = cheap()
	h.measured("fast", time.Millisecond)
	for i := range 3000 {
		h.measured("slow", time.Duration(100+i*37%100)*time.Millisecond)
	}
	if got := h.Slowest(); got < 175*time.Millisecond || got > 199*time.Millisecond {
		t.Errorf("%v", got)
	}
	// One stall moves it a little, and a flood of parameters is bounded.
	before := h.Slowest()
	h.measured("slow", time.Hour)
	if got := h.Slowest(); got > before*12/10 {
		t.Errorf("%v after a stall, %v before", got, before)
	}
	h.measured("stalled at first sight", time.Hour)
	for i := range 1000 {
		h.measured(fmt.Sprint("scheme ", i), time.Millisecond)
	}
	if len(h.taken) > maxSchemes || h.Slowest() > 5*time.Second {
		t.Errorf("%d schemes, %v", len(h.taken), h.Slowest())
	}
}

func TestI19CheapParametersAreRefused(t *testing.T) {
	// The five settings of OWASP's Password Storage Cheat Sheet.
	for _, h := range []*Argon2id{{}, {Memory: 47104, Time: 1}, {Memory: 19456, Time: 2}, {Memory: 12288, Time: 3}, {Memory: 9216, Time: 4}, {Memory: 7168, Time: 5},
		{Memory: 64 * 1024, Time: 3, Threads: 4}, cheap()} {
		if err := h.Valid(); err != nil {
			t.Errorf("%v: %v", h.params(), err)
		}
	}
	for _, h := range []*Argon2id{{Memory: 64}, {Memory: 19456, Time: 1}, {Memory: 4096, Time: 20}, {Memory: 1 << 31}, {Time: 1 << 31}, {Memory: 20000, Threads: 255},
		{Memory: 4, InsecureCheap: true}, {Memory: 1 << 31, InsecureCheap: true}} {
		if err := h.Valid(); err == nil {
			t.Errorf("%v is accepted", h.params())
		}
		if _, err := h.Hash([]byte("x")); err == nil {
			t.Errorf("%v hashes", h.params())
		}
		if m, err := h.Check(t.Context(), Account{}, []byte("x")); !errors.Is(err, ErrUnavailable) || m.OK {
			t.Errorf("%v checks: %v", h.params(), err)
		}
	}
}

func TestCheckAfterTheContextHasEndedDenies(t *testing.T) {
	h := cheap()
	hash, _ := h.Hash([]byte("right"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if m, err := h.Check(ctx, Account{ID: "a-1", PasswordHash: hash}, []byte("right")); !errors.Is(err, ErrUnavailable) || m.OK {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestArgon2idIsSafeForConcurrentUse(t *testing.T) {
	h := cheap()
	hash, _ := h.Hash([]byte("right"))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			m, err := h.Check(context.Background(), Account{ID: "a-1", PasswordHash: hash}, []byte([]string{"right", "wrong"}[i%2]))
			if err != nil || m.OK != (i%2 == 0) {
				t.Errorf("%+v, %v", m, err)
			}
			h.Slowest()
		})
	}
	wg.Wait()
}

func FuzzParsePHC(f *testing.F) {
	for _, s := range []string{
		"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=64,t=1,p=1$$", "$$$$$", "", "$2a$10$", "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHR$AAAAAAAAAAAAAAAAAAAAAA",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parsePHC(s)
		if err != nil {
			return
		}
		if h.String() != s {
			t.Fatalf("%q is read, and written %q", s, h.String())
		}
		if h.params.memory > argon2idMaxMemory || uint64(h.params.memory)*uint64(h.params.time) > argon2idMaxWork || len(h.salt) < 8 || len(h.tag) < 16 || len(h.tag) > 64 {
			t.Fatalf("out of bounds: %q", s)
		}
	})
}

func ExampleArgon2id() {
	passwords := new(Argon2id)
	hash, err := passwords.Hash([]byte("correct-horse-battery"))
	fmt.Println(hash[:31], err)

	match, err := passwords.Check(context.Background(), Account{ID: "17", PasswordHash: hash}, []byte("correct-horse-battery"))
	fmt.Println(match.OK, match.NewHash == "", err)
	// Output:
	// $argon2id$v=19$m=19456,t=2,p=1$ <nil>
	// true true <nil>
}
