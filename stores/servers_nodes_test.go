//go:build linux

package stores_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
)

// A node is a process with the machine of package challenge on a shared store. It obeys orders from its standard input, all
// at once, and reports on its standard output. An order may carry a fault, which then befalls the store operation of that
// number; so a node can lose an answer, or be killed, between any two steps of the protocol.

// order is one request to a node.
type order struct {
	N                        int // tells the reports apart
	Do, Account, Token, Code string
	Strict                   bool // by the machine that allows three guesses
	At                       int  // 1 is the first store operation; 0 never
	Fault                    fault
}

// report is what became of an order. With Compared set it is no answer: the node is about to look at a guess.
type report struct {
	N            int
	Token, Login string
	Err          string
	Compared     string // "code" or "password", and the account
	Gone         bool   // the node died: what became of the order nobody knows
}

type fault int

const (
	nothing    fault = iota
	fails            // the operation does not happen
	down             // nor does any after it
	lostAnswer       // it happens, and an error comes back
	killBefore       // the process is killed instead
	killAfter        // the process is killed before it hears the answer
)

type fateKey struct{}

// fate is an order's fault on its way through the context, and how many operations there have been.
type fate struct {
	order
	ops int
}

var errInjected = errors.New("connection reset by the test")

// fated lets each order meet its fault.
type fated struct{ challenge.Store }

func (f fated) meet(ctx context.Context, do func() error) error {
	v, _ := ctx.Value(fateKey{}).(*fate)
	if v == nil || v.At == 0 {
		return do()
	}
	v.ops++
	if v.ops != v.At && !(v.Fault == down && v.ops > v.At) {
		return do()
	}
	switch v.Fault {
	case fails, down:
		return errInjected
	case killAfter:
		_ = do()
		fallthrough
	case killBefore:
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case lostAnswer:
		_ = do()
		return errInjected
	}
	return do()
}

func (f fated) Load(ctx context.Context, key string) (raw []byte, err error) {
	if err := f.meet(ctx, func() error { raw, err = f.Store.Load(ctx, key); return err }); err != nil {
		return nil, err
	}
	return raw, nil
}

func (f fated) CompareAndSwap(ctx context.Context, key string, old, new []byte, end time.Time) (ok bool, err error) {
	if err := f.meet(ctx, func() error { ok, err = f.Store.CompareAndSwap(ctx, key, old, new, end); return err }); err != nil {
		return false, err
	}
	return ok, nil
}

// everybody is a table in which every id is an account of that name.
type everybody struct{}

func (everybody) Find(_ context.Context, name string) (challenge.Account, error) {
	return challenge.Account{ID: name}, nil
}

func (everybody) ByID(_ context.Context, id string) (challenge.Account, error) {
	return challenge.Account{ID: id, Name: id, PasswordHash: "right-password"}, nil
}

// comparing tells before it compares.
type comparing struct{ tell func(what, account string) }

func (c comparing) Check(_ context.Context, a challenge.Account, password []byte) (challenge.PasswordMatch, error) {
	if a.ID == "" { // the dummy, so that all cost the same
		return challenge.PasswordMatch{}, nil
	}
	c.tell("password", a.ID)
	return challenge.PasswordMatch{OK: string(password) == a.PasswordHash}, nil
}

const rightCode = "right-code"

// newMachine is a machine whose right code can be used any number of times: what makes it good for one login is the
// protocol. A strict one allows three guesses, the other so many that they are never in the way.
func newMachine(t testing.TB, s challenge.Store, strict bool, tell func(what, account string)) *challenge.Logins {
	t.Helper()
	check := &challenge.CustomCheck{Method: "check", For: func(challenge.CustomAttempt) bool { return true },
		Validate: func(_ context.Context, a challenge.CustomAttempt, answer string) (challenge.CustomVerdict, error) {
			tell("code", a.Account.ID)
			return challenge.CustomVerdict{OK: answer == rightCode}, nil
		}}
	c := challenge.Config{Site: "https://app.example", Users: everybody{}, Policy: challenge.Everyone, Store: s, Keys: []challenge.Key{challengetest.Key(1)},
		Factors: []challenge.Factor{check, &challenge.Recovery{Count: 1}}, Passwords: comparing{tell}, HashSlots: 100,
		Audit: audit.RecorderFunc(func(context.Context, audit.Event) error { return nil })}
	if !strict {
		c.CodeGuesses = 100
	}
	l, err := challenge.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// nodeTask is what a node is started with.
type nodeTask struct{ Kind, Addr, Lie string }

func init() { workers = append(workers, obey) }

// obey is the node's process. It ends with its standard input.
func obey() bool {
	spec, ok := os.LookupEnv("STORES_TEST_NODE")
	if !ok {
		return false
	}
	var job nodeTask
	if err := json.Unmarshal([]byte(spec), &job); err != nil {
		panic(err)
	}
	t := new(processTB)
	defer t.end()
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout) // without a buffer: what was told before a kill is told
	tell := func(r report) {
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(r)
	}
	store := fated{lying(openStore(t, job.Kind, job.Addr, 3*time.Second), job.Lie)}
	compared := func(what, account string) { tell(report{Compared: what + " " + account}) }
	generous, strict := newMachine(t, store, false, compared), newMachine(t, store, true, compared)
	for in := json.NewDecoder(os.Stdin); ; {
		var o order
		if err := in.Decode(&o); err != nil {
			return true
		}
		l := generous
		if o.Strict {
			l = strict
		}
		go func() {
			r, err := carryOut(context.WithValue(context.Background(), fateKey{}, &fate{order: o}), l, o)
			switch r.N = o.N; {
			case err == nil:
			case errors.Is(err, challenge.ErrUnavailable):
				r = report{N: o.N, Err: "unavailable: " + err.Error()}
			default:
				r = report{N: o.N, Err: err.Error()}
			}
			tell(r)
		}()
	}
}

