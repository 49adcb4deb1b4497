package demo

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
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

// Serve answers requests until ctx ends, and then finishes those that are under way.
func (d *Demo) Serve(ctx context.Context, handler http.Handler) error {
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
	return nil
}
