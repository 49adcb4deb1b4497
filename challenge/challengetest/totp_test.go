package challengetest_test

import (
	"encoding/base32"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge/challengetest"
)

// The vectors for SHA-1 of RFC 6238 appendix B, of which apps with 6 digits show the last 6 of 8.
func TestTOTPShowsWhatAnAppShows(t *testing.T) {
	kit := challengetest.New(challengetest.NewClock())
	secret := base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"} {
		kit.Clock.Advance(time.Unix(at, 0).Sub(kit.Clock.Now()))
		if got := kit.TOTP(secret); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}
