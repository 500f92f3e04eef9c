package tenant

import "github.com/seatrial/seatrial/controlplane/fault"

// Roles lists the roles, each including the ones after it.
func Roles() []Role { return []Role{RoleOwner, RoleAdmin, RoleMaintainer, RoleViewer} }

// Check returns fault.Invalid for a role that there is not.
func (r Role) Check() error {
	switch r {
	case RoleOwner, RoleAdmin, RoleMaintainer, RoleViewer:
		return nil
	}
	return fault.New(fault.Invalid, "there is no role %q", r).WithField("role").WithHint("Roles are owner, admin, maintainer and viewer.")
}

// Scopes lists the scopes.
func Scopes() []Scope { return []Scope{ScopeRead, ScopeRun, ScopeCatalog, ScopeRelease, ScopeAdmin} }
