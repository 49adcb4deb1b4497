package challenge

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

const (
	maxPassword       = 1024 // bytes; NIST SP 800-63B-4 section 3.1.1.2 asks for at least 64 characters
	bcryptMaxPassword = 72   // bytes that bcrypt looks at

	argon2idSalt = 16 // bytes of a new salt, RFC 9106 section 3.1
	argon2idTag  = 32 // bytes of a new hash

	// What is read from a stored hash, which is the app's data and may be hostile: one comparison takes at most 256 MiB,
	// and about as long as 1 GiB of passes or bcrypt's cost 16 (some seconds).
	argon2idMaxMemory = 256 * 1024
	argon2idMaxWork   = 1024 * 1024 // memory times passes, in KiB
	bcryptMaxCost     = 16

	maxSchemes = 16
)

// Argon2id checks and makes password hashes. It reads argon2id in PHC format and bcrypt ($2a$, $2b$, $2y$), and asks for a
// new hash whenever a right password was kept as bcrypt or with other parameters. The zero value is what OWASP recommends.
//
// Password bytes are used exactly as given. An empty one and one of more than 1024 bytes are never right, nor is one of more
// than 72 bytes for a bcrypt hash, which would ignore the rest. A hash that cannot be read is never right either, and looks
// like a wrong password to the client; try [Argon2id.Readable] on hashes that you bring from elsewhere.
//
// Safe for concurrent use. It does not bound how many hashes are made at once; the machine does.
type Argon2id struct {
	// Memory in KiB. Zero means 19456 (19 MiB).
	Memory uint32
	// Time is the number of passes. Zero means 2.
	Time uint32
	// Threads is the degree of parallelism. Zero means 1.
	Threads uint8
	// InsecureCheap accepts parameters below every one of OWASP's equivalent settings. For tests only.
	InsecureCheap bool

	mu    sync.Mutex
	taken map[string]time.Duration // by scheme and parameters
}

var _ Passwords = (*Argon2id)(nil)

// Valid refuses parameters that are weaker than OWASP's weakest equivalent (7 MiB and 5 passes), or that Check would not
// read back. Check and Hash refuse them too.
func (h *Argon2id) Valid() error {
	p := h.params()
	if err := p.bounded(); err != nil {
		return err
	}
	if !h.InsecureCheap && (p.memory < 7*1024 || uint64(p.memory)*uint64(p.time) < 35*1024) {
		return fmt.Errorf("challenge: Argon2id: %d KiB and %d passes are too cheap to guess: use at least 19456 KiB and 2", p.memory, p.time)
	}
	return nil
}

// Hash makes a hash of a new password, in PHC format.
func (h *Argon2id) Hash(password []byte) (string, error) {
	if err := h.Valid(); err != nil {
		return "", err
	}
	if len(password) == 0 || len(password) > maxPassword {
		return "", fmt.Errorf("challenge: a password has 1 to %d bytes", maxPassword)
	}
	return h.hash(password)
}

// Readable reports why Check could not compare with this hash, or nil.
func (h *Argon2id) Readable(hash string) error {
	if isBcrypt(hash) {
		_, err := bcryptCost(hash)
		return err
	}
	_, err := parsePHC(hash)
	return err
}

