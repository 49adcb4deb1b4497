package challenge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// maker is a Custom whose Create returns the codes in turn, the last one for ever.
func maker(box *outbox, codes ...Code) *Custom {
	i := 0
	return &Custom{
		Method: "pager",
		Create: func(context.Context, CustomAttempt) (CustomCode, error) {
			code := codes[min(i, len(codes)-1)]
			i++
			return CustomCode{Code: code, Info: "Look at your pager."}, nil
		},
		Deliver: func(ctx context.Context, a CustomAttempt, code Code) error {
			return box.Send(ctx, Message{Channel: "pager", To: a.Account.ID, Code: code})
		},
		To: func(a CustomAttempt) (string, string, bool) { return "pager", a.Account.ID, a.Account.ID != "" },
	}
}

func TestI13AMisbehavingCodeMakerLeavesTheFlowClosed(t *testing.T) {
	short := func(f *Custom) *Custom { f.InsecureShortCodes = 4; return f }
	for _, c := range []struct {
		name string
		f    *Custom
		ok   bool
	}{
		{"a good code", maker(new(outbox), "48151623"), true},
		{"letters", maker(new(outbox), "K7-mm/q"), true},
		{"empty", maker(new(outbox), ""), false},
		{"one character", maker(new(outbox), "7"), false},
		{"five digits", maker(new(outbox), "12345"), false},
		{"four digits, which the option allows", short(maker(new(outbox), "4815")), true},
		{"three digits, which no option allows", short(maker(new(outbox), "481")), false},
		{"only spaces", maker(new(outbox), "        "), false},
		{"a space inside", maker(new(outbox), "481 516"), false},
		{"a new line at the end", maker(new(outbox), "481516\n"), false},
		{"not ASCII", maker(new(outbox), "４８１５１６"), false},
		{"too long to type", maker(new(outbox), Code(strings.Repeat("1", 65))), false},
	} {
		a := newAttempt(t)
		err := c.f.Begin(t.Context(), a)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		made, _ := c.f.Create(t.Context(), CustomAttempt{})
		_, verr := c.f.Verify(t.Context(), a, []byte(made.Code))
		switch {
		case c.ok && (verr != nil || a.Info != "Look at your pager."):
			t.Errorf("%s: %v, %q", c.name, verr, a.Info)
		case !c.ok && !errors.Is(verr, ErrWrongCode):
			t.Errorf("%s: its code opened: %v", c.name, verr)
		case !c.ok && (!errors.Is(err, ErrSend) || a.Info != ""):
			t.Errorf("%s: %v, info %q", c.name, err, a.Info)
		}
		if err != nil && len(made.Code) > 2 && strings.Contains(err.Error(), string(made.Code)) {
			t.Errorf("%s: the error quotes the code", c.name)
		}
	}
}

func TestI13NothingIsDeliveredThatWasNotChecked(t *testing.T) {
	box := new(outbox)
	if err := maker(box, "123").Begin(t.Context(), newAttempt(t)); err == nil || len(box.sent) != 0 {
		t.Errorf("%d messages, %v", len(box.sent), err)
	}
}

func TestI13AConstantCodeMakerIsNoticedAtTheSecondLogin(t *testing.T) {
	for name, f := range map[string]*Custom{
		"always the same": maker(new(outbox), "481516"),
		"two in turn":     maker(new(outbox), "481516", "234211", "481516"),
	} {
		begin := func(pending string) (*Attempt, error) {
			a := newAttempt(t)
			a.context = pending
			return a, f.Begin(t.Context(), a)
		}
		if _, err := begin("pending 1"); err != nil {
			t.Errorf("%s: the first: %v", name, err)
		}
		if name == "two in turn" {
			if _, err := begin("pending 2"); err != nil {
				t.Errorf("%s: the second: %v", name, err)
			}
		}
		for i := range 20 {
			a, err := begin(fmt.Sprint("later ", i))
			if !errors.Is(err, ErrSend) {
				t.Fatalf("%s: login %d: %v", name, i, err)
			}
			if _, err := f.Verify(t.Context(), a, []byte("481516")); !errors.Is(err, ErrWrongCode) {
				t.Fatalf("%s: login %d is open: %v", name, i, err)
			}
			// Nor does asking again in the same login help.
			if err := f.Begin(t.Context(), a); !errors.Is(err, ErrSend) {
				t.Fatalf("%s: login %d, sent again: %v", name, i, err)
			}
		}
	}
}

func TestI13APanicOfAnAppsFunctionIsANo(t *testing.T) {
	f := maker(new(outbox), "481516")
	f.To = func(CustomAttempt) (string, string, bool) { panic("bug") }
	if _, _, ok := f.Destination(newAttempt(t)); ok || f.Available(newAttempt(t)) {
		t.Error("a panic is a destination")
	}
	check := &CustomCheck{Method: "token", For: func(CustomAttempt) bool { panic("bug") },
		Validate: func(context.Context, CustomAttempt, string) (CustomVerdict, error) {
			return CustomVerdict{OK: true}, nil
		}}
	if _, err := check.Verify(t.Context(), newAttempt(t), []byte("x")); err == nil || check.Available(newAttempt(t)) {
		t.Error("a panic lets somebody in")
	}
}

