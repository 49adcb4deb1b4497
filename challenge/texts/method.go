package texts

import (
	"strconv"
	"strings"
	"time"
)

// Method returns what a method is called: "Authenticator app" for "totp". A factor that the catalog does not know is
// "Another code" until method.NAME is added by [Catalog.With].
func (c *Catalog) Method(lang, name string) string {
	return c.named(lang, "method.", name, MethodCustom)
}

// Use returns what the button says that changes to a method.
func (c *Catalog) Use(lang, name string) string {
	return c.named(lang, "use.", name, UseCustom)
}

// Hint returns what to do for a method. destination is where a code was sent, masked; when it is empty nothing was sent,
// and a hint that would name it is replaced by the one of [HintCustom].
func (c *Catalog) Hint(lang, name, destination string) string {
	text, ok := c.lookup(lang, Key("hint."+name))
	if !ok || destination == "" && strings.Contains(text, "{destination}") {
		return c.Text(lang, HintCustom)
	}
	return expand(text, []string{"destination", destination})
}

func (c *Catalog) named(lang, kind, name string, otherwise Key) string {
	if text, ok := c.lookup(lang, Key(kind+name)); ok {
		return text
	}
	return c.Text(lang, otherwise)
}

// Duration returns a length of time in words, rounded up to whole seconds, minutes, hours or days: "30 seconds",
// "5 minutes". It is never less than one second.
func (c *Catalog) Duration(lang string, d time.Duration) string {
	const day = 24 * time.Hour
	key, unit := DurationDays, day
	switch {
	case d < time.Minute:
		key, unit = DurationSeconds, time.Second
	case d <= 90*time.Minute:
		key, unit = DurationMinutes, time.Minute
	case d <= 2*day:
		key, unit = DurationHours, time.Hour
	}
	n := d / unit
	if d%unit > 0 {
		n++
	}
	return c.Text(lang, key, "n", strconv.FormatInt(int64(max(1, n)), 10))
}
