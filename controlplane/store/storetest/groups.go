package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// grouped stores an execution of one run in a group and lets it begin when it may.
func (f *fixture) grouped(t *testing.T, g execution.Group) (accepted, execution.Effects) {
	t.Helper()
	n := f.request(t, "")
	n.Runs[0].Group = g
	return f.enter(t, n)
}

// enter stores an execution and decides about its groups.
func (f *fixture) enter(t *testing.T, n execution.New) (accepted, execution.Effects) {
	t.Helper()
	if _, _, err := f.CreateExecution(f.as(t), n); err != nil {
		t.Fatal(err)
	}
	effects, err := f.Admit(f.as(t), n.Execution.ID)
	if err != nil {
		t.Fatal(err)
	}
	return accepted{n, n.Runs[0]}, effects
}

// twins stores an execution of as many runs in one group, with a limit of its own on how many are under way.
func (f *fixture) twins(t *testing.T, count, maxParallel int, g execution.Group) execution.New {
	t.Helper()
	n := f.request(t, "")
	first := n.Runs[0]
	n.MaxParallel, n.Runs = maxParallel, nil
	for i := range count {
		r := first
		r.ID, r.AttemptID, r.Name, r.Group = id(t), id(t), fmt.Sprintf("part=%d", i), g
		n.Runs = append(n.Runs, r)
	}
	f.enter(t, n)
	return n
}

// begun takes and answers what the fixture's agent is to do: the attempts to start and to cancel.
func (f *fixture) begun(t *testing.T) (starts, cancels []execution.AttemptID) {
	t.Helper()
	for _, c := range f.take(t) {
		if _, err := f.AckCommand(f.agent(t, f.cluster), c.ID, cluster.Done, ""); err != nil {
			t.Fatal(err)
		}
		switch c.Kind {
		case cluster.Start:
			starts = append(starts, c.Attempt)
		case cluster.Cancel:
			cancels = append(cancels, c.Attempt)
		case cluster.Release, cluster.Resume:
		}
	}
	return starts, cancels
}

// starts fails unless exactly those attempts are started.
func (f *fixture) starts(t *testing.T, want ...execution.AttemptID) {
	t.Helper()
	if got, _ := f.begun(t); !slices.Equal(got, want) {
		t.Errorf("started are %v, want %v", got, want)
	}
}

// over reports the end of an attempt and returns what that does to others.
func (f *fixture) over(t *testing.T, attempt execution.AttemptID, status execution.Status) execution.Effects {
	t.Helper()
	saved, err := f.SaveReport(f.agent(t, f.cluster), execution.Report{Attempt: attempt, Status: status})
	if err != nil {
		t.Fatal(err)
	}
	return saved.Effects
}

