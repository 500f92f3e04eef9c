package assess

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/fingerprint"
	"github.com/seatrial/seatrial/controlplane/testcase"
)

// evidence is what a verdict rests upon beside the release.
type evidence struct {
	attempts    []release.Attempt
	approvers   []string
	quarantined map[string]bool // tests by their keys
}

func quarantined(list []testcase.Quarantine) map[string]bool {
	keys := map[string]bool{}
	for _, q := range list {
		keys[q.Test] = true
	}
	return keys
}

// input puts together what a verdict is made of.
func input(r release.Release, known evidence, now time.Time) verdict.Input {
	in := verdict.Input{Release: r.Subject(), Policy: r.Policy, Waivers: r.Waivers, Approvers: known.approvers, Now: now}
	type place struct{ environment, suite string }
	at := map[place]int{}
	for i, c := range r.Cells {
		at[place{c.Environment, c.Suite}] = i
		in.Cells = append(in.Cells, verdict.Cell{Environment: c.Environment, Suite: c.Suite, Labels: c.Labels, Required: c.Required})
	}
	of := make([][]release.Attempt, len(in.Cells))
	for _, a := range known.attempts {
		i, required := at[place{a.Environment, a.Workflow}]
		if !required || a.Status == execution.Skipped { // a condition said not to run it: it speaks for nothing
			continue
		}
		in.Runs = append(in.Runs, runOf(a, now))
		of[i] = append(of[i], a)
	}
	for i := range in.Cells {
		in.Cells[i].Evidence, in.Cells[i].Required = cellEvidence(of[i], in.Cells[i].Required, now)
		for n, e := range in.Cells[i].Evidence {
			in.Cells[i].Evidence[n].Quarantined = known.quarantined[e.Test]
		}
	}
	return in
}

// underWay reports whether an attempt may still say something: it has not ended, or not everything of it has been delivered.
func underWay(a release.Attempt, now time.Time) bool {
	return !a.Status.Terminal() || !a.Delivered && now.Sub(a.FinishedAt) < execution.Late
}

// cellEvidence returns what all attempts in a cell say, and what is required of it by them. When one of them says something of its
// workflow as a whole that no test says, all of them do: what failed once and passed once is flaky there, too. An attempt that was lost
// to the infrastructure, or that somebody stopped, must be made up for: nobody knows what it would have said.
func cellEvidence(attempts []release.Attempt, required []verdict.Test, now time.Time) ([]verdict.Evidence, []verdict.Test) {
	asked := slices.ContainsFunc(required, func(t verdict.Test) bool { return t.Key == release.Itself })
	lost := slices.ContainsFunc(attempts, func(a release.Attempt) bool { return a.Status.Terminal() && !itself(a).Conclusive() })
	whole := asked || slices.ContainsFunc(attempts, func(a release.Attempt) bool { return underWay(a, now) || itself(a) != results.Passed })
	if lost && !asked {
		required = append(slices.Clone(required), verdict.Test{Key: release.Itself, Name: release.ItselfName})
	}
	made := standIns{}
	for _, a := range attempts {
		maps.Copy(made, standInsOf(a))
	}
	var out []verdict.Evidence
	for _, a := range attempts {
		out = append(out, evidenceOf(a)...)
		out = append(out, made.counterparts(a)...)
		if whole {
			out = append(out, wholeOf(a, now))
		}
	}
	return out, required
}

// standIns are failures that stand for what no report lists, such as an exit code: their names by their keys.
type standIns map[string]string

// keyOf identifies a test. What the control plane itself has made has no key but its name.
func keyOf(r execution.TestResult) string { return cmp.Or(r.Key, r.Title()) }

func standInsOf(a release.Attempt) standIns {
	found := standIns{}
	for _, r := range a.Results {
		if r.Flags.Has(execution.Synthetic) || r.Key == "" {
			found[keyOf(r)] = r.Title()
		}
	}
	return found
}

// counterparts says of an attempt that has passed without such a failure that it has: otherwise nothing could ever speak against it.
func (s standIns) counterparts(a release.Attempt) []verdict.Evidence {
	if a.Status != execution.Passed {
		return nil
	}
	own := standInsOf(a)
	var out []verdict.Evidence
	for _, key := range slices.Sorted(maps.Keys(s)) {
		if _, has := own[key]; !has {
			out = append(out, verdict.Evidence{
				Test: key, Name: s[key], Variant: variantOf(a.Matrix), Outcome: results.Passed, Synthetic: true, Run: a.ID.String(), FinishedAt: a.FinishedAt,
			})
		}
	}
	return out
}

