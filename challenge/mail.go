package challenge

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"strings"

	"github.com/sallyport-go/sallyport/challenge/texts"
)

//go:embed mail.html
var mailTemplates string

// Mail is what the HTML of a mail is made of: the dot of the templates "mail", "header" and "footer" (see Config.Mail).
// It says what the text says and nothing else.
type Mail struct {
	Site       string // the host, with a port when it is not the scheme's own
	Language   string // BCP 47
	Subject    string
	Paragraphs []MailParagraph
}

// MailParagraph is either some lines or the code, which stands alone: the dot of the template "code".
type MailParagraph struct {
	Code  string
	Lines []string
}

// Format hides the code.
func (Mail) Format(f fmtState, _ rune) { writeRedacted(f, "mail") }

// Format hides the code.
func (MailParagraph) Format(f fmtState, _ rune) { writeRedacted(f, "mail paragraph") }

// paragraphs takes a text apart at its empty lines and around the code.
func paragraphs(body, code string) (list []MailParagraph) {
	var lines []string
	end := func() {
		if len(lines) > 0 {
			list = append(list, MailParagraph{Lines: lines})
		}
		lines = nil
	}
	for line := range strings.Lines(body) {
		switch line = strings.TrimSpace(line); line {
		case "":
			end()
		case code:
			end()
			list = append(list, MailParagraph{Code: code})
		default:
			lines = append(lines, line)
		}
	}
	end()
	return list
}

// mails gives mails their HTML.
type mails struct {
	host string
	set  *template.Template
}

// newMails takes the app's templates and ours where it has none, and renders a code and a notice in every language, so that
// a template that cannot work is an error now and not a mail without HTML later.
func newMails(own *template.Template, host string, catalog *texts.Catalog) (*mails, error) {
	m := &mails{host: host, set: template.New("")}
	if own != nil {
		set, err := own.Clone() // keeps the app's functions
		if err != nil {
			return nil, fmt.Errorf("challenge: Config.Mail: templates must not have been executed before: %w", err)
		}
		m.set = set
	}
	for _, t := range template.Must(template.New("").Parse(mailTemplates)).Templates() {
		if theirs := m.set.Lookup(t.Name()); t.Tree == nil || theirs != nil && theirs.Tree != nil {
			continue // even if empty: that is how an app does without a part
		}
		if _, err := m.set.AddParseTree(t.Name(), t.Tree); err != nil {
			return nil, fmt.Errorf("challenge: Config.Mail: %w", err)
		}
	}
	for _, lang := range catalog.Languages() {
		const code = "8246013579"
		body := catalog.Text(lang, texts.MailCodeBody, "site", host, "code", code, "minutes", "10")
		html, err := m.render(Message{Language: lang, Subject: "s", Code: code, Body: body})
		if err == nil && html != "" && !strings.Contains(html, code) {
			err = errors.New(`the code is lost: write {{template "code" .}} or {{.Code}} for each paragraph that has one`)
		}
		if err == nil {
			_, err = m.render(Message{Language: lang, Subject: "s", Body: catalog.Text(lang, texts.NoticeRecoveryBody)})
		}
		if err != nil {
			return nil, fmt.Errorf("challenge: Config.Mail: %w", err)
		}
	}
	return m, nil
}

func (m *mails) render(msg Message) (string, error) {
	var b bytes.Buffer
	err := m.set.ExecuteTemplate(&b, "mail", Mail{Site: m.host, Language: msg.Language, Subject: msg.Subject,
		Paragraphs: paragraphs(msg.Body, string(msg.Code))})
	if err != nil {
		return "", err
	}
	return strings.TrimLeft(b.String(), " \t\r\n"), nil
}

// withHTML returns msg with its HTML, or as it is when it is no mail or cannot be rendered: the text says the same.
func (m *mails) withHTML(msg Message) Message {
	if m == nil || msg.Channel != ChannelEmail {
		return msg
	}
	html, err := m.render(msg)
	if err == nil {
		msg.HTML = html
	}
	return msg
}
