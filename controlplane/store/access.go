package store

import (
	"context"
	"strconv"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/identityprovider"
)

func accessRecord(row *db.Organization) tenant.Access {
	return tenant.Access{SSORequired: row.SSORequired, BreakGlass: row.SSOBreakGlass, Visibility: tenant.Visibility(row.Visibility)}
}

// AccessOf returns how an organization lets its people in. It runs as system: at sign-in nobody is a viewer yet.
func (s *Store) AccessOf(ctx context.Context, org tenant.ID) (tenant.Access, error) {
	row, err := s.db.Read().Organization.Get(tenant.System(ctx), org)
	if err != nil {
		return tenant.Access{}, missing(err, "organization", org)
	}
	return accessRecord(row), nil
}

// SetAccess changes how the viewer's organization lets its people in. Without an identity provider it does not ask for one: fault.Conflict.
func (s *Store) SetAccess(ctx context.Context, a tenant.Access) error {
	v, _ := tenant.FromContext(ctx)
	ctx = tenant.System(ctx) // the table of organizations is the control plane's own
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if a.SSORequired {
			any, err := tx.IdentityProvider.Query().Where(identityprovider.OrganizationID(v.Organization)).Exist(ctx)
			if err != nil {
				return err
			}
			if !any {
				return fault.New(fault.Conflict, "without an identity provider nobody could sign in").WithField("sso_required").
					WithHint("Add one first, and sign in by it once.")
			}
		}
		row, err := tx.Organization.UpdateOneID(v.Organization).SetSSORequired(a.SSORequired).SetSSOBreakGlass(a.BreakGlass).
			SetVisibility(string(a.Visibility)).Save(ctx)
		if err != nil {
			return missing(err, "organization", v.Organization)
		}
		n := audit.Of(ctx)
		n.Detail("sso-required", strconv.FormatBool(a.SSORequired))
		n.Detail("break-glass", strconv.FormatBool(a.BreakGlass))
		n.Detail("visibility", string(a.Visibility))
		return s.notedOrganization(ctx, tx, row)
	})
}
