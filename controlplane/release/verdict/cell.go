package verdict

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/results"
	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
)

// grid is what the rules are held against: cells with one result for each test and variant, sorted.
type grid struct {
	release Release
	now     time.Time
	cells   []cell
}

type cell struct {
	environment, suite string
	labels             map[string]string
	required           int
	contradictory      bool
	results            []result
}

// result is a TestResult with what waivers and rules ask beside it.
type result struct {
	TestResult

	quarantined bool
	// unnamed says that a failure of it has no fingerprint: what is bound to one cannot cover it.
	unnamed bool
	waivers []int // active ones that fit it, of decision.waivers; bound ones may cover it only together
}

func (r result) bad() bool { return r.Verdict == tests.Failed || r.Verdict == tests.Flaky }

// unproven reports whether a required test lacks evidence: it never ran, something above prevented it, or the infrastructure lost it.
func (r result) unproven() bool {
	return r.Required && slices.Contains([]tests.Verdict{tests.NeverRan, tests.Blocked, tests.InfraError}, r.Verdict)
}

// silent reports whether nothing is required in the cell and nothing in it speaks for or against the release. No rule over its
// results could fail, so it counts as missing.
func (c cell) silent() bool {
	return c.required == 0 && !slices.ContainsFunc(c.results, func(r result) bool { return r.bad() || r.Verdict == tests.Passed })
}

// unproven counts the required tests that lack evidence. One of its variants is enough: nobody knows what it would have said.
func (c cell) unproven() int {
	keys := map[string]bool{}
	for _, r := range c.results {
		if r.unproven() {
			keys[r.Test] = true
		}
	}
	return len(keys)
}

// arrange makes the grid, or says with fault.Invalid what of the input is not clear.
func arrange(in Input) (grid, error) {
	runs, err := runsByID(in.Runs)
	if err != nil {
		return grid{}, err
	}
	release := in.Release
	release.Images = slices.SortedFunc(slices.Values(in.Release.Images), func(a, b Image) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Digest, b.Digest))
	})
	g := grid{release: release, now: in.Now.UTC()}
	for _, c := range in.Cells {
		a := arranger{in: c, runs: runs, sights: map[string]sight{}, release: release}
		done, err := a.cell()
		if err != nil {
			return grid{}, err
		}
		g.cells = append(g.cells, done)
	}
	slices.SortFunc(g.cells, func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.environment, b.environment), cmp.Compare(a.suite, b.suite))
	})
	for i := 1; i < len(g.cells); i++ {
		if a, b := g.cells[i-1], g.cells[i]; a.environment == b.environment && a.suite == b.suite {
			return grid{}, fault.New(fault.Invalid, "the cell %s/%s is listed twice", a.environment, a.suite).WithField("cells")
		}
	}
	return g, nil
}

func runsByID(all []Run) (map[string]Run, error) {
	runs := map[string]Run{}
	for _, r := range all {
		if _, twice := runs[r.ID]; twice || r.ID == "" {
			return nil, fault.New(fault.Invalid, "the run %q is listed twice, or has no ID", r.ID).WithField("runs")
		}
		runs[r.ID] = r
	}
	return runs, nil
}

// arranger makes one cell.
type arranger struct {
	in      Cell
	runs    map[string]Run
	sights  map[string]sight // run → what it saw of the release
	release Release
}

type testVariant struct{ test, variant string }

func (a *arranger) cell() (cell, error) {
	out := cell{environment: a.in.Environment, suite: a.in.Suite, labels: a.in.Labels, required: len(a.in.Required)}
	required := map[string]Test{}
	for _, t := range a.in.Required {
		if _, twice := required[t.Key]; twice {
			return out, a.wrong("requires the test %q twice", t.Key)
		}
		required[t.Key] = t
	}
	groups, err := a.groups()
	if err != nil {
		return out, err
	}
	seen := map[string]bool{}
	for key, evidence := range groups {
		seen[key.test] = true
		r := a.result(evidence)
		r.about(key, required, evidence)
		out.results = append(out.results, r)
	}
	for key := range required {
		if !seen[key] {
			r := a.result(nil)
			r.about(testVariant{key, ""}, required, nil)
			out.results = append(out.results, r)
		}
	}
	slices.SortFunc(out.results, func(x, y result) int {
		return cmp.Or(cmp.Compare(x.Test, y.Test), cmp.Compare(x.Variant, y.Variant))
	})
	out.contradictory = slices.ContainsFunc(a.in.Evidence, func(e Evidence) bool { return e.Contradictory })
	return out, nil
}

func (a *arranger) wrong(format string, args ...any) error {
	args = append([]any{a.in.Environment, a.in.Suite}, args...)
	return fault.New(fault.Invalid, "the cell %s/%s "+format, args...).WithField("cells")
}