func groups() map[string]func(t *testing.T, f *fixture) {
	queue := execution.Group{Name: "checkout-staging", Limit: 1, OnConflict: execution.QueueUp}
	policy := func(p execution.OnConflict) execution.Group {
		g := queue
		g.OnConflict = p
		return g
	}
	return map[string]func(t *testing.T, f *fixture){
		"QueueGoesOnWithTheOldest": func(t *testing.T, f *fixture) {
			a, _ := f.grouped(t, queue)
			b, _ := f.grouped(t, queue)
			c, _ := f.grouped(t, queue)
			f.starts(t, a.AttemptID)
			effects := f.over(t, a.AttemptID, execution.Failed)
			if !slices.Contains(effects.Wake, f.cluster.ID) || !slices.Contains(effects.Changed, b.Execution.ID) || !slices.Contains(effects.Changed, c.Execution.ID) {
				t.Errorf("effects %+v: one begins, and the other waits for somebody else now", effects)
			}
			f.starts(t, b.AttemptID)
			f.over(t, b.AttemptID, execution.Passed)
			f.starts(t, c.AttemptID)
		},
		"SaysWhoHoldsIt": func(t *testing.T, f *fixture) {
			a, _ := f.grouped(t, queue)
			f.now = f.now.Add(time.Minute)
			b, _ := f.grouped(t, queue)
			e := f.execution(t, b.Execution.ID)
			at := e.Runs[0].Attempts[0]
			want := fmt.Sprintf("Waits for the concurrency group checkout-staging: held by execution %s of smoke since 2026-03-01 12:00:00 UTC.", a.Execution.ID)
			if at.Reason != execution.ReasonGroup || at.Message != want || e.Message != want || e.Reason != at.Reason || e.Runs[0].Group != queue.Name {
				t.Errorf("it says %q: %q, and as a whole %q: %q; want %q", at.Reason, at.Message, e.Reason, e.Message, want)
			}
			list, _, err := f.Executions(f.as(t), "", "", 10, "")
			if err != nil || list[0].Message != want {
				t.Errorf("in a list it says %q, %v", list[0].Message, err)
			}
			f.begun(t)
			f.over(t, a.AttemptID, execution.Passed)
			if e := f.execution(t, b.Execution.ID); e.Message != "" || e.Reason != "" || e.Runs[0].Attempts[0].Message != "" {
				t.Errorf("its turn has come, and it still says %q: %q", e.Reason, e.Message)
			}
		},
		"OthersAreFree": func(t *testing.T, f *fixture) {
			a, _ := f.grouped(t, queue)
			other := queue
			other.Name = "checkout-canary"
			b, _ := f.grouped(t, other)
			c := f.queued(t)
			f.starts(t, a.AttemptID, b.AttemptID, c.AttemptID)
		},
		"Limit": func(t *testing.T, f *fixture) {
			two := queue
			two.Limit = 2
			a, _ := f.grouped(t, two)
			b, _ := f.grouped(t, two)
			c, _ := f.grouped(t, two)
			f.starts(t, a.AttemptID, b.AttemptID)
			f.over(t, b.AttemptID, execution.Passed)
			f.starts(t, c.AttemptID)
		},
		"SkipTheNewer": func(t *testing.T, f *fixture) {
			a, _ := f.grouped(t, policy(execution.SkipNewer))
			b, _ := f.grouped(t, policy(execution.SkipNewer))
			e := f.execution(t, b.Execution.ID)
			if e.Status != execution.Skipped || e.Reason != execution.ReasonGroup || !strings.Contains(e.Message, a.Execution.ID.String()) {
				t.Errorf("%s %s: %q", e.Status, e.Reason, e.Message)
			}
			f.starts(t, a.AttemptID)
			f.over(t, a.AttemptID, execution.Passed)
			c, _ := f.grouped(t, policy(execution.SkipNewer))
			f.starts(t, c.AttemptID)
		},
		"CancelTheOlder": func(t *testing.T, f *fixture) {
			a, _ := f.grouped(t, policy(execution.CancelOlder))
			f.starts(t, a.AttemptID)
			b, effects := f.grouped(t, policy(execution.CancelOlder))
			if !slices.Contains(effects.Wake, f.cluster.ID) || !slices.Contains(effects.Changed, a.Execution.ID) {
				t.Errorf("effects %+v", effects)
			}
			starts, cancels := f.begun(t)
			if len(starts) != 0 || !slices.Equal(cancels, []execution.AttemptID{a.AttemptID}) {
				t.Errorf("started %v, cancelled %v: the older has to end first", starts, cancels)
			}
			c, _ := f.grouped(t, policy(execution.CancelOlder))
			if e := f.execution(t, b.Execution.ID); e.Status != execution.Cancelled || !strings.Contains(e.Message, c.Execution.ID.String()) {
				t.Errorf("one that waited is %s: %q; want it to give way to the newest", e.Status, e.Message)
			}
			f.over(t, a.AttemptID, execution.Cancelled)
			f.starts(t, c.AttemptID)
		},
		"CancelledByPeople": func(t *testing.T, f *fixture) {
			a, _ := f.grouped(t, queue)
			b, _ := f.grouped(t, queue)
			c, _ := f.grouped(t, queue)
			if _, err := f.CancelExecution(f.as(t), b.Execution.ID, "not needed"); err != nil {
				t.Fatal(err)
			}
			if e := f.execution(t, b.Execution.ID); e.Status != execution.Cancelled {
				t.Errorf("status %s", e.Status)
			}
			if effects, err := f.CancelExecution(f.as(t), a.Execution.ID, "not needed either"); err != nil || !slices.Contains(effects.Changed, c.Execution.ID) {
				t.Errorf("effects %+v, %v: the place was never taken by an agent and is free at once", effects, err)
			}
			f.starts(t, c.AttemptID)
		},
		"RejectedFreesThePlace": func(t *testing.T, f *fixture) {
			f.grouped(t, queue)
			b, _ := f.grouped(t, queue)
			for _, c := range f.take(t) {
				if _, err := f.AckCommand(f.agent(t, f.cluster), c.ID, cluster.Rejected, "no such namespace"); err != nil {
					t.Fatal(err)
				}
			}
			f.starts(t, b.AttemptID)
		},
		// Runs wait for their siblings (maxParallel) and for a group at the same time, in two executions: each has what the other
		// waits for, unless who waits holds nothing.
		"WithMaxParallel": func(t *testing.T, f *fixture) {
			two := queue
			two.Limit = 2
			a, b := f.twins(t, 3, 1, two), f.twins(t, 3, 1, two)
			f.starts(t, a.Runs[0].AttemptID, b.Runs[0].AttemptID)
			f.over(t, a.Runs[0].AttemptID, execution.Passed)
			f.starts(t, a.Runs[1].AttemptID)
			f.over(t, b.Runs[0].AttemptID, execution.Passed)
			f.over(t, a.Runs[1].AttemptID, execution.Passed)
			starts, _ := f.begun(t)
			if len(starts) != 2 {
				t.Fatalf("started %v", starts)
			}
			for _, id := range starts {
				f.over(t, id, execution.Passed)
			}
			starts, _ = f.begun(t)
			for _, id := range starts {
				f.over(t, id, execution.Passed)
			}
			for _, n := range []execution.New{a, b} {
				if e := f.execution(t, n.Execution.ID); e.Status != execution.Passed {
					t.Errorf("execution is %s with the runs %s", e.Status, statuses(e))
				}
			}
		},
		"SiblingsTakeTurns": func(t *testing.T, f *fixture) {
			n := f.twins(t, 2, 0, policy(execution.SkipNewer))
			f.starts(t, n.Runs[0].AttemptID)
			f.over(t, n.Runs[0].AttemptID, execution.Passed)
			f.starts(t, n.Runs[1].AttemptID)
		},
		// A replica dies between the end of one run and the beginning of the next.
		"SweepLetsBegin": func(t *testing.T, f *fixture) {
			n := f.request(t, "")
			n.Runs[0].Group = queue
			if _, _, err := f.CreateExecution(f.as(t), n); err != nil {
				t.Fatal(err)
			}
			f.starts(t)
			effects, err := f.AdmitWaiting(tenant.System(t.Context()))
			if err != nil || !slices.Contains(effects[f.member.Organization].Wake, f.cluster.ID) {
				t.Errorf("effects %+v, %v", effects, err)
			}
			f.starts(t, n.Runs[0].AttemptID)
			if effects, err := f.AdmitWaiting(tenant.System(t.Context())); err != nil || len(effects) != 0 {
				t.Errorf("a sweep with nothing to do: %+v, %v", effects, err)
			}
		},
		"OneWinsTheRace": func(t *testing.T, f *fixture) {
			requests := make([]execution.New, racers)
			for i := range requests {
				requests[i] = f.request(t, "")
				requests[i].Runs[0].Group = queue
			}
			together(func(i int) { f.enter(t, requests[i]) })
			for range requests {
				starts, _ := f.begun(t)
				if len(starts) != 1 {
					t.Fatalf("%d hold the one place", len(starts))
				}
				// Every replica sees the end, and each wants to let the next one begin.
				together(func(i int) {
					if i == 0 {
						f.over(t, starts[0], execution.Passed)
					} else if _, err := f.AdmitWaiting(tenant.System(t.Context())); err != nil {
						t.Errorf("sweep: %v", err)
					}
				})
			}
			if starts, _ := f.begun(t); len(starts) != 0 {
				t.Errorf("started %v once all are over", starts)
			}
		},
		// Two groups whose members are cancelled and let begin across the same executions from two sides.
		"RaceAcrossGroups": func(t *testing.T, f *fixture) {
			together(func(i int) {
				n := f.request(t, "")
				first := n.Runs[0]
				n.Runs = nil
				for k := range 2 {
					r := first
					r.ID, r.AttemptID, r.Name = id(t), id(t), fmt.Sprintf("part=%d", k)
					r.Group = execution.Group{Name: fmt.Sprintf("group-%d", (i+k)%2), Limit: 1, OnConflict: execution.CancelOlder}
					n.Runs = append(n.Runs, r)
				}
				f.enter(t, n)
			})
			for range 2 * racers {
				starts, cancels := f.begun(t)
				if len(starts) > 2 {
					t.Fatalf("%d began in two groups of one place", len(starts))
				}
				for _, id := range cancels {
					f.over(t, id, execution.Cancelled)
				}
				for _, id := range starts {
					if !slices.Contains(cancels, id) {
						f.over(t, id, execution.Passed)
					}
				}
			}
			list, _, err := f.Executions(f.as(t), "", "", 100, "")
			if err != nil || len(list) != racers {
				t.Fatalf("%d executions, %v", len(list), err)
			}
			for _, e := range list {
				if !e.Status.Terminal() {
					t.Errorf("%s is %s: %s", e.ID, e.Status, e.Message)
				}
			}
		},
	}
}
