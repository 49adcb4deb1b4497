package senders_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/senders"
)

// An Outbox shows in a test or a demonstration what would have been sent.
func ExampleOutbox() {
	box := &senders.Outbox{Writer: os.Stdout}
	err := box.Send(context.Background(), challenge.Message{
		Channel: challenge.ChannelSMS, To: "+31600000001", Code: "314159", Body: "Your code is 314159.",
	})
	if err != nil {
		log.Fatal(err)
	}
	m, _ := box.Last(challenge.ChannelSMS, "+31600000001")
	fmt.Println(string(m.Code)) // only the conversion shows it
	fmt.Println(m.Code)
	// Output:
	// {"channel":"sms","to":"+31600000001","code":"314159","subject":"","body":"Your code is 314159."}
	// 314159
	// [code]
}

// A sender of one's own is one function.
func ExampleFunc() {
	queue := make(chan string, 1)
	var sender challenge.Sender = senders.Func(func(ctx context.Context, m challenge.Message) error {
		select {
		case queue <- m.To:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	_ = sender.Send(context.Background(), challenge.Message{Channel: challenge.ChannelEmail, To: "carol@example.com"})
	fmt.Println(<-queue)
	// Output: carol@example.com
}

// A second provider takes over when the first fails, and is asked first for the next minute.
func ExampleNewFallback() {
	first := senders.Func(func(context.Context, challenge.Message) error { return fmt.Errorf("provider down") })
	second := &senders.Outbox{}
	sms, err := senders.NewFallback(senders.FallbackConfig{Senders: []challenge.Sender{first, second}})
	if err != nil {
		log.Fatal(err)
	}
	m := challenge.Message{Channel: challenge.ChannelSMS, To: "+31600000001", Body: "…"}
	for range 2 {
		report, err := sms.SendReport(context.Background(), m)
		fmt.Printf("%q %v\n", report, err) // the machine writes the report into the audit
	}
	fmt.Println(len(second.Messages()))
	// Output:
	// "sender 2 of 2, after 1 failed" <nil>
	// "" <nil>
	// 2
}

func ExampleNewWebhook() {
	_, err := senders.NewWebhook(senders.WebhookConfig{
		URL:     "http://messages.acme.example/send",
		Secrets: []string{os.Getenv("WEBHOOK_SECRET")},
	})
	fmt.Println(err)
	// Output: senders: webhook: the URL is http://, which shows codes to the network: use https://, or set InsecureHTTP for a local test
}

func ExampleNewTwilio() {
	sms, err := senders.NewTwilio(senders.TwilioConfig{
		AccountSID: "AC0123456789abcdef0123456789abcdef",
		AuthToken:  "from the provider's console",
		From:       "+15005550006",
	})
	fmt.Println(sms, err) // prints without the token
	err = sms.Send(context.Background(), challenge.Message{Channel: challenge.ChannelSMS, To: "0600000001", Body: "…"})
	fmt.Println(err)
	// Output:
	// twilio <nil>
	// senders: twilio: challenge: the destination cannot be reached: To is not a number in E.164: store numbers as + and digits, with the country code
}

func ExampleNewSendGrid() {
	mailer, err := senders.NewSendGrid(senders.SendGridConfig{
		APIKey:  "SG.from.the-secret-store",
		From:    "Acme <login@acme.example>",
		BaseURL: "https://api.eu.sendgrid.com", // an account in the European Union
	})
	fmt.Println(mailer, err) // prints without the key
	err = mailer.Send(context.Background(), challenge.Message{Channel: challenge.ChannelEmail, To: "carol@example.com\r\nBcc: eve@example.net", Body: "…"})
	fmt.Println(err)
	// Output:
	// sendgrid <nil>
	// senders: sendgrid: challenge: the destination cannot be reached: To is not one bare mail address (name@host, no line breaks)
}

// The program that receives what a Webhook posts: it does nothing for a request that is not signed, and each message once.
func ExampleVerifyWebhook() {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // from the secret store, on both sides
	var seen sync.Map                                       // in production: a table whose rows go after 10 minutes
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		id, err := senders.VerifyWebhook(r.Header, body, time.Now(), secret)
		if err != nil {
			http.Error(w, "not signed", http.StatusUnauthorized)
			return
		}
		if _, again := seen.LoadOrStore(id, true); again {
			return // 200: done before
		}
		var m struct {
			Type string
			Data struct{ Channel, To, Code string }
		}
		if json.Unmarshal(body, &m) == nil {
			fmt.Println(m.Type, m.Data.Channel, m.Data.To, m.Data.Code)
		}
	}))
	defer receiver.Close()

	hook, err := senders.NewWebhook(senders.WebhookConfig{URL: receiver.URL, Secrets: []string{secret}, InsecureHTTP: true})
	if err != nil {
		log.Fatal(err)
	}
	err = hook.Send(context.Background(), challenge.Message{Channel: challenge.ChannelSMS, To: "+31600000001", Code: "314159", Body: "…"})
	fmt.Println(err)
	// Output:
	// sallyport.code sms +31600000001 314159
	// <nil>
}
