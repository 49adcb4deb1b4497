// Package senders delivers codes and notices: the ready-made implementations of [challenge.Sender].
//
// # Which one
//
// [Outbox] keeps messages in memory or writes them as JSON lines, for tests and demonstrations. [Webhook] posts them to an
// address of yours, which covers every provider and every queue. [Twilio] sends an SMS through Twilio or a provider that
// speaks the same interface. Mail goes out through the package senders/smtp or [SendGrid]. [Fallback] puts one provider
// behind another.
//
// # One of your own
//
// A sender is one method; [Func] makes one of a function. The package senders/sendertest checks that it keeps the rules.
//
// # What all of them keep
//
// A Send ends with the context or after its own limit (10 seconds unless set otherwise), whichever comes first. Nothing is
// tried twice, except by [Fallback]. Errors name the step that failed and numeric statuses; they never carry the code, the
// message, its destination, a credential, or text that the other side sent, since it may repeat what it was given. A
// destination that does not exist is [challenge.ErrRecipient]. All are safe for concurrent use.
package senders
