package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// sink keeps the events that it takes, in order, and does as it is told before.
type sink struct {
	mu    sync.Mutex
	do    func() error // nil: takes everything
	taken []audit.Event
}

func (s *sink) Record(_ context.Context, e audit.Event) error {
	s.mu.Lock()
	do := s.do
	s.mu.Unlock()
	if do != nil {
		if err := do(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, e)
	return nil
}

func (s *sink) set(do func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.do = do
}

// statuses are the events by their Status, which the tests number them with; "dropped 3" stands for the queue's own.
func (s *sink) statuses() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, e := range s.taken {
		if e.Name == audit.EventsDropped {
			out = append(out, "dropped "+e.Reason)
		} else {
			out = append(out, fmt.Sprint(e.Status))
		}
	}
	return strings.Join(out, ",")
}

func numbered(i int) audit.Event { return audit.Event{Name: audit.Logout, Status: i} }

func newQueue(t *testing.T, next audit.Recorder, o audit.QueueOptions) *audit.Queue {
	t.Helper()
	q, err := audit.NewQueue(next, o)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func closeWithin(t *testing.T, q *audit.Queue, d time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return q.Close(ctx)
}

func TestAQueueWritesInOrderOneLineACallAndCloseFlushes_I21(t *testing.T) {
	var w writes
	q := newQueue(t, audit.To(&w, audit.JSON), audit.QueueOptions{})
	for i := range 500 {
		if err := q.Record(t.Context(), numbered(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := closeWithin(t, q, time.Minute); err != nil {
		t.Fatal(err)
	}
	if len(w.calls) != 500 {
		t.Fatalf("%d calls of Write", len(w.calls))
	}
	for i, line := range w.calls {
		if want := string(audit.JSON(nil, numbered(i+1))); line != want {
			t.Fatalf("line %d: %s", i, line)
		}
	}
}

func TestAQueueTakesEventsWhileItsSinkIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{do: func() error { time.Sleep(10 * time.Second); return nil }}
		q := newQueue(t, s, audit.QueueOptions{})
		began := time.Now()
		for i := range 100 {
			if err := q.Record(t.Context(), numbered(i)); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("a hundred events held their callers for %v", took)
		}
		if err := closeWithin(t, q, time.Hour); err != nil || len(s.taken) != 100 {
			t.Errorf("%v, %d events", err, len(s.taken))
		}
	})
}

func TestAFullQueueHoldsACallerForAMomentAndThenDeniesOrDrops_I21(t *testing.T) {
	for _, drop := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			s := &sink{do: func() error { <-release; return nil }}
			q := newQueue(t, s, audit.QueueOptions{Size: 3, DropWhenFull: drop})
			_ = q.Record(t.Context(), numbered(0)) // in the sink's hands
			synctest.Wait()
			for i := range 3 {
				if err := q.Record(t.Context(), numbered(i+1)); err != nil {
					t.Fatal(err)
				}
			}
			check := func(i int, hold time.Duration) {
				t.Helper()
				began := time.Now()
				err := q.Record(t.Context(), numbered(i))
				if drop && err != nil || !drop && !errors.Is(err, audit.ErrQueueFull) {
					t.Errorf("I-21: drop %v: %v", drop, err)
				}
				if took := time.Since(began); took != hold {
					t.Errorf("I-21: held for %v, want %v", took, hold)
				}
			}
			check(4, 900*time.Millisecond)
			check(5, 0) // the sink has taken nothing since
			check(6, 0)
			if q.Dropped() != 3 || q.Waiting() != 3 {
				t.Errorf("%d dropped, %d waiting", q.Dropped(), q.Waiting())
			}
			close(release)
			synctest.Wait()
			if got := s.statuses(); got != "0,dropped 3 events,1,2,3" {
				t.Errorf("I-21: %s", got)
			}
			if err := q.Record(t.Context(), numbered(7)); err != nil {
				t.Error(err)
			}
			if err := closeWithin(t, q, time.Second); err != nil {
				t.Error(err)
			}
			if got := s.statuses(); got != "0,dropped 3 events,1,2,3,7" {
				t.Errorf("I-21: %s", got)
			}
		})
	}
}

func TestWhoeverWaitsForAFullQueueIsServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := &sink{do: func() error { <-release; return nil }}
		q := newQueue(t, s, audit.QueueOptions{Size: 1})
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				if err := q.Record(t.Context(), numbered(i)); err != nil {
					t.Errorf("%d: %v", i, err)
				}
			})
			synctest.Wait() // they come one after another
		}
		time.Sleep(500 * time.Millisecond)
		close(release)
		wg.Wait()
		if err := closeWithin(t, q, time.Second); err != nil || s.statuses() != "0,1,2,3,4,5" {
			t.Errorf("%v, %s", err, s.statuses())
		}
	})
}

func TestAQueueOutlastsASinkThatFailsAndOneThatPanics_I21(t *testing.T) {
	for name, broken := range map[string]func() error{
		"fails":  func() error { return errors.New("disk full") },
		"panics": func() error { panic("sink") },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &sink{do: broken}
			q := newQueue(t, s, audit.QueueOptions{})
			for i := range 10 {
				if err := q.Record(t.Context(), numbered(i)); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(20 * time.Second)
			s.set(nil)
			if err := closeWithin(t, q, time.Minute); err != nil || s.statuses() != "0,1,2,3,4,5,6,7,8,9" || q.Dropped() != 0 {
				t.Errorf("I-21: a sink that %s for a while: %v, %s", name, err, s.statuses())
			}
		})
	}
}

