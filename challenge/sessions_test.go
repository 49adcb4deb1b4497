package challenge_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/challenge"
)

func (o *own) sessions(token string) []challenge.LoginInfo {
	o.t.Helper()
	list, err := o.logins.Sessions(ctx, o.open(token))
	if err != nil {
		o.t.Fatal(err)
	}
	return list
}

func TestTheListOfLoginsSaysWhereSinceWhenAndHow(t *testing.T) {
	o := owned(t)
	first := o.by(challenge.Client{Addr: address(1), UserAgent: "Firefox"}, func() string { return o.codeOf(tablet, 0) })
	began := o.Clock.Now()
	second := o.by(challenge.Client{Addr: address(2), UserAgent: strings.Repeat("x", 2000)}, func() string { return o.codes[0] })
	if err := o.logins.Touch(ctx, challenge.Client{}, o.open(first.Token)); err != nil {
		t.Fatal(err)
	}
	list := o.sessions(first.Token)
	if len(list) != 2 {
		t.Fatalf("%d logins", len(list))
	}
	if v := list[1]; !v.Current || v.Addr != address(1) || v.UserAgent != "Firefox" || !v.Created.Equal(began) || !v.Seen.Equal(o.Clock.Now()) ||
		!v.Expires.Equal(began.Add(24*time.Hour)) || len(v.Methods) != 2 || v.Methods[0].Name != "password" || v.Methods[1].Name != "totp" || !v.Methods[1].At.Equal(began) {
		t.Errorf("%+v", v)
	}
	if v := list[0]; v.Current || v.Addr != address(2) || len(v.UserAgent) != 512 || v.Methods[1].Name != "recovery" || !v.Created.Equal(o.Clock.Now()) {
		t.Errorf("%+v", v)
	}
	if list := o.sessions(second.Token); !list[0].Current || list[1].Current {
		t.Error("current is the other one")
	}
}

func TestTheNumberOfLoginsIsThatOfTheList(t *testing.T) {
	o := owned(t)
	first := o.byTablet()
	o.byTablet()
	o.Clock.Advance(55 * time.Minute)
	if err := o.logins.Touch(ctx, challenge.Client{}, o.open(first)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		wait time.Duration
		want int
	}{{0, 2}, {10 * time.Minute, 1}} { // the second one has been idle for too long, and nobody has looked at it since
		o.Clock.Advance(step.wait)
		sec, err := o.logins.Security(ctx, challenge.Client{}, "1")
		if err != nil {
			t.Fatal(err)
		}
		state, err := o.logins.State(ctx, "1")
		if n := len(o.sessions(first)); err != nil || n != step.want || sec.Logins != n || state.Logins != n {
			t.Errorf("a list of %d logins, %d on the overview, %d for an administrator, want %d (%v)", n, sec.Logins, state.Logins, step.want, err)
		}
		devices, err := o.logins.Devices(ctx, challenge.Client{}, o.open(first))
		if err != nil || len(devices) != sec.Devices || sec.Devices != state.Devices {
			t.Errorf("a list of %d devices, %d on the overview, %d for an administrator (%v)", len(devices), sec.Devices, state.Devices, err)
		}
	}
}

func TestI16OneLoginIsEndedAndNoOther(t *testing.T) {
	o := owned(t)
	first, second, third := o.byTablet(), o.byTablet(), o.byTablet()
	ids := o.sessions(first)
	o.take()
	end := func(id string) error {
		return o.logins.EndLogin(ctx, challenge.Client{Addr: address(7)}, o.open(first), id)
	}
	if err := end(ids[1].ID); err != nil {
		t.Fatal(err)
	}
	if o.open(second).Exists() || !o.open(first).Exists() || !o.open(third).Exists() {
		t.Error("I-16: another one than that")
	}
	if e := o.Audit.Events(); len(e) != 1 || e[0].Name != audit.Logout || e[0].User != "alice" || e[0].Reason != "another login of the account" || e[0].Client != address(7) {
		t.Errorf("I-21: %+v", e)
	}
	o.take()
	if err := end(ids[1].ID); err != nil || len(o.take()) != 0 {
		t.Errorf("one that is gone already: %v", err)
	}
	for _, id := range []string{"", "x", ids[0].ID[1:], ids[0].ID + "00", strings.Repeat("z", 32), "all"} {
		if err := end(id); !errors.Is(err, challenge.ErrMalformed) {
			t.Errorf("%q: %v", id, err)
		}
	}
	own := ids[slices.IndexFunc(ids, func(v challenge.LoginInfo) bool { return v.Current })].ID
	if err := end(strings.ToUpper(own)); err != nil || o.open(first).Exists() || !o.open(third).Exists() {
		t.Errorf("the own one: %v", err)
	}
	if e := o.Audit.Events(); len(e) != 1 || e[0].Name != audit.Logout || e[0].Reason != "" {
		t.Errorf("I-21: %+v", e)
	}
}

