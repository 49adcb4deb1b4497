package middleware

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
)

func TestATrustedDeviceIsAskedForThePasswordOnly(t *testing.T) {
	w := found(t, func(c *challenge.Config, _ *Config) { c.TrustDevices = 30 * 24 * time.Hour })
	w.mux.Handle(security, w.web.Security())
	w.mux.Handle(security+"/", w.web.Security())
	b := w.browser()
	b.get("/login")
	b.want(b.post("/login", "username", "alice", "password", password), 303, "/login/verify")
	b.want(b.get("/login/verify"), 200, "")
	b.says(`name="trust" type="checkbox" value="1"`, "Do not ask for a code on this device for 30 days")
	b.want(b.post("/login/verify", "code", b.code(), "trust", "1"), 303, "/account")
	if b.cookies["__Host-sallyport-trusted"] == "" {
		t.Fatal("no cookie")
	}
	first := b.cookies["__Host-sallyport-trusted"]

	// Logged out, the device is asked for the password, and its token changes.
	b.get("/login/fresh")
	b.want(b.post("/logout"), 303, "/")
	b.get("/login")
	b.want(b.post("/login", "username", "alice", "password", password), 303, "/account")
	if b.cookies["__Host-sallyport-trusted"] == first {
		t.Error("the token stayed")
	}
	// What asks for a fresh factor, or for a kind of factor, asks.
	b.want(b.get("/account/transfer"), 303, "/login/fresh?next=%2Faccount%2Ftransfer")

	// A copy of the old token is worthless, and so is the new one in another slot or for another account.
	thief := w.browser()
	thief.cookies["__Host-sallyport-trusted"] = first
	thief.get("/login")
	thief.want(thief.post("/login", "username", "alice", "password", password), 303, "/login/verify")

	b.want(b.get(security+"/devices"), 200, "")
	b.says("Trusted devices", "Stop trusting")
	b.want(b.post(security+"/devices/distrust", "id", "all"), 303, security+"/devices")
	b.get(security + "/devices")
	b.silent("Trusted devices")
	b.get(security)
	b.want(b.post("/logout"), 303, "/")
	b.get("/login")
	b.want(b.post("/login", "username", "alice", "password", password), 303, "/login/verify")
}

func TestNoDeviceIsOfferedTrustWhereTheAppDoesNot(t *testing.T) {
	b := found(t).browser()
	b.get("/login")
	b.want(b.post("/login", "username", "alice", "password", password), 303, "/login/verify")
	b.get("/login/verify")
	b.silent(`name="trust"`)
	b.want(b.post("/login/verify", "code", b.code(), "trust", "1"), 303, "/account")
	for name := range b.cookies {
		if strings.Contains(name, "trusted") {
			t.Error(name)
		}
	}
}
