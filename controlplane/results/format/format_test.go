package format_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format"
)

var update = flag.Bool("update", false, "write the golden files")

// described is a report as a person would compare it with what happened.
func described(t *testing.T, data []byte, exit int) string {
	t.Helper()
	var b strings.Builder
	name, sum, err := format.Parse(format.Auto, bytes.NewReader(data), func(c results.Case) error {
		fmt.Fprintf(&b, "%s\t%s | %s | %s", c.Outcome, c.Suite, c.Class, c.Name)
		for label, s := range map[string]string{"variant": c.Variant} {
			if s != "" {
				fmt.Fprintf(&b, " | %s=%s", label, s)
			}
		}
		if c.Params != "" {
			fmt.Fprintf(&b, " | %s", c.Params)
		}
		fmt.Fprintf(&b, "\t%s\t%s\n", c.File, c.Duration)
		if c.ExpectedFail || c.UnexpectedPass || c.Synthetic || len(c.Earlier) > 0 {
			fmt.Fprintf(&b, "\txfail=%t xpass=%t synthetic=%t earlier=%v\n", c.ExpectedFail, c.UnexpectedPass, c.Synthetic, c.Earlier)
		}
		if c.Message != "" {
			fmt.Fprintf(&b, "\t%q, %d bytes of detail\n", c.Message, len(c.Detail))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	v := results.Judge(sum, &exit)
	fmt.Fprintf(&b, "\nformat %s, exit code %d: %s\ndeclared %+v listed %+v observed %+v\n", name, exit, v.Grade, sum.Declared, sum.Listed, sum.Observed)
	for _, r := range v.Reasons {
		fmt.Fprintf(&b, "- %s\n", r)
	}
	for _, c := range v.Synthetic {
		fmt.Fprintf(&b, "+ %s %s %s: %s\n", c.Outcome, c.Suite, c.Name, c.Message)
	}
	return b.String()
}

func reports(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, dir := range []string{"real", "made"} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no reports: %v", err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.Base(f)] = data
		}
	}
	return all
}

// green are the reports whose tool ended with 0.
func green(name string) bool {
	return name == "tap12.tap" || name == "tap-plan-mismatch.tap" || name == "aborted.trx" || name == "pytest-rerun.xml"
}

// TestParse_Golden reads what tools wrote: testdata/real was made by real ones, testdata/made follows what they document.
func TestParse_Golden(t *testing.T) {
	t.Parallel()
	for name, data := range reports(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exit := 1
			if green(name) {
				exit = 0
			}
			got, path := described(t, data, exit), filepath.Join("testdata", "golden", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
