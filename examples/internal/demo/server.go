package demo

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"runtime/debug"
	"time"
)

// How long a client may take, so that slow ones cannot hold the server.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = time.Minute // more than reading, a queue of password hashes and sending a code take together
	idleTimeout   = 2 * time.Minute
	endTimeout    = 10 * time.Second
	maxHeader     = 32 << 10
)

// gcPercent lets a few password hashes, each 19 MiB of garbage, share one collection; with Go's 100 each hash would make one,
// which other requests feel under a flood of logins (docs/benchmarks.md). GOGC in the environment wins.
const gcPercent = 200

// Serve answers requests until ctx ends, and then finishes those that are under way, and the mails they asked for.
func (d *Demo) Serve(ctx context.Context, handler http.Handler) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(d.stderr, "", log.LstdFlags),
	}
	if _, err := fmt.Fprintf(d.stdout, "listening on %s: open %s\n", d.listener.Addr(), d.Site); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(d.listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return errors.Join(err, server.Close())
	}
	if d.logins == nil {
		return nil
	}
	done := make(chan struct{})
	go func() { // mails that tell people what happened to their account
		d.logins.WaitForNotices()
		d.logins.WaitForReports()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ending.Done():
		return errors.New("some notices were not sent before the end")
	}
}
