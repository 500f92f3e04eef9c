package outbox

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// news is something that an attempt's record learns; it reports whether that changed anything.
type news func(r *agentv1.AttemptReport) bool

// drawNews draws what runner, cluster or agent may say at any time, however late.
func drawNews(t *rapid.T) news {
	switch rapid.SampledFrom([]string{"step", "finished", "seen", "concluded"}).Draw(t, "news") {
	case "step":
		s := &runnerv1.StepState{
			Index: rapid.Int32Range(0, 2).Draw(t, "index"), Name: rapid.SampledFrom([]string{"", "test"}).Draw(t, "name"),
			Status: runnerv1.StepStatus(rapid.Int32Range(1, 9).Draw(t, "step status")),
		}
		return func(r *agentv1.AttemptReport) bool { return mergeStep(r, proto.CloneOf(s)) }
	case "finished":
		f := &runnerv1.Finished{Status: runnerv1.StepStatus(rapid.Int32Range(3, 9).Draw(t, "result"))}
		var why *work.Interruption
		if rapid.Bool().Draw(t, "interrupted") {
			why = &work.Interruption{Reason: "Evicted", Message: "The pod was evicted."}
		}
		return func(r *agentv1.AttemptReport) bool { return mergeFinished(r, f, true, why) }
	case "seen":
		u := work.Update{Report: &agentv1.AttemptReport{Status: agentv1.AttemptStatus(rapid.Int32Range(1, 2).Draw(t, "seen status"))}}
		if rapid.Bool().Draw(t, "over") {
			u.Report = &agentv1.AttemptReport{Status: agentv1.AttemptStatus_ATTEMPT_STATUS_ERRORED, Reason: "Evicted", FinishedAt: timestamppb.Now()}
		}
		if rapid.Bool().Draw(t, "pod") {
			u.Pod = &work.Pod{Ended: rapid.Bool().Draw(t, "ended")}
		}
		cancelled := rapid.Bool().Draw(t, "cancelled")
		return func(r *agentv1.AttemptReport) bool { return mergeUpdate(r, u, cancelled) }
	default:
		return func(r *agentv1.AttemptReport) bool {
			before := ended(r)
			mergeConclusion(r, agentv1.AttemptStatus_ATTEMPT_STATUS_CANCELLED, "Cancelled", "no longer needed")
			return !before
		}
	}
}

// TestMerge_Property proves what holds of an attempt's record whatever it is told, in whatever order: the first result stays, with its
// reason; a step that has ended stays so; an attempt of which a step has begun is never pending again; and the same news again is none.
func TestMerge_Property(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := &agentv1.AttemptReport{Status: agentv1.AttemptStatus_ATTEMPT_STATUS_PENDING}
		for range rapid.IntRange(1, 20).Draw(t, "count") {
			before, tell := proto.CloneOf(r), drawNews(t)
			tell(r)
			if ended(before) && (r.GetStatus() != before.GetStatus() || r.GetReason() != before.GetReason() || r.GetMessage() != before.GetMessage()) {
				t.Fatalf("a result changed from %s (%s) to %s (%s)", before.GetStatus(), before.GetReason(), r.GetStatus(), r.GetReason())
			}
			if !ended(before) && ended(r) && r.GetFinishedAt() == nil {
				t.Fatalf("%s and nobody knows when", r.GetStatus())
			}
			if before.GetStatus() > agentv1.AttemptStatus_ATTEMPT_STATUS_PENDING && r.GetStatus() == agentv1.AttemptStatus_ATTEMPT_STATUS_PENDING {
				t.Fatalf("pending again after %s", before.GetStatus())
			}
			for i, s := range before.GetSteps() {
				if stepEnded(s) && !stepEnded(r.GetSteps()[indexOf(r, s.GetIndex())]) {
					t.Fatalf("step %d (the %dth) goes on after its end", s.GetIndex(), i)
				}
			}
			once := proto.CloneOf(r)
			if tell(r); !proto.Equal(once, r) {
				t.Fatalf("the same news again made\n%v\nof\n%v", r, once)
			}
		}
	})
}

func indexOf(r *agentv1.AttemptReport, index int32) int {
	for i, s := range r.GetSteps() {
		if s.GetIndex() == index {
			return i
		}
	}
	return -1
}
