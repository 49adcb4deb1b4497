package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

// writes keeps each call of Write apart. It fails the race detector when calls overlap.
type writes struct{ calls []string }

func (w *writes) Write(p []byte) (int, error) {
	w.calls = append(w.calls, string(p))
	return len(p), nil
}

func TestParallelEventsAreWrittenOneLineACall(t *testing.T) { // I-21
	for _, f := range formats {
		var w writes
		rec := audit.To(&w, f.format)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for _, n := range audit.Names() {
					if err := rec.Record(t.Context(), full(n)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if got, want := len(w.calls), 8*len(audit.Names()); got != want {
			t.Errorf("%s: %d calls of Write, want %d", f.name, got, want)
		}
		for _, line := range w.calls {
			oneLine(t, []byte(line))
		}
	}
}

// writerFunc answers as it is told.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestAFailedWriteIsReportedAndTheNextEventStillHasALineOfItsOwn(t *testing.T) {
	full := errors.New("disk full")
	var out bytes.Buffer
	var answer func(p []byte) (int, error)
	rec := audit.To(writerFunc(func(p []byte) (int, error) { return answer(p) }), audit.Datadog)

	for _, c := range []struct {
		what    string
		written int
		err     error
		want    error
	}{
		{"nothing written", 0, full, full},
		{"half a line written", 20, full, full},
		{"nothing written after half a line", 0, full, full},
		{"a short write without an error", 30, nil, io.ErrShortWrite},
	} {
		answer = func(p []byte) (int, error) { out.Write(p[:c.written]); return c.written, c.err }
		if err := rec.Record(t.Context(), audit.Event{Name: audit.Logout}); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.what, err, c.want)
		}
	}
	answer = out.Write
	for range 2 {
		if err := rec.Record(t.Context(), audit.Event{Name: audit.Logout}); err != nil {
			t.Error(err)
		}
	}
	lines := strings.Split(out.String(), "\n")
	whole := strings.TrimSuffix(string(audit.Datadog(nil, audit.Event{Name: audit.Logout})), "\n")
	if len(lines) != 5 || lines[2] != whole || lines[3] != whole || lines[4] != "" {
		t.Errorf("%q", lines)
	}
}

// obedient does nothing for a context that has ended.
type obedient struct{ slog.Handler }

func (h obedient) Handle(ctx context.Context, r slog.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return h.Handler.Handle(ctx, r)
}

func TestAnEventIsWrittenAfterItsContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var w writes
	sink := slog.New(obedient{slog.NewTextHandler(&w, nil)})
	for _, rec := range []audit.Recorder{audit.To(&w, audit.JSON), audit.Slog(sink), audit.Fanout(audit.To(&w, audit.ECS))} {
		if err := rec.Record(ctx, full(audit.Logout)); err != nil {
			t.Error(err)
		}
	}
	if len(w.calls) != 3 {
		t.Errorf("%d lines", len(w.calls))
	}
}

func TestARecorderWithoutADestinationFails(t *testing.T) { // I-19: the zero value is the strict one
	for what, rec := range map[string]audit.Recorder{
		"zero Writer": new(audit.Writer), "no writer": audit.To(nil, audit.JSON), "no format": audit.To(io.Discard, nil),
		"no logger": audit.Slog(nil), "no recorders": audit.Fanout(), "a nil recorder": audit.Fanout(nil),
	} {
		if err := rec.Record(t.Context(), full(audit.Logout)); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if err := audit.Discard.Record(t.Context(), full(audit.Logout)); err != nil {
		t.Error(err)
	}
}

func TestFanoutReachesEveryoneAndJoinsTheErrors(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	var last audit.Memory
	list := []audit.Recorder{
		audit.RecorderFunc(func(context.Context, audit.Event) error { return first }),
		audit.RecorderFunc(func(context.Context, audit.Event) error { panic("hunter2") }),
		audit.RecorderFunc(func(context.Context, audit.Event) error { return second }),
		&last,
	}
	rec := audit.Fanout(list...)
	list[3] = audit.Discard // the fan-out has a list of its own
	err := rec.Record(t.Context(), full(audit.Logout))
	if !errors.Is(err, first) || !errors.Is(err, second) || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("error %v", err)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error quotes what the recorder panicked with: %v", err)
	}
	if got := last.Names(); len(got) != 1 || got[0] != audit.Logout {
		t.Errorf("the last recorder has %q", got)
	}
	if err := audit.Fanout(&last, audit.Discard).Record(t.Context(), full(audit.Logout)); err != nil {
		t.Error(err)
	}
}

