package words

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
)

// Status returns the word for a status.
func Status(s execution.Status) string { return strings.ReplaceAll(string(s), "_", " ") }

// Outcome returns the word for the outcome of a test.
func Outcome(o string) string {
	if o == string(results.InfraError) {
		return "infrastructure error"
	}
	return strings.ReplaceAll(o, "_", " ")
}

// Meaning says what an outcome that is no plain one means; nothing for the others.
func Meaning(o string) string {
	switch results.Outcome(o) {
	case results.TimedOut:
		return "Its tool stopped it: it counts as failed."
	case results.Blocked:
		return "It should have run, but something before it prevented that: no evidence."
	case results.InfraError:
		return "What it ran on broke: no evidence."
	case results.Cancelled:
		return "Somebody stopped it: no evidence."
	case results.Passed, results.Failed, results.Errored, results.Skipped:
	}
	return ""
}

// Verdict says in one sentence how an execution stands.
func Verdict(e execution.Execution) string {
	return or(e.Workflow, "The execution") + " " + outcome(e) + "."
}

func outcome(e execution.Execution) string {
	where := places(e)
	switch e.Status {
	case execution.Passed:
		return "passed" + where + ": " + passed(e)
	case execution.Failed:
		return "failed" + where + ": " + failed(e)
	case execution.Errored:
		return "errored" + where + ": the infrastructure failed, not a test"
	case execution.TimedOut:
		return "timed out" + where + ": " + stopped(e, "a time limit was reached")
	case execution.Cancelled:
		return "was cancelled" + where + ": " + stopped(e, "somebody stopped it")
	case execution.Skipped:
		if e.Reason == execution.ReasonGroup {
			return "was skipped" + where + ": its concurrency group was taken"
		}
		return "was skipped" + where + ": a condition said not to run it"
	case execution.Running:
		return "is running" + where + ": " + progress(e)
	case execution.Paused:
		return "is paused" + where + ": " + progress(e) + ", waits for a person"
	case execution.Pending, execution.Assigned:
		return "is starting" + where + ": the pod is on its way"
	case execution.Queued, execution.Waiting:
		if e.Reason == execution.ReasonGroup {
			return "is queued" + where + ": it waits for its concurrency group"
		}
		return "is queued" + where + ": it waits for " + agents(e)
	}
	return "is in the unknown state " + string(e.Status)
}

func or(s, nothing string) string {
	if s == "" {
		return nothing
	}
	return s
}

// Message returns what happened and what to do, when there is something to say beyond the verdict.
func Message(e execution.Execution) string {
	if e.Message != "" {
		return e.Message
	}
	for _, a := range Attempts(e) {
		switch cell := CellOf(e, a.ID); {
		case a.Message == "":
		case cell != "":
			return cell + ": " + a.Message
		default:
			return a.Message
		}
	}
	return ""
}

// Attempts returns the newest attempt of each run.
func Attempts(e execution.Execution) []execution.Attempt {
	var list []execution.Attempt
	for _, r := range e.Runs {
		if n := len(r.Attempts); n > 0 {
			list = append(list, r.Attempts[n-1])
		}
	}
	return list
}

// Environments returns where an execution runs, each once.
func Environments(e execution.Execution) []string {
	return distinct(e, func(r execution.Run) string { return r.Environment })
}

// Clusters returns on which clusters an execution runs, each once.
func Clusters(e execution.Execution) []string {
	return distinct(e, func(r execution.Run) string { return r.Cluster })
}

// Groups returns the concurrency groups of an execution's runs, each once.
func Groups(e execution.Execution) []string {
	return distinct(e, func(r execution.Run) string { return r.Group })
}

func distinct(e execution.Execution, of func(execution.Run) string) []string {
	var names []string
	for _, r := range e.Runs {
		if n := of(r); n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

func places(e execution.Execution) string {
	names := Environments(e)
	switch {
	case len(names) == 0:
		return ""
	case len(names) > 3:
		return fmt.Sprintf(" in %d environments", len(names))
	}
	return " in " + Join(names)
}

func agents(e execution.Execution) string {
	names := Clusters(e)
	if len(names) == 0 {
		return "an agent"
	}
	return "the agent of " + Join(names)
}

func passed(e execution.Execution) string {
	idle := func(r execution.Run) bool { return r.Status != execution.Passed } // skipped, such as a shard without a file
	switch n := len(e.Runs); {
	case n > 1 && slices.ContainsFunc(e.Runs, idle):
		return Tally(e) + "; " + ofTests(e.Tests)
	case n > 1:
		return fmt.Sprintf("all %d runs, ", n) + ofTests(e.Tests)
	}
	return ofTests(e.Tests)
}

func ofTests(c execution.Counts) string {
	switch {
	case c.Total == 0:
		return "every step ended as expected; no tests were reported"
	case c.Skipped > 0:
		return fmt.Sprintf("%d of %s passed, %d skipped", c.Passed, Count(int64(c.Total), "test"), c.Skipped)
	case c.Total == 1:
		return "the one test passed"
	}
	return "all " + Count(int64(c.Total), "test") + " passed"
}

func failed(e execution.Execution) string {
	if len(e.Runs) > 1 {
		text := Tally(e)
		if bad := e.Tests.Failed + e.Tests.Errored; bad > 0 {
			text += fmt.Sprintf("; %d of %s failed", bad, Count(int64(e.Tests.Total), "test"))
		}
		return text
	}
	if bad := e.Tests.Failed + e.Tests.Errored; bad > 0 {
		return fmt.Sprintf("%d of %s failed", bad, Count(int64(e.Tests.Total), "test"))
	}
	if s, ok := Culprit(e); ok && s.ExitCode != nil {
		return fmt.Sprintf("step %s ended with exit code %d", s.Name, *s.ExitCode)
	} else if ok {
		return "step " + s.Name + " failed"
	}
	return "a step failed"
}

// Culprit returns the first step for which an attempt did not pass.
func Culprit(e execution.Execution) (execution.Step, bool) {
	for _, a := range Attempts(e) {
		for _, s := range a.Steps {
			if s.Failed() || s.Status == execution.Cancelled {
				return s, true
			}
		}
	}
	return execution.Step{}, false
}

func stopped(e execution.Execution, otherwise string) string {
	if len(e.Runs) > 1 {
		return Tally(e)
	}
	if s, ok := Culprit(e); ok {
		return "step " + s.Name + " was stopped"
	}
	return otherwise
}

func progress(e execution.Execution) string {
	if len(e.Runs) > 1 {
		return Tally(e)
	}
	for _, a := range Attempts(e) {
		for _, s := range a.Steps {
			if s.Status == execution.Running || s.Status == execution.Paused {
				return fmt.Sprintf("step %d of %d, %s", s.Index+1, len(a.Steps), s.Name)
			}
		}
	}
	return "steps are under way"
}
