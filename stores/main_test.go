package stores_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// workers are what this program does instead of the tests when a test has started it as a process of its own.
var workers []func() (ran bool)

// TestMain also sees to it that no test leaves a goroutine behind.
func TestMain(m *testing.M) {
	for _, work := range workers {
		if work() {
			return
		}
	}
	flag.Parse()
	if f := flag.Lookup("test.fuzz"); f != nil && f.Value.String() != "" { // fuzzing has goroutines of its own
		os.Exit(m.Run())
	}
	if f := flag.Lookup("test.parallel"); f != nil && f.Value.String() == f.DefValue { // the tests of servers mostly wait
		f.Value.Set("8")
	}
	goleak.VerifyTestMain(m)
}
