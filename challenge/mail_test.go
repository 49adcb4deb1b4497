package challenge_test

import (
	"context"
	"fmt"
	"html"
	"html/template"
	"log"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/challenge/texts"
	"github.com/sallyport-go/sallyport/senders"
	"github.com/sallyport-go/sallyport/stores"
)

// mailTo logs carol in, whose language is lang, and returns the mails that follow: the code, and a notice of the new device.
func mailTo(t *testing.T, lang string, change ...func(*challenge.Config)) (code, notice challenge.Message) {
	t.Helper()
	box := new(senders.Outbox)
	h := build(t, append(change, func(c *challenge.Config) {
		c.Factors, c.Notices = []challenge.Factor{&challenge.TOTP{Issuer: "Acme"}, &challenge.Email{Sender: box}}, box
	})...)
	h.Users.Change("3", func(a *challenge.Account) { a.Language = lang })
	for range 2 { // the first device is no news
		out, err := h.password("carol", password)
		if err != nil {
			t.Fatal(err)
		}
		sent := box.Messages()
		code = sent[len(sent)-1]
		if _, err := h.verify(out.Token, string(code.Code)); err != nil {
			t.Fatal(err)
		}
		h.logins.WaitForNotices()
		h.Clock.Advance(time.Minute)
	}
	for _, m := range box.Messages() {
		if m.Code == "" {
			notice = m
		}
	}
	return code, notice
}

var tag = regexp.MustCompile(`(?s)<style>.*?</style>|<title>.*?</title>|<[^>]*>`)

// words are what a person reads of HTML or of a text, without regard to lines.
func words(s string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tag.ReplaceAllString(s, " "))), " ")
}

func TestAMailSaysTheSameInHTMLInEveryLanguage(t *testing.T) {
	for _, lang := range texts.Default().Languages() {
		t.Run(lang, func(t *testing.T) {
			code, notice := mailTo(t, lang)
			for _, m := range []challenge.Message{code, notice} {
				if m.Language != lang || m.HTML == "" {
					t.Fatalf("language %s, %d bytes of HTML", m.Language, len(m.HTML))
				}
				if got, want := words(m.HTML), "app.example "+words(m.Body); got != want {
					t.Errorf("the HTML says\n%s\nand the text\n%s", got, want)
				}
				if strings.Count(m.HTML, ` lang="`+lang+`"`) != 2 || !strings.Contains(m.HTML, "<title>"+html.EscapeString(m.Subject)+"</title>") {
					t.Errorf("no language or title in %s", m.HTML)
				}
				for _, bad := range []string{"http:", "https:", "//", "src", "href", "url(", "<img", "<script", "<link", "<a ", "@import", "cid:", "color:#", "color: #", "#fff", "white", "black"} {
					if strings.Contains(strings.ToLower(m.HTML), bad) {
						t.Errorf("%q in %s", bad, m.HTML)
					}
				}
				for l := range strings.Lines(m.HTML) {
					if len(l) > 998 { // RFC 5322 section 2.1.1
						t.Errorf("a line of %d bytes", len(l))
					}
				}
			}
			for kind, s := range map[string]string{"text": code.Body, "HTML": code.HTML} {
				if !slices.Contains(strings.Split(s, "\n"), string(code.Code)) || strings.Count(s, string(code.Code)) != 1 {
					t.Errorf("the code does not stand on its own line, once, in the %s", kind)
				}
			}
			if strings.Contains(code.Subject, string(code.Code)) {
				t.Error("the subject shows the code")
			}
		})
	}
}

func TestNothingInAMailBecomesMarkup(t *testing.T) {
	const hostile = `<script>alert(1)</script>"'><img src=//evil.example> &amp; {{.}} javascript:x`
	catalog, err := texts.Default().With("en", map[texts.Key]string{
		texts.MailCodeSubject: "{site} <script>\"'>",
		texts.MailCodeBody:    strings.NewReplacer("{{", "", "}}", "").Replace(hostile) + "\n{code}\n{minutes} {site}",
	})
	if err != nil {
		t.Fatal(err)
	}
	code, _ := mailTo(t, "en", func(c *challenge.Config) { c.Texts = catalog })
	if strings.Contains(code.HTML, "<script") || strings.Contains(code.HTML, "<img") || strings.Contains(code.HTML, `"'>`) {
		t.Error(code.HTML)
	}
	if got, want := words(code.HTML), "app.example "+strings.Join(strings.Fields(code.Body), " "); got != want {
		t.Errorf("read back as %s, want %s", got, want)
	}
}

