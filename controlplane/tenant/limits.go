package tenant

import (
	"path"
	"slices"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// Limits narrow a token to workflows and environments. Each holds names or patterns, such as "payments-*"; an empty one allows all.
type Limits struct {
	Workflows    []string
	Environments []string
}

// maxPatterns is how many patterns one limit may have.
const maxPatterns = 50

// Check returns fault.Invalid for patterns that match nothing because they are malformed.
func (l Limits) Check() error {
	for field, patterns := range map[string][]string{"workflows": l.Workflows, "environments": l.Environments} {
		if len(patterns) > maxPatterns {
			return fault.New(fault.Invalid, "a token is limited to at most %d patterns", maxPatterns).WithField(field)
		}
		for _, p := range patterns {
			if _, err := path.Match(p, ""); err != nil || p == "" {
				return fault.New(fault.Invalid, "%q is no pattern", p).WithField(field).
					WithHint("Write names, with * for any part of one: payments-*.")
			}
		}
	}
	return nil
}

// Workflow returns fault.Forbidden when the viewer is limited to other workflows.
func (v Viewer) Workflow(name string) error {
	return v.within("workflow", v.Limits.Workflows, name)
}

// Environment returns fault.Forbidden when the viewer is limited to other environments.
func (v Viewer) Environment(name string) error {
	return v.within("environment", v.Limits.Environments, name)
}

func (v Viewer) within(what string, patterns []string, name string) error {
	fits := func(p string) bool { ok, _ := path.Match(p, name); return ok }
	if len(patterns) == 0 || slices.ContainsFunc(patterns, fits) {
		return nil
	}
	return fault.New(fault.Forbidden, "the token %q may not be used for the %s %q", v.Name, what, name).
		WithHint("It is limited to %q.", patterns)
}