// Check compares password with the account's hash. Without an account, a hash or a possible password it does the work of
// a comparison all the same and reports false.
func (h *Argon2id) Check(ctx context.Context, a Account, password []byte) (PasswordMatch, error) {
	if err := h.Valid(); err != nil {
		return PasswordMatch{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err := ctx.Err(); err != nil {
		return PasswordMatch{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	possible := a.ID != "" && len(password) > 0 && len(password) <= maxPassword
	if len(password) > maxPassword {
		password = password[:maxPassword] // never right, and costs no more than a right one
	}
	if a.ID != "" && isBcrypt(a.PasswordHash) {
		if cost, err := bcryptCost(a.PasswordHash); err == nil {
			return h.checkBcrypt(a, cost, password, possible), nil
		}
	}
	stored, err := parsePHC(a.PasswordHash)
	if a.ID == "" || err != nil {
		stored, possible = h.dummy(), false
	}
	start := time.Now()
	tag := stored.params.key(password, stored.salt, uint32(len(stored.tag)))
	h.measured(stored.params.String(), time.Since(start))
	m := PasswordMatch{OK: subtle.ConstantTimeCompare(tag, stored.tag) == 1 && possible}
	if m.OK && (stored.params != h.params() || len(stored.salt) != argon2idSalt || len(stored.tag) != argon2idTag) {
		m.NewHash = h.upgrade(a, password)
	}
	return m, nil
}

func (h *Argon2id) checkBcrypt(a Account, cost int, password []byte, possible bool) PasswordMatch {
	if len(password) > bcryptMaxPassword {
		password, possible = password[:bcryptMaxPassword], false
	}
	start := time.Now()
	err := bcrypt.CompareHashAndPassword([]byte(a.PasswordHash), password)
	h.measured("bcrypt "+strconv.Itoa(cost), time.Since(start))
	if err != nil || !possible {
		return PasswordMatch{}
	}
	return PasswordMatch{OK: true, NewHash: h.upgrade(a, password)}
}

// upgrade is best effort: a right password is right, whether or not a better hash can be made of it now. A disabled account
// gets none: its refusal would take longer for a right password than for a wrong one (I-10).
func (h *Argon2id) upgrade(a Account, password []byte) string {
	if a.Disabled {
		return ""
	}
	hash, err := h.hash(password)
	if err != nil {
		return ""
	}
	return hash
}

func (h *Argon2id) hash(password []byte) (string, error) {
	salt := make([]byte, argon2idSalt)
	if _, err := rand.Read(salt); err != nil {
		return "", unavailable("random source", err)
	}
	p := h.params()
	return phc{params: p, salt: salt, tag: p.key(password, salt, argon2idTag)}.String(), nil
}

// dummy is what names without a hash are compared with. Its tag is random and kept nowhere else; what it is compared to
// does not matter, for the answer is false in any case.
func (h *Argon2id) dummy() phc {
	return phc{params: h.params(), salt: make([]byte, argon2idSalt), tag: make([]byte, argon2idTag)}
}

func (h *Argon2id) params() argon2idParams {
	p := argon2idParams{h.Memory, h.Time, h.Threads}
	if p.memory == 0 {
		p.memory = 19 * 1024
	}
	if p.time == 0 {
		p.time = 2
	}
	if p.threads == 0 {
		p.threads = 1
	}
	return p
}

// Slowest is how long a refusal has to take in all so that its time does not tell one hash scheme from another (I-10): the
// time that nine in ten comparisons of the slowest scheme stay under, while several are in use, else zero.
func (h *Argon2id) Slowest() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.taken) < 2 {
		return 0
	}
	var slowest time.Duration
	for _, d := range h.taken {
		slowest = max(slowest, d)
	}
	return slowest
}

// measured follows the ninth decile of each scheme's times: a slower one moves it up nine times as far as a faster one moves
// it down, so it comes to rest where nine in ten are below. Table and value are bounded.
func (h *Argon2id) measured(scheme string, d time.Duration) {
	d = min(d, 5*time.Second)
	h.mu.Lock()
	defer h.mu.Unlock()
	q, known := h.taken[scheme]
	switch {
	case !known && len(h.taken) >= maxSchemes:
		return
	case !known && h.taken == nil:
		h.taken = map[string]time.Duration{}
		fallthrough
	case !known:
		q = d
	case d > q:
		q = min(d, q+q*9/100)
	default:
		q = max(d, q-q/100)
	}
	h.taken[scheme] = q
}

type argon2idParams struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
}

func (p argon2idParams) key(password, salt []byte, size uint32) []byte {
	return argon2.IDKey(password, salt, p.time, p.memory, p.threads, size)
}

func (p argon2idParams) String() string {
	return fmt.Sprintf("m=%d,t=%d,p=%d", p.memory, p.time, p.threads)
}

// bounded is RFC 9106 section 3.1 with upper bounds of our own.
func (p argon2idParams) bounded() error {
	if p.time < 1 || p.threads < 1 || p.memory < 8*uint32(p.threads) {
		return errors.New("challenge: argon2id: parameters below those of RFC 9106")
	}
	if p.memory > argon2idMaxMemory || uint64(p.memory)*uint64(p.time) > argon2idMaxWork || p.threads > 64 {
		return fmt.Errorf("challenge: argon2id: parameters over %d KiB or %d KiB times passes", argon2idMaxMemory, argon2idMaxWork)
	}
	return nil
}

// phc is an argon2id hash in the PHC string format: $argon2id$v=19$m=…,t=…,p=…$salt$tag.
type phc struct {
	params    argon2idParams
	salt, tag []byte
}

func (h phc) String() string {
	b64 := base64.RawStdEncoding
	return "$argon2id$v=19$" + h.params.String() + "$" + b64.EncodeToString(h.salt) + "$" + b64.EncodeToString(h.tag)
}

// parsePHC reads the one spelling that String writes, within bounds. Its errors do not quote the hash.
func parsePHC(s string) (phc, error) {
	bad := errors.New("challenge: not a password hash that can be read: argon2id in PHC format, or bcrypt")
	if len(s) > 512 {
		return phc{}, bad
	}
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != "v=19" {
		return phc{}, bad
	}
	number := strings.Split(part[3], ",")
	if len(number) != 3 {
		return phc{}, bad
	}
	var h phc
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(number[i], name)
		n, err := strconv.ParseUint(digits, 10, [3]int{32, 32, 8}[i])
		if !ok || err != nil {
			return phc{}, bad
		}
		switch i {
		case 0:
			h.params.memory = uint32(n)
		case 1:
			h.params.time = uint32(n)
		case 2:
			h.params.threads = uint8(n)
		}
	}
	if err := h.params.bounded(); err != nil {
		return phc{}, err
	}
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(part[4])
	h.tag, err2 = base64.RawStdEncoding.Strict().DecodeString(part[5])
	if err1 != nil || err2 != nil || len(h.salt) < 8 || len(h.salt) > 64 || len(h.tag) < 16 || len(h.tag) > 64 || h.String() != s {
		return phc{}, bad
	}
	return h, nil
}

func isBcrypt(hash string) bool {
	return strings.HasPrefix(hash, "$2a$") || strings.HasPrefix(hash, "$2b$") || strings.HasPrefix(hash, "$2y$")
}

func bcryptCost(hash string) (int, error) {
	cost, err := bcrypt.Cost([]byte(hash))
	const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	if err != nil || len(hash) != 60 || strings.Trim(hash[7:], alphabet) != "" {
		return 0, errors.New("challenge: broken bcrypt hash")
	}
	if cost > bcryptMaxCost {
		return 0, fmt.Errorf("challenge: bcrypt cost over %d", bcryptMaxCost)
	}
	return cost, nil
}
