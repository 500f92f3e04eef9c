package viewfake

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
)

// spot is where a cell is.
type spot struct{ environment, suite string }

func at(environment, suite string) spot { return spot{environment, suite} }

// testNames names the tests of a suite; those of longer ones are numbered.
func testNames(suite string, i int) string {
	names := map[string][]string{
		"api": {
			"tests.cart › total adds up", "tests.cart › empty cart is refused", "tests.discount › expired voucher is refused", "tests.discount › vouchers do not add up",
			"tests.pay › card is charged once", "tests.pay › refund reaches the ledger", "tests.ship › address of an island", "tests.ship › parcel over 30 kg",
		},
		"smoke":   {"health", "version", "login", "checkout of one item"},
		"browser": {"buy a boat", "buy a boat with a voucher", "compare two boats", "find a boat by its length", "sell a boat"},
		"load":    {"1000 requests a second for a minute", "p99 below 120 ms", "no error under load"},
	}[suite]
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s test %d", suite, i+1)
}

// evidence gives a release cells and says what is known of each, a letter for each test: P passed, F failed, K flaky, Q failed in
// quarantine, S skipped, B blocked, I lost to the infrastructure, R running, . never ran, o passed on other images, O passed too long
// ago, C passed in a report that contradicts itself, E passed and not required.
func evidence(r *release.Release, letters map[spot]string) verdict.Input {
	in := verdict.Input{Approvers: []string{"ada@acme.example", "grace@acme.example"}}
	var spots []spot
	for s := range letters {
		spots = append(spots, s)
	}
	slices.SortFunc(spots, func(a, b spot) int {
		return cmp.Or(cmp.Compare(a.environment, b.environment), cmp.Compare(a.suite, b.suite))
	})
	for n, s := range spots {
		runs := runsIn(r, s, n)
		in.Runs = append(in.Runs, runs...)
		cell := verdict.Cell{Environment: s.environment, Suite: s.suite}
		for i, letter := range letters[s] {
			test := verdict.Test{Key: TestKey(s.suite, i), Name: testNames(s.suite, i)}
			if letter != 'E' {
				cell.Required = append(cell.Required, test)
			}
			cell.Evidence = append(cell.Evidence, attempts(letter, test, runs)...)
		}
		in.Cells = append(in.Cells, cell)
		r.Cells = append(r.Cells, release.Cell{Environment: s.environment, Suite: s.suite, Required: cell.Required})
	}
	return in
}

// runsIn are the runs of a cell: on the release, on other images, a day and more ago, and under way.
func runsIn(r *release.Release, s spot, n int) []verdict.Run {
	on := verdict.Subject{Start: r.Images, End: r.Images, Commit: r.Commit}
	other := []verdict.Image{{Name: r.Images[0].Name, Digest: "sha256:" + Digest("other")}}
	run := func(kind string, end time.Time, subject verdict.Subject) verdict.Run {
		return verdict.Run{
			ID: kind + " " + s.environment + " " + s.suite, Workflow: s.suite, Environment: s.environment, FinishedAt: end, Running: end.IsZero(), Subject: subject,
		}
	}
	return []verdict.Run{
		run("on", ago(time.Duration(18+7*n)*time.Minute), on), run("off", ago(5*time.Hour), verdict.Subject{Start: other, End: other}),
		run("old", ago(30*time.Hour), on), run("live", time.Time{}, verdict.Subject{Start: r.Images}),
	}
}

// attempts is the evidence that a letter stands for.
func attempts(letter rune, test verdict.Test, runs []verdict.Run) []verdict.Evidence {
	one := verdict.Evidence{Test: test.Key, Name: test.Name, Outcome: results.Passed, Run: runs[0].ID}
	bad := one
	bad.Outcome, bad.Fingerprint = results.Failed, "fp1:"+Digest(test.Name)[:16]
	switch letter {
	case '.':
		return nil
	case 'F':
		return []verdict.Evidence{bad}
	case 'Q':
		bad.Quarantined = true
		return []verdict.Evidence{bad}
	case 'K':
		return []verdict.Evidence{bad, one}
	case 'R':
		one.Outcome, one.Running, one.Run = "", true, runs[3].ID
	case 'S':
		one.Outcome = results.Skipped
	case 'B':
		one.Outcome = results.Blocked
	case 'I':
		one.Outcome = results.InfraError
	case 'o':
		one.Run = runs[1].ID
	case 'O':
		one.Run = runs[2].ID
	case 'C':
		one.Contradictory = true
	}
	return []verdict.Evidence{one}
}

// waiver is one of the failure of a test in a cell, by its number; nobody has approved it.
func waiver(r release.Release, name string, c verdict.Cell, test int) verdict.Waiver {
	t := c.Required[test]
	return verdict.Waiver{
		ID: ID("waiver " + name).String(), Application: r.Application, Version: r.Version, Rule: "no-unwaived-failures", Environment: c.Environment,
		Suite: c.Suite, Test: t.Key, Fingerprint: "fp1:" + Digest(t.Name)[:16], Requester: "linus@acme.example", CreatedAt: ago(6 * time.Hour), ExpiresAt: ago(-60 * time.Hour),
	}
}
