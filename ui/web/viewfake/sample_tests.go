package viewfake

import (
	"fmt"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/testcase"
)

// TestKey returns the key of a test of the sample's suites, by its number.
func TestKey(suite string, n int) string { return Digest(fmt.Sprintf("%s/%d", suite, n))[:32] }

// Print returns the fingerprint of a message of the sample.
func Print(message string) string { return "fp1:" + Digest(message)[:16] }

// sampleTests adds tests of every class.
func (w *World) sampleTests() {
	for _, one := range []struct {
		suite, workflow string
		n               int
		runs            string
		every, took     time.Duration
		message         string
	}{
		{"api", "checkout-api", 0, strings.Repeat("PPPPP ", 6), 4 * time.Hour, 40 * time.Millisecond, ""},
		{"api", "checkout-api", 2, strings.Repeat("PPPPP ", 12) + "FFFFF", 4 * time.Hour, 312 * time.Millisecond, "assert 200 == 422"},
		{"api", "checkout-api", 4, strings.Repeat("PPPPPPPP ", 16) + "PPPPPFPP" + strings.Repeat(" PPPPPPPP", 8), 90 * time.Minute, 4 * time.Second, "AssertionError: charged 2 times"},
		{"api", "checkout-api", 5, strings.Repeat("PPFPRP PPSPPE ", 7), 4 * time.Hour, 30 * time.Second, "fixture 'ledger' could not be set up: connection refused by ledger.shop-tests.svc:5432"},
		{"browser", "shop-browser", 1, strings.Repeat("PRPTP PPRIPB ", 4) + "PWCP", 5 * time.Hour, 78 * time.Second, "Timeout 30000ms exceeded while waiting for the button “Pay”"},
		{"load", "nightly-load", 1, "PPFPFPPFPPPFP", 24 * time.Hour, 15 * time.Minute, "p99 of 131 ms is above 120 ms"},
		{"load", "nightly-load", 2, "PPPPPPPPPP", 24 * time.Hour, 15 * time.Minute, ""},
		{"smoke", "shell-check", 3, "PP", 24 * time.Hour, 2 * time.Second, ""},
	} {
		c := testcase.Case{Key: TestKey(one.suite, one.n), Workflow: one.workflow, Name: testNames(one.suite, one.n)}
		runs := Runs(one.runs, one.every)
		for i := range runs {
			runs[i].Duration = one.took
			if runs[i].Outcome.Bad() {
				runs[i].Message, runs[i].Fingerprint = one.message, Print(one.message)
			}
			if one.suite == "browser" {
				runs[i].Variant = []string{"chromium", "firefox"}[i%2]
			}
		}
		w.PutTest(c, runs)
	}
	w.PutQuarantine(testcase.Quarantine{
		ID: ID("quarantine browser").String(), Test: TestKey("browser", 1), Name: testNames("browser", 1), Owner: "grace@acme.example",
		Reason: "The button moves while it is pressed; mended with the new form.", Ticket: "https://tickets.example.com/browse/SHOP-421", Actor: "ada@acme.example",
		CreatedAt: ago(9 * 24 * time.Hour), Until: ago(-5 * 24 * time.Hour),
	})
	w.PutQuarantine(testcase.Quarantine{
		ID: ID("quarantine load").String(), Test: TestKey("load", 2), Name: testNames("load", 2), Owner: "linus@acme.example",
		Reason: "Until the load balancer is replaced.", Actor: "linus@acme.example", CreatedAt: ago(2 * 24 * time.Hour), Until: ago(-28 * 24 * time.Hour),
	})
}

// Runs writes runs as their outcomes, oldest first: P passed, F failed, E errored, T timed out, R passed when it was tried again, S
// skipped, B blocked, I lost to the infrastructure, C cancelled, W failed with everything else. What stands between blanks ran on one
// subject. The last of them came in half an hour ago, the others each some time before the next; their executions are the older ones of
// the sample, as far as there are as many.
func Runs(letters string, every time.Duration) []testcase.Run {
	outcomes := map[rune]results.Outcome{
		'F': results.Failed, 'W': results.Failed, 'E': results.Errored, 'T': results.TimedOut, 'S': results.Skipped, 'B': results.Blocked,
		'I': results.InfraError, 'C': results.Cancelled,
	}
	n := len(strings.ReplaceAll(letters, " ", ""))
	var runs []testcase.Run
	subject := 0
	for _, letter := range letters {
		if letter == ' ' {
			subject++
			continue
		}
		r := testcase.Run{
			Execution: ExecutionID(fmt.Sprintf("old-%02d", 30+len(runs)-n)), At: ago(time.Duration(n-1-len(runs))*every + 30*time.Minute),
			Environment: []string{"staging-eu", "staging-us"}[len(runs)%2], Outcome: results.Passed, Commit: Digest(fmt.Sprint("commit ", subject))[:40],
			Subject: fmt.Sprint("subject ", subject), Storm: letter == 'W',
		}
		if o, ok := outcomes[letter]; ok {
			r.Outcome = o
		}
		if letter == 'R' {
			r.Earlier = []results.Outcome{results.Failed, results.TimedOut}
		}
		runs = append(runs, r)
	}
	return runs
}
