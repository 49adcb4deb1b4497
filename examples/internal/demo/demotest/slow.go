package demotest

import (
	"io"
	"net"
	"net/http"
	"os"
	"strings"
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
			began := time.Now()
			var conns []net.Conn
			for range 50 {
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
				_ = conn.SetReadDeadline(began.Add(c.before))
				_, err := io.Copy(io.Discard, conn) // until the server has had enough
				took := time.Since(began)
				if ne, ok := err.(net.Error); ok && ne.Timeout() {
					t.Fatalf("connection %d is held for over %v", i, c.before)
				}
				if took < c.after {
					t.Fatalf("connection %d was closed after %v", i, took)
				}
			}
		})
	}
}
