package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// limited lets one run at a time be under way in the fixture's cluster.
func (f *fixture) limited(t *testing.T) {
	t.Helper()
	if _, err := f.LimitCluster(f.as(t), "harbour", 1); err != nil {
		t.Fatal(err)
	}
}

// quota lets one run at a time be under way in the fixture's organization.
func (f *fixture) quota(t *testing.T) {
	t.Helper()
	if err := f.SetQuota(t.Context(), f.member.Organization, tenant.Quota{Runs: 1}); err != nil {
		t.Fatal(err)
	}
}

// sent stores an execution and hands its start command to the agent, which does not answer.
func (f *fixture) sent(t *testing.T) accepted {
	t.Helper()
	n := f.queued(t)
	if list := f.take(t); len(list) != 1 || list[0].Attempt != n.AttemptID {
		t.Fatalf("sent are %+v", list)
	}
	return n
}

// busy returns how many runs are under way in the fixture's cluster and how many wait for it.
func (f *fixture) busy(t *testing.T) (busy, queued int) {
	t.Helper()
	list, err := f.Clusters(f.as(t))
	at := slices.IndexFunc(list, func(c cluster.Cluster) bool { return c.Name == "harbour" })
	if err != nil || at < 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	return list[at].Busy, list[at].Queued
}

// unanswered holds that a start command which was sent has its place, and is sent again, whatever keeps others from beginning.
func unanswered(hold func(t *testing.T, f *fixture)) func(t *testing.T, f *fixture) {
	return func(t *testing.T, f *fixture) {
		waits := f.sent(t)
		f.queued(t)
		hold(t, f)
		if list := f.take(t); len(list) != 1 || list[0].Attempt != waits.AttemptID { // a new session: the last one heard no answer
			t.Errorf("sent again are %+v", list)
		}
	}
}

