// Package compare says what is different between the verdicts on two releases. It is pure: two outputs in, their differences out.
package compare

import (
	"cmp"
	"slices"

	"github.com/seatrial/seatrial/controlplane/release/verdict"
	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
)

// Comparison is what changed from one release to another. Nothing that stayed the same is in it, so two verdicts that agree leave both
// lists empty.
type Comparison struct {
	Before verdict.State `json:"before"`
	After  verdict.State `json:"after"`
	Rules  []RuleChange  `json:"rules,omitempty"` // in the order of the later policy, then those that only the earlier one had
	Cells  []CellChange  `json:"cells,omitempty"` // by environment and suite
}

// Standing is what became of a rule.
type Standing string

// The standings.
const (
	Holds  Standing = "holds"
	Waived Standing = "waived" // it holds by waivers
	Broken Standing = "broken"
	Absent Standing = "absent" // the policy has no such rule
)

// RuleChange is a rule that fared differently.
type RuleChange struct {
	ID     string           `json:"id"`
	Kind   verdict.RuleKind `json:"kind"` // of the later policy when both have it
	Before Standing         `json:"before"`
	After  Standing         `json:"after"`
}

// CellChange is a suite in an environment in which tests fared differently. Each list is sorted by name, key and variant.
type CellChange struct {
	Environment string `json:"environment"`
	Suite       string `json:"suite"`
	// Failing, and Flaky, are bad now and were not so before, be it that nobody knew them.
	Failing []Test `json:"failing,omitempty"`
	Flaky   []Test `json:"flaky,omitempty"`
	// Passing pass now and were known before as something else. A test that is new and passes is no change.
	Passing []Test `json:"passing,omitempty"`
	// Absent spoke for or against the earlier release, and say nothing of the later one. Those that are running are not among them.
	Absent []Test `json:"absent,omitempty"`
}

// Test is a test in a variant with its two verdicts; one is empty when there was no such test.
type Test struct {
	Key     string        `json:"key"`
	Name    string        `json:"name,omitempty"`
	Variant string        `json:"variant,omitempty"`
	Before  tests.Verdict `json:"before,omitempty"`
	After   tests.Verdict `json:"after,omitempty"`
}

// Of compares an earlier release with a later one. What was seen on other images than those of the release counts as if it never ran.
func Of(before, after verdict.Output) Comparison {
	return Comparison{Before: before.State, After: after.State, Rules: rules(before.Rules, after.Rules), Cells: cells(before.Cells, after.Cells)}
}

func rules(before, after []verdict.RuleResult) []RuleChange {
	then := map[string]verdict.RuleResult{}
	for _, r := range before {
		then[r.ID] = r
	}
	var out []RuleChange
	for _, r := range after {
		was := Absent
		if old, ok := then[r.ID]; ok {
			was = standing(old)
		}
		delete(then, r.ID)
		if is := standing(r); is != was {
			out = append(out, RuleChange{ID: r.ID, Kind: r.Kind, Before: was, After: is})
		}
	}
	for _, r := range before {
		if _, gone := then[r.ID]; gone {
			out = append(out, RuleChange{ID: r.ID, Kind: r.Kind, Before: standing(r), After: Absent})
		}
	}
	return out
}

func standing(r verdict.RuleResult) Standing {
	switch {
	case !r.Holds:
		return Broken
	case r.Waived:
		return Waived
	}
	return Holds
}

type place struct{ environment, suite string }

type identity struct{ key, variant string }

func cells(before, after []verdict.CellResult) []CellChange {
	all := map[place]map[identity]Test{}
	for _, c := range before {
		gather(all, c, func(t *Test, v tests.Verdict) { t.Before = v })
	}
	for _, c := range after {
		gather(all, c, func(t *Test, v tests.Verdict) { t.After = v })
	}
	var out []CellChange
	for at, known := range all {
		if c := cell(at, known); len(c.Failing)+len(c.Flaky)+len(c.Passing)+len(c.Absent) > 0 {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b CellChange) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Suite, b.Suite))
	})
	return out
}

// gather notes the verdicts of a cell.
func gather(all map[place]map[identity]Test, c verdict.CellResult, set func(*Test, tests.Verdict)) {
	at := place{c.Environment, c.Suite}
	if all[at] == nil {
		all[at] = map[identity]Test{}
	}
	for _, r := range c.Results {
		id := identity{r.Test, r.Variant}
		t := all[at][id]
		t.Key, t.Variant, t.Name = r.Test, r.Variant, cmp.Or(r.Name, t.Name)
		v := r.Verdict
		if !r.SubjectOK {
			v = tests.NeverRan
		}
		set(&t, v)
		all[at][id] = t
	}
}

func cell(at place, known map[identity]Test) CellChange {
	c := CellChange{Environment: at.environment, Suite: at.suite}
	for _, t := range known {
		switch {
		case t.Before == t.After:
		case t.After == tests.Failed:
			c.Failing = append(c.Failing, t)
		case t.After == tests.Flaky:
			c.Flaky = append(c.Flaky, t)
		case t.After == tests.Passed && t.Before != "":
			c.Passing = append(c.Passing, t)
		case speaks(t.Before) && !speaks(t.After) && t.After != tests.Running:
			c.Absent = append(c.Absent, t)
		}
	}
	for _, list := range [][]Test{c.Failing, c.Flaky, c.Passing, c.Absent} {
		slices.SortFunc(list, func(a, b Test) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Variant, b.Variant))
		})
	}
	return c
}

// speaks reports whether a verdict is evidence for or against a release.
func speaks(v tests.Verdict) bool { return v == tests.Passed || v == tests.Failed || v == tests.Flaky }
