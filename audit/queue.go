package audit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// ErrQueueFull is an event that a [Queue] has not taken: it was full for as long as it may hold a caller.
var ErrQueueFull = errors.New("audit: the queue is full")

// ErrQueueClosed is an event that came after [Queue.Close].
var ErrQueueClosed = errors.New("audit: the queue is closed")

// QueueOptions say how a [Queue] behaves. The zero value is the strict one.
type QueueOptions struct {
	// Size is how many events may wait; zero means 1024, which is about 350 KB.
	Size int
	// Wait is how long a full queue holds Record. Zero means 900 ms: challenge gives a recorder one second, and the queue's
	// own answer should come first. Once a wait was in vain, nobody waits again before the sink has taken an event.
	Wait time.Duration
	// DropWhenFull lets Record return nil for an event that a full queue could not take. The default is ErrQueueFull, with
	// which challenge's AuditRequired refuses the request. Such an event is counted in either case.
	DropWhenFull bool
	// Retry is how long one event is tried anew when next fails, before it is given up and counted; zero means 1 minute.
	Retry time.Duration
}

// Queue takes events at once and hands them to another recorder from a goroutine of its own, one after another, in the
// order in which it took them. It is made by [NewQueue].
//
// No event is lost in silence. One that could not be taken or written is counted ([Queue.Dropped]), and as soon as the sink
// works again an event says how many ("audit events dropped"). What is in the queue when the process is killed is gone: call
// [Queue.Close] before the program ends. With AuditRequired a request is refused when its event could not be queued; whoever
// wants it refused when its event is not written uses no queue.
//
// The next recorder may fail, hang or panic; an event that it did not take is tried again. Give each sink of a [Fanout] its
// own queue: around the fan-out, an event would be written twice to the sinks that took it. The next recorder does not see the
// caller's context.
type Queue struct {
	next    Recorder
	wait    time.Duration
	retry   time.Duration
	drop    bool
	events  chan Event
	stuck   atomic.Bool   // a wait was in vain, and the sink has taken nothing since
	dropped atomic.Uint64 // since the start
	untold  atomic.Uint64 // of these, what no event has told yet

	mu      sync.RWMutex // held by whoever puts an event in; Close takes it to know that nobody does
	closing chan struct{}
	drain   chan struct{} // nobody puts anything in any more
	abandon chan struct{} // the time for flushing is over
	done    chan struct{} // the goroutine has ended
	ends    [3]sync.Once
}

var _ Recorder = (*Queue)(nil)

// NewQueue starts a queue in front of next.
func NewQueue(next Recorder, o QueueOptions) (*Queue, error) {
	if next == nil {
		return nil, errNowhere
	}
	switch {
	case o.Size < 0 || o.Size > 1<<20:
		return nil, fmt.Errorf("audit: QueueOptions.Size is %d: give 1 to %d events, or 0 for 1024", o.Size, 1<<20)
	case o.Wait < 0:
		return nil, errors.New("audit: QueueOptions.Wait is negative: give a positive duration, or 0 for 900ms")
	case o.Retry < 0:
		return nil, errors.New("audit: QueueOptions.Retry is negative: give a positive duration, or 0 for 1m")
	}
	if o.Size == 0 {
		o.Size = 1024
	}
	if o.Wait == 0 {
		o.Wait = 900 * time.Millisecond
	}
	if o.Retry == 0 {
		o.Retry = time.Minute
	}
	q := &Queue{next: next, wait: o.Wait, retry: o.Retry, drop: o.DropWhenFull, events: make(chan Event, o.Size),
		closing: make(chan struct{}), drain: make(chan struct{}), abandon: make(chan struct{}), done: make(chan struct{})}
	go q.run()
	return q, nil
}

// Record takes e, or says why not. It does not look at ctx: what e tells of has happened.
func (q *Queue) Record(_ context.Context, e Event) error {
	if q.events == nil {
		return errNowhere
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	select {
	case <-q.closing:
		q.lose(1)
		return ErrQueueClosed
	default:
	}
	select {
	case q.events <- e:
		return nil
	default:
	}
	if !q.stuck.Load() {
		t := time.NewTimer(q.wait)
		defer t.Stop()
		select {
		case q.events <- e: // who waits longest goes first
			return nil
		case <-t.C:
			q.stuck.Store(true)
		case <-q.closing:
			q.lose(1)
			return ErrQueueClosed
		}
	}
	q.lose(1)
	if q.drop {
		return nil
	}
	return ErrQueueFull
}

func (q *Queue) lose(n uint64) {
	q.dropped.Add(n)
	q.untold.Add(n)
}

// Dropped is how many events were not taken or not written since the start. Watch it.
func (q *Queue) Dropped() uint64 { return q.dropped.Load() }

// Waiting is how many events are in the queue.
func (q *Queue) Waiting() int { return len(q.events) }

// Close takes no further event, writes those that wait, and ends the goroutine. When ctx ends first, it stops trying and
// says how many were not written. It may be called again.
func (q *Queue) Close(ctx context.Context) error {
	if q.events == nil {
		return nil
	}
	q.ends[0].Do(func() { close(q.closing) }) // whoever waits for room stops
	q.mu.Lock()
	q.ends[1].Do(func() { close(q.drain) })
	q.mu.Unlock()
	inHand := uint64(0)
	select {
	case <-q.done:
	case <-ctx.Done():
		q.ends[2].Do(func() { close(q.abandon) })
		t := time.NewTimer(50 * time.Millisecond) // enough for a sink that answers
		defer t.Stop()
		select {
		case <-q.done:
		case <-t.C: // it hangs, and whether it will have written the event nobody knows
			inHand = 1
		}
	}
	if n := q.untold.Load() + uint64(len(q.events)) + inHand; n > 0 {
		return fmt.Errorf("audit: the queue is closed, and %d events were not written", n)
	}
	return nil
}

// run is the queue's goroutine.
func (q *Queue) run() {
	defer close(q.done)
	for {
		select {
		case e := <-q.events:
			q.write(e)
			continue
		case <-q.drain:
		}
		select { // drained only once it is empty
		case e := <-q.events:
			q.write(e) // or counts it as lost, when the time for that is over
		default:
			if !q.abandoned() {
				q.tell()
			}
			return
		}
	}
}

func (q *Queue) abandoned() bool {
	select {
	case <-q.abandon:
		return true
	default:
		return false
	}
}

// write hands one event on, again and again until it is taken or given up.
func (q *Queue) write(e Event) {
	const first, longest = 10 * time.Millisecond, time.Second
	began, pause := time.Now(), first
	for !q.abandoned() {
		err := recordSafely(context.Background(), q.next, e)
		if err == nil {
			q.stuck.Store(false)
			q.tell()
			return
		}
		if errors.Is(err, errLevel) || errors.Is(err, errNowhere) || time.Since(began)+pause > q.retry { // the first two never pass
			break
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-q.abandon:
		}
		t.Stop()
		pause = min(2*pause, longest)
	}
	q.lose(1)
}

// tell says how many events were lost. When that fails, the next event that is taken brings it along.
func (q *Queue) tell() {
	n := q.untold.Swap(0)
	if n == 0 {
		return
	}
	if recordSafely(context.Background(), q.next, Event{Time: time.Now(), Name: EventsDropped, Reason: strconv.FormatUint(n, 10) + " events"}) != nil {
		q.untold.Add(n)
	}
}