func TestI13ACodeMakerThatPanicsOrFailsLeavesTheFlowClosed(t *testing.T) {
	boom := errors.New("boom")
	f := maker(new(outbox), "481516")
	a := newAttempt(t)
	if err := f.Begin(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	f.Create = func(context.Context, CustomAttempt) (CustomCode, error) { return CustomCode{Code: "481516"}, boom }
	if err := f.Begin(t.Context(), a); !errors.Is(err, ErrSend) || !errors.Is(err, boom) {
		t.Errorf("%v", err)
	}
	if _, err := f.Verify(t.Context(), a, []byte("481516")); !errors.Is(err, ErrWrongCode) {
		t.Errorf("the code beside an error opened: %v", err)
	}
	for _, where := range []string{"create", "deliver"} {
		f := maker(new(outbox), "481516", "234211")
		if err := f.Begin(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if where == "create" {
			f.Create = func(context.Context, CustomAttempt) (CustomCode, error) { panic("bug") }
		} else {
			f.Deliver = func(context.Context, CustomAttempt, Code) error { panic("bug") }
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_ = f.Begin(t.Context(), a)
		}()
		if _, err := f.Verify(t.Context(), a, []byte("481516")); !errors.Is(err, ErrWrongCode) {
			t.Errorf("after a panic of %s the earlier code opened: %v", where, err)
		}
	}
}

func TestCustomCodesKeepTheirOwnShorterLife(t *testing.T) {
	f, a := maker(new(outbox), "481516"), newAttempt(t)
	f.Create = func(context.Context, CustomAttempt) (CustomCode, error) {
		return CustomCode{Code: "481516", TTL: time.Minute}, nil
	}
	if err := f.Begin(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	a.Now = a.Now.Add(time.Minute)
	if _, err := f.Verify(t.Context(), a, []byte("481516")); !errors.Is(err, ErrCodeExpired) {
		t.Error(err)
	}
	f.Create = func(context.Context, CustomAttempt) (CustomCode, error) {
		return CustomCode{Code: "234211", TTL: time.Hour}, nil
	}
	if err := f.Begin(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	a.Now = a.Now.Add(10 * time.Minute)
	if _, err := f.Verify(t.Context(), a, []byte("234211")); !errors.Is(err, ErrCodeExpired) {
		t.Errorf("a code outlives Config.CodeTTL: %v", err)
	}
}

func TestCustomValidationCanOnlyRefuse(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name    string
		verdict CustomVerdict
		err     error
		answer  string
		want    error
		asked   bool
	}{
		{"both agree", CustomVerdict{OK: true, Info: "Welcome."}, nil, "481516", nil, true},
		{"the app refuses", CustomVerdict{Info: "Not on Sundays."}, nil, "481516", ErrWrongCode, true},
		{"the app fails", CustomVerdict{OK: true}, boom, "481516", nil, true},
		{"the app says that nothing was compared", CustomVerdict{OK: true}, fmt.Errorf("late: %w", ErrCodeExpired), "481516", nil, true},
		{"the app says already used", CustomVerdict{}, ErrReplayed, "481516", ErrReplayed, true},
		{"the code is wrong", CustomVerdict{OK: true}, nil, "481517", ErrWrongCode, false},
	} {
		asked := false
		validate := func(_ context.Context, a CustomAttempt, answer string) (CustomVerdict, error) {
			asked = true
			if answer != c.answer || a.Account.PasswordHash != "" || a.Client.Device != "" {
				t.Errorf("%s: called with the wrong things", c.name)
			}
			return c.verdict, c.err
		}
		f, a := maker(new(outbox), "481516"), newAttempt(t)
		f.Validate = validate
		if err := f.Begin(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		_, err := f.Verify(t.Context(), a, []byte(c.answer))
		if c.err != nil && (err == nil || errors.Is(err, ErrCodeExpired)) { // that would give the guess back
			t.Errorf("%s: %v", c.name, err)
		}
		if c.want != nil && !errors.Is(err, c.want) || c.want == nil && c.err == nil && err != nil || asked != c.asked {
			t.Errorf("%s: %v, asked %v", c.name, err, asked)
		}
		if c.asked && c.err == nil && a.Info != c.verdict.Info {
			t.Errorf("%s: info %q", c.name, a.Info)
		}

		if !c.asked {
			continue
		}
		check := &CustomCheck{Method: "token", For: func(CustomAttempt) bool { return true }, Validate: validate}
		if _, err := check.Verify(t.Context(), newAttempt(t), []byte(c.answer)); c.want != nil && !errors.Is(err, c.want) || c.err != nil && (err == nil || errors.Is(err, ErrCodeExpired)) {
			t.Errorf("%s, by CustomCheck: %v", c.name, err)
		}
	}
}

func TestCustomCheckIsForWhomTheAppSays(t *testing.T) {
	f := &CustomCheck{
		Method: "token",
		For:    func(a CustomAttempt) bool { return a.Account.ID == "a-1" },
		Validate: func(context.Context, CustomAttempt, string) (CustomVerdict, error) {
			return CustomVerdict{OK: true}, nil
		},
	}
	a := newAttempt(t)
	if _, err := f.Verify(t.Context(), a, []byte("x")); err != nil || !f.Available(a) || f.Begin(t.Context(), a) != nil {
		t.Errorf("%v", err)
	}
	a.Account.ID = "a-2"
	if _, err := f.Verify(t.Context(), a, []byte("x")); !errors.Is(err, ErrWrongCode) || f.Available(a) {
		t.Errorf("somebody else: %v", err)
	}
	if _, sends := any(f).(Deliverer); sends {
		t.Error("a factor that sends nothing is charged for sending")
	}
}

func TestI19CustomWithoutItsFunctionsIsRefusedAndClosed(t *testing.T) {
	good := func() *Custom { return maker(new(outbox), "481516") }
	for name, change := range map[string]func(*Custom){
		"no method": func(c *Custom) { c.Method = "" }, "no create": func(c *Custom) { c.Create = nil },
		"no deliver": func(c *Custom) { c.Deliver = nil }, "no destination": func(c *Custom) { c.To = nil },
		"3 digits": func(c *Custom) { c.InsecureShortCodes = 3 }, "7 digits": func(c *Custom) { c.InsecureShortCodes = 7 },
		"negative": func(c *Custom) { c.InsecureShortCodes = -4 },
	} {
		f := good()
		change(f)
		a := newAttempt(t)
		if f.valid() == nil {
			t.Errorf("%s: accepted", name)
		}
		if err := f.Begin(t.Context(), a); !errors.Is(err, ErrSend) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := f.Verify(t.Context(), a, []byte("481516")); err == nil {
			t.Errorf("%s: open", name)
		}
	}
	if err := good().valid(); err != nil {
		t.Error(err)
	}
	if (&Custom{}).Available(newAttempt(t)) {
		t.Error("available without a destination")
	}
	for _, f := range []*CustomCheck{{}, {Method: "token"}, {Method: "token", For: func(CustomAttempt) bool { return true }}} {
		if f.valid() == nil {
			t.Errorf("%+v is accepted", f)
		}
		if _, err := f.Verify(t.Context(), newAttempt(t), []byte("x")); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestCustomParse(t *testing.T) {
	f := maker(new(outbox), "x")
	for answer, want := range map[string]string{" K7-mm/q ": "K7-mm/q", "123456": "123456"} {
		if got, ok := f.Parse(answer); !ok || string(got) != want {
			t.Errorf("%q: %q, %v", answer, got, ok)
		}
	}
	for _, answer := range []string{"", "12345", "K7 mm/q", "K7-mm/q\n", "４８１５１６", strings.Repeat("1", 65)} {
		if _, ok := f.Parse(answer); ok {
			t.Errorf("%q is read", answer)
		}
	}
}

func TestCustomIsSafeForConcurrentUse(t *testing.T) {
	f := &Custom{
		Method: "pager",
		Create: func(_ context.Context, a CustomAttempt) (CustomCode, error) {
			code, err := a.Digits(12)
			return CustomCode{Code: code}, err
		},
		Deliver: func(context.Context, CustomAttempt, Code) error { return nil },
		To:      func(CustomAttempt) (string, string, bool) { return "pager", "", true },
	}
	var wg sync.WaitGroup
	for i := range 50 {
		a := newAttempt(t)
		a.context = fmt.Sprint("pending ", i)
		wg.Go(func() {
			if err := f.Begin(context.Background(), a); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestCustomAttemptPrintsNoSecretsAndDrawsDigits(t *testing.T) {
	a := customAttempt(newAttempt(t))
	if s := fmt.Sprintf("%v %+v %#v", a, a, a); strings.Contains(s, "@") || strings.Contains(s, "+316") {
		t.Error("an attempt prints a destination")
	}
	for n, ok := range map[int]bool{0: false, 3: false, 4: true, 8: true, 64: true, 65: false, -1: false} {
		code, err := a.Digits(n)
		if (err == nil) != ok || ok && len(code) != n {
			t.Errorf("%d digits: %d, %v", n, len(code), err)
		}
	}
}

func ExampleCustom() {
	page := func(pager, text string) error { return nil } // however the app does it
	_ = &Custom{
		Method: "pager",
		Create: func(ctx context.Context, a CustomAttempt) (CustomCode, error) {
			code, err := a.Digits(8)
			return CustomCode{Code: code, Info: "Your pager shows the code."}, err
		},
		Deliver: func(ctx context.Context, a CustomAttempt, code Code) error {
			return page(a.Account.ID, string(code))
		},
		To: func(a CustomAttempt) (channel, to string, ok bool) { return "pager", a.Account.ID, true },
	}
}