func places() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"UnansweredWithinLimit": unanswered(func(t *testing.T, f *fixture) { t.Helper(); f.limited(t) }),
		"UnansweredWithinQuota": unanswered(func(t *testing.T, f *fixture) { t.Helper(); f.quota(t) }),
		"UnansweredWhenDrained": unanswered(func(t *testing.T, f *fixture) {
			t.Helper()
			if _, err := f.DrainCluster(f.as(t), "harbour", ""); err != nil {
				t.Fatal(err)
			}
		}),
		"EndedWithoutAnswer": func(t *testing.T, f *fixture) {
			f.quota(t)
			f.limited(t)
			ended := f.sent(t)
			f.report(t, execution.Report{Attempt: ended.AttemptID, Status: execution.Running})
			f.queued(t)
			if busy, queued := f.busy(t); busy != 1 || queued != 1 {
				t.Errorf("one that runs and was not answered for counts once: %d under way, %d waiting", busy, queued)
			}
			f.report(t, execution.Report{Attempt: ended.AttemptID, Status: execution.Passed})
			ctx, epoch := f.connected(t)
			list, err := f.TakeCommands(ctx, epoch, 9, time.Hour, time.Hour)
			if err != nil || !slices.ContainsFunc(list, func(c cluster.Command) bool { return c.Attempt != ended.AttemptID }) {
				t.Errorf("its place is not free: %+v, %v", list, err)
			}
		},
		"OnItsWayIsUnderWay": func(t *testing.T, f *fixture) {
			f.limited(t)
			f.sent(t)
			waits := f.queued(t).New
			if busy, queued := f.busy(t); busy != 1 || queued != 1 {
				t.Errorf("who drains the cluster takes it for empty: %d under way, %d waiting", busy, queued)
			}
			if got := f.waitingOf(t, waits); got != "Queue: Place 1 of 1 in the queue of cluster harbour: 1 of at most 1 runs are under way there." {
				t.Errorf("what waits behind it says %q", got)
			}
		},
		"PlaceBehindOtherTeams": func(t *testing.T, f *fixture) {
			other := tenant.WithViewer(t.Context(), f.others(t))
			flow, _, _, err := f.ApplyWorkflow(other, workflow.Record{Name: "smoke-web", Digest: "d1", Source: "x"}, "web")
			if err != nil {
				t.Fatal(err)
			}
			f.connected(t)
			f.queued(t)
			f.queued(t)
			n := f.request(t, "")
			n.Execution.Workflow, n.RevisionID = flow.Name, flow.RevisionID
			if _, _, err := f.CreateExecution(f.as(t), n); err != nil {
				t.Fatal(err)
			}
			e, err := f.Execution(other, n.Execution.ID)
			if err != nil {
				t.Fatal(err)
			}
			if a := attemptOf(t, e); !strings.Contains(a.Message, "of 3 in the queue") {
				t.Errorf("who sees the own team alone is told %q: the queue is that of all", a.Message)
			}
		},
		"NotBegunWhenDrained": func(t *testing.T, f *fixture) {
			ctx, epoch := f.connected(t)
			f.queued(t)
			list, err := f.TakeCommands(ctx, epoch, 9, time.Nanosecond, time.Hour)
			if err != nil || len(list) != 1 {
				t.Fatalf("%+v, %v", list, err)
			}
			if _, err := f.DrainCluster(f.as(t), "harbour", ""); err != nil {
				t.Fatal(err)
			}
			if _, err := f.AckCommand(ctx, list[0].ID, cluster.Deferred, "the API server refuses"); err != nil {
				t.Fatal(err)
			}
			f.now = f.now.Add(time.Minute)
			if list, err := f.TakeCommands(ctx, epoch, 9, time.Nanosecond, time.Hour); err != nil || len(list) != 0 {
				t.Errorf("a drained cluster begins what its agent has said it did not begin: %+v, %v", list, err)
			}
			if busy, queued := f.busy(t); busy != 0 || queued != 1 {
				t.Errorf("%d under way, %d waiting", busy, queued)
			}
			if _, err := f.UndrainCluster(f.as(t), "harbour"); err != nil {
				t.Fatal(err)
			}
			if list, err := f.TakeCommands(ctx, epoch, 9, time.Nanosecond, time.Hour); err != nil || len(list) != 1 {
				t.Errorf("afterwards it does not begin: %+v, %v", list, err)
			}
		},
		"FreePlaceOfCluster": func(t *testing.T, f *fixture) {
			f.limited(t)
			under := f.assigned(t)
			f.queued(t)
			if woken := f.over(t, under.AttemptID, execution.Passed).Wake; !slices.Equal(woken, []cluster.ID{f.cluster.ID}) {
				t.Errorf("who is told that a place is free: %v", woken)
			}
		},
		"FreePlaceOfOrganization": func(t *testing.T, f *fixture) {
			f.quota(t)
			under := f.assigned(t)
			other, env := f.enroll(t, "pier", "canary")
			n := f.request(t, "")
			n.Runs[0].Environment = env
			f.enter(t, n)
			if woken := f.over(t, under.AttemptID, execution.Passed).Wake; !slices.Equal(woken, []cluster.ID{other.ID}) {
				t.Errorf("who is told that a place is free: %v", woken)
			}
		},
		"NobodyWaits": func(t *testing.T, f *fixture) {
			f.limited(t)
			f.quota(t)
			under := f.assigned(t)
			if woken := f.over(t, under.AttemptID, execution.Passed).Wake; len(woken) != 0 {
				t.Errorf("told are %v", woken)
			}
		},
		"SentIsNotInTheQueue": func(t *testing.T, f *fixture) {
			n := f.request(t, "")
			n.Runs = nil
			for range 12 { // more than are told their place
				n.Runs = append(n.Runs, f.request(t, "").Runs...)
			}
			f.enter(t, n)
			f.queued(t)
			f.take(t)
			for _, r := range f.execution(t, n.Execution.ID).Runs {
				if a := r.Attempts[0]; a.Reason != "" {
					t.Errorf("what was sent to its agent says %q", a.Message)
				}
			}
		},
		"DrainedIsKnownToThoseWhoChoose": func(t *testing.T, f *fixture) {
			f.connected(t)
			if _, err := f.DrainCluster(f.as(t), "harbour", ""); err != nil {
				t.Fatal(err)
			}
			if got, err := f.Loads(f.as(t), []cluster.ID{f.cluster.ID}); err != nil || !got[f.cluster.ID].Drained || got[f.cluster.ID].Away {
				t.Errorf("%+v, %v", got, err)
			}
		},
	}
}
