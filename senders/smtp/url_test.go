package smtp_test

import (
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/senders/smtp"
)

func TestAURLNamesServerAndAccount(t *testing.T) {
	for _, c := range []struct {
		url  string
		want smtp.Config
	}{
		{"smtp://mailer:pass@smtp.acme.example:587", smtp.Config{Host: "smtp.acme.example", Port: 587, Username: "mailer", Password: "pass"}},
		{"smtp://smtp.acme.example", smtp.Config{Host: "smtp.acme.example"}},
		{"smtp://smtp.acme.example:25/", smtp.Config{Host: "smtp.acme.example", Port: 25}},
		{"SMTPS://smtp.acme.example", smtp.Config{Host: "smtp.acme.example", ImplicitTLS: true}},
		{"smtp://login%40acme.example:p%40ss%2F%23%3A%25@[::1]:2525", smtp.Config{Host: "::1", Port: 2525, Username: "login@acme.example", Password: "p@ss/#:%", From: "login@acme.example"}},
		{"smtp://mailer:a:b+c@h?from=Acme%20%3Clogin%40acme.example%3E", smtp.Config{Host: "h", Username: "mailer", Password: "a:b+c", From: "Acme <login@acme.example>"}},
		{"smtp://localhost:1025?from=a@b.example&insecure-no-tls=true", smtp.Config{Host: "localhost", Port: 1025, From: "a@b.example", InsecureNoTLS: true}},
	} {
		got, err := smtp.ParseURL(c.url)
		if err != nil || got != c.want {
			t.Errorf("%s: %v, want %v, %v", c.url, got, c.want, err)
		}
	}
}

func TestAURLThatIsRefusedIsNotRepeated(t *testing.T) { // I-21
	for _, url := range []string{
		"", "hunter2", "smtp:hunter2", "smtp://", "smtp://u:hunter2@", "smtp://u:hunter2@:25", "http://u:hunter2@h", "u:hunter2@h:25",
		"smtp://u:hunter2%zz@h", "smtp://u:hunter2/x@h:25", "smtp://u:hunter2#x@h:25", "smtp://u:hunter2?x@h:25", "smtp://u:hunter2@h:0",
		"smtp://u:hunter2@h:99999", "smtp://u:hunter2@h:x", "smtp://u:hunter2@h/path", "smtp://u:hunter2@h?password=x", "smtp://u:hunter2@h?from=a@b.c&from=d@e.f",
		"smtp://u:hunter2@h?insecure-no-tls=1", "smtp://u:hunter2@h?x=%zz", "smtp://u:hunter2 @h\n",
	} {
		c, err := smtp.ParseURL(url)
		if err == nil || c != (smtp.Config{}) {
			t.Errorf("%q was accepted", url)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error repeats it: %v", url, err)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"smtp://mailer:pass@smtp.acme.example:587", "smtps://h?from=a@b.c", "smtp://u:p%40@[::1]:1", "smtp://u:p%zz@h", "smtp://localhost?insecure-no-tls=true"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := smtp.ParseURL(s)
		if err != nil {
			if c != (smtp.Config{}) {
				t.Error("an error came with a Config")
			}
			return
		}
		if c.Host == "" || c.Port < 0 || c.Port > 65535 {
			t.Errorf("%q gave host %q, port %d", s, c.Host, c.Port)
		}
		if c.InsecureNoTLS && !strings.Contains(s, "insecure-no-tls=true") && !strings.Contains(s, "%") {
			t.Errorf("%q drops TLS without saying so", s)
		}
	})
}
