package audit

import (
	"context"
	"sync"
)

// Memory keeps the latest events, for tests: yours may check that a refusal left the right trace. Its zero value is ready
// to use. It is safe for concurrent use.
type Memory struct {
	// Max is how many events are kept; older ones are dropped and counted. Zero means 1024.
	Max int

	mu      sync.Mutex
	ring    []Event
	oldest  int
	dropped int
}

var _ Recorder = (*Memory)(nil)

// Record keeps e. It never fails.
func (m *Memory) Record(_ context.Context, e Event) error {
	limit := m.Max
	if limit <= 0 {
		limit = 1024
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.ring) < limit {
		m.ring = append(m.ring, e)
		return nil
	}
	m.ring[m.oldest] = e
	m.oldest = (m.oldest + 1) % len(m.ring)
	m.dropped++
	return nil
}

// Events returns a copy of the events that are kept, oldest first.
func (m *Memory) Events() []Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	events := make([]Event, 0, len(m.ring))
	return append(append(events, m.ring[m.oldest:]...), m.ring[:m.oldest]...)
}

// Names returns the names of the events that are kept, oldest first.
func (m *Memory) Names() []Name {
	events := m.Events()
	names := make([]Name, len(events))
	for i, e := range events {
		names[i] = e.Name
	}
	return names
}

// Dropped returns how many events had to make room for newer ones.
func (m *Memory) Dropped() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dropped
}

// Reset forgets all events and the count of dropped ones.
func (m *Memory) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ring, m.oldest, m.dropped = nil, 0, 0
}
