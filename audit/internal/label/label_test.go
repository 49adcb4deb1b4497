package label

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-go/sallyport/audit"
)

func TestOnlyAFewPlainWordsBecomeALabel_I23(t *testing.T) {
	var s Set
	for text, want := range map[string]string{
		"blocked": "blocked", "store unavailable, request refused": "store unavailable, request refused", "a person's password alone opens nothing": "a person's password alone opens nothing",
		"": Other, "grace, login 3 of 10": Other, "dial tcp 10.0.0.1:6379": Other, "alice@example.com": Other, "Zoë": Other, "a\nb": Other, strings.Repeat("a", 65): Other,
	} {
		if got := s.Value(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	var many Set
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]bool{}
	for i := range 1000 {
		wg.Go(func() {
			v := many.Value("word " + strings.Repeat("x", i%50) + string(rune('a'+i%26)))
			mu.Lock()
			defer mu.Unlock()
			got[v] = true
		})
	}
	wg.Wait()
	if len(got) != mostValues+1 || !got[Other] {
		t.Errorf("%d labels", len(got))
	}
}

func TestWhatIsNotOursIsOther(t *testing.T) {
	for _, n := range audit.Names() {
		if Event(n) != string(n) {
			t.Errorf("%q is not known", n)
		}
	}
	if Event("an event of the application") != Other || Operation("load") != "load" || Operation("dance") != Other {
		t.Error("what is not ours has a label of its own")
	}
	if Error(fmt.Errorf("store: %w", context.DeadlineExceeded)) != Timeout || Error(errors.New("dial tcp")) != Failed {
		t.Error("kinds of error")
	}
}
