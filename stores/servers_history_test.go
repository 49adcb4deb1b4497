//go:build linux

package stores_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// Histories of Load and CompareAndSwap are recorded in several processes at once and then checked for linearizability:
// there must be one order of all calls, each at one moment between its begin and its end, that explains every answer.

// call is one Load or CompareAndSwap as one client saw it. "" is nil.
type call struct {
	Client, N  int // N tells the calls of a client apart
	Key        string
	Swap       bool
	Old, New   string
	Held       string // what Load gave
	OK         bool
	Failed     bool // a swap whose answer was an error: it may have happened, then or later
	Begin, End int64
}

var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := map[string][]porcupine.Operation{}
		for _, op := range history {
			k := op.Input.(call).Key
			parts[k] = append(parts[k], op)
		}
		var all [][]porcupine.Operation
		for _, p := range parts {
			all = append(all, p)
		}
		return all
	},
	Init: func() any { return "" },
	Step: func(state, input, _ any) (bool, any) {
		held, c := state.(string), input.(call)
		switch {
		case !c.Swap:
			return c.Held == held, held
		case c.Old != held:
			return c.Failed || !c.OK, held
		default:
			return c.Failed || c.OK, c.New
		}
	},
	DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%+v", input) },
}

func linearizable(history []call) porcupine.CheckResult {
	end := int64(0)
	for _, c := range history {
		end = max(end, c.End)
	}
	ops := make([]porcupine.Operation, len(history))
	for i, c := range history {
		if c.Failed {
			c.End = end + 1
		}
		ops[i] = porcupine.Operation{ClientId: c.Client, Input: c, Call: c.Begin, Return: c.End}
	}
	return porcupine.CheckOperationsTimeout(register, ops, 2*patience)
}

func TestTheCheckOfHistoriesSeesABrokenStore(t *testing.T) {
	swap := func(client int, old, new string, ok bool, begin, end int64) call {
		return call{Client: client, Key: "k", Swap: true, Old: old, New: new, OK: ok, Begin: begin, End: end}
	}
	load := func(client int, held string, begin, end int64) call {
		return call{Client: client, Key: "k", Held: held, Begin: begin, End: end}
	}
	lost := func(c call) call { c.Failed = true; return c }
	for name, h := range map[string]struct {
		history []call
		want    porcupine.CheckResult
	}{
		"in order":                  {[]call{swap(0, "", "a", true, 1, 2), load(1, "a", 3, 4)}, porcupine.Ok},
		"two winners":               {[]call{swap(0, "", "a", true, 1, 5), swap(1, "", "b", true, 2, 6)}, porcupine.Illegal},
		"stale read":                {[]call{swap(0, "", "a", true, 1, 2), load(1, "", 3, 4)}, porcupine.Illegal},
		"read while swapping":       {[]call{swap(0, "", "a", true, 1, 9), load(1, "", 3, 4), load(1, "a", 5, 6)}, porcupine.Ok},
		"there and back":            {[]call{swap(0, "", "a", true, 1, 9), load(1, "a", 3, 4), load(1, "", 5, 6)}, porcupine.Illegal},
		"refused without reason":    {[]call{swap(0, "", "a", true, 1, 2), swap(1, "a", "b", false, 3, 4)}, porcupine.Illegal},
		"lost answer, happened":     {[]call{lost(swap(0, "", "a", false, 1, 2)), load(1, "a", 3, 4)}, porcupine.Ok},
		"lost answer, did not":      {[]call{lost(swap(0, "", "a", false, 1, 2)), load(1, "", 3, 4)}, porcupine.Ok},
		"lost answer, later":        {[]call{lost(swap(0, "", "a", false, 1, 2)), load(1, "", 3, 4), load(1, "a", 5, 6)}, porcupine.Ok},
		"lost answer told as no":    {[]call{swap(0, "", "a", false, 1, 2), load(1, "a", 3, 4)}, porcupine.Illegal},
		"back after delete":         {[]call{swap(0, "", "a", true, 1, 2), swap(0, "a", "", true, 3, 4), swap(1, "a", "b", true, 5, 6)}, porcupine.Illegal},
		"counter that fell to zero": {[]call{swap(0, "", "3", true, 1, 2), load(0, "", 3, 4)}, porcupine.Illegal},
	} {
		if got := linearizable(h.history); got != h.want {
			t.Errorf("%s: %v, want %v", name, got, h.want)
		}
	}
}

// task is what one recording process has to do.
type task struct {
	Kind, Addr, Keys string
	Process, Calls   int
	Timeout          time.Duration
}

const clientsPerProcess = 3

func init() { workers = append(workers, record) }

