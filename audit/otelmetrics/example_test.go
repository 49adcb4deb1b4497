package otelmetrics_test

import (
	"context"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/audit/otelmetrics"
)

// In a traced request, audit events become events of its span and operations become spans below it.
func ExampleNew() {
	spans := tracetest.NewInMemoryExporter() // in a program: the OTLP exporter
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	telemetry, err := otelmetrics.New(otelmetrics.Options{Tracers: tracers}) // Meters: for metrics
	if err != nil {
		fmt.Println(err)
		return
	}
	// challenge.Config{Audit: audit.Fanout(lines, telemetry), Observer: telemetry, …} calls what follows:
	ctx, request := tracers.Tracer("app").Start(context.Background(), "POST /login")
	_, end := telemetry.Begin(ctx, "load")
	end(nil)
	telemetry.Record(ctx, audit.Event{Name: audit.InvalidPassword, User: "ann"})
	request.End()
	for _, s := range spans.GetSpans() {
		fmt.Print(s.Name)
		for _, e := range s.Events {
			fmt.Print(": ", e.Name)
		}
		fmt.Println()
	}
	// Output:
	// sallyport load
	// POST /login: invalid password
}
