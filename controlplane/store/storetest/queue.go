package storetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
)

// waitingOf returns what the only attempt of an execution says of why it waits.
func (f *fixture) waitingOf(t *testing.T, n execution.New) string {
	t.Helper()
	a := attemptOf(t, f.execution(t, n.Execution.ID))
	if a.Reason == "" && a.Message == "" {
		return ""
	}
	return a.Reason + ": " + a.Message
}

// connected has the agent of the fixture's cluster be there.
func (f *fixture) connected(t *testing.T) (ctx context.Context, epoch int64) {
	t.Helper()
	ctx = f.agent(t, f.cluster)
	epoch, err := f.OpenSession(ctx, cluster.Hello{Gateway: "g"})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, epoch
}

func queues() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"PlaceAndReason": func(t *testing.T, f *fixture) {
			ctx, epoch := f.connected(t)
			first, second := f.queued(t).New, f.queued(t).New
			if got := f.waitingOf(t, first); got != "" {
				t.Errorf("the first says %q", got)
			}
			if got := f.waitingOf(t, second); !strings.HasPrefix(got, "Queue: Place 2 of 2 in the queue of cluster harbour: those before it") {
				t.Errorf("the second says %q", got)
			}
			if _, err := f.TakeCommands(ctx, epoch, 1, time.Hour, time.Hour); err != nil {
				t.Fatal(err)
			}
			if got := f.waitingOf(t, first); got != "" {
				t.Errorf("what was sent to the agent says %q", got)
			}
			if _, err := f.LimitCluster(f.as(t), "harbour", 1); err != nil {
				t.Fatal(err)
			}
			f.report(t, execution.Report{Attempt: first.Runs[0].AttemptID, Status: execution.Running})
			if got := f.waitingOf(t, second); got != "Queue: Place 1 of 1 in the queue of cluster harbour: 1 of at most 1 runs are under way there." {
				t.Errorf("the second says %q", got)
			}
			if got := f.execution(t, second.Execution.ID).Message; !strings.HasPrefix(got, "Place 1 of 1 ") {
				t.Errorf("as a whole it says %q", got)
			}
		},
		"Drain": func(t *testing.T, f *fixture) {
			under := f.assigned(t) // is not touched
			ctx, epoch := f.connected(t)
			c, err := f.DrainCluster(f.as(t), "harbour", "new nodes")
			if err != nil || !c.Drained.On() || c.Drained.Reason != "new nodes" || c.Drained.By == "" {
				t.Fatalf("%+v, %v", c.Drained, err)
			}
			waits := f.queued(t).New
			if list, err := f.TakeCommands(ctx, epoch, 10, time.Hour, time.Hour); err != nil || len(list) != 0 {
				t.Errorf("a drained cluster is given %+v, %v", list, err)
			}
			if got := f.waitingOf(t, waits); !strings.Contains(got, "which is drained since") || !strings.Contains(got, "(new nodes)") {
				t.Errorf("it says %q", got)
			}
			if _, err := f.CancelExecution(f.as(t), under.Execution.ID, "stop"); err != nil {
				t.Fatal(err)
			}
			if list, err := f.TakeCommands(ctx, epoch, 10, time.Hour, time.Hour); err != nil || len(list) != 1 || list[0].Kind != cluster.Cancel {
				t.Errorf("what is under way cannot be cancelled: %+v, %v", list, err)
			}
			since := c.Drained.Since
			f.now = f.now.Add(time.Second)
			if c, err = f.DrainCluster(f.as(t), "harbour", "more nodes"); err != nil || !c.Drained.Since.Equal(since) || c.Drained.Reason != "more nodes" {
				t.Errorf("again: %+v, %v", c.Drained, err)
			}
			if c, err = f.UndrainCluster(f.as(t), "harbour"); err != nil || c.Drained != (cluster.Drain{}) {
				t.Errorf("undrained: %+v, %v", c.Drained, err)
			}
			if list, err := f.TakeCommands(ctx, epoch, 10, time.Hour, time.Hour); err != nil || len(list) != 1 || list[0].Attempt != waits.Runs[0].AttemptID {
				t.Errorf("after that it is given %+v, %v", list, err)
			}
		},
		"Limit": func(t *testing.T, f *fixture) {
			ctx, epoch := f.connected(t)
			if _, err := f.LimitCluster(f.as(t), "harbour", 2); err != nil {
				t.Fatal(err)
			}
			for range 4 {
				f.queued(t)
			}
			first, err := f.TakeCommands(ctx, epoch, 10, time.Hour, time.Hour)
			if err != nil || len(first) != 2 {
				t.Fatalf("%d of 2, %v", len(first), err)
			}
			if more, err := f.TakeCommands(ctx, epoch, 10, time.Hour, time.Hour); err != nil || len(more) != 0 {
				t.Errorf("what is on its way has no place: %+v, %v", more, err)
			}
			for _, c := range first {
				if _, err := f.AckCommand(ctx, c.ID, cluster.Done, ""); err != nil {
					t.Fatal(err)
				}
			}
			if more, err := f.TakeCommands(ctx, epoch, 10, time.Hour, time.Hour); err != nil || len(more) != 0 {
				t.Errorf("what is under way has no place: %+v, %v", more, err)
			}
			list, err := f.Clusters(f.as(t))
			at := slices.IndexFunc(list, func(c cluster.Cluster) bool { return c.Name == "harbour" })
			if err != nil || list[at].Busy != 2 || list[at].Queued != 2 || list[at].MaxRuns != 2 {
				t.Errorf("%+v, %v", list, err)
			}
			f.report(t, execution.Report{Attempt: first[0].Attempt, Status: execution.Passed})
			if more, err := f.TakeCommands(ctx, epoch, 10, time.Hour, time.Hour); err != nil || len(more) != 1 {
				t.Errorf("a place that got free: %+v, %v", more, err)
			}
			if _, err := f.LimitCluster(f.as(t), "harbour", 0); err != nil {
				t.Fatal(err)
			}
			if more, err := f.TakeCommands(ctx, epoch, 10, time.Hour, time.Hour); err != nil || len(more) != 1 {
				t.Errorf("without a limit: %+v, %v", more, err)
			}
		},
		"LimitOutOfRange": func(t *testing.T, f *fixture) {
			for _, runs := range []int{-1, cluster.MaxRunsLimit + 1} {
				if _, err := f.LimitCluster(f.as(t), "harbour", runs); !fault.Is(err, fault.Invalid) {
					t.Errorf("%d: %v", runs, err)
				}
			}
		},
		"OfOthers": func(t *testing.T, f *fixture) {
			for what, change := range map[string]func(ctx context.Context) error{
				"drain":   func(ctx context.Context) error { _, err := f.DrainCluster(ctx, "harbour", ""); return err },
				"undrain": func(ctx context.Context) error { _, err := f.UndrainCluster(ctx, "harbour"); return err },
				"limit":   func(ctx context.Context) error { _, err := f.LimitCluster(ctx, "harbour", 1); return err },
			} {
				if err := change(foreigner(t)); !fault.Is(err, fault.NotFound) {
					t.Errorf("%s by a stranger: %v", what, err)
				}
			}
		},
		"WorkflowsTakeTurns": func(t *testing.T, f *fixture) {
			var want []execution.AttemptID
			for range 3 {
				want = append(want, f.queued(t).Runs[0].AttemptID)
			}
			f.now = f.now.Add(time.Second)
			other := f.request(t, "")
			other.Execution.Workflow = "other"
			f.enter(t, other)
			f.starts(t, want[0], other.Runs[0].AttemptID, want[1], want[2])
		},
	}
}
