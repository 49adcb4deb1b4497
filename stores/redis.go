package stores

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

// Redis is a [challenge.Store] and [challenge.Taker] in a Redis (6.2 and later) or Valkey server, through whichever client the
// program has. Set the fields before first use and call [Redis.Check] at start.
//
// A Load, a swap and a Take are one command with one key each, so a cluster does as well as one server. Swaps and limits
// are Lua scripts, which the server runs one at a time; they are sent by their hash, and whole when the server has lost
// them. All methods are safe for concurrent use. Errors hold neither keys, values nor passwords.
//
// # What a lost write means
//
// Redis answers before a replica has the write and, as it comes, before the disk has it. What package challenge needs:
//
//   - Sessions and pending logins may be lost: people log in again. No persistence is needed for that, and no lost insert
//     ever makes a login.
//   - A write that is undone is another thing: the last logout is forgotten and its session comes back, a guess that was
//     spent is given back. A session that came back ends within a minute of being used, if the account's record, which
//     lists the live logins, was not undone with it: keep accounts in a [SQL] (see below). It takes a crash of the server with appendfsync everysec (up to a second of writes), or
//     a failover to a replica that lags. Where that is too much: appendonly yes, appendfsync always, and no automatic
//     failover. min-replicas-to-write and WAIT make it rarer and do not rule it out.
//   - Accounts and enrolments (guess counters, blocks, last codes used, factors) must not be lost: a lost account record is a
//     counter of zero and a used code usable again; a lost enrolment is a second factor that is gone. Keep them in a
//     database instead by giving challenge.Config.Accounts a [SQL]; or here, with appendonly yes and appendfsync always.
//   - maxmemory-policy must be noeviction: any other throws counters away to make room. Check refuses those.
//
// Reads must go to the primary: leave a client's options for reading from replicas off.
//
// # Expiry
//
// The server drops a record a minute after its end (PXAT), so that its clock may differ from this process's; package
// challenge checks the end of every record itself.
type Redis struct {
	// Do sends one command and returns its reply as string, []byte or int64 (what client libraries return untyped). The
	// first argument is the name of the command, the third that of EVAL and EVALSHA is the number of keys, 1, and the next is
	// the key; all arguments are strings, some of them with arbitrary bytes. It must be safe for concurrent use.
	//
	// Do must heed the end of ctx, and must not send a command again after its answer was lost: the second answer of a swap
	// that happened is "no". So go-redis needs ContextTimeoutEnabled: true and MaxRetries: -1. redigo, rueidis and valkey-go
	// do right as they come.
	Do func(ctx context.Context, args ...any) (any, error)

	// Prefix begins the name of every key. Empty means "sallyport:". Two sites on one server need two prefixes.
	Prefix string

	// Timeout is how long one call may take. Zero means 3 s.
	Timeout time.Duration

	// Clock is the time of day by which an end that is past deletes. Nil means time.Now. Limits go by the server's clock.
	Clock func() time.Time
}

var (
	_ challenge.Store = (*Redis)(nil)
	_ challenge.Taker = (*Redis)(nil)
)

// script is Lua that takes one key. Its hash is what EVALSHA wants.
type script struct{ text, hash string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text))
	return script{text, hex.EncodeToString(sum[:])}
}

// No value is empty, so an empty string stands for nil.
var swapScript = newScript(`
local held = redis.call('GET', KEYS[1]) or ''
if held ~= ARGV[1] then return 0 end
if ARGV[2] == '' then
  if held ~= '' then redis.call('DEL', KEYS[1]) end
elseif ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
end
return 1`)

