// Package execution is the record of what was run and the pure rules by which its state moves.
package execution

// Status is the state of an execution, run, attempt or step.
type Status string

// The statuses.
const (
	Waiting   Status = "waiting"   // steps only: not started yet
	Queued    Status = "queued"    // accepted, not yet taken by an agent
	Assigned  Status = "assigned"  // the agent has created the Job
	Pending   Status = "pending"   // the pod exists and waits; the reason says for what
	Running   Status = "running"   // a step has started
	Paused    Status = "paused"    // a step waits for a person
	Passed    Status = "passed"    // every step did as expected
	Failed    Status = "failed"    // a test or step failed
	Errored   Status = "errored"   // the infrastructure failed, not the test
	TimedOut  Status = "timed_out" // a time limit was reached
	Cancelled Status = "cancelled" // somebody stopped it
	Skipped   Status = "skipped"   // a condition said not to run it
)

// Statuses lists those of executions, runs and attempts, from first to last in a life.
func Statuses() []Status {
	return []Status{Queued, Assigned, Pending, Running, Paused, Passed, Failed, Errored, TimedOut, Cancelled, Skipped}
}

// Terminal reports whether the status never changes again.
func (s Status) Terminal() bool {
	switch s {
	case Passed, Failed, Errored, TimedOut, Cancelled, Skipped:
		return true
	case Waiting, Queued, Assigned, Pending, Running, Paused:
		return false
	}
	return false
}

// Valid reports whether s is one of the statuses.
func (s Status) Valid() bool { return s.rank() > 0 }

// rank orders the statuses of a live attempt: a report may move it forward only. Pending and Running are left and entered by
// the pod's own facts; a pod never goes back from running to pending within one attempt.
func (s Status) rank() int {
	switch s {
	case Waiting, Queued:
		return 1
	case Assigned:
		return 2
	case Pending:
		return 3
	case Running, Paused:
		return 4
	case Passed, Failed, Errored, TimedOut, Cancelled, Skipped:
		return 5
	}
	return 0
}

// Next returns the status of an attempt in state from after a report of state to. A terminal status never changes, a live one
// never goes back; anything else is the report's.
func Next(from, to Status) Status {
	switch {
	case !to.Valid(), from.Terminal(), to.rank() < from.rank():
		return from
	default:
		return to
	}
}

// severity orders terminal statuses for Worst; what is still live outweighs them all.
func (s Status) severity() int {
	switch s {
	case Skipped:
		return 1
	case Passed:
		return 2
	case Cancelled:
		return 3
	case TimedOut:
		return 4
	case Errored:
		return 5
	case Failed:
		return 6
	case Waiting, Queued, Assigned, Pending, Running, Paused:
		return 7
	}
	return 0
}

// Worst folds the statuses of runs into that of their execution: while one is live the execution is live (running when any run
// has left the queue, paused when any of them waits for a person), afterwards the worst result counts. No runs at all means Errored: nothing that did not run has passed.
func Worst(runs []Status) Status {
	if len(runs) == 0 {
		return Errored
	}
	worst, live, furthest := Skipped, false, Queued
	for _, s := range runs {
		if s.severity() > worst.severity() {
			worst = s
		}
		live = live || !s.Terminal()
		if !s.Terminal() && (s.rank() > furthest.rank() || s == Paused) {
			furthest = s
		}
	}
	switch {
	case !live:
		return worst
	case anyTerminal(runs) && furthest.rank() < Running.rank():
		return Running
	default:
		return furthest
	}
}

func anyTerminal(runs []Status) bool {
	for _, s := range runs {
		if s.Terminal() {
			return true
		}
	}
	return false
}