func TestAnAppReplacesPartsOfTheMailWithoutCopyingTheRest(t *testing.T) {
	ours, _ := mailTo(t, "nl")
	header := template.Must(template.New("").Parse(`{{define "header"}}<p class="brand">Acme &amp; Co, {{.Site}}</p>{{end}}`))
	theirs, _ := mailTo(t, "nl", func(c *challenge.Config) { c.Mail = header })
	cut := func(m challenge.Message, at string) string {
		_, rest, _ := strings.Cut(strings.ReplaceAll(m.HTML, string(m.Code), "000000"), at)
		return rest
	}
	if !strings.Contains(theirs.HTML, `<p class="brand">Acme &amp; Co, app.example</p>`) || cut(ours, "app.example</h1>") != cut(theirs, "app.example</p>") {
		t.Errorf("not the header alone changed: %s", theirs.HTML)
	}
	whole := template.Must(template.New("").Parse(`{{define "mail"}}<b>{{.Subject}}</b>{{range .Paragraphs}}{{template "code" .}}{{end}}{{end}}`))
	if m, _ := mailTo(t, "nl", func(c *challenge.Config) { c.Mail = whole }); !strings.HasPrefix(m.HTML, "<b>Je code voor app.example</b>") {
		t.Error(m.HTML)
	}
	none := template.Must(template.New("").Parse(`{{define "mail"}}  {{end}}`))
	if m, notice := mailTo(t, "nl", func(c *challenge.Config) { c.Mail = none }); m.HTML != "" || notice.HTML != "" || m.Body == "" {
		t.Errorf("an empty template is text only: %s", m.HTML)
	}
}

func TestAMailTemplateThatCannotWorkIsRefused(t *testing.T) { // I-19
	for name, c := range map[string]struct{ template, says string }{
		"a field that there is not": {`{{define "footer"}}{{.Password}}{{end}}`, "Password"},
		"a part that there is not":  {`{{define "mail"}}{{template "logo" .}}{{end}}`, "logo"},
		"a loop without an end":     {`{{define "mail"}}{{template "mail" .}}{{end}}`, "depth"},
		"the code is lost":          {`{{define "mail"}}{{range .Paragraphs}}{{range .Lines}}{{.}}{{end}}{{end}}{{end}}`, "code is lost"},
		"the code is left out":      {`{{define "code"}}{{end}}`, "code is lost"},
		"a tag that does not end":   {`{{define "header"}}<p title="{{end}}`, "html/template"},
	} {
		kit := build(t)
		config := kit.Config(kit.store)
		config.Mail = template.Must(template.New("").Parse(c.template))
		if _, err := challenge.New(config); err == nil || !strings.Contains(err.Error(), "Config.Mail") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatAMailIsMadeOfPrintsWithoutTheCode(t *testing.T) { // I-21
	p := challenge.MailParagraph{Code: "271828", Lines: []string{"271828"}}
	m := challenge.Mail{Subject: "s", Paragraphs: []challenge.MailParagraph{p}}
	if s := fmt.Sprintf("%v %+v %#v %s %v", m, m, m, p, &p); strings.Contains(s, "271828") {
		t.Error(s)
	}
}

// An app puts its own name above the mails and leaves the rest, and every text, as they are.
func ExampleMail() {
	kit := challengetest.New(challengetest.NewClock())
	kit.Users.Add(challenge.Account{ID: "1", Name: "carol", Email: "carol@example.com", Language: "nl"}, "correct-horse-battery")
	box := new(senders.Outbox)
	config := kit.Config(new(stores.Memory))
	config.Factors = []challenge.Factor{&challenge.Email{Sender: box}}
	config.Mail = template.Must(template.New("").Parse(`{{define "header"}}<h1>Acme</h1>{{end}}`))
	logins, err := challenge.New(config)
	if err != nil {
		log.Fatal(err)
	}
	_, err = logins.Password(context.Background(), challenge.Client{}, new(challenge.Session),
		challenge.PasswordInput{Slot: challenge.Cookie, Name: "carol", Password: []byte("correct-horse-battery")})
	if err != nil {
		log.Fatal(err)
	}
	mail, _ := box.Last(challenge.ChannelEmail, "carol@example.com")
	fmt.Println(strings.Contains(mail.HTML, "<h1>Acme</h1>"), strings.Contains(mail.HTML, "Je code voor app.example"))
	// Output: true true
}
