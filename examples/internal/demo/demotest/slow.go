package demotest

import (
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// slowClients send a byte now and then, each on a connection of its own: a header may take five seconds, the whole of a
// request thirty (I-23).
func slowClients(t *testing.T, of build) {
	if testing.Short() && os.Getenv("CI") != "true" {
		t.Skip("takes half a minute")
	}
	s := start(t, of, nil)
	for name, c := range map[string]struct {
		begins, drips string
		after, before time.Duration
	}{
		"a header that never ends": {"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", "a", 4 * time.Second, 15 * time.Second},
		"a body that never ends": {"POST /login HTTP/1.1\r\nHost: " + strings.TrimPrefix(s.url, "http://") +
			"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 4000\r\n\r\n", "a", 25 * time.Second, 50 * time.Second},
		"nothing at all": {"", "", 4 * time.Second, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			late := lateness(t)
			var conns []net.Conn
			var opened []time.Time
			for range 50 {
				opened = append(opened, time.Now())
				conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				if _, err := io.WriteString(conn, c.begins); err != nil {
					t.Fatal(err)
				}
				conns = append(conns, conn)
			}
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(500 * time.Millisecond):
						for _, conn := range conns {
							_, _ = io.WriteString(conn, c.drips)
						}
					}
				}
			}()
			time.Sleep(time.Second)
			if a := s.program().do(http.MethodGet, "/login", ""); a.status != http.StatusOK {
				t.Errorf("beside them somebody else got %d", a.status)
			}
			for i, conn := range conns {
				for held := true; held; {
					before := c.before + late()
					_ = conn.SetReadDeadline(opened[i].Add(before))
					_, err := io.Copy(io.Discard, conn) // until the server has had enough
					ne, ok := err.(net.Error)
					held = ok && ne.Timeout()
					if held && late() < time.Second+before-c.before { // no slow machine is the reason
						t.Fatalf("connection %d is held for over %v", i, before)
					}
				}
				if took := time.Since(opened[i]); took < c.after {
					t.Fatalf("connection %d was closed after %v", i, took)
				}
			}
		})
	}
}

// lateness adds up by how much short sleeps end later than they should: time in which the machine ran something else, or
// nothing of this process.
func lateness(t *testing.T) (total func() time.Duration) {
	const nap = 20 * time.Millisecond
	var mu sync.Mutex
	sum, begun := time.Duration(0), time.Now()
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	total = func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return sum + max(0, time.Since(begun)-nap) // with the one that goes on
	}
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(nap):
				late := total()
				mu.Lock()
				sum, begun = late, time.Now()
				mu.Unlock()
			}
		}
	}()
	return total
}
