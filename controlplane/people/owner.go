package people

import (
	"context"
	"fmt"

	"github.com/seatrial/seatrial/controlplane/tenant"
)

// SetOwner hands something to another team. It takes a maintainer of the team that has it, or an administrator.
func (s *Service) SetOwner(ctx context.Context, of tenant.Thing, team string) error {
	v, err := tenant.Require(ctx, tenant.ScopeCatalog)
	if err != nil {
		return err
	}
	if of.Kind == tenant.Workflow {
		if err := v.Workflow(of.Name); err != nil {
			return err
		}
	}
	if err := s.store.SetOwner(ctx, of, team); err != nil {
		return fmt.Errorf("hand %s on: %w", of, err)
	}
	s.log.InfoContext(ctx, "owner changed", "what", of.String(), "team", team, "actor", v.Name)
	return nil
}

// RestrictWorkflow says whether only its team may run a workflow.
func (s *Service) RestrictWorkflow(ctx context.Context, name string, restricted bool) error {
	v, err := tenant.Require(ctx, tenant.ScopeCatalog)
	if err != nil {
		return err
	}
	if err := v.Workflow(name); err != nil {
		return err
	}
	if err := s.store.RestrictWorkflow(ctx, name, restricted); err != nil {
		return fmt.Errorf("restrict workflow %s: %w", name, err)
	}
	s.log.InfoContext(ctx, "workflow restricted", "workflow", name, "restricted", restricted, "actor", v.Name)
	return nil
}

// Usage lists the quotas of the viewer's organization with their use. Calls of the API are those to this replica.
func (s *Service) Usage(ctx context.Context) ([]tenant.Usage, error) {
	if _, err := tenant.Require(ctx, tenant.ScopeRead); err != nil {
		return nil, err
	}
	quota, err := s.store.Quota(ctx)
	if err != nil {
		return nil, fmt.Errorf("read quotas: %w", err)
	}
	use, err := s.store.Use(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what is used: %w", err)
	}
	use.Calls = s.calls.used(ctx)
	return tenant.Usages(quota, use), nil
}
