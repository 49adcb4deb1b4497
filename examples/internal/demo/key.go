package demo

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sallyport-go/sallyport/challenge"
)

// loadKey reads the 32 bytes that encrypt secrets and key every hash. An absent file is made, for its owner only, and
// appears whole: several processes may start at once.
func loadKey(name string) (challenge.Key, error) {
	key, err := readKey(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*") // mode 0600
	if err != nil {
		return key, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if _, err = rand.Read(key.Secret[:]); err == nil {
		_, err = f.Write(key.Secret[:])
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return key, err
	}
	if err := os.Link(f.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return key, err
	}
	return readKey(name)
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
