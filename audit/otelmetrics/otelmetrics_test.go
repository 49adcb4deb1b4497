package otelmetrics_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/audit/otelmetrics"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/stores"
)

var _ challenge.Observer = (*otelmetrics.Telemetry)(nil)

// collected are the sums and counts by metric and attributes.
func collected(t *testing.T, reader sdkmetric.Reader) map[string]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					out[m.Name+" "+p.Attributes.Encoded(encoder{})] = float64(p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					out[m.Name+" "+p.Attributes.Encoded(encoder{})] = float64(p.Count)
				}
			default:
				t.Errorf("%s is a %T", m.Name, d)
			}
		}
	}
	return out
}

func TestALoginIsInTheTraceOfItsRequestWithoutANameInIt(t *testing.T) {
	reader, spans := sdkmetric.NewManualReader(), tracetest.NewInMemoryExporter()
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	telemetry, err := otelmetrics.New(otelmetrics.Options{Meters: meters, Tracers: tracers})
	if err != nil {
		t.Fatal(err)
	}
	kit := challengetest.New(challengetest.NewClock())
	kit.Users.Add(challenge.Account{ID: "id-of-carol", Name: "carol", Email: "carol@example.com"}, "good-password")
	c := kit.Config(&stores.Memory{Clock: kit.Clock.Now})
	c.Audit, c.Observer = audit.Fanout(c.Audit, telemetry), telemetry
	logins, err := challenge.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := telemetry.Count(otelmetrics.Counts{LostEvents: logins.LostEvents}); err != nil {
		t.Fatal(err)
	}
	client := challenge.Client{Addr: netip.MustParseAddr("192.0.2.77"), UserAgent: "agent-x"}
	ctx, request := tracers.Tracer("app").Start(context.Background(), "POST /login")
	password := func(p string) (challenge.Outcome, error) {
		return logins.Password(ctx, client, &challenge.Session{}, challenge.PasswordInput{Slot: challenge.Cookie, Name: "carol", Password: []byte(p)})
	}
	if _, err := password("wrong"); !errors.Is(err, challenge.ErrRefused) {
		t.Fatal(err)
	}
	out, err := password("good-password")
	if err != nil {
		t.Fatal(err)
	}
	code := kit.Outbox.Code("carol@example.com")
	if _, err := logins.Verify(ctx, client, out.Session, challenge.CodeInput{Code: code}); err != nil {
		t.Fatal(err)
	}
	request.End()
	before := len(spans.GetSpans())
	if _, err := logins.Open(context.Background(), challenge.Cookie, out.Token); err != nil { // not traced
		t.Fatal(err)
	}
	if len(spans.GetSpans()) != before {
		t.Error("an operation outside of any trace begins one")
	}

	var events []string
	kinds := map[string]int{}
	for _, s := range spans.GetSpans() {
		kinds[s.Name]++
		text := s.Name + s.Status.Description
		for _, a := range s.Attributes {
			text += " " + a.Value.String()
		}
		for _, e := range s.Events {
			if s.Name == "POST /login" {
				events = append(events, e.Name)
			}
			text += " " + e.Name
			for _, a := range e.Attributes {
				text += " " + string(a.Key) + "=" + a.Value.String()
			}
		}
		for _, hidden := range []string{"carol", "192.0.2.77", "agent-x", code, out.Token, "good-password"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%q is in the trace: %s", hidden, text)
			}
		}
		if s.Name != "POST /login" && s.SpanContext.TraceID() != request.SpanContext().TraceID() {
			t.Errorf("%s is in a trace of its own", s.Name)
		}
	}
	if got := strings.Join(events, ", "); got != "invalid password, password validated, MFA code created, MFA validated, user login with MFA" {
		t.Errorf("the trace tells: %s", got)
	}
	for _, op := range []string{"load", "swap", "users", "hash-wait", "hash", "send"} {
		if kinds["sallyport "+op] == 0 {
			t.Errorf("no span of %s: %v", op, kinds)
		}
	}
	got := collected(t, reader)
	for series, want := range map[string]float64{
		"sallyport.events event=user login with MFA,outcome=success": 1,
		"sallyport.events event=invalid password,outcome=failure":    1,
		"sallyport.methods event=MFA code created,method=email":      1,
		"sallyport.methods event=user login with MFA,method=email":   1,
		"sallyport.operation operation=hash":                         2,
		"sallyport.operation operation=send":                         1,
		"sallyport.operations.in_progress operation=hash":            0,
		"sallyport.lost_events ":                                     0,
	} {
		if v, ok := got[series]; !ok || v != want {
			t.Errorf("%s is %v (%v), want %v", series, v, ok, want)
		}
	}
}

