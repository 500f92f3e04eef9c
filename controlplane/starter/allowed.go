package starter

import (
	"context"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// Allowed holds a token to its limits: what it must not run itself it must not have run by a schedule or trigger either.
func Allowed(ctx context.Context, what document.Start) error {
	v, ok := tenant.FromContext(ctx)
	if !ok || len(v.Limits.Workflows) == 0 && len(v.Limits.Environments) == 0 {
		return nil
	}
	for _, w := range what.Workflows {
		if w.Name == "" {
			return fault.New(fault.Forbidden, "the token %q is limited, and a selector may find anything", v.Name).
				WithHint("Name the workflows, or use a token without limits.")
		}
		if err := v.Workflow(w.Name); err != nil {
			return err //nolint:wrapcheck // a fault that speaks for itself
		}
	}
	if len(v.Limits.Environments) == 0 {
		return nil
	}
	if what.Environments == nil || len(what.Environments.Names) == 0 {
		return fault.New(fault.Forbidden, "the token %q is limited to some environments", v.Name).
			WithHint("Name them in spec.environments.names, or use a token without limits.")
	}
	for _, name := range what.Environments.Names {
		if err := v.Environment(name); err != nil {
			return err //nolint:wrapcheck // a fault that speaks for itself
		}
	}
	return nil
}