func carryOut(ctx context.Context, l *challenge.Logins, o order) (report, error) {
	c := challenge.Client{}
	got := func(out challenge.Outcome, err error) (report, error) {
		r := report{Token: out.Token}
		if err != nil || out.Session == nil {
			return r, err
		}
		if login, ok := out.Session.Login(); ok {
			r.Login = login.ID
		}
		return r, nil
	}
	switch o.Do { // those without a session
	case "enter":
		return got(l.Enter(ctx, c, &challenge.Session{}, challenge.Cookie, o.Account, challenge.FirstFactor{Method: "oidc"}))
	case "password":
		return got(l.Password(ctx, c, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: o.Account, Password: []byte(o.Code)}))
	case "log out everywhere":
		return report{}, l.LogoutEverywhere(ctx, c, o.Account)
	case "password changed":
		return report{}, l.AccountChanged(ctx, c, o.Account, "password changed", "")
	case "factors reset":
		return report{}, l.ResetFactors(ctx, o.Account, "admin")
	case "disabled":
		return report{}, l.Block(ctx, o.Account, "admin")
	}
	s, err := l.Open(ctx, challenge.Cookie, o.Token)
	if err != nil {
		return report{}, err
	}
	switch o.Do {
	case "who":
		return got(challenge.Outcome{Session: s}, nil)
	case "verify":
		return got(l.Verify(ctx, c, s, challenge.CodeInput{Code: o.Code}))
	case "step up":
		return got(l.StepUp(ctx, c, s, challenge.CodeInput{Code: o.Code}))
	case "end others":
		return got(l.EndOthers(ctx, c, s))
	case "log out":
		if _, ok := s.Login(); !ok {
			return report{}, challenge.ErrEnded
		}
		return report{}, l.Logout(ctx, c, s)
	case "touch":
		if err := l.SaveData(ctx, s, []byte("app data")); err != nil {
			return report{}, err
		}
		return report{}, l.Touch(ctx, c, s)
	}
	return report{}, fmt.Errorf("no such order: %q", o.Do)
}

// node is one of the nodes as the test sees it, whichever process it is at the moment: one that was killed is started anew.
type node struct {
	t        *testing.T
	spec     string
	compared func(string)

	mu      sync.Mutex
	in      io.WriteCloser
	waiting map[int]chan report
	orders  int
	kills   int
	ending  bool
	done    sync.WaitGroup
}

func startNode(t *testing.T, job nodeTask, compared func(string)) *node {
	t.Helper()
	spec, _ := json.Marshal(job)
	n := &node{t: t, spec: string(spec), compared: compared, waiting: map[int]chan report{}}
	n.mu.Lock()
	n.start()
	n.mu.Unlock()
	t.Cleanup(func() {
		n.mu.Lock()
		n.ending = true
		n.in.Close()
		n.mu.Unlock()
		n.done.Wait()
	})
	return n
}

// start starts a process. The caller holds the lock.
func (n *node) start() {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "STORES_TEST_NODE="+n.spec)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	in, err := c.StdinPipe()
	if err != nil {
		panic(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		panic(err)
	}
	if err := c.Start(); err != nil {
		panic(err)
	}
	n.in = in
	n.done.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var r report
			switch err := json.Unmarshal(lines.Bytes(), &r); {
			case err != nil: // the last words of a process that was killed
			case r.Compared != "":
				n.compared(r.Compared)
			default:
				n.mu.Lock()
				to := n.waiting[r.N]
				delete(n.waiting, r.N)
				n.mu.Unlock()
				to <- r
			}
		}
		err := c.Wait()
		n.mu.Lock()
		defer n.mu.Unlock()
		for id, to := range n.waiting {
			delete(n.waiting, id)
			to <- report{Gone: true}
		}
		if n.ending {
			return
		}
		if err == nil || !strings.Contains(err.Error(), "killed") {
			n.t.Errorf("a node ended by itself: %v\n%.3000s", err, &stderr)
		}
		n.kills++
		n.start()
	})
}

// ask gives an order and waits for its report.
func (n *node) ask(o order) report {
	answer := make(chan report, 1)
	n.mu.Lock()
	n.orders++
	o.N = n.orders
	n.waiting[o.N] = answer
	_ = json.NewEncoder(n.in).Encode(o) // a node that has just died says so at its end
	n.mu.Unlock()
	return <-answer
}
