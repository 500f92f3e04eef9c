package api_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/flaky"
	"github.com/seatrial/seatrial/controlplane/testcase"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// cases is the world's one test.
type cases struct{ w *world }

func known() testcase.History {
	run := testcase.Run{
		Execution: uuid.New(), At: time.Unix(100, 0).UTC(), Environment: "eu", Outcome: results.Failed, Earlier: []results.Outcome{results.Passed},
		Duration: time.Second, Message: "no", Fingerprint: "fp1:1",
	}
	return testcase.History{
		Case: testcase.Case{Key: "k", Workflow: "smoke", Name: "cart › pays"}, Runs: []testcase.Run{run}, Cost: time.Minute,
		Score: flaky.Score{Class: flaky.Flaky, N: 10, K: 2, D: 1, B: 3, Rate: 0.2, Low: 0.05, High: 0.5},
		Since: testcase.Since{InARow: 1, Run: run, LastPass: run}, Quarantine: &testcase.Quarantine{Test: "k", Owner: "ann"},
	}
}

func (c cases) Unreliable(ctx context.Context, _ string) ([]testcase.History, error) {
	return []testcase.History{known()}, c.w.check(ctx)
}

func (c cases) Test(ctx context.Context, _ string) (testcase.History, error) {
	return known(), c.w.check(ctx)
}

func (c cases) Quarantine(ctx context.Context, a testcase.Ask) (testcase.Quarantine, error) {
	c.w.reason = a.Reason
	return testcase.Quarantine{Test: a.Test, Owner: a.Owner, Until: time.Unix(0, 0).Add(a.For)}, c.w.check(ctx)
}

func (c cases) Release(ctx context.Context, test string) error {
	c.w.reason = test
	return c.w.check(ctx)
}

// testCalls makes every call of the service once.
func testCalls() map[string]call {
	return map[string]call{
		"ListUnreliableTests": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.tests.ListUnreliableTests(ctx, &apiv1.ListUnreliableTestsRequest{})
			return err
		}},
		"GetTest": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.tests.GetTest(ctx, &apiv1.GetTestRequest{Key: "k"})
			return err
		}},
		"QuarantineTest": {"release", func(ctx context.Context, b *bench) error {
			_, err := b.tests.QuarantineTest(ctx, &apiv1.QuarantineTestRequest{Key: "k", Reason: "why"})
			return err
		}},
		"EndQuarantine": {"release", func(ctx context.Context, b *bench) error {
			_, err := b.tests.EndQuarantine(ctx, &apiv1.EndQuarantineRequest{Key: "k"})
			return err
		}},
	}
}

func TestTestService(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	list, err := b.tests.ListUnreliableTests(t.Context(), &apiv1.ListUnreliableTestsRequest{})
	if err != nil || len(list.GetTests()) != 1 || list.GetTests()[0].GetRuns() != nil {
		t.Fatalf("%v, %v: want heads only", list, err)
	}
	one, err := b.tests.GetTest(t.Context(), &apiv1.GetTestRequest{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	got := one.GetTest()
	if got.GetClass() != "flaky" || got.GetFailures() != 2 || got.GetAttempts() != 10 || got.GetUnclear() != 3 || got.GetHigh() != 0.5 ||
		got.GetCostPerWeek().AsDuration() != time.Minute || got.GetQuarantine().GetOwner() != "ann" {
		t.Errorf("test %v", got)
	}
	if r := got.GetRuns()[0]; r.GetOutcome() != "failed" || r.GetEarlier()[0] != "passed" || r.GetFingerprint() != "fp1:1" || got.GetFailingSince().GetExecutionId() != r.GetExecutionId() {
		t.Errorf("runs %v, since %v", r, got.GetFailingSince())
	}
	q, err := b.tests.QuarantineTest(t.Context(), &apiv1.QuarantineTestRequest{Key: "k", Reason: "why", Owner: "bob", Lifetime: durationpb.New(time.Hour)})
	if err != nil || q.GetQuarantine().GetOwner() != "bob" || !q.GetQuarantine().GetUntil().AsTime().Equal(time.Unix(3600, 0)) {
		t.Errorf("%v, %v", q, err)
	}
}
