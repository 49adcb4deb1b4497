package challenge

import "slices"

// Fallback makes f fall back to the factors of these names, in this order, when its Begin fails: an SMS that cannot be sent
// becomes a mail. The machine chooses only from the factors allowed in that login, tells the person which channel was taken,
// and audits it. Nothing falls back because an answer was wrong.
//
// The names must be those of other factors in Config.Factors; New refuses others.
func Fallback(f Factor, to ...string) Factor {
	return &fallback{Factor: f, to: slices.Clone(to)}
}

// fallbacker is how the machine sees it.
type fallbacker interface {
	fallsBack() []string
}

type fallback struct {
	Factor
	to []string
}

var (
	_ Wrapper    = (*fallback)(nil)
	_ fallbacker = (*fallback)(nil)
)

func (f *fallback) Unwrap() Factor { return f.Factor }

func (f *fallback) fallsBack() []string { return slices.Clone(f.to) }