// record is the other process: it writes each call as a line of JSON.
func record() bool {
	spec, ok := os.LookupEnv("STORES_TEST_RECORD")
	if !ok {
		return false
	}
	var job task
	if err := json.Unmarshal([]byte(spec), &job); err != nil {
		panic(err)
	}
	t := new(processTB)
	defer t.end()
	s := openStore(t, job.Kind, job.Addr, job.Timeout)
	io.Copy(io.Discard, io.LimitReader(os.Stdin, 1)) // all begin together
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	var wg sync.WaitGroup
	for i := range clientsPerProcess {
		wg.Go(func() {
			client := job.Process*clientsPerProcess + i
			r := rand.New(rand.NewPCG(uint64(client), 7))
			for n := range job.Calls {
				oneTurn(r, s, client, n, fmt.Sprint(job.Keys, r.IntN(4)), func(c call) {
					mu.Lock()
					defer mu.Unlock()
					if err := out.Encode(c); err != nil {
						panic(err)
					}
				})
			}
		})
	}
	wg.Wait()
	return true
}

// oneTurn reads a key and swaps from what it has read. Until a read succeeds nothing else is tried: few calls stay open. A
// swap is told twice: as one without answer before it is made, for who is killed in it, and again with its answer.
func oneTurn(r *rand.Rand, s both, client, n int, key string, tell func(call)) {
	ctx := context.Background()
	read := call{Client: client, N: 2 * n, Key: key}
	for {
		read.Begin = time.Now().UnixNano()
		v, err := s.Load(ctx, key)
		read.End = time.Now().UnixNano()
		if err == nil {
			read.Held = string(v)
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	tell(read)
	swap := call{Client: client, N: 2*n + 1, Key: key, Swap: true, Old: read.Held, Failed: true}
	switch r.IntN(10) {
	case 0, 1: // delete
	case 2:
		swap.New = "again" // a value that comes back
	case 3:
		swap.Old, swap.New = "", fmt.Sprint(client, "/", n)
	default:
		swap.New = fmt.Sprint(client, "/", n)
	}
	asBytes := func(v string) []byte {
		if v == "" {
			return nil
		}
		return []byte(v)
	}
	swap.Begin = time.Now().UnixNano()
	tell(swap)
	ok, err := s.CompareAndSwap(ctx, key, asBytes(swap.Old), asBytes(swap.New), time.Now().Add(time.Hour))
	swap.End = time.Now().UnixNano()
	swap.OK, swap.Failed = ok, err != nil
	tell(swap)
}

// historyOf runs processes that all hammer four keys. During, if not nil, is called once a third of the calls is made; it may
// kill one of the processes.
func historyOf(t *testing.T, kind, addr string, calls int, during func([]*os.Process)) []call {
	t.Helper()
	const processes = 3
	var (
		mu      sync.Mutex
		history = map[[2]int]call{}
		lines   atomic.Int64
		wg      sync.WaitGroup
		third   = make(chan struct{})
	)
	timeout := patience
	if during != nil { // a call of a server that is killed may have no answer
		timeout = 10 * time.Second
	}
	keys := fmt.Sprintf("history/%d/", time.Now().UnixNano())
	var begin []io.WriteCloser
	var started []*os.Process
	for p := range processes {
		spec, _ := json.Marshal(task{Kind: kind, Addr: addr, Keys: keys, Process: p, Calls: calls, Timeout: timeout})
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "STORES_TEST_RECORD="+string(spec))
		stdin, _ := c.StdinPipe()
		stdout, _ := c.StdoutPipe()
		var stderr bytes.Buffer
		c.Stderr = &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		begin, started = append(begin, stdin), append(started, c.Process)
		wg.Go(func() {
			in := bufio.NewScanner(stdout)
			for in.Scan() {
				var one call
				if json.Unmarshal(in.Bytes(), &one) != nil {
					continue // the last words of a process that was killed
				}
				mu.Lock()
				history[[2]int{one.Client, one.N}] = one
				mu.Unlock()
				if lines.Add(1) == int64(3*calls*clientsPerProcess*processes/3) {
					close(third)
				}
			}
			if err := c.Wait(); err != nil && c.ProcessState.ExitCode() >= 0 { // else it was killed
				t.Errorf("process: %v\n%s", err, &stderr)
			}
		})
	}
	for _, w := range begin {
		w.Close()
	}
	if during != nil {
		<-third
		during(started)
	}
	wg.Wait()
	return slices.Collect(maps.Values(history))
}

func checkHistory(t *testing.T, history []call) {
	t.Helper()
	won, lost, failed := 0, 0, 0
	for _, c := range history {
		switch {
		case !c.Swap:
		case c.Failed:
			failed++
		case c.OK:
			won++
		default:
			lost++
		}
	}
	t.Logf("%d calls of %d clients: %d swaps done, %d refused, %d failed", len(history), 3*clientsPerProcess, won, lost, failed)
	if won == 0 || lost == 0 {
		t.Error("a history without winners or losers proves nothing")
	}
	if got := linearizable(history); got != porcupine.Ok {
		t.Errorf("the history is %s", strings.ToLower(string(got)))
	}
}

// processTB is the least of a testing.TB that openStore wants, in a process without tests.
type processTB struct {
	testing.TB
	cleanups []func()
}

func (*processTB) Helper()            {}
func (p *processTB) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }
func (*processTB) Fatal(args ...any)  { panic(fmt.Sprint(args...)) }
func (p *processTB) end() {
	for _, f := range p.cleanups {
		f()
	}
}
