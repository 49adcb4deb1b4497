package middleware

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

// BenchmarkRefusalTimes asks whether the time of a refusal tells what was wrong (I-10): each round tries a wrong password, an
// unknown name, a blocked, a disabled and a service account once, in random order, through the whole middleware. Run it
// with -benchtime 400x or more. For each kind it reports the median in units of that of a wrong password, and the p of the
// Mann-Whitney test that the two are the same; below 0.01 somebody could tell them apart with so many tries.
//
// "argon2id" is what a site does. "without the hash" leaves out what takes nearly all of the time and is the same for
// everybody, so that any difference in the rest is seen; no client ever sees it so large.
func BenchmarkRefusalTimes(b *testing.B) {
	b.Run("argon2id", func(b *testing.B) { refusalTimes(b, new(challenge.Argon2id)) })
	b.Run("without the hash", func(b *testing.B) { refusalTimes(b, nil) })
}

func refusalTimes(b *testing.B, passwords *challenge.Argon2id) {
	const right = "correct-horse-battery"
	kinds := []string{"wrong", "unknown", "blocked", "disabled", "service"}
	w := found(b, func(c *challenge.Config, m *Config) {
		c.Audit, c.BlockFor, m.LoginRate = audit.Discard, 24*time.Hour, 1_000_000_000
		if passwords != nil {
			c.Passwords = passwords
		}
	})
	hash := ""
	if passwords != nil {
		var err error
		if hash, err = passwords.Hash([]byte(right)); err != nil {
			b.Fatal(err)
		}
	}
	try := func(kind string, n int) time.Duration {
		secret := right
		if kind == "wrong" || kind == "unknown" {
			secret = "correct-horse-batterx"
		}
		r := httptest.NewRequest("POST", "/api/login", strings.NewReader(fmt.Sprintf(`{"username":"%s%07d","password":"%s"}`, kind, n, secret)))
		r.Header.Set("Content-Type", "application/json")
		rw := httptest.NewRecorder()
		began := time.Now()
		w.root.ServeHTTP(rw, r)
		took := time.Since(began)
		if rw.Code != http.StatusUnauthorized {
			b.Fatalf("%s: %d", kind, rw.Code)
		}
		return took
	}
	prepare := func(n int) { // nobody has been here before who is not asked for the second time
		for _, kind := range kinds {
			id := fmt.Sprintf("%s%07d", kind, n)
			if kind != "unknown" {
				w.Users.Add(challenge.Account{ID: id, Name: id, PasswordHash: hash, Disabled: kind == "disabled", Service: kind == "service"}, right)
			}
			tries := 1
			if kind == "blocked" {
				tries = 3
			}
			for range tries {
				_, _ = w.logins.Password(context.Background(), challenge.Client{}, &challenge.Session{},
					challenge.PasswordInput{Slot: challenge.Bearer, Name: id, Password: []byte("wrong")})
			}
		}
	}
	times := map[string][]float64{}
	n := 0
	for b.Loop() {
		b.StopTimer()
		prepare(n)
		b.StartTimer()
		for _, i := range rand.Perm(len(kinds)) {
			times[kinds[i]] = append(times[kinds[i]], float64(try(kinds[i], n)))
		}
		n++
	}
	if n < 20 {
		return
	}
	for _, kind := range kinds {
		b.ReportMetric(median(times[kind])/median(times["wrong"]), kind+"-of-wrong")
		b.ReportMetric(mannWhitney(times[kind], times["wrong"]), kind+"-p")
	}
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return (list[(len(list)-1)/2] + list[len(list)/2]) / 2
}

// mannWhitney is the two-sided p of the Mann-Whitney U test by its normal approximation, good from about 20 samples on.
func mannWhitney(a, b []float64) float64 {
	type sample struct {
		v     float64
		first bool
	}
	var all []sample
	for _, v := range a {
		all = append(all, sample{v, true})
	}
	for _, v := range b {
		all = append(all, sample{v, false})
	}
	slices.SortFunc(all, func(x, y sample) int {
		switch {
		case x.v < y.v:
			return -1
		case x.v > y.v:
			return 1
		}
		return 0
	})
	ranks, ties := 0.0, 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].v == all[i].v {
			j++
		}
		rank := float64(i+1+j) / 2
		for ; i < j; i++ {
			if all[i].first {
				ranks += rank
			}
		}
		t := float64(j) - (rank*2 - float64(j)) + 1
		ties += t*t*t - t
	}
	na, nb := float64(len(a)), float64(len(b))
	n := na + nb
	u := ranks - na*(na+1)/2
	sigma := math.Sqrt(na * nb / 12 * (n + 1 - ties/(n*(n-1))))
	return math.Erfc(math.Abs(u-na*nb/2) / sigma / math.Sqrt2)
}

func TestMannWhitney(t *testing.T) {
	// Mann and Whitney, by hand: of 20 and 20 numbers that interleave nothing is to be seen, of two that lie apart all.
	var even, odd, high []float64
	for i := range 20 {
		even, odd, high = append(even, float64(2*i)), append(odd, float64(2*i+1)), append(high, float64(100+i))
	}
	if p := mannWhitney(even, odd); p < 0.7 {
		t.Error(p)
	}
	if p := mannWhitney(even, high); p > 1e-6 {
		t.Error(p)
	}
	if p := mannWhitney(even, even); math.Abs(p-1) > 1e-9 {
		t.Error(p)
	}
	// By hand: U is 6.5, and there are ties of 2, 2 and 3.
	sigma := math.Sqrt(25.0 / 12 * (11 - (6.0+6+24)/90))
	if p, want := mannWhitney([]float64{1, 1, 2, 3, 5}, []float64{2, 3, 3, 4, 6}), math.Erfc((12.5-6.5)/sigma/math.Sqrt2); math.Abs(p-want) > 1e-9 {
		t.Error(p, want)
	}
}
