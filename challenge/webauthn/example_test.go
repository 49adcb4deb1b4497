package webauthn_test

import (
	"fmt"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/challenge/webauthn"
	"github.com/sallyport-go/sallyport/stores"
)

func ExampleFactor() {
	kit := challengetest.New(challengetest.NewClock())
	config := kit.Config(new(stores.Memory))
	config.Site = "https://login.acme.example"
	config.Factors = []challenge.Factor{
		&webauthn.Factor{RPID: "acme.example", DisplayName: "Acme"},
		&challenge.TOTP{Issuer: "Acme"},
		&challenge.Recovery{},
	}
	_, err := challenge.New(config)
	fmt.Println(err)

	config.Site = "https://acme.test" // passkeys of acme.example are not for it
	_, err = challenge.New(config)
	fmt.Println(err)
	// Output:
	// <nil>
	// webauthn: RPID "acme.example": it must be acme.test or a domain above it
}

func ExampleDescribe() {
	// Authenticator.Data, as it is kept of somebody's passkey.
	data := []byte(`{"v":1,"rp":"acme.example","user":"cmFuZG9t","passkey":{"id":"aWQ=","transports":["internal","hybrid"],"key":"a2V5","count":0,` +
		`"flags":29,"verified":true,"attachment":"platform","discoverable":true,"used":"2026-01-15T12:00:00Z"}}`)
	d, err := webauthn.Describe(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	if d.BackupEligible {
		fmt.Println("a passkey that is synced between devices, used last on", d.LastUsed.Format("2 January 2006"))
	}
	// Output: a passkey that is synced between devices, used last on 15 January 2026
}
