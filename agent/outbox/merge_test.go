package outbox_test

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/agent/runner/termination"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	stepRunning   = runnerv1.StepStatus_STEP_STATUS_RUNNING
	stepPassed    = runnerv1.StepStatus_STEP_STATUS_PASSED
	stepFailed    = runnerv1.StepStatus_STEP_STATUS_FAILED
	stepErrored   = runnerv1.StepStatus_STEP_STATUS_ERRORED
	stepCancelled = runnerv1.StepStatus_STEP_STATUS_CANCELLED
)

func evicted(p *work.Pod) *work.Pod {
	p.Interrupted = &work.Interruption{Reason: "Evicted", Message: "The pod was evicted."}
	return p
}

func TestOutbox_Merges(t *testing.T) {
	t.Parallel()
	words := func(t *testing.T, m termination.Message) *termination.Message {
		t.Helper()
		m.Attempt = attempt
		return &m
	}
	for name, c := range map[string]struct {
		why    string
		events func(t *testing.T, b *bench)
		status agentv1.AttemptStatus
		reason string
		says   string // in the message
		runner bool   // the result came over the runner's connection
	}{
		"the informer is behind": {"what the runner says is newer", func(_ *testing.T, b *bench) {
			b.Step(attempt, "c", step(0, stepRunning))
			b.Update(seen(pending, "Unschedulable", nil))
		}, running, "", "", false},
		"a trouble is over": {"a test that runs waits for no node", func(_ *testing.T, b *bench) {
			b.Update(seen(pending, "Unschedulable", nil))
			b.Update(seen(running, "", pod(alive("c"))))
		}, running, "", "", false},
		"the runner's result": {"it comes before the kubelet's", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", pod(alive("c"))))
			finish(t, b, stepFailed)
		}, failed, "", "said by the runner", true},
		"deleted by force": {"the pod has gone before its runner said anything", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", pod(alive("c"))))
			b.Update(seen(pending, "", nil))
			finish(t, b, stepCancelled)
		}, errored, "PodDeleted", "was deleted", true},
		"deleted by force, late": {"a cache that is behind shows it once more", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", pod(alive("c"))))
			b.Update(seen(pending, "", nil))
			b.Update(seen(running, "", pod(alive("c"))))
			finish(t, b, stepCancelled)
		}, errored, "PodDeleted", "was deleted", true},
		"evicted, late": {"a cache that is behind a look at the API server", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", evicted(pod(alive("c")))))
			b.Update(seen(running, "", pod(alive("c"))))
			finish(t, b, stepCancelled)
		}, errored, "Evicted", "was evicted", true},
		"a pod of its own": {"what happened to the former one is no matter of this one", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", evicted(pod(alive("c")))))
			other := pod(alive("c"))
			other.UID = "another"
			b.Update(seen(running, "", other))
			finish(t, b, stepCancelled)
		}, cancelled, "", "said by the runner", true},
		"a result stays": {"nothing that comes later changes it", func(t *testing.T, b *bench) {
			t.Helper()
			finish(t, b, stepFailed)
			finish(t, b, stepPassed)
			b.Update(seen(errored, "OOMKilled", over(dead(t, "c", nil))))
		}, failed, "", "said by the runner", true},
		"the cluster's reason": {"the runner has died with its container", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", pod(alive("c"))))
			b.Update(seen(errored, "OOMKilled", over(dead(t, "c", nil))))
		}, errored, "OOMKilled", "", false},
		"last words": {"the runner's connection never came back", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", over(dead(t, "c", words(t, termination.Message{Status: "failed", Reason: "one test failed"})))))
		}, failed, "", "one test failed", false},
		"last words of another": {"a process may write anything there", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", over(dead(t, "c", &termination.Message{Attempt: "another", Status: "passed"}))))
		}, errored, "RunnerLost", "container c", false},
		"no words": {"a missing result is never a success", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", over(dead(t, "c", nil))))
		}, errored, "RunnerLost", "exit code 137", false},
		"a memory limit that the runner saw": {"the cause has a name", func(t *testing.T, b *bench) {
			t.Helper()
			s := step(0, stepErrored)
			s.Reason = "OOMKilled: more than 64Mi"
			b.Step(attempt, "c", s)
			finish(t, b, stepErrored)
		}, errored, "OOMKilled", "", true},
		"eviction": {"the runner only knows that it was asked to stop", func(t *testing.T, b *bench) {
			t.Helper()
			b.Update(seen(running, "", evicted(pod(alive("c")))))
			finish(t, b, stepCancelled)
		}, errored, "Evicted", "evicted", true},
		"eviction of a cancelled attempt": {"the user's wish came first", func(t *testing.T, b *bench) {
			t.Helper()
			b.set(func() { b.told = true })
			b.Update(seen(running, "", pod(alive("c"))))
			b.Outbox.Cancel(attempt, "enough")
			b.Update(seen(running, "", evicted(pod(alive("c")))))
			finish(t, b, stepCancelled)
		}, cancelled, "", "", true},
		"a deleted Job": {"somebody deleted it by hand", func(_ *testing.T, b *bench) {
			b.Update(seen(running, "", pod(alive("c"))))
			u := seen(errored, "JobDeleted", nil)
			u.Gone = true
			b.Update(u)
		}, errored, "JobDeleted", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, b *bench) {
				t.Helper()
				c.events(t, b)
				r := b.last(t)
				if r.GetStatus() != c.status || r.GetReason() != c.reason || !strings.Contains(r.GetMessage(), c.says) || r.GetFromRunner() != c.runner {
					t.Errorf("%s: %s, %q, %q, by the runner: %t", c.why, r.GetStatus(), r.GetReason(), r.GetMessage(), r.GetFromRunner())
				}
				if (c.status > running) != (r.GetFinishedAt() != nil) {
					t.Errorf("finished at %v", r.GetFinishedAt())
				}
			})
		})
	}
}

func TestOutbox_MergesSteps(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *bench) {
		t.Helper()
		b.Step(attempt, "c", step(1, stepRunning))
		b.Step(attempt, "c", step(0, stepPassed))
		b.Step(attempt, "c", step(0, stepRunning)) // sent again by a runner that came back
		b.Update(seen(running, "", over(dead(t, "c", &termination.Message{
			Attempt: attempt, Status: "failed", Steps: []termination.Step{{Index: 1, Status: "failed", Bytes: 7, Lines: 1}},
		}))))
		steps := b.last(t).GetSteps()
		if len(steps) != 2 || steps[0].GetStatus() != stepPassed || steps[1].GetStatus() != stepFailed {
			t.Fatalf("steps %v", steps)
		}
		if steps[1].GetName() != "unit" || steps[1].GetLog().GetBytes() != 7 {
			t.Errorf("last words leave names out: %v", steps[1])
		}
	})
}
