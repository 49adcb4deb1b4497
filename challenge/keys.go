package challenge

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Key is a master key: 32 random bytes under an id. Everything that is encrypted or hashed names the id of its key.
type Key struct {
	ID     uint32 // chosen by the operator, unique among the keys, never reused for other bytes
	Secret [32]byte
}

// Format hides the secret.
func (k Key) Format(f fmtState, _ rune) { writeRedacted(f, fmt.Sprintf("key(%d)", k.ID)) }

// Keyring derives what the machine needs from the master keys: the first writes, all read. Safe for concurrent use.
type Keyring struct {
	keys []derivedKey
	rand io.Reader
}

type derivedKey struct {
	id   uint32
	aead cipher.AEAD
	mac  []byte
}

// NewKeyring checks keys and derives an AES-256-GCM key and an HMAC-SHA-256 key from each (HKDF, RFC 5869).
func NewKeyring(keys []Key, random io.Reader) (*Keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("challenge: no key: Config.Keys needs at least one Key of 32 random bytes")
	}
	if random == nil {
		random = rand.Reader
	}
	r := &Keyring{rand: random}
	seen := map[uint32]bool{}
	for _, k := range keys {
		if seen[k.ID] {
			return nil, fmt.Errorf("challenge: two keys have the id %d: give every key its own", k.ID)
		}
		seen[k.ID] = true
		if k.Secret == ([32]byte{}) {
			return nil, fmt.Errorf("challenge: key %d is all zero: fill Secret from crypto/rand", k.ID)
		}
		enc, err := hkdf.Key(sha256.New, k.Secret[:], nil, "sallyport seal v1", 32)
		if err != nil {
			return nil, err
		}
		mac, err := hkdf.Key(sha256.New, k.Secret[:], nil, "sallyport hash v1", 32)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(enc)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		r.keys = append(r.keys, derivedKey{k.ID, aead, mac})
	}
	return r, nil
}

// joined joins parts so that no two different lists give the same bytes.
func joined(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}

// Seal encrypts plain with the first key. The same context must be given to Open: it is bound as associated data, so that
// a value cannot be moved to another account or authenticator.
func (r *Keyring) Seal(plain []byte, context ...string) ([]byte, error) {
	k := r.keys[0]
	out := binary.BigEndian.AppendUint32(nil, k.id)
	nonce := make([]byte, k.aead.NonceSize())
	if _, err := io.ReadFull(r.rand, nonce); err != nil {
		return nil, unavailable("random source", err)
	}
	out = append(out, nonce...)
	return k.aead.Seal(out, nonce, plain, joined(context...)), nil
}

// Open decrypts what Seal made, with the key that it names.
func (r *Keyring) Open(sealed []byte, context ...string) ([]byte, error) {
	if len(sealed) < 4 {
		return nil, fmt.Errorf("%w: sealed value too short", ErrUnavailable)
	}
	id := binary.BigEndian.Uint32(sealed)
	for _, k := range r.keys {
		if k.id != id {
			continue
		}
		n := k.aead.NonceSize()
		if len(sealed) < 4+n {
			return nil, fmt.Errorf("%w: sealed value too short", ErrUnavailable)
		}
		plain, err := k.aead.Open(nil, sealed[4:4+n], sealed[4+n:], joined(context...))
		if err != nil {
			return nil, fmt.Errorf("%w: value sealed by key %d does not open: wrong key bytes, or moved from another record", ErrUnavailable, id)
		}
		return plain, nil
	}
	return nil, fmt.Errorf("%w: key %d is missing from Config.Keys: values it sealed cannot be read", ErrUnavailable, id)
}

// Hash is HMAC-SHA-256 of parts under label with the first key, the key's id in front.
func (r *Keyring) Hash(label string, parts ...string) []byte {
	return r.keys[0].hash(label, parts)
}

func (k derivedKey) hash(label string, parts []string) []byte {
	m := hmac.New(sha256.New, k.mac)
	m.Write(joined(label))
	m.Write(joined(parts...))
	return m.Sum(binary.BigEndian.AppendUint32(nil, k.id))
}

// Matches reports, in constant time, whether mac was made by Hash from the same label and parts, by any key of the ring.
func (r *Keyring) Matches(mac []byte, label string, parts ...string) bool {
	if len(mac) < 4 {
		return false
	}
	id := binary.BigEndian.Uint32(mac)
	for _, k := range r.keys {
		if k.id == id {
			return hmac.Equal(mac, k.hash(label, parts))
		}
	}
	return false
}
