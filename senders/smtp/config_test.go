package smtp

import "testing"

// Port 465 is TLS from the first byte, 587 STARTTLS (RFC 8314 §7.3, RFC 6409 §3.1).
func TestThePortDecidesHowTLSBegins(t *testing.T) {
	for _, c := range []struct {
		port, want         int
		implicit, wantFlag bool
	}{{0, 587, false, false}, {0, 465, true, true}, {465, 465, false, true}, {25, 25, false, false}, {2465, 2465, true, true}} {
		got, _, err := Config{Host: "smtp.acme.example", From: "login@acme.example", Port: c.port, ImplicitTLS: c.implicit}.checked()
		if err != nil || got.Port != c.want || got.ImplicitTLS != c.wantFlag || got.TLS.ServerName != "smtp.acme.example" {
			t.Errorf("port %d, implicit %v: port %d, implicit %v, name %s, %v", c.port, c.implicit, got.Port, got.ImplicitTLS, got.TLS.ServerName, err)
		}
	}
}