func TestAnErrorIsCountedAndItsTextKeptOut_I21(t *testing.T) {
	reader, spans := sdkmetric.NewManualReader(), tracetest.NewInMemoryExporter()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	telemetry, err := otelmetrics.New(otelmetrics.Options{Meters: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), Tracers: tracers})
	if err != nil {
		t.Fatal(err)
	}
	ctx, request := tracers.Tracer("app").Start(context.Background(), "request")
	_, end := telemetry.Begin(ctx, "load")
	end(errors.New("dial redis://user:hidden@10.0.0.1"))
	_, end = telemetry.Begin(ctx, "an operation of tomorrow")
	end(context.DeadlineExceeded)
	_ = telemetry.Record(ctx, audit.Event{Name: "welcome alice", Reason: "alice@example.com", Method: "m-1"})
	request.End()
	for _, s := range spans.GetSpans() {
		if s.Name == "request" {
			for _, e := range s.Events {
				if e.Name != "other" {
					t.Errorf("%q became the name of an event", e.Name)
				}
			}
			continue
		}
		if s.Status.Code != codes.Error || s.Status.Description != "failed" && s.Status.Description != "timeout" {
			t.Errorf("%s: %+v", s.Name, s.Status)
		}
	}
	got := collected(t, reader)
	for series, want := range map[string]float64{
		"sallyport.operation.errors error=failed,operation=load":   1,
		"sallyport.operation.errors error=timeout,operation=other": 1,
		"sallyport.refusals event=other,reason=other":              1,
		"sallyport.methods event=other,method=other":               1,
	} {
		if got[series] != want {
			t.Errorf("%s is %v, want %v; all: %v", series, got[series], want, got)
		}
	}
}

func TestWhatSuccessesSayTakesNoRoomFromRefusals(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	telemetry, err := otelmetrics.New(otelmetrics.Options{Meters: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
	if err != nil {
		t.Fatal(err)
	}
	for a := range 10 {
		for b := range 10 {
			_ = telemetry.Record(t.Context(), audit.Event{Name: audit.Logout, Outcome: audit.Success, Reason: string(rune('a'+a)) + string(rune('a'+b))})
		}
	}
	_ = telemetry.Record(t.Context(), audit.Event{Name: audit.LoginRefused, Outcome: audit.Failure, Reason: "account disabled"})
	if got := collected(t, reader); got["sallyport.refusals event="+string(audit.LoginRefused)+",reason=account disabled"] != 1 {
		t.Errorf("%v", got)
	}
}

func TestMetricsOrTracesAlone(t *testing.T) {
	if _, err := otelmetrics.New(otelmetrics.Options{}); err == nil {
		t.Error("nowhere to go is accepted")
	}
	for name, o := range map[string]otelmetrics.Options{
		"metrics": {Meters: sdkmetric.NewMeterProvider()}, "traces": {Tracers: sdktrace.NewTracerProvider()},
	} {
		telemetry, err := otelmetrics.New(o)
		if err != nil {
			t.Fatal(name, err)
		}
		ctx, span := sdktrace.NewTracerProvider().Tracer("app").Start(context.Background(), "request")
		_, end := telemetry.Begin(ctx, "swap")
		end(errors.New("no"))
		if err := telemetry.Record(ctx, audit.Event{Time: time.Now(), Name: audit.Logout, Method: "totp", Reason: "idle", LoginID: "1"}); err != nil {
			t.Error(name, err)
		}
		if err := telemetry.Count(otelmetrics.Counts{Unavailable: func() uint64 { return 1 }}); err != nil {
			t.Error(name, err)
		}
		span.End()
	}
}
