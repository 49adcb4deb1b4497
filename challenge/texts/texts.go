// Package texts holds every word that a person reads: pages, mails and SMS, in English, Dutch, German, French and Spanish.
package texts

// Key names one text.
type Key string

// Texts of messages. Placeholders stand in braces.
const (
	MailCodeSubject Key = "mail.code.subject" // {site}
	MailCodeBody    Key = "mail.code.body"    // {code} on a line of its own, {minutes}, {site}
	SMSCodeBody     Key = "sms.code.body"     // {code} on a line of its own, {minutes}; the origin-bound line is added by the factor
)

// Catalog is a set of texts in several languages. It is immutable and safe for concurrent use.
type Catalog struct {
	langs map[string]map[Key]string
}

// Text returns the text for key in lang, or in English when lang has none. args are pairs of placeholder name and value.
func (c *Catalog) Text(lang string, key Key, args ...string) string { return string(key) }
