package insight

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/execution/compare"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/duration"
	"github.com/seatrial/seatrial/controlplane/results/flaky"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
)

const (
	// maxCases bounds what is read of an execution: reports of a hundred thousand tests are usual in large suites.
	maxCases = 250_000
	// pastPage and maxPast are how many executions are looked at for the last green one, at a time and in all.
	pastPage = 50
	maxPast  = 500
)

// Question asks for a comparison.
type Question struct {
	Execution   execution.ID
	Base        execution.ID // the earlier one; zero for the last green one of the same workflow in the same places
	Environment string       // only what ran there; empty for everything
}

// Comparison is what is different between two executions.
type Comparison struct {
	Before, After execution.Execution
	LastGreen     bool // before is the last green one
	Environment   string
	Tests         compare.Tests
	Differences   []compare.Difference
	Unknown       []string // sentences on what nobody knows
	Messages      map[uuid.UUID]string
}

// Compare says what is different between two executions. It is fault.NotFound when either is not there, or nothing before was green,
// fault.Conflict while one of them runs or its reports arrive, or when results are no longer kept, and fault.Exhausted when they have too many tests.
func (s *Service) Compare(ctx context.Context, q Question) (c Comparison, err error) {
	c = Comparison{Environment: q.Environment, LastGreen: q.Base == uuid.Nil}
	if c.After, err = s.ended(ctx, q.Execution); err != nil {
		return c, err
	}
	places := compare.Places(c.After, q.Environment)
	if len(places) == 0 && q.Environment != "" {
		return c, fault.New(fault.Invalid, "the execution did not run in %q", q.Environment).WithField("environment").
			WithHint("Name one of its environments, or none for all of them.")
	}
	base := q.Base
	if c.LastGreen {
		if base, err = s.lastGreen(ctx, c.After, places, q.Environment); err != nil {
			return c, err
		}
	}
	if c.Before, err = s.ended(ctx, base); err != nil {
		return c, err
	}
	before, after := compare.Side{Execution: c.Before}, compare.Side{Execution: c.After}
	if c.LastGreen || q.Environment != "" {
		only := func(p compare.Place) bool { return places[p] || !c.LastGreen && p.Environment == q.Environment }
		before.Only, after.Only = only, only
	}
	v, _ := tenant.FromContext(ctx) // without one the rules of privacy have refused the executions
	key := c.key(v.Organization)
	if s.comparisons.recall(key, &c, s.clock()) {
		return c, nil
	}
	done, err := s.turn(ctx)
	if err != nil {
		return c, err
	}
	defer done()
	if s.comparisons.recall(key, &c, s.clock()) {
		return c, nil // somebody else has asked for the same
	}
	if err := s.compare(ctx, &c, before, after); err != nil {
		return c, err
	}
	s.comparisons.keep(key, c, s.clock())
	return c, nil
}

// ended returns an execution that says nothing more.
func (s *Service) ended(ctx context.Context, id execution.ID) (execution.Execution, error) {
	e, err := s.store.Execution(ctx, id)
	if err != nil {
		return e, fmt.Errorf("read execution: %w", err)
	}
	if !e.Status.Terminal() {
		return e, fault.New(fault.Conflict, "the execution %s has not ended", id).
			WithHint("Compare it when it has: until then nobody knows which tests are absent.")
	}
	if s.arriving(e) {
		return e, fault.New(fault.Conflict, "not all reports of the execution %s have arrived", id).
			WithHint("Compare it in some minutes: until then nobody knows which tests are absent.")
	}
	return e, nil
}

// arriving reports whether an execution that has ended may still say something. What a lost attempt says no longer counts.
func (s *Service) arriving(e execution.Execution) bool {
	for _, r := range e.Runs {
		if len(r.Attempts) == 0 {
			continue
		}
		last := r.Attempts[len(r.Attempts)-1]
		if !last.Delivered && !last.FinishedAt.IsZero() && s.clock().Sub(last.FinishedAt) < execution.Late {
			return true
		}
	}
	return false
}

// lastGreen finds the last execution of the workflow before another that passed wherever that ran.
func (s *Service) lastGreen(ctx context.Context, e execution.Execution, places map[compare.Place]bool, environment string) (execution.ID, error) {
	before, looked, gone := e.ID, 0, 0
	for looked < maxPast {
		list, err := s.store.Past(ctx, e.Workflow, before, pastPage)
		if err != nil {
			return uuid.Nil, fmt.Errorf("look for the last green execution: %w", err)
		}
		for _, past := range list {
			looked, before = looked+1, past.ID
			if !past.Status.Terminal() || !compare.Green(past, places) {
				continue
			}
			kept, err := s.kept(ctx, past)
			if err != nil || kept {
				return past.ID, err
			}
			gone++
		}
		if len(list) < pastPage {
			break
		}
	}
	where := "where it ran"
	if environment != "" {
		where = "in " + environment
	}
	kind, none := fault.NotFound, fmt.Sprintf("none of the last %d executions of %s before it has passed %s", looked, e.Workflow, where)
	switch {
	case looked == 0:
		none = fmt.Sprintf("there is no execution of %s before it", e.Workflow)
	case gone > 0:
		kind, none = fault.Conflict, fmt.Sprintf("of the last %d executions of %s before it, the results of those that passed %s are no longer kept", looked, e.Workflow, where)
	}
	return uuid.Nil, fault.New(kind, "%s", none).WithField("base").WithHint("Name the execution to compare it with.")
}

