package stores_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-go/sallyport/stores"
)

func ExampleMemory() {
	ctx := context.Background()
	store := new(stores.Memory)
	end := time.Now().Add(10 * time.Minute)

	inserted, _ := store.CompareAndSwap(ctx, "pending/7", nil, []byte("erin"), end)
	value, _ := store.Load(ctx, "pending/7")
	fmt.Println(inserted, string(value))

	first, _ := store.CompareAndSwap(ctx, "pending/7", value, nil, end) // consume it
	second, _ := store.CompareAndSwap(ctx, "pending/7", value, nil, end)
	fmt.Println(first, second)
	// Output:
	// true erin
	// true false
}

func ExampleMemory_Take() {
	ctx := context.Background()
	store := &stores.Memory{Clock: func() time.Time { return time.Unix(1_700_000_000, 0) }}
	for range 3 {
		ok, retryAfter, err := store.Take(ctx, "send/+31611111111", time.Minute, 2)
		fmt.Println(ok, retryAfter, err)
	}
	// Output:
	// true 0s <nil>
	// true 0s <nil>
	// false 1m0s <nil>
}

func ExampleMemory_Usage() {
	ctx := context.Background()
	store := &stores.Memory{MaxRecords: 1}
	store.CompareAndSwap(ctx, "a", nil, []byte("value"), time.Now().Add(time.Hour))
	_, err := store.CompareAndSwap(ctx, "b", nil, []byte("value"), time.Now().Add(time.Hour))
	records, bytes := store.Usage()
	fmt.Println(records, bytes, errors.Is(err, stores.ErrFull))
	// Output: 1 198 true
}

func ExampleMemory_Volatile() {
	fmt.Println(new(stores.Memory).Volatile())
	// Output: true
}
