//go:build linux

package stores_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/stores"
)

// BenchmarkBackends is what one call costs on each backend, on this machine and without a network between: a Load of a
// session, a swap of it, and a decision of a shared limit, one after the other and from as many goroutines as there are CPUs.
func BenchmarkBackends(b *testing.B) {
	for _, kind := range []string{"memory", "sqlite", "postgres", "mysql", "go-redis", "redigo"} {
		b.Run(kind, func(b *testing.B) {
			s := benchStore(b, kind)
			value, other := bytes.Repeat([]byte("v"), 300), bytes.Repeat([]byte("w"), 300)
			end := time.Now().Add(time.Hour)
			ctx := context.Background()
			keys := sessionKeys(1000)
			for _, k := range keys {
				if ok, err := s.CompareAndSwap(ctx, k, nil, value, end); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
			b.Run("load", func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if v, err := s.Load(ctx, keys[i%len(keys)]); v == nil || err != nil {
						b.Fatal(v, err)
					}
				}
			})
			b.Run("load in parallel", func(b *testing.B) {
				b.RunParallel(func(pb *testing.PB) {
					for i := 0; pb.Next(); i++ {
						if v, err := s.Load(ctx, keys[i%len(keys)]); v == nil || err != nil {
							b.Error(v, err)
						}
					}
				})
			})
			b.Run("swap", func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					k := keys[i%len(keys)]
					from, to := value, other
					if i/len(keys)%2 == 1 {
						from, to = other, value
					}
					ok, err := s.CompareAndSwap(ctx, k, from, to, end)
					if err != nil || !ok && i >= 2*len(keys) { // an earlier run may have left either
						b.Fatal(ok, err)
					}
				}
			})
			b.Run("take", func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					if ok, _, err := s.Take(ctx, fmt.Sprint("b", i%1000), time.Microsecond, 1_000_000); !ok || err != nil {
						b.Fatal(ok, err)
					}
				}
			})
		})
	}
}

func benchStore(b *testing.B, kind string) interface {
	loadSwapper
	Take(context.Context, string, time.Duration, int) (bool, time.Duration, error)
} {
	var addr string
	switch kind {
	case "memory":
		return new(stores.Memory)
	case "sqlite":
		return newSQL(b, sqlite(b), stores.SQLite, stores.SQLOptions{})
	case "postgres":
		addr = startPostgres(b).addr
	case "mysql":
		s, _ := startMariaDB(b)
		addr = s.addr
	default:
		addr = startRedis(b).addr
		return openStore(b, kind, addr, 0)
	}
	return newSQL(b, openPool(b, kind, addr), dialectOf(kind), stores.SQLOptions{})
}
