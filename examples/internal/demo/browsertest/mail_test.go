package browsertest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/challenge/texts"
	"github.com/sallyport-go/sallyport/senders"
	"github.com/sallyport-go/sallyport/stores"
)

// codeMail is the mail with a code as it goes out in a language.
func codeMail(t *testing.T, lang string) challenge.Message {
	t.Helper()
	box, kit := new(senders.Outbox), challengetest.New(challengetest.NewClock())
	kit.Users.Add(challenge.Account{ID: "1", Name: "carol", Email: "carol@example.com", Language: lang}, password)
	c := kit.Config(&stores.Memory{Clock: kit.Clock.Now})
	c.Factors = []challenge.Factor{&challenge.Email{Sender: box}}
	logins, err := challenge.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := logins.Password(context.Background(), challenge.Client{}, new(challenge.Session),
		challenge.PasswordInput{Slot: challenge.Cookie, Name: "carol", Password: []byte(password)}); err != nil {
		t.Fatal(err)
	}
	m, ok := box.Last(challenge.ChannelEmail, "carol@example.com")
	if !ok || m.Language != lang {
		t.Fatalf("no mail in %s", lang)
	}
	return m
}

// A mail is shown inside a mail program, whose page has the landmarks that axe-core misses here.
var ofThePageAround = []string{"region", "landmark-one-main"}

func TestAMailIsForEverybody(t *testing.T) {
	t.Parallel()
	i := newInspector(t)
	v := start(t).visit(t)
	for _, lang := range texts.Default().Languages() {
		m := codeMail(t, lang)
		file := filepath.Join(t.TempDir(), "mail.html")
		if err := os.WriteFile(file, []byte(m.HTML), 0o644); err != nil {
			t.Fatal(err)
		}
		v.do(chromedp.Navigate("file://" + file))
		if i.axe != "" {
			v.do(chromedp.Evaluate[chromedp.Void](i.axe))
		}
		for _, as := range ways {
			v.screen(as.scheme, as.width)
			if !v.fits(as.width) {
				t.Errorf("%s, %s: it takes scrolling to the side to see all of %s", lang, as.name, js[string](v, beyond))
			}
			if n := js[int64](v, `performance.getEntriesByType("resource").length`); n != 0 {
				t.Errorf("%s: %d things were fetched", lang, n)
			}
			if i.pictures != "" {
				if err := os.WriteFile(filepath.Join(i.pictures, "mail-"+lang+"."+as.name+".png"), ask(v, chromedp.FullScreenshot(100)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if i.axe == "" || !as.inspect {
				continue
			}
			for _, f := range v.findings() {
				if !slices.Contains(ofThePageAround, f.ID) {
					t.Errorf("%s, %s: axe-core %s (%s): %s", lang, as.name, f.ID, f.Impact, f.Help)
				}
			}
		}
	}
	if i.axe == "" && !t.Failed() {
		missing(t, noAxe)
	}
}
