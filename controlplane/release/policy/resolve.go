package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/say"
)

// Workflow is a workflow of the catalog, as far as requirements ask.
type Workflow struct {
	Name   string
	Labels map[string]string
}

// Cell is a workflow that has to run in an environment.
type Cell struct {
	Environment string
	Workflow    string
}

// suiteLabel is the label by which a requirement names workflows, beside their names.
const suiteLabel = "suite"

// Resolve returns the cells that a policy requires of the catalog as it is now, sorted, each once. The error is a *fault.Error, Invalid,
// with every requirement that matches nothing in Places: a name that nobody bears would make the requirement vanish.
func Resolve(doc *document.ReadinessPolicyDocument, workflows []Workflow, environments []string) ([]Cell, error) {
	r := resolver{workflows: workflows, environments: environments}
	cells := map[Cell]bool{}
	for i, req := range doc.Spec.Require {
		at := fmt.Sprintf("spec.require[%d]", i)
		names := r.suites(at, req)
		for _, environment := range r.places(at, req) {
			for _, name := range names {
				cells[Cell{environment, name}] = true
			}
		}
	}
	if len(r.faults) > 0 {
		first := r.faults[0]
		return nil, &fault.Error{
			Kind: fault.Invalid, Field: first.Field, Message: first.Field + " " + first.Message, Places: r.faults,
			Hint: "Apply what is missing, or change the policy.",
		}
	}
	return slices.SortedFunc(maps.Keys(cells), func(a, b Cell) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Workflow, b.Workflow))
	}), nil
}

type resolver struct {
	workflows    []Workflow
	environments []string
	faults       []fault.Place
}

func (r *resolver) fault(field, format string, args ...any) {
	r.faults = append(r.faults, fault.Place{Field: field, Message: fmt.Sprintf(format, args...)})
}

// suites returns the workflows that a requirement names.
func (r *resolver) suites(at string, req document.Requirement) []string {
	if req.Selector != "" {
		return r.selected(at+".selector", req.Selector)
	}
	var names []string
	for i, suite := range req.Suites {
		before := len(names)
		for _, w := range r.workflows {
			if w.Name == suite || w.Labels[suiteLabel] == suite {
				names = append(names, w.Name)
			}
		}
		if len(names) == before {
			r.fault(fmt.Sprintf("%s.suites[%d]", at, i), "names %q, but no workflow has that name or that value of the label %s%s",
				suite, suiteLabel, say.DidYouMean(suite, r.known()))
		}
	}
	return names
}

// known lists what a suite could have been.
func (r *resolver) known() []string {
	var all []string
	for _, w := range r.workflows {
		all = append(all, w.Name)
		if suite := w.Labels[suiteLabel]; suite != "" {
			all = append(all, suite)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (r *resolver) selected(at, text string) []string {
	s, err := newSelector(text)
	if err != nil {
		r.fault(at, "%v", err)
		return nil
	}
	var names []string
	for _, w := range r.workflows {
		holds, err := s.selects(w.Labels)
		if err != nil {
			r.fault(at, "%v for the workflow %s", err, w.Name)
			return nil
		}
		if holds {
			names = append(names, w.Name)
		}
	}
	if len(names) == 0 {
		r.fault(at, "selects no workflow: %s", text)
	}
	return names
}

// places returns the environments that a requirement names.
func (r *resolver) places(at string, req document.Requirement) []string {
	var names []string
	for i, pattern := range req.Environments {
		before := len(names)
		for _, e := range r.environments {
			if ok, err := doublestar.Match(pattern, e); ok && err == nil {
				names = append(names, e)
			}
		}
		if len(names) == before {
			r.fault(fmt.Sprintf("%s.environments[%d]", at, i), "matches no environment: %q%s", pattern, say.DidYouMean(pattern, r.environments))
		}
	}
	return names
}
