package stores_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	redigo "github.com/gomodule/redigo/redis"
	goredis "github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/stores"
	"github.com/sallyport-go/sallyport/stores/storetest"
)

// withGoRedis is the glue that the examples show.
func withGoRedis(t testing.TB, addr, password string) *stores.Redis {
	rdb := goredis.NewClient(&goredis.Options{Addr: addr, Password: password, ContextTimeoutEnabled: true, MaxRetries: -1, PoolSize: 20})
	t.Cleanup(func() { rdb.Close() })
	return &stores.Redis{Do: func(ctx context.Context, a ...any) (any, error) { return rdb.Do(ctx, a...).Result() }}
}

func withRedigo(t testing.TB, addr, password string) *stores.Redis {
	pool := &redigo.Pool{MaxActive: 20, MaxIdle: 20, Wait: true, DialContext: func(ctx context.Context) (redigo.Conn, error) {
		return redigo.DialContext(ctx, "tcp", addr, redigo.DialPassword(password))
	}}
	t.Cleanup(func() { pool.Close() })
	return &stores.Redis{Do: func(ctx context.Context, a ...any) (any, error) {
		conn, err := pool.GetContext(ctx)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		return redigo.DoContext(conn, ctx, a[0].(string), a[1:]...)
	}}
}

func TestRedisOnMiniredisKeepsTheRulesOfStores(t *testing.T) {
	for name, with := range map[string]func(testing.TB, string, string) *stores.Redis{"go-redis": withGoRedis, "redigo": withRedigo} {
		t.Run(name, func(t *testing.T) {
			m, c := miniredis.RunT(t), newClock()
			m.SetTime(c.Now())
			a, b := with(t, m.Addr(), ""), with(t, m.Addr(), "")
			a.Clock, b.Clock = c.Now, c.Now
			a.Timeout, b.Timeout = patience, patience
			storetest.Run(t, storetest.Harness{
				Open: func(testing.TB) challenge.Store { return a },
				Peer: func(testing.TB, challenge.Store) challenge.Store { return b },
				Now:  c.Now,
				Sleep: func(d time.Duration) {
					c.Advance(d)
					m.SetTime(c.Now())
					m.FastForward(d)
				},
			})
		})
	}
}

func TestTheSameRulesOfKeysAndValuesHoldForRedis(t *testing.T) {
	refusesOddArguments(t, withGoRedis(t, miniredis.RunT(t).Addr(), ""))
}

func TestAScriptThatTheServerHasLostIsSentAgain(t *testing.T) {
	m := miniredis.RunT(t)
	s := withRedigo(t, m.Addr(), "")
	var sent []string
	do := s.Do
	s.Do = func(ctx context.Context, a ...any) (any, error) {
		sent = append(sent, a[0].(string))
		return do(ctx, a...)
	}
	for i, old := range []string{"a", "b", "c", "d"} {
		if i == 2 { // as after a restart or a failover
			if _, err := do(t.Context(), "SCRIPT", "FLUSH"); err != nil {
				t.Fatal(err)
			}
		}
		var from []byte
		if i > 0 {
			from = []byte{old[0] - 1}
		}
		if ok, err := s.CompareAndSwap(t.Context(), "k", from, []byte(old), never); !ok || err != nil {
			t.Fatalf("swap to %s: %v, %v", old, ok, err)
		}
	}
	if got := strings.Join(sent, " "); got != "EVALSHA EVAL EVALSHA EVALSHA EVAL EVALSHA" {
		t.Errorf("sent %s", got)
	}
}

