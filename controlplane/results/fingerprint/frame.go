package fingerprint

import (
	"regexp"
	"strings"
)

// frame recognises a line of a stack: JavaScript and Java and .NET ("at …"), Python (File "…", line n), Go (file.go:12).
var frame = regexp.MustCompile(`^\s*(?:at \S.*|File ".+", line \d+.*|\S+\.(?:go|py|rb|js|ts|java|cs|php|robot):\d+\b.*)$`)

// libraries are frames of test tools and runtimes, which say nothing of the test.
var libraries = regexp.MustCompile(`node_modules|node:internal|\(internal/|<anonymous>\)?$|/usr/lib/|/usr/local/go/|site-packages|java\.base|org\.junit|sun\.reflect|testing\.tRunner|Microsoft\.VisualStudio|NUnit\.Framework|Xunit\.`)

// TopFrame returns the first frame of a stack that is none of a library, none if there is no such frame.
func TopFrame(detail string) string {
	for line := range strings.SplitSeq(detail, "\n") {
		if frame.MatchString(line) && !libraries.MatchString(line) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