// kept reports whether the results of an execution are still there, if it had any.
func (s *Service) kept(ctx context.Context, e execution.Execution) (bool, error) {
	if e.Tests.Total == 0 {
		return true, nil
	}
	some, err := s.store.Cases(ctx, e.ID, 1)
	if err != nil {
		return false, fmt.Errorf("look for the results of execution %s: %w", e.ID, err)
	}
	return len(some) > 0, nil
}

func (s *Service) compare(ctx context.Context, c *Comparison, before, after compare.Side) (err error) {
	for _, side := range []*compare.Side{&before, &after} {
		if side.Cases, err = s.store.Cases(ctx, side.Execution.ID, maxCases+1); err != nil {
			return fmt.Errorf("read the results of execution %s: %w", side.Execution.ID, err)
		}
		if len(side.Cases) == 0 && side.Execution.Tests.Total > 0 {
			return fault.New(fault.Conflict, "the results of the execution %s are no longer kept", side.Execution.ID).
				WithHint("Compare executions whose results are. Those that are evidence for a release are kept for longer.")
		}
		if len(side.Cases) > maxCases {
			return fault.New(fault.Exhausted, "the execution %s has more than %d results, which are too many to compare", side.Execution.ID, maxCases).
				WithHint("Compare executions of a part of the suite.")
		}
	}
	c.Tests = compare.Of(before, after)
	c.Differences, c.Unknown = compare.Heads(before, after)
	if err := s.slower(ctx, c); err != nil {
		return err
	}
	var ids []uuid.UUID
	for _, kind := range []compare.Kind{compare.NewlyFailing, compare.NewlyFlaky, compare.StillFailing, compare.NewlyAbsent} {
		for _, t := range c.Tests.Group(kind).Tests {
			ids = append(ids, t.Result)
		}
	}
	if c.Messages, err = s.store.Messages(ctx, ids); err != nil {
		return fmt.Errorf("read messages: %w", err)
	}
	return nil
}

// slower asks the rule for durations about the tests that took noticeably longer. It needs several runs on both subjects, so one slow
// run says nothing.
func (s *Service) slower(ctx context.Context, c *Comparison) error {
	if len(c.Tests.Slow) == 0 {
		return nil
	}
	var keys []string
	for _, t := range c.Tests.Slow {
		keys = append(keys, t.Key)
	}
	slices.Sort(keys)
	known, err := s.store.TestRuns(ctx, slices.Compact(keys), s.clock().Add(-flaky.Span), flaky.MaxAttempts)
	if err != nil {
		return fmt.Errorf("read the runs of tests: %w", err)
	}
	runs := map[string][]testcase.Run{}
	for _, k := range known {
		runs[k.Key] = k.Runs
	}
	var found []compare.Test
	for _, t := range c.Tests.Slow {
		if change := slowed(t, runs[t.Key], c.Before.ID, c.After.ID); change.Regression {
			t.Was, t.Is = change.Before, change.After
			found = append(found, t)
		}
	}
	c.Tests.Slower(found)
	return nil
}

// slowed compares how long a test took on the subject of an execution with how long it took on that of an earlier one. Runs of a matrix
// do not say of which cell they are, so nothing is said of them.
func slowed(t compare.Test, runs []testcase.Run, before, after execution.ID) duration.Change {
	if t.Place.Cell != "" {
		return duration.Change{}
	}
	runs = slices.DeleteFunc(slices.Clone(runs), func(r testcase.Run) bool {
		return r.Environment != t.Place.Environment || r.Variant != t.Variant || r.Subject == ""
	})
	slices.SortStableFunc(runs, func(a, b testcase.Run) int { return a.At.Compare(b.At) })
	old, now := subjectIn(runs, before), subjectIn(runs, after)
	if old == "" || now == "" || old == now {
		return duration.Change{}
	}
	return duration.Compare(passing(runs, old), passing(runs, now))
}

func subjectIn(runs []testcase.Run, id execution.ID) string {
	for _, r := range runs {
		if r.Execution == id {
			return subjectOf(r)
		}
	}
	return ""
}

func subjectOf(r testcase.Run) string { return r.Subject + " " + r.Commit }

func passing(runs []testcase.Run, subject string) []time.Duration {
	var out []time.Duration
	for _, r := range runs {
		if subjectOf(r) == subject && r.Outcome == results.Passed && len(r.Earlier) == 0 {
			out = append(out, r.Duration)
		}
	}
	return out
}
