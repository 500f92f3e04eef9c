package redact

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// publicNames are keys of the secrets that Kubernetes and its tools make whose values anybody may know.
func publicNames() []string { return []string{"ca.crt", "tls.crt", "namespace", "username"} }

// OfFile returns what is secret in a file of a mounted secret: all of it, and single values when it is a list of name=value or
// name: value, or JSON. It returns nothing for what is public by its name, and for large binary files, which are in no log.
func OfFile(name string, content []byte) []string {
	text := strings.TrimRight(string(content), "\r\n")
	binary := !utf8.ValidString(text) || strings.ContainsRune(text, 0)
	if slices.Contains(publicNames(), name) || binary && len(text) > maxEncoded {
		return nil
	}
	out := []string{text}
	var parsed any
	if json.Unmarshal(content, &parsed) == nil {
		return scalars(out, name, parsed)
	}
	for line := range strings.Lines(text) {
		at := strings.IndexAny(line, "=:")
		if at < 0 {
			continue
		}
		key := strings.Trim(line[:at], " \t\"'-")
		if value := strings.Trim(line[at+1:], " \t\r\n\"',;"); worthHiding(key, value) {
			out = append(out, value)
		}
	}
	return out
}

// scalars adds the texts of a JSON value.
func scalars(out []string, key string, value any) []string {
	switch v := value.(type) {
	case string:
		if worthHiding(key, v) {
			out = append(out, v)
		}
	case []any:
		for _, item := range v {
			out = scalars(out, key, item)
		}
	case map[string]any:
		for name, item := range v {
			out = scalars(out, name, item)
		}
	}
	return out
}

// worthHiding tells values that are secret by their name or look from words such as "postgres", whose masks would make every text
// unreadable.
func worthHiding(key, value string) bool {
	if len(value) < MinLength {
		return false
	}
	key = strings.ToLower(key)
	for _, word := range []string{"pass", "pwd", "secret", "token", "key", "auth", "cred"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	const looksMade = 8
	return len(value) >= looksMade && classes(value) > 1
}

// classes counts of lower-case letters, upper-case letters, digits and other characters those that a text has.
func classes(text string) int {
	var lower, upper, digit, other int
	for _, r := range text {
		switch {
		case unicode.IsLower(r):
			lower = 1
		case unicode.IsUpper(r):
			upper = 1
		case unicode.IsDigit(r):
			digit = 1
		default:
			other = 1
		}
	}
	return lower + upper + digit + other
}
