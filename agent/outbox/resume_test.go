package outbox_test

import (
	"testing"
	"testing/synctest"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const paused = agentv1.AttemptStatus_ATTEMPT_STATUS_PAUSED

func stepAt(index int32, s runnerv1.StepStatus, reason string) *runnerv1.StepState {
	return &runnerv1.StepState{Index: index, Status: s, Reason: reason}
}

func TestOutbox_Paused(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		b.Update(seen(running, "", pod(alive("c"))))
		b.Step(attempt, "c", stepAt(1, runnerv1.StepStatus_STEP_STATUS_PAUSED, "go on?"))
		if r := b.last(t); r.GetStatus() != paused || r.GetMessage() != "go on?" {
			t.Errorf("the attempt is %v", r)
		}
		b.Step(attempt, "other", stepAt(0, runnerv1.StepStatus_STEP_STATUS_PASSED, "")) // told late
		b.Update(seen(running, "", pod(alive("c"))))
		if r := b.last(t); r.GetStatus() != paused {
			t.Errorf("what is told late ends the pause: %v", r)
		}
		b.Step(attempt, "c", stepAt(1, runnerv1.StepStatus_STEP_STATUS_PASSED, "Resumed by ada."))
		if r := b.last(t); r.GetStatus() != running || r.GetMessage() != "" {
			t.Errorf("after the pause the attempt is %v", r)
		}
		b.Step(attempt, "c", stepAt(1, runnerv1.StepStatus_STEP_STATUS_PAUSED, "go on?"))
		if r := b.last(t); r.GetStatus() != running {
			t.Errorf("a step that has ended is paused again: %v", r)
		}
	})
}

func TestOutbox_Resume(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		b.Update(seen(running, "", pod(alive("c"))))
		for range 2 { // the command comes again when its answer is lost
			b.Outbox.Resume(attempt, &runnerv1.Resume{StepIndex: 1, Reason: "Resumed by ada."})
		}
		b.Outbox.Resume(attempt, &runnerv1.Resume{StepIndex: 2, Reason: "Resumed by bob."})
		synctest.Wait()
		b.mu.Lock()
		told := len(b.words)
		b.mu.Unlock()
		if told != 2 {
			t.Errorf("the runners were told %d times, want once for each step", told)
		}
		_, words := b.Attached(attempt, "late")
		if len(words) != 2 || words[0].GetStepIndex() != 1 || words[0].GetReason() != "Resumed by ada." {
			t.Errorf("a runner that attaches later is told %v", words)
		}
	})
}