func TestMemoryKeepsTheLatestEventsInOrder(t *testing.T) {
	m := audit.Memory{Max: 3}
	for i := range 7 {
		if err := m.Record(t.Context(), audit.Event{Name: audit.Logout, Status: i}); err != nil {
			t.Fatal(err)
		}
	}
	events := m.Events()
	if len(events) != 3 || events[0].Status != 4 || events[1].Status != 5 || events[2].Status != 6 || m.Dropped() != 4 {
		t.Errorf("%+v, dropped %d", events, m.Dropped())
	}
	events[0].Status = 99
	if m.Events()[0].Status != 4 {
		t.Error("Events does not return a copy")
	}
	m.Reset()
	if len(m.Events()) != 0 || m.Dropped() != 0 {
		t.Error("Reset leaves something")
	}
	var zero audit.Memory
	for range 2000 {
		_ = zero.Record(t.Context(), full(audit.Logout))
	}
	if len(zero.Events()) != 1024 {
		t.Errorf("a zero Memory keeps %d events", len(zero.Events()))
	}
}

func TestMemoryUnderRace(t *testing.T) {
	m := audit.Memory{Max: 10}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			_ = m.Record(t.Context(), full(audit.Logout))
			m.Events()
		})
	}
	wg.Wait()
	if got := len(m.Events()) + m.Dropped(); got != 50 {
		t.Errorf("%d events kept or dropped, want 50", got)
	}
}

func TestSlogHasTheKeysAndValuesOfJSON(t *testing.T) {
	for _, e := range []audit.Event{full(audit.Logout), bare(audit.UnknownUser)} {
		var out bytes.Buffer
		if err := audit.Slog(slog.New(slog.NewJSONHandler(&out, nil))).Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		var got, want map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(audit.JSON(nil, e), &want); err != nil {
			t.Fatal(err)
		}
		level := "WARN"
		if e.Outcome == audit.Success {
			level = "INFO"
		}
		if got["level"] != level || got["msg"] != want["event"] {
			t.Errorf("level %v, message %v", got["level"], got["msg"])
		}
		at, err := time.Parse(time.RFC3339Nano, got["time"].(string))
		if err != nil || !at.Equal(e.Time) {
			t.Errorf("time %v", got["time"])
		}
		for _, k := range []string{"level", "msg", "time"} {
			delete(got, k)
		}
		delete(want, "event")
		delete(want, "time")
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		if string(g) != string(w) {
			t.Errorf("\ngot  %s\nwant %s", g, w)
		}
	}
}

// rawHandler writes values as they are, as some console handlers do.
type rawHandler struct {
	slog.Handler
	out *bytes.Buffer
}

func (h rawHandler) Handle(_ context.Context, r slog.Record) error {
	h.out.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool { h.out.WriteString(" " + a.String()); return true })
	h.out.WriteByte('\n')
	return nil
}

func TestSlogKeepsOneLineEvenWithAHandlerThatEscapesNothing(t *testing.T) { // I-21
	for _, h := range hostile {
		var out bytes.Buffer
		rec := audit.Slog(slog.New(rawHandler{slog.NewTextHandler(io.Discard, nil), &out}))
		if err := rec.Record(t.Context(), everywhere(audit.Name(h.value), h.value)); err != nil {
			t.Fatal(err)
		}
		oneLine(t, out.Bytes())
		want := strings.NewReplacer(`\u0022`, `"`, `\u005c`, `\`).Replace(h.want)
		if !strings.Contains(out.String(), "user="+want) {
			t.Errorf("%s: %q lacks %q", h.what, out.String(), want)
		}
	}
}

func TestSlogDoesNotHideAnEventBelowTheLevel(t *testing.T) {
	var out bytes.Buffer
	rec := audit.Slog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError})))
	if err := rec.Record(t.Context(), full(audit.Logout)); err == nil || out.Len() != 0 {
		t.Errorf("error %v, output %q", err, out.String())
	}
	if err := rec.Record(t.Context(), bare(audit.StoreFailed)); err != nil || !strings.Contains(out.String(), "level=ERROR") {
		t.Errorf("error %v, output %q", err, out.String())
	}
}
