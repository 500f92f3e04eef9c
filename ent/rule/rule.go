// Package rule keeps organizations apart. Every table takes one of its policies.
//
// Without a viewer nothing is allowed. The control plane itself (tenant.System) sees all organizations; everybody else sees and
// changes rows of the own organization, an agent only those of its own cluster where a table names one. Where an organization wants its
// teams apart, a member sees of most tables only what the own teams have.
package rule

import (
	"context"

	"entgo.io/ent"
	"entgo.io/ent/entql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db/privacy"
)

// Owned is the policy of tables with an organization.
func Owned() ent.Policy {
	return policy{
		query:    []privacy.QueryRule{requireViewer(), restrict(), confine()},
		mutation: []privacy.MutationRule{requireViewer(), ownOrganization(), restrict(), confine()},
	}
}

// Self is the policy of the table of organizations: a viewer reads the own one, and only the system writes.
func Self() ent.Policy {
	return policy{query: []privacy.QueryRule{requireViewer(), restrictSelf()}, mutation: []privacy.MutationRule{systemOnly()}}
}

// SystemOnly is the policy of tables of the whole instance.
func SystemOnly() ent.Policy {
	return policy{query: []privacy.QueryRule{systemOnly()}, mutation: []privacy.MutationRule{systemOnly()}}
}

// policy evaluates its rules in order; when all of them skip, the operation is allowed.
type policy struct {
	query    privacy.QueryPolicy
	mutation privacy.MutationPolicy
}

// EvalQuery applies the rules of reading.
func (p policy) EvalQuery(ctx context.Context, q ent.Query) error { return p.query.EvalQuery(ctx, q) }

// EvalMutation applies the rules of writing.
func (p policy) EvalMutation(ctx context.Context, m ent.Mutation) error {
	return p.mutation.EvalMutation(ctx, m)
}

func requireViewer() privacy.QueryMutationRule {
	return privacy.ContextQueryMutationRule(func(ctx context.Context) error {
		if v, ok := tenant.FromContext(ctx); !ok || (v.Kind != tenant.KindSystem && v.Organization == uuid.Nil) {
			return privacy.Denyf("rule: no viewer in the context")
		}
		return privacy.Skip
	})
}

func systemOnly() privacy.QueryMutationRule {
	return privacy.ContextQueryMutationRule(func(ctx context.Context) error {
		if v, ok := tenant.FromContext(ctx); !ok || v.Kind != tenant.KindSystem {
			return privacy.Denyf("rule: only the control plane itself may do this")
		}
		return privacy.Skip
	})
}

// restrict narrows a query, update or delete to rows of the viewer.
func restrict() privacy.FilterFunc {
	return func(ctx context.Context, f privacy.Filter) error {
		v, _ := tenant.FromContext(ctx)
		if v.Kind == tenant.KindSystem {
			return privacy.Skip
		}
		owned, ok := f.(interface{ WhereOrganizationID(p entql.ValueP) })
		if !ok {
			return privacy.Denyf("rule: %T has no organization", f)
		}
		owned.WhereOrganizationID(entql.ValueEQ(v.Organization))
		if local, ok := f.(interface{ WhereClusterID(p entql.ValueP) }); ok && v.Kind == tenant.KindAgent {
			local.WhereClusterID(entql.ValueEQ(v.Cluster))
		}
		return privacy.Skip
	}
}

func restrictSelf() privacy.FilterFunc {
	return func(ctx context.Context, f privacy.Filter) error {
		v, _ := tenant.FromContext(ctx)
		if v.Kind == tenant.KindSystem {
			return privacy.Skip
		}
		self, ok := f.(interface{ WhereID(p entql.ValueP) })
		if !ok {
			return privacy.Denyf("rule: %T has no id", f)
		}
		self.WhereID(entql.ValueEQ(v.Organization))
		return privacy.Skip
	}
}

// ownOrganization makes a created row the viewer's: it fills the organization in when it is absent and refuses another.
func ownOrganization() privacy.MutationRule {
	return privacy.MutationRuleFunc(func(ctx context.Context, m ent.Mutation) error {
		if !m.Op().Is(ent.OpCreate) {
			return privacy.Skip
		}
		owned, ok := m.(interface {
			OrganizationID() (uuid.UUID, bool)
			SetOrganizationID(id uuid.UUID)
		})
		if !ok {
			return privacy.Denyf("rule: %T has no organization", m)
		}
		v, _ := tenant.FromContext(ctx)
		id, set := owned.OrganizationID()
		switch {
		case v.Kind == tenant.KindSystem:
			return privacy.Skip
		case !set:
			owned.SetOrganizationID(v.Organization)
			return privacy.Skip
		case id != v.Organization:
			return privacy.Denyf("rule: a row of another organization")
		default:
			return privacy.Skip
		}
	})
}
