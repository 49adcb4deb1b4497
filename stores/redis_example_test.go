package stores_test

import (
	"context"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	redigo "github.com/gomodule/redigo/redis"
	goredis "github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/stores"
)

// With github.com/redis/go-redis/v9. A ClusterClient takes the same options and the same line.
func ExampleRedis_goRedis() {
	server, _ := miniredis.Run() // yours: a Redis or Valkey
	defer server.Close()

	rdb := goredis.NewClient(&goredis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true, MaxRetries: -1})
	defer rdb.Close()
	store := &stores.Redis{Do: func(ctx context.Context, a ...any) (any, error) { return rdb.Do(ctx, a...).Result() }}
	show(store)
	// Output: <nil> true erin
}

// With github.com/gomodule/redigo.
func ExampleRedis_redigo() {
	server, _ := miniredis.Run()
	defer server.Close()

	pool := &redigo.Pool{DialContext: func(ctx context.Context) (redigo.Conn, error) {
		return redigo.DialContext(ctx, "tcp", server.Addr())
	}}
	defer pool.Close()
	store := &stores.Redis{Do: func(ctx context.Context, a ...any) (any, error) {
		conn, err := pool.GetContext(ctx)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		return redigo.DoContext(conn, ctx, a[0].(string), a[1:]...)
	}}
	show(store)
	// Output: <nil> true erin
}

// With github.com/redis/rueidis; github.com/valkey-io/valkey-go has the same methods.
//
//	store := &stores.Redis{Do: func(ctx context.Context, a ...any) (any, error) {
//		return client.Do(ctx, client.B().Arbitrary(strings(a)...).Build()).ToAny()
//	}}
//
// where strings(a) is a []string of the arguments, all of which are strings.
func ExampleRedis_rueidis() {
	strings := func(a []any) []string {
		s := make([]string, len(a))
		for i := range a {
			s[i] = a[i].(string)
		}
		return s
	}
	fmt.Println(strings([]any{"GETRANGE", "sallyport:k", "0", "-1"}))
	// Output: [GETRANGE sallyport:k 0 -1]
}

func show(store *stores.Redis) {
	ctx := context.Background()
	checked := store.Check(ctx)
	inserted, _ := store.CompareAndSwap(ctx, "pending/7", nil, []byte("erin"), time.Now().Add(10*time.Minute))
	value, _ := store.Load(ctx, "pending/7")
	fmt.Println(checked, inserted, string(value))
}
