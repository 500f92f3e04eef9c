package cmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

func TestResultsInspect(t *testing.T) {
	t.Parallel()
	const root = "../../../controlplane/results/format/"
	real, made, xml := root+"testdata/real/", root+"testdata/made/", root+"junit/testdata/"
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := map[string]struct {
		args   []string
		code   int
		reason string
	}{
		"newman-junit":        {[]string{xml + "newman-n3.xml", "--exit-code", "1"}, 0, "ten hidden failures"},
		"newman-junit-json":   {[]string{xml + "newman-n3.xml", "--exit-code", "1", "-o", "json"}, 0, "the interface"},
		"newman-json":         {[]string{real + "newman-n3.json", "--exit-code", "1", "-o", "json"}, 0, "the report that hides nothing"},
		"playwright":          {[]string{real + "pw.json", "--exit-code", "1"}, 0, "flaky and blocked tests are shown"},
		"gotest":              {[]string{real + "gotest.json", "--exit-code", "1"}, 0, "os.Exit in a test is seen"},
		"mocha":               {[]string{real + "mocha.json", "--exit-code", "2"}, 0, "a hook that failed is seen"},
		"green-json":          {[]string{write("green.xml", `<testsuite tests="1"><testcase name="a"/></testsuite>`), "--exit-code", "0", "-o", "json", "--check"}, 0, "reasons are a list"},
		"hidden-check":        {[]string{write("hidden.xml", `<testsuite tests="1"><testcase name="a"/></testsuite>`), "--exit-code", "1", "--check", "-o", "json"}, exitcode.Failed, "cannot count as passed"},
		"several":             {[]string{write("a.xml", `<testsuite tests="1"><testcase name="a"/></testsuite>`), xml + "jest.xml", "--exit-code", "1", "-o", "json"}, 0, "the failure is in the other one"},
		"truncated":           {[]string{write("cut.xml", `<testsuite tests="2"><testcase name="a"/><testcase`), "-o", "json"}, 0, "graded with a message"},
		"unknown-yaml":        {[]string{write("core", "Segmentation fault\n"), "-o", "yaml"}, 0, "graded with a message"},
		"empty-check":         {[]string{write("empty.xml", ""), "--check", "-o", "json"}, exitcode.Failed, "nothing is no proof"},
		"tap-plan":            {[]string{made + "tap-plan-mismatch.tap", "-o", "json"}, 0, "two tests never came"},
		"forced-format":       {[]string{real + "pw.json", "--format", "jest", "-o", "json"}, 0, "what the user says counts"},
		"missing":             {[]string{filepath.Join(dir, "none.xml")}, exitcode.Usage, "no such file"},
		"unknown-format":      {[]string{real + "pw.json", "--format", "dance"}, exitcode.Usage, "no such format"},
		"without-an-argument": {nil, exitcode.Usage, "nothing to inspect"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.env["SEATRIAL_SERVER"] = "http://127.0.0.1:1" // nothing is asked
			got := s.run(t, append([]string{"results", "inspect"}, tc.args...)...)
			if got.code != tc.code {
				t.Errorf("code %d, want %d: %s", got.code, tc.code, tc.reason)
			}
			for _, text := range []*string{&got.out, &got.err} {
				*text = strings.ReplaceAll(strings.ReplaceAll(*text, dir, "DIR"), root, "")
			}
			golden(t, "inspect-"+name, got)
		})
	}
}
