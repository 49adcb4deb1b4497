package smtp_test

import (
	"fmt"
	"log"

	"github.com/sallyport-go/sallyport/senders/smtp"
)

func ExampleNew() {
	mailer, err := smtp.New(smtp.Config{
		Host:     "smtp.acme.example",
		Username: "mailer",
		Password: "from the secret store",
		From:     "Acme <login@acme.example>",
	})
	fmt.Println(mailer, err) // prints without the password
	// Output: smtp(smtp.acme.example:587) <nil>
}

// For a command's flag: smtp:// asks for STARTTLS, smtps:// speaks TLS from the first byte.
func ExampleParseURL() {
	c, err := smtp.ParseURL("smtps://login%40acme.example:secret@smtp.acme.example")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.From, c.ImplicitTLS)
	// Output: login@acme.example true
}
