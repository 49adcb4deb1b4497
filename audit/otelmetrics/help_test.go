package otelmetrics_test

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// encoder writes attributes as key=value, with commas.
type encoder struct{}

func (encoder) Encode(i attribute.Iterator) string {
	var out []string
	for i.Next() {
		out = append(out, string(i.Attribute().Key)+"="+i.Attribute().Value.String())
	}
	return strings.Join(out, ",")
}

func (encoder) ID() attribute.EncoderID { return attribute.NewEncoderID() }
