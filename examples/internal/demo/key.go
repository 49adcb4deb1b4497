package demo

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/sallyport-go/sallyport/challenge"
)

// loadKey reads the 32 bytes that encrypt secrets and key every hash. An absent file is made, for its owner only.
func loadKey(name string) (challenge.Key, error) {
	key := challenge.Key{ID: 1}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return readKey(name)
	}
	if err != nil {
		return key, err
	}
	if _, err = rand.Read(key.Secret[:]); err == nil {
		_, err = f.Write(key.Secret[:])
	}
	return key, errors.Join(err, f.Close())
}

func readKey(name string) (challenge.Key, error) {
	key := challenge.Key{ID: 1}
	f, err := os.Open(name)
	if err != nil {
		return key, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, int64(len(key.Secret))+1))
	if err != nil {
		return key, err
	}
	if copy(key.Secret[:], b) != len(b) || len(b) != len(key.Secret) {
		return key, fmt.Errorf("%s does not hold exactly %d bytes: name a file that is absent to have one made", name, len(key.Secret))
	}
	return key, nil
}
