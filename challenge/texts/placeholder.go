package texts

import (
	"errors"
	"strings"
)

// nextPlaceholder finds the first {name} or {name|one|other} of text. before is what stands in front of it, after what
// follows. ok is false when there is none.
func nextPlaceholder(text string) (before, name, forms, after string, ok bool) {
	start := strings.IndexByte(text, '{')
	if start < 0 {
		return text, "", "", "", false
	}
	inside, after, found := strings.Cut(text[start+1:], "}")
	if !found {
		return text, "", "", "", false
	}
	name, forms, _ = strings.Cut(inside, "|")
	return text[:start], name, forms, after, true
}

// expand replaces the placeholders of text by the values in args, in one pass, so that a value is never expanded itself.
func expand(text string, args []string) string {
	var b strings.Builder
	for {
		before, name, forms, after, ok := nextPlaceholder(text)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		value, known := argument(args, name)
		one, other, plural := strings.Cut(forms, "|")
		switch {
		case !known:
			b.WriteString(text[len(before) : len(text)-len(after)])
		case plural && value == "1":
			b.WriteString(one)
		case plural:
			b.WriteString(other)
		default:
			b.WriteString(value)
		}
		text = after
	}
}

func argument(args []string, name string) (string, bool) {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == name {
			return args[i+1], true
		}
	}
	return "", false
}

// placeholders returns the names of the values that text shows. A choice between two forms shows none, but needs the
// value to be shown as well.
func placeholders(text string) (map[string]bool, error) {
	shown, chosen := map[string]bool{}, map[string]bool{}
	for {
		before, name, forms, after, ok := nextPlaceholder(text)
		if strings.ContainsAny(before, "{}") {
			return nil, errors.New("a brace without its partner")
		}
		if !ok {
			break
		}
		one, other, plural := strings.Cut(forms, "|")
		switch {
		case name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") != "":
			return nil, errors.New("a placeholder is {name}, in small letters")
		case !plural && forms == "":
			shown[name] = true
		case !plural || strings.ContainsAny(one+other, "{|"):
			return nil, errors.New("a choice is {name|one|other}")
		default:
			chosen[name] = true
		}
		text = after
	}
	for name := range chosen {
		if !shown[name] {
			return nil, errors.New("a choice {" + name + "|one|other} without {" + name + "}")
		}
	}
	return shown, nil
}