func TestEveryCommandNamesOneKeyAndHoldsOnlyStrings(t *testing.T) {
	s := withRedigo(t, miniredis.RunT(t).Addr(), "")
	do := s.Do
	s.Prefix = "site/"
	s.Do = func(ctx context.Context, a ...any) (any, error) {
		keys := 0
		for i, v := range a {
			text, ok := v.(string)
			if !ok {
				t.Errorf("argument %d of %v is a %T", i, a[0], v)
			}
			if strings.HasPrefix(text, "site/") {
				keys++
				if place := map[string]int{"GETRANGE": 1, "EVALSHA": 3, "EVAL": 3}[a[0].(string)]; place != i {
					t.Errorf("%v has its key at %d", a[0], i)
				}
			}
		}
		if keys != 1 {
			t.Errorf("%v names %d keys", a[0], keys)
		}
		return do(ctx, a...)
	}
	if ok, err := s.CompareAndSwap(t.Context(), "k", nil, []byte("v"), time.Now().Add(time.Hour)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if v, err := s.Load(t.Context(), "k"); string(v) != "v" || err != nil {
		t.Fatal(v, err)
	}
	if ok, _, err := s.Take(t.Context(), "k", time.Hour, 1); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

func TestI20RepliesThatCannotBeAreErrorsAndNeverAbsence(t *testing.T) {
	for _, reply := range []any{nil, []byte(nil), int64(0), 1.5, true, []any{}, errors.New("refused"), map[any]any{}} {
		s := &stores.Redis{Do: func(context.Context, ...any) (any, error) { return reply, nil }}
		if v, err := s.Load(t.Context(), "k"); v != nil || err == nil {
			t.Errorf("Load on a reply %#v: %v, %v, want an error", reply, v, err)
		}
	}
	for _, reply := range []any{nil, "", "1", []byte("1"), int64(2), int64(-1), true, errors.New("refused")} {
		s := &stores.Redis{Do: func(context.Context, ...any) (any, error) { return reply, nil }}
		if ok, err := s.CompareAndSwap(t.Context(), "k", nil, []byte("v"), never); ok || err == nil {
			t.Errorf("CompareAndSwap on a reply %#v: %v, %v, want an error", reply, ok, err)
		}
		if reply == int64(2) { // a wait of 2 µs
			continue
		}
		if ok, _, err := s.Take(t.Context(), "k", time.Second, 1); ok || err == nil {
			t.Errorf("Take on a reply %#v: %v, %v, want an error", reply, ok, err)
		}
	}
	if _, err := new(stores.Redis).Load(t.Context(), "k"); err == nil {
		t.Error("no Do: want an error")
	}
}

func TestRepliesOfAllClientsAreUnderstood(t *testing.T) {
	for _, reply := range []any{"value", []byte("value")} {
		s := &stores.Redis{Do: func(context.Context, ...any) (any, error) { return reply, nil }}
		if v, err := s.Load(t.Context(), "k"); string(v) != "value" || err != nil {
			t.Errorf("%#v: %q, %v", reply, v, err)
		}
	}
	for _, reply := range []any{"", []byte{}} {
		s := &stores.Redis{Do: func(context.Context, ...any) (any, error) { return reply, nil }}
		if v, err := s.Load(t.Context(), "k"); v != nil || err != nil {
			t.Errorf("%#v: %q, %v, want absent", reply, v, err)
		}
	}
	for _, reply := range []any{1, int64(1)} {
		s := &stores.Redis{Do: func(context.Context, ...any) (any, error) { return reply, nil }}
		if ok, err := s.CompareAndSwap(t.Context(), "k", nil, []byte("v"), never); !ok || err != nil {
			t.Errorf("%#v: %v, %v", reply, ok, err)
		}
	}
}

func TestI21ErrorsOfRedisHoldNeitherKeyNorPassword(t *testing.T) {
	_, bad := url.Parse(strings.Join([]string{"redis://:secret@host", "port/"}, ":")) // its error repeats it
	for _, err := range []error{bad, fmt.Errorf("dial: %w", bad), errors.New("WRONGTYPE of secret-key")} {
		s := &stores.Redis{Do: func(context.Context, ...any) (any, error) { return nil, err }}
		_, got := s.CompareAndSwap(t.Context(), "secret-key", nil, []byte("secret-value"), never)
		if got == nil || strings.Contains(fmt.Sprintf("%+v", got), "secret") {
			t.Errorf("%+v", got)
		}
	}
}

func TestCheckSaysWhatIsWrongWithRedis(t *testing.T) {
	m := miniredis.RunT(t)
	if err := withGoRedis(t, m.Addr(), "").Check(t.Context()); err != nil {
		t.Errorf("a good server: %v", err)
	}
	if keys := m.Keys(); len(keys) != 0 {
		t.Errorf("Check left %v", keys)
	}
	s := withGoRedis(t, m.Addr(), "")
	do := s.Do
	answer := func(info any) {
		s.Do = func(ctx context.Context, a ...any) (any, error) {
			if a[0] == "INFO" {
				return info, nil
			}
			return do(ctx, a...)
		}
	}
	for _, policy := range []string{"allkeys-lru", "volatile-ttl"} {
		for _, info := range []any{
			"# Memory\r\nmaxmemory:1000\r\nmaxmemory_policy:" + policy + "\r\n",
			[]byte("# Memory\r\nmaxmemory:1000\r\nmaxmemory_policy:" + policy + "\r\n"),
		} {
			answer(info)
			if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), policy) {
				t.Errorf("%s: %v", policy, err)
			}
		}
	}
	answer("maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n")
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("a server without a bound: %v", err)
	}
	m.RequireAuth("secret")
	if err := withGoRedis(t, m.Addr(), "wrong-password").Check(t.Context()); err == nil || strings.Contains(err.Error(), "wrong-password") {
		t.Errorf("wrong password: %v", err)
	}
	addr := m.Addr()
	m.Close()
	if err := withRedigo(t, addr, "secret").Check(t.Context()); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("unreachable: %v", err)
	}
}
