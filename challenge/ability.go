package challenge

// Wrapper is an optional ability of a [Factor] that stands around another one and adds to it, as [Fallback] does. The
// optional abilities of the inner factor stay visible through it.
type Wrapper interface {
	Unwrap() Factor
}

// ability finds an optional interface on f or on what f wraps, the outermost first, as errors.As does for errors. A
// wrapper can so add an ability or replace one, and never hides one by forgetting to forward it.
func ability[T any](f Factor) (T, bool) {
	for f != nil {
		if t, ok := f.(T); ok {
			return t, true
		}
		w, ok := f.(Wrapper)
		if !ok {
			break
		}
		f = w.Unwrap()
	}
	var none T
	return none, false
}
