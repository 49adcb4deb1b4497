package challenge

import (
	"errors"
	"slices"
	"testing"
)

func TestFallbackAddsNamesAndChangesNothingElse(t *testing.T) {
	box := new(outbox)
	names := []string{"email", "totp"}
	f := Fallback(&SMS{Sender: box}, names...)
	names[0] = "changed later"
	fb, ok := ability[fallbacker](f)
	if !ok || !slices.Equal(fb.fallsBack(), []string{"email", "totp"}) {
		t.Fatal("the machine does not see the names")
	}
	fb.fallsBack()[0] = "changed by the reader"
	if fb.fallsBack()[0] != "email" {
		t.Error("a reader can change the names")
	}
	a := newAttempt(t)
	if f.Name() != "sms" {
		t.Errorf("name %q", f.Name())
	}
	if err := f.Begin(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Verify(t.Context(), a, []byte(box.last().Code)); err != nil {
		t.Error(err)
	}
	if d, ok := ability[Deliverer](f); !ok {
		t.Error("the factor's destination is hidden")
	} else if channel, to, ok := d.Destination(a); !ok || channel != ChannelSMS || to != "+31600000001" {
		t.Errorf("%s %s", channel, to)
	}
	box.err = errors.New("no route")
	if err := f.Begin(t.Context(), a); !errors.Is(err, ErrSend) {
		t.Errorf("%v: the machine, not the wrapper, takes the fallback", err)
	}
}

func ExampleFallback() {
	var sms, mail Sender // from package senders
	_ = []Factor{
		Fallback(&SMS{Sender: sms}, "email"),
		&Email{Sender: mail},
	}
}
