package audit

import (
	"context"
	"errors"
	"io"
	"sync"
)

var errNowhere = errors.New("audit: nowhere to record to")

// Writer writes each event as one line, in one call of Write. It is a [Recorder], made by [To].
//
// Events are written one after another: a Write that hangs holds up those behind it. An event goes out even when its
// context has ended, since what it tells of has happened. Record returns the error of Write; after a line that was
// written only in part, the next one starts on a line of its own.
type Writer struct {
	mu   sync.Mutex
	w    io.Writer
	f    Format
	buf  []byte
	torn bool // the last line lacks its end
}

var _ Recorder = (*Writer)(nil)

// To returns a recorder that writes to w in format f. Without either, every Record is an error.
func To(w io.Writer, f Format) *Writer { return &Writer{w: w, f: f} }

// Record writes e.
func (w *Writer) Record(_ context.Context, e Event) error {
	if w.w == nil || w.f == nil {
		return errNowhere
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = w.buf[:0]
	if w.torn {
		w.buf = append(w.buf, '\n')
	}
	w.buf = w.f(w.buf, e)
	n, err := w.w.Write(w.buf)
	if n > 0 {
		w.torn = n < len(w.buf)
	}
	if err == nil && n < len(w.buf) {
		err = io.ErrShortWrite
	}
	return err
}

// Discard drops every event. It is for tests and for programs that need no audit.
var Discard Recorder = discard{}

type discard struct{}

func (discard) Record(context.Context, Event) error { return nil }
