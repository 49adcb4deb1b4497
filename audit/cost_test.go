package audit_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

func TestAnEventCostsNoAllocation(t *testing.T) {
	for _, f := range formats {
		rec := audit.To(io.Discard, f.format)
		for what, e := range map[string]audit.Event{
			"tame": full(audit.LoginRefused), "hostile": everywhere(audit.LoginRefused, "x\"\n\u2028\xff 🦊"),
		} {
			_ = rec.Record(t.Context(), e) // grows the buffer
			if n := testing.AllocsPerRun(100, func() { _ = rec.Record(t.Context(), e) }); n != 0 {
				t.Errorf("%s, %s: %v allocations", f.name, what, n)
			}
		}
	}
}

// BenchmarkEvent writes one event with the attributes of the module's lines, beside slog's JSON handler with the same.
func BenchmarkEvent(b *testing.B) {
	e := full(audit.LoginWithMFA)
	e.Reason, e.Actor, e.HTTPMethod, e.Path, e.Status = "", "", "", "", 0
	for _, f := range formats {
		b.Run(f.name, func(b *testing.B) {
			rec := audit.To(io.Discard, f.format)
			b.ReportAllocs()
			for b.Loop() {
				_ = rec.Record(b.Context(), e)
			}
		})
	}
	for _, queued := range []bool{false, true} { // to a file, as in production: what the caller pays
		name := "file"
		if queued {
			name = "file, queued"
		}
		b.Run(name, func(b *testing.B) {
			file, err := audit.OpenFile(filepath.Join(b.TempDir(), "audit.log"))
			if err != nil {
				b.Fatal(err)
			}
			defer file.Close()
			rec := audit.To(file, audit.Datadog)
			b.ReportAllocs()
			if !queued {
				for b.Loop() {
					_ = rec.Record(b.Context(), e)
				}
				return
			}
			const burst = 1 << 10
			q, err := audit.NewQueue(rec, audit.QueueOptions{Size: burst})
			if err != nil {
				b.Fatal(err)
			}
			defer q.Close(context.Background())
			for i := 0; i < b.N; i++ {
				if i%burst == 0 {
					b.StopTimer()
					for q.Waiting() > 0 {
						time.Sleep(time.Millisecond)
					}
					b.StartTimer()
				}
				_ = q.Record(b.Context(), e)
			}
		})
	}
	b.Run("slog", func(b *testing.B) {
		h := slog.NewJSONHandler(io.Discard, nil)
		b.ReportAllocs()
		for b.Loop() {
			r := slog.NewRecord(e.Time, slog.LevelInfo, string(e.Name), 0)
			r.AddAttrs(
				slog.String("outcome", e.Outcome.String()), slog.String("user", e.User), slog.String("user_id", e.UserID),
				slog.String("client", e.Client.String()), slog.String("user_agent", e.UserAgent),
				slog.String("request_id", e.RequestID), slog.String("method", e.Method),
			)
			_ = h.Handle(b.Context(), r)
		}
	})
}
