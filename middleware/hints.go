package middleware

import (
	"errors"
	"net/http"
	"sync"
)

// hints tell an operator what looks like a mistake in the settings, each once: a client can bring any of it about, so they
// refuse nobody and fill no log.
type hints struct{ origin, proxy, peer sync.Once }

// hint is about a request that was refused because of where it came from.
func (w *core) hint(r *http.Request, err error) {
	if !errors.Is(err, errOtherOrigin) {
		return
	}
	w.hints.origin.Do(func() {
		w.logger.WarnContext(r.Context(), "middleware: a request was refused because it came from another origin than Config.Site. If people see your site there, "+
			"Site must be that origin; if it is another site of yours, name it in TrustedOrigins. This is said once",
			"origin", clipped(r.Header.Get("Origin")), "site", w.site.Origin)
	})
}

// from is about the address of a client that could not be told apart from others.
func (w *core) from(r *http.Request, known bool) {
	if !known && r.RemoteAddr != "" && r.RemoteAddr != "@" { // a Unix socket has none
		w.hints.peer.Do(func() {
			w.logger.WarnContext(r.Context(), "middleware: a request has no address and port in RemoteAddr, as net/http writes it: all such clients share one limit. "+
				"Take out the middleware that overwrites it, and use TrustedProxies. This is said once")
		})
	}
	if len(w.addr.trusted) == 0 && (r.Header[headerForwardedFor] != nil || r.Header[headerForwarded] != nil) {
		w.hints.proxy.Do(func() {
			w.logger.WarnContext(r.Context(), "middleware: a request carries a forwarded address and TrustedProxies is empty, so it was not read. "+
				"Behind a proxy all clients share its address and its limits: name the proxy's network. This is said once")
		})
	}
}

// clipped bounds what a stranger writes into the log.
func clipped(s string) string { return s[:min(len(s), 200)] }
