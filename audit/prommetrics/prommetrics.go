// Package prommetrics makes Prometheus metrics of what Sallyport does. One value is both a recorder of audit events and
// challenge's Observer:
//
//	metrics, err := prommetrics.New(prometheus.DefaultRegisterer)
//	logins, err := challenge.New(challenge.Config{
//		Audit:    audit.Fanout(audit.To(os.Stdout, audit.Datadog), metrics),
//		Observer: metrics,
//		…
//	})
//	web, err := middleware.New(logins, middleware.Config{})
//	err = metrics.Count(prommetrics.Counts{
//		LostEvents:  logins.LostEvents,
//		Unavailable: func() uint64 { return web.Counts().Failures },
//		Anonymous:   func() uint64 { return web.Counts().Anonymous },
//	})
//
// # Metrics
//
//	sallyport_events_total{event,outcome}            audit events by their name; every name is there from the start
//	sallyport_methods_total{event,method}            those that have a method: the way from password to code sent to login
//	sallyport_refusals_total{event,reason}           failures by their true reason
//	sallyport_operation_seconds{operation}           histogram: load, swap, take, accounts-…, users, hash-wait, hash, send
//	sallyport_operations_in_progress{operation}      gauge; of hash-wait the length of the queue
//	sallyport_operation_errors_total{operation,error}  error is timeout or failed; of hash-wait failed is a full queue
//	sallyport_lost_events_total                      events that the sink did not take
//	sallyport_dropped_events_total                   events that an audit.Queue did not take or write
//	sallyport_unavailable_total                      answers with status 503
//	sallyport_anonymous_total                        requests without a credential that a guard sent away
//
// The last four are there after [Metrics.Count] only. No label holds a name, an address or an id, and each label has a bound
// on its values, beyond which they are "other".
package prommetrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/audit/internal/label"
)

// Metrics is made by [New]. It is safe for concurrent use.
type Metrics struct {
	reg        prometheus.Registerer
	events     *prometheus.CounterVec
	methods    *prometheus.CounterVec
	refusals   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	inProgress *prometheus.GaugeVec
	errors     *prometheus.CounterVec

	method, reason label.Set
}

var _ audit.Recorder = (*Metrics)(nil)

// buckets reach from a store in the same process to a sender's limit of ten.
var buckets = []float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// New registers the metrics with reg. It is an error when one of them is there already; then none is registered.
func New(reg prometheus.Registerer) (*Metrics, error) {
	if reg == nil {
		return nil, errors.New("prommetrics: there is no registry: give prometheus.DefaultRegisterer, or one of your own")
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sallyport_" + name, Help: help}, labels)
	}
	m := &Metrics{
		reg:      reg,
		events:   counter("events_total", "Audit events.", "event", "outcome"),
		methods:  counter("methods_total", "Audit events that have a method.", "event", "method"),
		refusals: counter("refusals_total", "Audit events of failures, by their reason.", "event", "reason"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sallyport_operation_seconds",
			Help: "How long calls of stores, users and senders, the queue for password hashing and the hashing took.", Buckets: buckets}, []string{"operation"}),
		inProgress: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sallyport_operations_in_progress",
			Help: "Operations under way; of hash-wait the length of the queue."}, []string{"operation"}),
		errors: counter("operation_errors_total", "Operations that failed; of hash-wait those that found the queue full.", "operation", "error"),
	}
	if err := register(reg, []prometheus.Collector{m.events, m.methods, m.refusals, m.seconds, m.inProgress, m.errors}); err != nil {
		return nil, err
	}
	// A series that begins with its first event has no increase to alert on.
	for _, n := range audit.Names() {
		for _, o := range []audit.Outcome{audit.Failure, audit.Success} {
			m.events.WithLabelValues(string(n), o.String())
		}
	}
	for _, op := range label.Operations {
		m.seconds.WithLabelValues(op)
		m.inProgress.WithLabelValues(op)
		for _, kind := range label.Errors {
			m.errors.WithLabelValues(op, kind)
		}
	}
	return m, nil
}

// Record counts e. It never fails.
func (m *Metrics) Record(_ context.Context, e audit.Event) error {
	name := label.Event(e.Name)
	m.events.WithLabelValues(name, e.Outcome.String()).Inc()
	if e.Method != "" {
		m.methods.WithLabelValues(name, m.method.Value(e.Method)).Inc()
	}
	if e.Outcome != audit.Success && e.Reason != "" {
		m.refusals.WithLabelValues(name, m.reason.Value(e.Reason)).Inc()
	}
	return nil
}

// Begin measures an operation. It makes Metrics a challenge.Observer.
func (m *Metrics) Begin(ctx context.Context, operation string) (context.Context, func(error)) {
	operation = label.Operation(operation)
	began, under := time.Now(), m.inProgress.WithLabelValues(operation)
	under.Inc()
	return ctx, func(err error) {
		under.Dec()
		m.seconds.WithLabelValues(operation).Observe(time.Since(began).Seconds())
		if err != nil {
			m.errors.WithLabelValues(operation, label.Error(err)).Inc()
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

// Count registers metrics that read c whenever they are asked for, all of them or none.
func (m *Metrics) Count(c Counts) error {
	var all []prometheus.Collector
	label.Counts(c).Each(func(name, help string, read func() uint64) {
		all = append(all, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "sallyport_" + name + "_total", Help: help},
			func() float64 { return float64(read()) }))
	})
	return register(m.reg, all)
}

// register registers all, or none.
func register(reg prometheus.Registerer, all []prometheus.Collector) error {
	for i, c := range all {
		if err := reg.Register(c); err != nil {
			for _, c := range all[:i] {
				reg.Unregister(c)
			}
			return err
		}
	}
	return nil
}