// groups sorts the evidence by test and variant.
func (a *arranger) groups() (map[testVariant][]Evidence, error) {
	groups := map[testVariant][]Evidence{}
	for _, e := range a.in.Evidence {
		run, known := a.runs[e.Run]
		switch {
		case e.Run == "":
		case !known:
			return nil, a.wrong("has evidence of the run %q, which is not among the runs", e.Run)
		case run.Environment != "" && run.Environment != a.in.Environment:
			return nil, a.wrong("has evidence of the run %q, which was in %s", e.Run, run.Environment)
		}
		if _, judged := a.sights[e.Run]; !judged {
			a.sights[e.Run] = a.release.sight(run)
		}
		if e.FinishedAt.IsZero() && !e.Running {
			e.FinishedAt = run.FinishedAt
		}
		key := testVariant{e.Test, e.Variant}
		groups[key] = append(groups[key], e)
	}
	return groups, nil
}

// about says which test the result is of.
func (r *result) about(key testVariant, required map[string]Test, evidence []Evidence) {
	r.Test, r.Variant = key.test, key.variant
	if t, is := required[key.test]; is {
		r.Required, r.Name, r.Labels = true, t.Name, slices.Sorted(slices.Values(t.Labels))
	}
	for _, e := range evidence {
		if r.Name == "" || !r.Required && e.Name != "" && e.Name < r.Name { // any of them, but always the same
			r.Name = e.Name
		}
	}
}

// result judges the attempts on the release, or all others when there is none on it. Which are on it is asked for each attempt: of one
// run a failure may speak, and a pass not.
func (a *arranger) result(evidence []Evidence) result {
	var on, off []Evidence
	for _, e := range evidence {
		if a.sights[e.Run].of(e) {
			on = append(on, e)
		} else {
			off = append(off, e)
		}
	}
	speak := on
	if len(on) == 0 {
		speak = off
	}
	attempts := make([]tests.Attempt, len(speak))
	for i, e := range speak {
		attempts[i] = e.attempt()
	}
	v := tests.Of(attempts, tests.None)
	r := result{TestResult: TestResult{
		Verdict: v.Verdict, SubjectOK: len(on) > 0, FinishedAt: newest(speak), Attempts: len(speak),
		ExpectedFail: v.ExpectedFail, UnexpectedPass: v.UnexpectedPass, Synthetic: v.Synthetic,
	}}
	r.note(speak)
	return r
}

// note records runs, failures and quarantine of the attempts that speak.
func (r *result) note(speak []Evidence) {
	runs, prints := map[string]bool{}, map[string]bool{}
	r.quarantined = len(speak) > 0
	for _, e := range speak {
		r.quarantined = r.quarantined && e.Quarantined
		if e.Run != "" {
			runs[e.Run] = true
		}
		switch {
		case e.Running || !e.Outcome.Bad():
		case e.Fingerprint == "":
			r.unnamed = true
		default:
			prints[e.Fingerprint] = true
		}
	}
	r.Runs, r.Fingerprints = slices.Sorted(maps.Keys(runs)), slices.Sorted(maps.Keys(prints))
}

// attempt is the evidence as the verdict on tests takes it. What passed in a report that hides failures may be one of them.
func (e Evidence) attempt() tests.Attempt {
	outcome := e.Outcome
	if e.Contradictory && outcome == results.Passed {
		outcome = results.InfraError
	}
	return tests.Attempt{
		Outcome: outcome, Running: e.Running, ExpectedFail: e.ExpectedFail, UnexpectedPass: e.UnexpectedPass,
		Synthetic: e.Synthetic, FromRetry: e.FromRetry,
	}
}

// newest returns when the newest conclusive attempt ended, else the newest of all.
func newest(evidence []Evidence) time.Time {
	var conclusive, last time.Time
	for _, e := range evidence {
		if e.Running {
			continue
		}
		if e.FinishedAt.After(last) {
			last = e.FinishedAt
		}
		if e.attempt().Outcome.Conclusive() && e.FinishedAt.After(conclusive) {
			conclusive = e.FinishedAt
		}
	}
	if conclusive.IsZero() {
		return last.UTC()
	}
	return conclusive.UTC()
}

// result returns what is known of the cell.
func (c cell) result() CellResult {
	out := CellResult{
		Environment: c.environment, Suite: c.suite, Required: c.required, Unproven: c.unproven(), Integrity: results.Consistent,
	}
	if c.contradictory {
		out.Integrity = results.Contradictory
	}
	for _, r := range c.results {
		*out.total(r.Verdict)++
		out.Results = append(out.Results, r.TestResult)
	}
	return out
}

// total returns the count of a verdict.
func (c *CellResult) total(v tests.Verdict) *int {
	switch v {
	case tests.Passed:
		return &c.Passed
	case tests.Failed:
		return &c.Failed
	case tests.Flaky:
		return &c.Flaky
	case tests.Skipped:
		return &c.Skipped
	case tests.Blocked:
		return &c.Blocked
	case tests.Running:
		return &c.Running
	case tests.NeverRan:
		return &c.NeverRan
	case tests.InfraError:
	}
	return &c.InfraError
}

func (c cell) title() string { return strings.Trim(c.environment+"/"+c.suite, "/") }
