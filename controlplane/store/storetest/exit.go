package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// arrival is one of the things that are known of a step sooner or later.
type arrival struct {
	file string // a report of this path; empty is the exit code
	bad  int64  // failures that the report accounts for
}

func (f *fixture) arrive(t *testing.T, n accepted, exit int, status execution.Status, a arrival) {
	t.Helper()
	if a.file == "" {
		f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Running, Steps: []execution.Step{{Index: 1, Name: "test", Status: status, ExitCode: &exit}}})
		return
	}
	report := execution.File{
		ID: uuid.New(), Attempt: n.AttemptID, Step: 1, Kind: execution.FileReport, Path: a.file, SHA256: a.file, Format: "junit",
		Grade: "consistent", Blob: "b", Bad: a.bad,
	}
	list := []execution.TestResult{{Name: a.file + " passes", Outcome: "passed"}}
	for i := range a.bad {
		list = append(list, execution.TestResult{Name: fmt.Sprint(a.file, " fails ", i), Outcome: "failed"})
	}
	if _, err := f.SaveFile(f.agent(t, f.cluster), report, list); err != nil {
		t.Fatal(err)
	}
}

// described is what is stored of the reports of an execution.
func (f *fixture) described(t *testing.T, n accepted) string {
	t.Helper()
	var b strings.Builder
	stored, err := f.Files(f.as(t), n.Execution.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range stored {
		fmt.Fprintf(&b, "%s %s %q\n", one.Path, one.Grade, one.GradeReason)
	}
	list, _, err := f.Results(f.as(t), n.Execution.ID, nil, 100, "")
	if err != nil {
		t.Fatal(err)
	}
	// Results that are equally bad come as they were reported, which is another order each time.
	lines := make([]string, len(list))
	for i, r := range list {
		lines[i] = fmt.Sprintf("%s %s %q\n", r.Outcome, r.Name, r.Message)
	}
	slices.Sort(lines)
	b.WriteString(strings.Join(lines, ""))
	return fmt.Sprintf("%s%+v", b.String(), f.execution(t, n.Execution.ID).Tests)
}

// exits hold that the exit code of a step is judged once over all its reports, whatever arrives first or twice.
func exits() map[string]func(t *testing.T, f *fixture) {
	const contradicted = "contradictory \"The step ended with exit code 3, but no report of it lists a failure.\"\n"
	tests := map[string]struct {
		reason string
		exit   int
		status execution.Status // of the step
		all    []arrival
		want   string
	}{
		"OneIsRed": {
			"the failure is in one of the files, as is usual", 3, execution.Failed,
			[]arrival{{"a", 0}, {"b", 2}, {"c", 0}, {}},
			"a consistent \"\"\nb consistent \"\"\nc consistent \"\"\nfailed b fails 0 \"\"\nfailed b fails 1 \"\"\n" +
				"passed a passes \"\"\npassed b passes \"\"\npassed c passes \"\"\n{Total:5 Passed:3 Failed:2 Errored:0 Skipped:0}",
		},
		"NoneIsRed": {
			"the failure is in none of them: it counts once", 3, execution.Failed,
			[]arrival{{"a", 0}, {"b", 0}, {"c", 0}, {}},
			"a " + contradicted + "b " + contradicted + "c " + contradicted +
				"errored «runner exit code» \"exit code 3 without a failure in the report\"\n" +
				"passed a passes \"\"\npassed b passes \"\"\npassed c passes \"\"\n{Total:4 Passed:3 Failed:0 Errored:1 Skipped:0}",
		},
		"Green": {
			"nothing speaks of a failure", 0, execution.Passed,
			[]arrival{{"a", 0}, {"b", 0}, {}},
			"a consistent \"\"\nb consistent \"\"\npassed a passes \"\"\npassed b passes \"\"\n{Total:2 Passed:2 Failed:0 Errored:0 Skipped:0}",
		},
		"Expected": {
			"the workflow lists the code among those for which the step passes", 3, execution.Passed,
			[]arrival{{"a", 0}, {}},
			"a consistent \"\"\npassed a passes \"\"\n{Total:1 Passed:1 Failed:0 Errored:0 Skipped:0}",
		},
	}
	out := map[string]func(t *testing.T, f *fixture){}
	for name, tc := range tests {
		out[name] = func(t *testing.T, f *fixture) {
			for order := range permutations(tc.all) {
				n := f.assigned(t)
				for i, a := range order {
					f.arrive(t, n, tc.exit, tc.status, a)
					if i%2 == 1 { // an answer that was lost brings the same again
						f.arrive(t, n, tc.exit, tc.status, order[i-1])
					}
				}
				f.arrive(t, n, tc.exit, tc.status, order[0])
				if got := f.described(t, n); got != tc.want {
					t.Fatalf("%s: order %v\n%s\nwant\n%s", tc.reason, order, got, tc.want)
				}
			}
		}
	}
	return out
}

// permutations yields every order of a list.
func permutations[T any](list []T) func(yield func([]T) bool) {
	return func(yield func([]T) bool) {
		var place func(head, rest []T) bool
		place = func(head, rest []T) bool {
			if len(rest) == 0 {
				return yield(head)
			}
			for i := range rest {
				if !place(append(slices.Clone(head), rest[i]), slices.Delete(slices.Clone(rest), i, i+1)) {
					return false
				}
			}
			return true
		}
		place(nil, list)
	}
}
