package format

import (
	"bytes"
	"encoding/xml"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/results/format/jsonread"
	"github.com/seatrial/seatrial/controlplane/results/format/xmlread"
)

const peek = 256 << 10 // bytes of a report that are looked at

// Detect tells the format of a report by its first bytes, at most 256 KiB of which matter; none when they say nothing.
func Detect(head []byte) Name {
	head = head[:min(len(head), peek)]
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	wide := bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff"))
	switch {
	case len(text) == 0:
		return ""
	case text[0] == '<' || wide:
		return ofRoot(head)
	case text[0] == '[':
		if n := ofList(text); n != "" {
			return n
		}
	case text[0] == '{':
		if n := ofObject(text); n != "" {
			return n
		}
	}
	return ofLines(text)
}

func ofRoot(head []byte) Name {
	x, err := xmlread.New(bytes.NewReader(head), xmlread.Depth)
	if err != nil {
		return ""
	}
	var root xml.StartElement
	if root, err = x.Root(); err != nil {
		return ""
	}
	switch root.Name.Local {
	case "testsuites", "testsuite":
		return JUnit
	case "test-run", "test-results":
		return NUnit
	case "assemblies", "assembly":
		return XUnit
	case "TestRun":
		return TRX
	case "robot":
		return Robot
	case "testResults":
		return JTL
	}
	return ""
}

// errFound ends the walk over a document when its format is known.
var errFound = errors.New("format found")

// ofList tells the format of a JSON array by its first element.
func ofList(text []byte) (n Name) {
	j := jsonread.New(bytes.NewReader(text))
	empty := true
	j.Array(func() {
		empty = false
		j.Object(func(key string) {
			if key == "elements" || key == "uri" || key == "keyword" {
				n = Cucumber
			}
		})
		j.Fail(errFound)
	})
	if empty && j.Err() == nil { // cucumber writes an empty list when nothing matched
		return Cucumber
	}
	return n
}

// ofObject tells the format of a JSON object by the names of its members, as far as they are in the head.
func ofObject(text []byte) (n Name) {
	j := jsonread.New(bytes.NewReader(text))
	var seen []string
	j.Object(func(key string) {
		seen = append(seen, key)
		var inner []string
		if key == "config" || key == "results" || key == "run" {
			j.Object(func(k string) { inner = append(inner, k) })
		}
		if n = ofMember(key, seen, inner); n != "" {
			j.Fail(errFound)
		}
	})
	return n
}

func ofMember(key string, seen, inner []string) Name {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(s string) bool { return slices.Contains(inner, s) })
	}
	switch key {
	case "reportFormat":
		return CTRF
	case "Action":
		return GoTest
	case "config":
		if has("projects", "rootDir", "configFile") {
			return Playwright
		}
	case "suites":
		return Playwright
	case "collection":
		return Newman
	case "run":
		if has("executions") {
			return Newman
		}
	case "root_group", "metrics":
		return K6
	case "results":
		switch {
		case has("tool", "tests"):
			return CTRF
		case has("checks", "metrics", "thresholds"):
			return K6
		}
	case "passes", "tests", "pending":
		if slices.Contains(seen, "stats") {
			return Mocha
		}
	case "numTotalTests", "numFailedTests", "testResults":
		return Jest
	}
	return ""
}

var (
	tapLine   = regexp.MustCompile(`^\s*(TAP version 1[234]|(not )?ok\b|1\.\.\d+|# Subtest:|Bail out!)`)
	jtlHeader = regexp.MustCompile(`^(.*[,;\t|])?label[,;\t|](.*[,;\t|])?success\b`)
	jtlRecord = regexp.MustCompile(`^\d{10,13}[,;\t|]\d+[,;\t|]`)
	goEvent   = regexp.MustCompile(`^\{.*"Action":"`)
)

// ofLines tells the format of lines, of which the first may be what another tool printed.
func ofLines(text []byte) Name {
	first := true
	for line := range bytes.Lines(text[:min(len(text), 64<<10)]) {
		s := strings.TrimRight(string(line), "\r\n")
		switch {
		case first && (jtlHeader.MatchString(s) || jtlRecord.MatchString(s)):
			return JTL
		case goEvent.MatchString(s):
			return GoTest
		case tapLine.MatchString(s):
			return TAP
		}
		first = false
	}
	return ""
}
