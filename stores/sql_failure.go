package stores

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// failure says what failed without repeating a key or a password (I-21).
func failure(what, key string, err error) error {
	var address *url.Error // some clients parse theirs late, and the error repeats it
	switch {
	case err == nil, errors.Is(err, ErrNoSchema), errors.Is(err, ErrSchemaVersion):
		return err
	case errors.As(err, &address) && address.Op == "parse":
		return fmt.Errorf("stores: %s: the server's address cannot be parsed; it is left out, because it may hold a password", what)
	case key != "" && strings.Contains(err.Error(), key):
		return fmt.Errorf("stores: %s: failed with a message that repeats the key and is left out", what)
	}
	return fmt.Errorf("stores: %s: %w", what, err)
}
