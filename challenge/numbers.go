package challenge

import (
	"regexp"
	"slices"
	"strings"

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
