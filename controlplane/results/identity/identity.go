// Package identity names a test over time: the same test has the same key in every execution, environment and browser.
package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/seatrial/seatrial/controlplane/results"
)

// Key is the identity of a test.
type Key [16]byte

// String returns the key in hexadecimal digits.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Sum returns the key of its parts. Each is written with its length, so that no two lists of parts give the same bytes.
func Sum(parts ...string) Key { return Key(sum(parts)[:len(Key{})]) }

func sum(parts []string) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":" + p + ","))
	}
	return h.Sum(nil)
}

// Test is what identifies a test. What it ran on is none of it: see Variant.
type Test struct {
	Organization string
	Source       string // what declared it, such as a workflow
	Scheme       string // format of its report
	File         string // relative to the root of the repository
	Suites       []string
	Case         string
	Params       string
}

// Key returns the identity of the test.
func (t Test) Key() Key {
	parts := []string{t.Organization, t.Source, t.Scheme, t.File}
	parts = append(parts, t.Suites...)
	return Sum(append(parts, t.Case, t.Params)...)
}

// Scope is where a report comes from.
type Scope struct {
	Organization string
	Source       string
	Scheme       string
	Root         string // absolute path of the repository where the tests ran, if known
}

// Of returns what identifies a case. It undoes what formats put into names that is no part of one.
func Of(s Scope, c results.Case) Test {
	t := Test{
		Organization: s.Organization, Source: s.Source, Scheme: s.Scheme,
		File: s.file(c.File), Case: s.text(c.Name), Params: s.text(c.Params),
	}
	for name := range strings.SplitSeq(c.Suite, results.Separator) {
		if name = s.text(name); name != "" {
			t.Suites = append(t.Suites, name)
		}
	}
	if class := s.text(c.Class); telling(class, t) {
		t.Suites = append(t.Suites, class)
	}
	return t
}

// telling reports whether a class adds to the identity. Writers of JUnit XML that have none fill it with something: mocha with the
// title, jest with the full title, node with the word test, newman and others with what the suite says already.
func telling(class string, t Test) bool {
	last := ""
	if n := len(t.Suites); n > 0 {
		last = t.Suites[n-1]
	}
	switch {
	case class == "", class == "test", class == t.Case, class == last, class == t.File:
		return false
	case strings.HasSuffix(t.Case, " "+class):
		return false
	}
	return !strings.EqualFold(class, letters(last))
}

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}

// text brings a name into the one form in which it is compared.
func (s Scope) text(name string) string {
	name = results.StripEscapes(name)
	if root := s.root(); root != "" {
		name = strings.ReplaceAll(name, root+"/", "")
	}
	return strings.Join(strings.Fields(norm.NFC.String(name)), " ")
}

// file brings a path into the one form in which it is compared: slashes, relative to the root.
func (s Scope) file(name string) string {
	name = strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(results.StripEscapes(name)), "file://"), `\`, "/")
	if name == "" {
		return ""
	}
	name = path.Clean(norm.NFC.String(name))
	if root := s.root(); root != "" {
		name = strings.TrimPrefix(name, root+"/")
	}
	return name
}

func (s Scope) root() string {
	if s.Root == "" || path.Clean(s.Root) == "/" {
		return ""
	}
	return path.Clean(s.Root)
}

// Variant is what a test ran on: environment, cluster, browser, matrix cell.
type Variant map[string]string

// Hash returns the identity of the variant, whatever the order in which it was put together. Empty values say nothing.
func (v Variant) Hash() [8]byte {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(v)) {
		if v[k] != "" {
			parts = append(parts, k, v[k])
		}
	}
	return [8]byte(sum(parts)[:8])
}