func TestAnEventThatNoSinkTakesIsGivenUpAndCounted_I21(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sink
		picky := audit.RecorderFunc(func(ctx context.Context, e audit.Event) error {
			if e.Status == 13 {
				panic("bad luck")
			}
			return s.Record(ctx, e)
		})
		q := newQueue(t, picky, audit.QueueOptions{Retry: 5 * time.Second})
		for _, i := range []int{1, 13, 2} {
			_ = q.Record(t.Context(), numbered(i))
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := s.statuses(); got != "1,2,dropped 1 events" || q.Dropped() != 1 {
			t.Errorf("I-21: %s, %d dropped", got, q.Dropped())
		}
		_ = closeWithin(t, q, time.Second)
	})
	synctest.Test(t, func(t *testing.T) { // what never passes is not tried for a minute
		var out bytes.Buffer
		q := newQueue(t, audit.Slog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError}))), audit.QueueOptions{})
		_ = q.Record(t.Context(), full(audit.Logout))
		synctest.Wait()
		if q.Dropped() != 1 {
			t.Errorf("I-21: %d dropped", q.Dropped())
		}
		if err := closeWithin(t, q, time.Second); err == nil {
			t.Error("nobody says that an event was lost")
		}
	})
}

func TestCloseEndsAtItsDeadlineAndSaysWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{do: func() error { return errors.New("disk full") }}
		q := newQueue(t, s, audit.QueueOptions{})
		for i := range 10 {
			_ = q.Record(t.Context(), numbered(i))
		}
		began := time.Now()
		err := closeWithin(t, q, 3*time.Second)
		if err == nil || !strings.Contains(err.Error(), "10 events") || time.Since(began) > 4*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		synctest.Wait()
		if q.Dropped() != 10 {
			t.Errorf("I-21: %d dropped", q.Dropped())
		}
		if err := q.Record(t.Context(), numbered(1)); !errors.Is(err, audit.ErrQueueClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) { // a sink that hangs holds Close no longer than one that fails
		release := make(chan struct{})
		s := &sink{do: func() error { <-release; return nil }}
		q := newQueue(t, s, audit.QueueOptions{Size: 4})
		for i := range 5 {
			_ = q.Record(t.Context(), numbered(i))
			synctest.Wait()
		}
		waiter := make(chan error)
		go func() { waiter <- q.Record(t.Context(), numbered(6)) }()
		synctest.Wait()
		began := time.Now()
		err := closeWithin(t, q, 3*time.Second)
		if err == nil || !strings.Contains(err.Error(), "6 events") || time.Since(began) > 4*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if err := <-waiter; !errors.Is(err, audit.ErrQueueClosed) {
			t.Errorf("whoever waited for room: %v", err)
		}
		close(release)
		synctest.Wait()
		if q.Dropped() != 5 { // all but the one in hand, which the sink took after all
			t.Errorf("I-21: %d dropped", q.Dropped())
		}
	})
}

func TestNothingIsLostBetweenManyCallersAndClose_I21(t *testing.T) {
	var s sink
	q := newQueue(t, &s, audit.QueueOptions{Size: 8})
	var wg sync.WaitGroup
	var mu sync.Mutex
	accepted := 0
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				if q.Record(t.Context(), numbered(i)) == nil {
					mu.Lock()
					accepted++
					mu.Unlock()
				}
			}
		})
	}
	if err := closeWithin(t, q, time.Minute); err != nil {
		t.Log(err) // some came too late
	}
	wg.Wait()
	if len(s.taken) < accepted || len(s.taken) > accepted+1 || q.Dropped() != uint64(8*200-accepted) { // one may tell of the late ones
		t.Errorf("I-21: %d taken, %d written, %d dropped", accepted, len(s.taken), q.Dropped())
	}
	if err := closeWithin(t, q, time.Second); err != nil && q.Dropped() == 0 {
		t.Error("a second Close:", err)
	}
}

func TestAQueueRefusesWhatMakesNoSense_I19(t *testing.T) {
	for what, o := range map[string]audit.QueueOptions{
		"negative size": {Size: -1}, "endless size": {Size: 1 << 30}, "negative wait": {Wait: -1}, "negative retry": {Retry: -1},
	} {
		if q, err := audit.NewQueue(audit.Discard, o); err == nil || q != nil {
			t.Errorf("%s: accepted", what)
		}
	}
	if _, err := audit.NewQueue(nil, audit.QueueOptions{}); err == nil {
		t.Error("no recorder: accepted")
	}
	var zero audit.Queue
	if err := zero.Record(t.Context(), full(audit.Logout)); err == nil {
		t.Error("the zero Queue takes events")
	}
	if err := zero.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAQueuedEventCostsNoAllocation(t *testing.T) {
	q := newQueue(t, audit.To(io.Discard, audit.Datadog), audit.QueueOptions{})
	e := full(audit.LoginWithMFA)
	if n := testing.AllocsPerRun(500, func() { _ = q.Record(t.Context(), e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	_ = closeWithin(t, q, time.Second)
}
