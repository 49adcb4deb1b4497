package challenge

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// This file is about where messages may go, and what counts as one destination.

var numberPrefix = regexp.MustCompile(`^\+[1-9][0-9]{0,14}$`)

// notOfAnyCountry are the country codes of services that belong to no country: freephone, shared cost, satellite, networks
// and premium rate (ITU-T E.164, list of assigned country codes). Messages there are dear, and no person is known by one.
var notOfAnyCountry = []string{"+800", "+808", "+870", "+878", "+881", "+882", "+883", "+888", "+979"}

// shortCodes are the country codes of two digits; +1 and +7 have one and all others three (ITU-T E.164, list of assigned
// country codes).
var shortCodes = []string{
	"20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49",
	"51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66",
	"81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
}

// countryCode is the country code of a number in E.164, with its plus.
func countryCode(number string) string {
	switch {
	case len(number) < 4:
		return number
	case number[1] == '1', number[1] == '7':
		return number[:2]
	case slices.Contains(shortCodes, number[1:3]):
		return number[:3]
	}
	return number[:4]
}

// numberRange is the range of 10,000 numbers that a number is in: what is rented as one block.
func numberRange(number string) string {
	if len(number) <= 5 {
		return number
	}
	return number[:len(number)-4]
}

// mayGo reports whether SMS may be sent to a number. SMSNeverTo wins.
func (s SendLimits) mayGo(number string) bool {
	begins := func(prefix string) bool { return strings.HasPrefix(number, prefix) }
	switch {
	case slices.ContainsFunc(s.SMSNeverTo, begins):
		return false
	case s.SMSOnlyTo != nil:
		return slices.ContainsFunc(s.SMSOnlyTo, begins)
	}
	return !slices.ContainsFunc(notOfAnyCountry, begins)
}

// countedAs is what a destination counts as: every way to write it that reaches the same phone or mailbox at most hosts. It is
// for budgets only and never an address to send to.
func countedAs(channel, to string) string {
	switch channel {
	case ChannelSMS:
		if n, ok := phoneNumber(to); ok {
			return n
		}
	case ChannelEmail:
		to = strings.ToLower(norm.NFKC.String(to)) // full-width letters are the same to many hosts
		if at := strings.LastIndexByte(to, '@'); at > 0 {
			if plus := strings.IndexByte(to[:at], '+'); plus > 0 { // user+tag@host (RFC 5233)
				return to[:plus] + to[at:]
			}
		}
	}
	return to
}

// mailAddress accepts one bare address (RFC 5322 addr-spec, at most 254 bytes, RFC 5321 section 4.5.3.1) that cannot end
// a header line. The domain is lower-cased; the local part belongs to its host.
func mailAddress(s string) (string, bool) {
	if s == "" || len(s) > 254 || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || unicode.Is(unicode.Cf, r) }) {
		return "", false
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Name != "" || a.Address != s {
		return "", false
	}
	at := strings.LastIndexByte(s, '@')
	if strings.HasPrefix(s[at+1:], "[") { // a host by its number is nobody's mailbox
		return "", false
	}
	return s[:at+1] + strings.ToLower(s[at+1:]), true
}

// phoneNumber accepts a number in E.164: a plus and 7 to 15 digits, the first not 0. The spaces, dots, hyphens and
// brackets that people type are dropped.
func phoneNumber(s string) (string, bool) {
	if len(s) > maxTyped {
		return "", false
	}
	n := strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "").Replace(s)
	if len(n) < 8 || len(n) > 16 || n[0] != '+' || n[1] == '0' {
		return "", false
	}
	if _, ok := parseDigits(n[1:]); !ok {
		return "", false
	}
	return n, true
}

// Mask shows enough of a destination for its owner to know it and too little for anybody else to use it: c•••l@example.com,
// •••01. The number of dots says nothing about the length. Of an unknown channel's destination nothing is shown.
func Mask(channel, to string) string {
	const dots = "•••"
	switch channel {
	case ChannelEmail:
		at := strings.LastIndexByte(to, '@')
		if at < 1 {
			return dots
		}
		local, domain := []rune(to[:at]), to[at:]
		switch len(local) {
		case 1, 2:
			return dots + domain
		case 3:
			return string(local[:1]) + dots + domain
		}
		return string(local[:1]) + dots + string(local[len(local)-1:]) + domain
	case ChannelSMS:
		if len(to) < 8 {
			return dots
		}
		return dots + to[len(to)-2:]
	}
	return dots
}