func TestI16TheOthersEndAndThisOneGoesOnUnderANewToken(t *testing.T) {
	o := owned(t)
	token, other := o.byTablet(), o.byTablet()
	pending := o.on("alice", challenge.Client{}).Token
	o.take()
	was, _ := o.open(token).Login()
	fresh := was.Fresh
	out, err := o.logins.EndOthers(ctx, challenge.Client{}, o.open(token))
	if err != nil {
		t.Fatal(err)
	}
	if o.open(token).Exists() || o.open(other).Exists() || len(o.sessions(out.Token)) != 1 {
		t.Error("I-16: more than one is alive")
	}
	if _, err := o.verify(pending, o.codeOf(tablet, 0)); err == nil {
		t.Error("I-16: a pending login became one")
	}
	if got := o.take(); !slices.Equal(got[:1], []audit.Name{audit.LogoutEverywhere}) {
		t.Errorf("I-21: %v", got)
	}
	if login, _ := o.open(out.Token).Login(); !login.Fresh.Equal(fresh) {
		t.Error("it made the login fresh")
	}
}

// Somebody with a copied cookie could keep the owner out for as long as the session lives: nobody gets from the password to the
// code between two of these.
func TestI11ACopiedSessionDoesNotEndTheOwnersLogins(t *testing.T) {
	o := owned(t)
	copied := o.byTablet()
	o.Clock.Advance(challenge.ConfirmedWithin)
	pending, other := o.on("alice", challenge.Client{}).Token, ""
	if _, err := o.logins.EndOthers(ctx, challenge.Client{}, o.open(copied)); !errors.Is(err, challenge.ErrNotFresh) {
		t.Errorf("the others: %v", err)
	}
	out, err := o.verify(pending, o.codeOf(tablet, 0))
	if err != nil {
		t.Fatal(err)
	}
	other = out.Token
	for _, v := range o.sessions(copied) {
		if err := o.logins.EndLogin(ctx, challenge.Client{}, o.open(copied), v.ID); !v.Current && !errors.Is(err, challenge.ErrNotFresh) {
			t.Errorf("one: %v", err)
		}
	}
	if !o.open(other).Exists() || o.open(copied).Exists() {
		t.Error("the owner's login has ended, or the copied one has not by itself")
	}
	// All of them, the copied one too, may end at any time.
	if err := o.logins.LogoutEverywhere(ctx, challenge.Client{}, "1"); err != nil || o.open(other).Exists() {
		t.Error(err)
	}
}

func TestSomebodyElsesIdsChangeNothing(t *testing.T) {
	o := owned(t)
	alice := o.byTablet()
	dave := o.loginDave()
	before := o.store
	raw, err := before.Load(ctx, challenge.AccountKey("1"))
	if err != nil {
		t.Fatal(err)
	}
	devices, err := o.logins.Devices(ctx, challenge.Client{}, o.open(alice))
	if err != nil || len(devices) == 0 {
		t.Fatal(err)
	}
	was := o.enrolments()
	o.take()
	s := o.open(dave)
	if err := o.logins.EndLogin(ctx, challenge.Client{}, s, o.sessions(alice)[0].ID); err != nil {
		t.Error(err)
	}
	if got := o.take(); len(got) != 0 {
		t.Errorf("nobody has ended anything: %v", got)
	}
	_ = o.logins.ForgetDevice(ctx, challenge.Client{}, s, devices[0].ID)
	_ = o.logins.RenameFactor(ctx, challenge.Client{}, s, o.id("phone"), "mine")
	if _, err := o.logins.RemoveFactor(ctx, challenge.Client{}, s, o.id("phone")); err == nil {
		t.Error("removed")
	}
	now, err := before.Load(ctx, challenge.AccountKey("1"))
	if err != nil || !bytes.Equal(raw, now) || o.enrolments() != was || !o.open(alice).Exists() {
		t.Error("something of alice's has changed")
	}
}

func TestI18NoIdThatAPageShowsIsAToken(t *testing.T) {
	o := owned(t)
	out := o.by(challenge.Client{}, func() string { return o.codeOf(tablet, 0) })
	pending, _ := o.open(o.on("alice", challenge.Client{}).Token).Pending()
	ids := []string{o.sessions(out.Token)[0].ID, pending.ID, o.id("phone"), challenge.SessionKey(challenge.Cookie, out.Token), challenge.SessionKey(challenge.Cookie, out.Token)[2:], out.Device}
	for _, v := range ids {
		for _, slot := range []challenge.Slot{challenge.Cookie, challenge.Bearer} {
			if s, err := o.logins.Open(ctx, slot, v); err != nil || s.Exists() {
				t.Errorf("%.8s… opens something (%v)", v, err)
			}
		}
	}
	if s, _ := o.logins.Open(ctx, challenge.Bearer, out.Token); s.Exists() {
		t.Error("I-18: a cookie's token works as bearer")
	}
}

// A login is read into memory that has room for two methods, which nobody may fill.
func TestTheListOfALoginsMethodsHasNoRoomForMore(t *testing.T) {
	h := build(t)
	for _, token := range []string{h.loginDave(), h.loginCarol()} { // one method, and two
		login, _ := h.open(token).Login()
		if n := len(login.Methods); n == 0 || n != cap(login.Methods) {
			t.Errorf("%d methods in a list of %d", n, cap(login.Methods))
		}
	}
}
