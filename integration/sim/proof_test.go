package sim_test

import (
	"slices"
	"testing"
	"time"

	"github.com/seatrial/seatrial/integration/history"
	"github.com/seatrial/seatrial/integration/sim"
)

// TestKept runs the seeds that have once found a bug.
func TestKept(t *testing.T) {
	t.Parallel()
	shared := sim.Share(t)
	var plans []sim.Plan
	for _, n := range kept(t) {
		plans = append(plans, sim.NewPlan(n))
	}
	each(t, plans, func(t *testing.T, plan sim.Plan) {
		t.Helper()
		_, violations := once(t, shared, plan, sim.Options{})
		tell(t, plan, violations)
	})
}

// TestMutants puts bugs in on purpose and proves that the checker finds each within so many seeds, by the promise that it breaks.
func TestMutants(t *testing.T) {
	t.Parallel()
	const within = 50
	shared := sim.Share(t)
	for name, tc := range map[string]struct {
		mutants sim.Mutants
		with    func(p *sim.Plan) // what goes wrong beside what the seeds say; nil for nothing
		breaks  []history.Invariant
		reason  string
	}{
		"Unfenced": {
			sim.Mutants{Unfenced: true}, func(p *sim.Plan) {
				p.Timed = append(p.Timed, sim.Timed{Trouble: sim.SplitBrain, At: 2 * time.Second, For: time.Minute})
			}, []history.Invariant{history.I5}, "two agents with one identity both take commands, although only the newest session may",
		},
		"FireAndForget": {
			sim.Mutants{FireAndForget: true}, nil, []history.Invariant{history.I2, history.I9}, "a command that is lost on its way never comes again, and its run ends without having begun",
		},
		"RandomNames": {
			sim.Mutants{RandomNames: true}, func(p *sim.Plan) {
				p.Rules = append(p.Rules, sim.Rule{Point: "kube.create-job.after", Nth: 1, Action: sim.Crash})
			}, []history.Invariant{history.I1}, "a start whose answer was lost makes a second Job, and the test runs twice",
		},
		"Overlapping": {
			sim.Mutants{Overlapping: true}, nil, []history.Invariant{history.I3}, "log bytes whose acknowledgement was lost are stored twice",
		},
		"EarlyAck": {
			sim.Mutants{EarlyAck: true}, nil, []history.Invariant{history.I3, history.I4}, "log bytes are acknowledged and never stored",
		},
		"KeepJobs": {
			sim.Mutants{KeepJobs: true}, nil, []history.Invariant{history.I10}, "Jobs are left for ever",
		},
		"NoKeys": {
			sim.Mutants{NoKeys: true}, nil, []history.Invariant{history.I2}, "a client that asks again because the answer was lost starts another execution",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := range within {
				plan := sim.NewPlan(uint64(n + 1))
				if tc.with != nil {
					tc.with(&plan)
				}
				_, violations := once(t, shared, plan, sim.Options{Mutants: tc.mutants})
				if slices.ContainsFunc(violations, func(v history.Violation) bool { return slices.Contains(tc.breaks, v.Invariant) }) {
					t.Logf("found with seed %d: %s", plan.Seed, violations[0])
					return
				}
			}
			t.Errorf("not found with %d seeds: %s", within, tc.reason)
		})
	}
}

// stations is a plan that comes to every point: executions that end by themselves, that are cancelled before and after their pods run, and
// connections that are lost.
func stations(rules ...sim.Rule) sim.Plan {
	return sim.Plan{
		Seed: 7, Horizon: 30 * time.Second, Rules: rules,
		Starts: []sim.Start{
			{Site: 0, Workflow: "steps"},
			{Site: 0, Workflow: "single", At: time.Second, Cancel: 500 * time.Millisecond},
			{Site: 1, Workflow: "cells", At: 2 * time.Second, Again: time.Second, Cancel: 8 * time.Second},
		},
		Timed: []sim.Timed{{Trouble: sim.Cut, At: 20 * time.Second, Target: 0}, {Trouble: sim.Cut, At: 25 * time.Second, Target: 1}},
	}
}

// TestPoints stops whoever comes to a point, at each point and in each way, and proves that every promise is kept. Every point is reached.
func TestPoints(t *testing.T) {
	t.Parallel()
	shared := sim.Share(t)
	var plans []sim.Plan
	for i, p := range sim.Points() {
		for n, action := range sim.Actions() {
			if share(2) == 2 || i%len(sim.Actions()) == n { // else in one of the ways
				plans = append(plans, stations(sim.Rule{Point: p, Nth: 1, Action: action}))
			}
		}
	}
	total := newTally()
	each(t, plans, func(t *testing.T, plan sim.Plan) {
		t.Helper()
		r, violations := once(t, shared, plan, sim.Options{})
		if len(violations) > 0 {
			t.Errorf("%s at %s: %v", plan.Rules[0].Action, plan.Rules[0].Point, violations)
		}
		total.add(r)
	})
	t.Cleanup(func() {
		for _, p := range sim.Points() {
			if want := len(plans) / len(sim.Points()); total.acted[p] < want {
				t.Errorf("point %s was reached in %d of %d simulations", p, total.acted[p], want)
			}
		}
		t.Log(total)
	})
}