// Microseconds since 1970 are whole numbers in a double until the year 2255.
var takeScript = newScript(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, bucket = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(now, tonumber(redis.call('GET', KEYS[1]) or now)) + interval
local wait = full - bucket - now
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', string.format('%.0f', math.ceil((full - now) / 1000)))
return 0`)

// Load implements [challenge.Store].
//
// It asks by GETRANGE, which answers an empty string for an absent key: clients report GET's nil in several ways, some as
// an error. Any other kind of reply is an error, never "absent".
func (r *Redis) Load(ctx context.Context, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	reply, err := r.do(ctx, "load", key, "GETRANGE", r.recordKey(key), "0", "-1")
	if err != nil {
		return nil, err
	}
	switch v := reply.(type) {
	case []byte:
		if len(v) > 0 {
			return v, nil
		}
		if v != nil {
			return nil, nil
		}
	case string:
		if v != "" {
			return []byte(v), nil
		}
		return nil, nil
	}
	return nil, fmt.Errorf("stores: load: Redis.Do returned a %T instead of a string", reply)
}

// CompareAndSwap implements [challenge.Store].
func (r *Redis) CompareAndSwap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error) {
	if err := checkKey(key); err != nil {
		return false, err
	}
	if err := checkValues(old, new); err != nil {
		return false, err
	}
	to, end := string(new), ""
	if !expires.IsZero() {
		if !expires.After(r.now()) {
			to = ""
		} else if ns := nanos(expires); ns != never {
			end = strconv.FormatInt((ns+int64(slack))/int64(time.Millisecond), 10)
		}
	}
	n, err := r.eval(ctx, "swap", swapScript, key, r.recordKey(key), string(old), to, end)
	if err == nil && n != 0 && n != 1 {
		err = errors.New("stores: swap: Redis.Do returned a number that the script does not")
	}
	return err == nil && n == 1, err
}

// Take implements [challenge.Taker] by the generic cell rate algorithm (ITU-T I.371), as [Memory.Take] does, in whole
// microseconds, rounded up, by the server's clock. A refused call changes nothing.
func (r *Redis) Take(ctx context.Context, key string, interval time.Duration, burst int) (ok bool, retryAfter time.Duration, err error) {
	if err := checkKey(key); err != nil {
		return false, 0, err
	}
	if err := checkLimit(interval, burst); err != nil {
		return false, 0, err
	}
	step := micros(interval)
	wait, err := r.eval(ctx, "take", takeScript, key, r.limitKey(key), strconv.FormatInt(step, 10), strconv.FormatInt(step*int64(burst), 10))
	if err == nil && wait < 0 {
		err = errors.New("stores: take: Redis.Do returned a number that the script does not")
	}
	if err != nil {
		return false, 0, err
	}
	return wait == 0, time.Duration(wait) * time.Microsecond, nil
}

// Check writes, reads and deletes a record, and asks for the server's eviction policy (INFO; a server that does not tell
// passes), so that a start fails with its cause: unreachable, wrong password, too old, read-only, or throwing records away.
func (r *Redis) Check(ctx context.Context) error {
	if err := tryOut(ctx, r, r.now().Add(time.Minute)); err != nil {
		return err
	}
	reply, err := r.do(ctx, "check", "", "INFO", "memory")
	if err != nil {
		return ctx.Err()
	}
	info, _ := reply.(string)
	if b, ok := reply.([]byte); ok {
		info = string(b)
	}
	if p := field(info, "maxmemory_policy"); p != "" && p != "noeviction" && field(info, "maxmemory") != "0" {
		return fmt.Errorf("stores: check: the server's maxmemory-policy is %s, which throws guess counters away when memory is short: set noeviction", p)
	}
	return nil
}

// field finds one line of an INFO.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// eval runs a script by its hash, or whole when the server does not have it, which is an answer that it did not run.
func (r *Redis) eval(ctx context.Context, what string, s script, key string, args ...any) (int64, error) {
	reply, err := r.do(ctx, what, key, append([]any{"EVALSHA", s.hash, "1"}, args...)...)
	if err != nil && strings.Contains(err.Error(), "NOSCRIPT") {
		reply, err = r.do(ctx, what, key, append([]any{"EVAL", s.text, "1"}, args...)...)
	}
	if err != nil {
		return 0, err
	}
	switch n := reply.(type) {
	case int64:
		return n, nil
	case int:
		return int64(n), nil
	}
	return 0, fmt.Errorf("stores: %s: Redis.Do returned a %T instead of an int64", what, reply)
}

func (r *Redis) do(ctx context.Context, what, key string, args ...any) (any, error) {
	if r.Do == nil {
		return nil, errors.New("stores: Redis.Do is missing")
	}
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	reply, err := r.Do(ctx, args...)
	if err != nil {
		return nil, failure(what, key, err)
	}
	if e, ok := reply.(error); ok { // some clients return what the server refused as a value
		return nil, failure(what, key, e)
	}
	return reply, nil
}

func (r *Redis) now() time.Time {
	if r.Clock == nil {
		return time.Now()
	}
	return r.Clock()
}

func (r *Redis) recordKey(key string) string { return r.prefix() + key }

// limitKey holds a space, which no key may; so a limit never meets a record.
func (r *Redis) limitKey(key string) string { return r.prefix() + "limit " + key }

func (r *Redis) prefix() string {
	if r.Prefix == "" {
		return "sallyport:"
	}
	return r.Prefix
}
