package storetest_test

import (
	"testing"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/stores"
	"github.com/sallyport-go/sallyport/stores/storetest"
)

// In a store's own test file; with a fake clock, or a fake server that can skip time, the cases take no real time.
func ExampleRun() {
	_ = func(t *testing.T) { // func TestMyStore(t *testing.T)
		storetest.Run(t, storetest.Harness{
			Open: func(testing.TB) challenge.Store { return new(stores.Memory) },
		})
	}
	// Output:
}