func runOf(a release.Attempt, now time.Time) verdict.Run {
	r := verdict.Run{
		ID: a.ID.String(), Execution: a.Execution.String(), Workflow: a.Workflow, Environment: a.Environment, Status: string(a.Status),
		Running: underWay(a, now), FinishedAt: a.FinishedAt, Subject: verdict.Subject{Commit: a.Commit},
	}
	r.Subject.Start, r.Subject.End = imagesOf(a.Start), imagesOf(a.End)
	return r
}

// imagesOf returns what was observed. What was cut is not all, so it is as good as nothing.
func imagesOf(s *execution.Subject) []verdict.Image {
	if !s.Observed() || s.Cut {
		return nil
	}
	var out []verdict.Image
	for _, image := range s.Images {
		out = append(out, verdict.Image{Name: release.Repository(image.Image), Digest: image.Digest})
	}
	return out
}

// evidenceOf returns what an attempt says of tests.
func evidenceOf(a release.Attempt) []verdict.Evidence {
	variant := variantOf(a.Matrix)
	var out []verdict.Evidence
	for _, r := range a.Results {
		e := verdict.Evidence{
			Test: keyOf(r), Name: r.Title(), Variant: strings.Join(filled(variant, r.Variant), " "), Run: a.ID.String(),
			Contradictory: a.Contradictory[r.ID], FinishedAt: a.FinishedAt, Synthetic: r.Flags.Has(execution.Synthetic),
		}
		for i, earlier := range r.Earlier {
			e.Outcome, e.FromRetry, e.Fingerprint = results.Outcome(earlier), i > 0, ""
			if e.Outcome.Bad() { // the tool does not say what went wrong: most likely the same
				e.Fingerprint = cmp.Or(printOf(r), fingerprint.Of("retried", r.Title(), ""))
			}
			out = append(out, e)
		}
		e.Outcome, e.FromRetry, e.Fingerprint = results.Outcome(r.Outcome), len(r.Earlier) > 0, printOf(r)
		e.ExpectedFail, e.UnexpectedPass = r.Flags.Has(execution.ExpectedFail), r.Flags.Has(execution.UnexpectedPass)
		out = append(out, e)
	}
	return out
}

// printOf is the fingerprint of a failure. What the control plane itself has made was stored without.
func printOf(r execution.TestResult) string {
	if r.Fingerprint != "" || !results.Outcome(r.Outcome).Bad() {
		return r.Fingerprint
	}
	return fingerprint.Of(fingerprint.Kind(results.Outcome(r.Outcome)), r.Message, "")
}

// wholeOf returns what an attempt says of its workflow as a whole.
func wholeOf(a release.Attempt, now time.Time) verdict.Evidence {
	e := verdict.Evidence{
		Test: release.Itself, Name: release.ItselfName, Variant: variantOf(a.Matrix), Outcome: itself(a), Running: underWay(a, now),
		Run: a.ID.String(), FinishedAt: a.FinishedAt,
	}
	if e.Outcome.Bad() {
		e.Fingerprint = fingerprint.Of(string(a.Status), a.Reason+" "+a.Message, "")
	}
	return e
}

// itself is how a workflow as a whole ended. A failure that its tests account for is not repeated.
func itself(a release.Attempt) results.Outcome {
	bad := slices.ContainsFunc(a.Results, func(r execution.TestResult) bool { return results.Outcome(r.Outcome).Bad() })
	if a.Status == execution.Failed && bad {
		return results.Passed
	}
	return outcomeOf(a.Status)
}

func filled(parts ...string) []string {
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}

// variantOf writes a cell of a matrix. The shard is none of it: where a test ran among its siblings says nothing of it.
func variantOf(matrix map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(matrix)) {
		parts = append(parts, k+"="+matrix[k])
	}
	return strings.Join(parts, " ")
}

// outcomeOf is how a workflow as a whole ended. What the infrastructure broke and what somebody stopped is no evidence.
func outcomeOf(s execution.Status) results.Outcome {
	switch s {
	case execution.Passed:
		return results.Passed
	case execution.Failed:
		return results.Failed
	case execution.TimedOut:
		return results.TimedOut
	case execution.Cancelled:
		return results.Cancelled
	case execution.Skipped:
		return results.Skipped
	case execution.Errored, execution.Waiting, execution.Queued, execution.Assigned, execution.Pending, execution.Running, execution.Paused:
	}
	return results.InfraError
}
