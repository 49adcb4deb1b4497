// Package otelmetrics tells OpenTelemetry what Sallyport does: metrics, and, where a request is traced, events and spans in
// its trace. One value is both a recorder of audit events and challenge's Observer:
//
//	telemetry, err := otelmetrics.New(otelmetrics.Options{Meters: meterProvider, Tracers: tracerProvider})
//	logins, err := challenge.New(challenge.Config{
//		Audit:    audit.Fanout(audit.To(os.Stdout, audit.Datadog), telemetry),
//		Observer: telemetry,
//		…
//	})
//
// It stands beside an [audit.Queue] in the fan-out and not behind it, where the request's trace is gone.
//
// # Metrics
//
//	sallyport.events {event,outcome}                      audit events by their name
//	sallyport.methods {event,method}                      those that have a method
//	sallyport.refusals {event,reason}                     failures by their true reason
//	sallyport.operation {operation}, seconds              histogram: load, swap, take, accounts-…, users, hash-wait, hash, send
//	sallyport.operations.in_progress {operation}          of hash-wait the length of the queue
//	sallyport.operation.errors {operation,error}          error is timeout or failed; of hash-wait failed is a full queue
//	sallyport.lost_events, .dropped_events, .unavailable, .anonymous   after [Telemetry.Count] only
//
// Exported to Prometheus they have the names of package prommetrics.
//
// # Traces
//
// An audit event becomes a span event of the span in its context, with outcome, method, reason and the ids of pending login
// and login. An operation becomes a span of its own, unless nothing around it is traced. No attribute holds a name, an
// address, a key or the text of an error.
package otelmetrics

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/audit/internal/label"
)

// scope names the instrumentation.
const scope = "github.com/sallyport-go/sallyport/audit/otelmetrics"

// Options say where it goes. One of the two must be given; without the other there are no metrics or no spans.
type Options struct {
	Meters  metric.MeterProvider
	Tracers trace.TracerProvider
}

// Telemetry is made by [New]. It is safe for concurrent use.
type Telemetry struct {
	tracer     trace.Tracer // nil: no spans
	meter      metric.Meter // nil: no metrics
	events     metric.Int64Counter
	methods    metric.Int64Counter
	refusals   metric.Int64Counter
	seconds    metric.Float64Histogram
	inProgress metric.Int64UpDownCounter
	errors     metric.Int64Counter

	method, reason, remark label.Set // a remark is the reason of a success
}

var _ audit.Recorder = (*Telemetry)(nil)

// New makes the instruments.
func New(o Options) (*Telemetry, error) {
	if o.Meters == nil && o.Tracers == nil {
		return nil, errors.New("otelmetrics: there is nowhere to go: give Options.Meters, Options.Tracers or both")
	}
	t := new(Telemetry)
	if o.Tracers != nil {
		t.tracer = o.Tracers.Tracer(scope)
	}
	if o.Meters == nil {
		return t, nil
	}
	t.meter = o.Meters.Meter(scope)
	var errs [6]error
	t.events, errs[0] = t.meter.Int64Counter("sallyport.events", metric.WithDescription("Audit events."))
	t.methods, errs[1] = t.meter.Int64Counter("sallyport.methods", metric.WithDescription("Audit events that have a method."))
	t.refusals, errs[2] = t.meter.Int64Counter("sallyport.refusals", metric.WithDescription("Audit events of failures, by their reason."))
	t.seconds, errs[3] = t.meter.Float64Histogram("sallyport.operation", metric.WithUnit("s"),
		metric.WithDescription("How long calls of stores, users and senders, the queue for password hashing and the hashing took."),
		metric.WithExplicitBucketBoundaries(.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	t.inProgress, errs[4] = t.meter.Int64UpDownCounter("sallyport.operations.in_progress",
		metric.WithDescription("Operations under way; of hash-wait the length of the queue."))
	t.errors, errs[5] = t.meter.Int64Counter("sallyport.operation.errors",
		metric.WithDescription("Operations that failed; of hash-wait those that found the queue full."))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return t, nil
}

// Record counts e, and puts it into the trace that ctx belongs to. It never fails.
func (t *Telemetry) Record(ctx context.Context, e audit.Event) error {
	name := label.Event(e.Name)
	event, outcome := attribute.String("event", name), attribute.String("outcome", e.Outcome.String())
	in := []attribute.KeyValue{outcome}
	if t.meter != nil {
		t.events.Add(ctx, 1, metric.WithAttributes(event, outcome))
	}
	if e.Method != "" {
		method := attribute.String("method", t.method.Value(e.Method))
		in = append(in, method)
		if t.meter != nil {
			t.methods.Add(ctx, 1, metric.WithAttributes(event, method))
		}
	}
	switch {
	case e.Reason == "":
	case e.Outcome == audit.Success:
		in = append(in, attribute.String("reason", t.remark.Value(e.Reason)))
	default:
		reason := attribute.String("reason", t.reason.Value(e.Reason))
		in = append(in, reason)
		if t.meter != nil {
			t.refusals.Add(ctx, 1, metric.WithAttributes(event, reason))
		}
	}
	if t.tracer == nil {
		return nil
	}
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		for _, id := range [...]attribute.KeyValue{attribute.String("pending_id", e.PendingID), attribute.String("login_id", e.LoginID)} {
			if id.Value.AsString() != "" {
				in = append(in, id)
			}
		}
		span.AddEvent(name, trace.WithAttributes(in...))
	}
	return nil
}

// Begin measures an operation and puts it into the trace that ctx belongs to. It makes Telemetry a challenge.Observer.
func (t *Telemetry) Begin(ctx context.Context, operation string) (context.Context, func(error)) {
	operation = label.Operation(operation)
	var span trace.Span
	if t.tracer != nil && trace.SpanContextFromContext(ctx).IsValid() {
		ctx, span = t.tracer.Start(ctx, "sallyport "+operation)
	}
	what := attribute.String("operation", operation)
	if t.meter != nil {
		t.inProgress.Add(ctx, 1, metric.WithAttributes(what))
	}
	began := time.Now()
	return ctx, func(err error) {
		kind := ""
		if err != nil {
			kind = label.Error(err)
		}
		if t.meter != nil {
			t.inProgress.Add(ctx, -1, metric.WithAttributes(what))
			t.seconds.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(what))
			if kind != "" {
				t.errors.Add(ctx, 1, metric.WithAttributes(what, attribute.String("error", kind)))
			}
		}
		if span != nil {
			if kind != "" {
				span.SetStatus(codes.Error, kind) // its text may quote anything
			}
			span.End()
		}
	}
}

// Counts are numbers that others count. A nil function is left out.
type Counts struct {
	LostEvents    func() uint64 // challenge.Logins.LostEvents
	DroppedEvents func() uint64 // audit.Queue.Dropped
	Unavailable   func() uint64 // Failures of middleware.Web.Counts
	Anonymous     func() uint64 // Anonymous of middleware.Web.Counts
}

// Count makes metrics that read c whenever they are collected. Without Options.Meters it does nothing.
func (t *Telemetry) Count(c Counts) error {
	if t.meter == nil {
		return nil
	}
	var errs []error
	label.Counts(c).Each(func(name, help string, read func() uint64) {
		_, err := t.meter.Int64ObservableCounter("sallyport."+name, metric.WithDescription(help),
			metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error { o.Observe(int64(read())); return nil }))
		errs = append(errs, err)
	})
	return errors.Join(errs...)
}
