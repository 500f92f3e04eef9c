// Package tenant says on whose behalf something happens: the organization, the credential and what it allows.
package tenant

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// ID identifies an organization.
type ID = uuid.UUID

// Role is what a member may do in an organization, each including the ones after it.
type Role string

// The roles.
const (
	RoleOwner      Role = "owner"
	RoleAdmin      Role = "admin"
	RoleMaintainer Role = "maintainer"
	RoleViewer     Role = "viewer"
)

// Scope is what an API token may be used for.
type Scope string

// The scopes.
const (
	ScopeRead    Scope = "read"    // look at everything of the organization
	ScopeRun     Scope = "run"     // start and cancel executions
	ScopeCatalog Scope = "catalog" // apply workflows
	ScopeRelease Scope = "release" // create releases, ask for waivers, put tests into quarantine
	ScopeAdmin   Scope = "admin"   // enroll clusters, create tokens
)

// Kind is what kind of credential a viewer holds.
type Kind string

// The kinds of viewer.
const (
	KindMember Kind = "member" // a person in a browser
	KindToken  Kind = "token"  // an API token of a team
	KindAgent  Kind = "agent"  // the agent of a cluster
	KindOrigin Kind = "origin" // a cluster or a repository that has documents of the catalog
	KindSystem Kind = "system" // the control plane itself, across organizations
)

// Viewer is the party on whose behalf a call runs. The zero value may do nothing.
type Viewer struct {
	Kind         Kind
	Organization ID
	Team         uuid.UUID   // owning team of a token, default team of a member
	Teams        []uuid.UUID // all teams of a member, or of the member whom a token stands for
	Subject      uuid.UUID   // id of the member, token or agent
	Credential   uuid.UUID   // id of the session or token; zero for a password
	Cluster      uuid.UUID   // agents only
	Name         string      // for people: e-mail, token name or cluster name
	Maker        string      // tokens only: e-mail of the member who made it; empty when nobody knows
	Role         Role
	Scopes       []Scope
	Limits       Limits // tokens only
	Confined     bool   // sees what the own teams have and no more
}

// Allows reports whether the viewer may use a scope.
func (v Viewer) Allows(s Scope) bool {
	if slices.Contains(v.Scopes, s) {
		return true
	}
	if v.Kind != KindMember {
		return false
	}
	switch v.Role {
	case RoleOwner, RoleAdmin:
		return true
	case RoleMaintainer:
		return s != ScopeAdmin
	case RoleViewer:
		return s == ScopeRead
	}
	return false
}

// Acts reports whether the viewer acts for a team: is in it, or holds one of its tokens. Those who administer the organization act for
// every team, and so does the control plane itself.
func (v Viewer) Acts(team uuid.UUID) bool {
	return v.Kind == KindSystem || v.Allows(ScopeAdmin) || (team != uuid.Nil && (v.Team == team || slices.Contains(v.Teams, team)))
}

// Owner reports whether the viewer is, or stands for, an owner of the organization.
func (v Viewer) Owner() bool { return v.Role == RoleOwner && v.Allows(ScopeAdmin) }

// Person returns the e-mail of the member who is behind a viewer: the member, or who made the token. Empty when nobody knows.
func (v Viewer) Person() string {
	if v.Kind == KindMember {
		return v.Name
	}
	return v.Maker
}

// Sight is what is seen by viewers who see the same: all that an organization has.
type Sight struct{ Organization ID }

// Sight returns what the viewer sees; ok is false for one who sees less than others, or more.
func (v Viewer) Sight() (s Sight, ok bool) {
	return Sight{v.Organization}, (v.Kind == KindMember || v.Kind == KindToken) && !v.Confined
}

type viewerKey struct{}

// WithViewer returns a context that acts on behalf of v.
func WithViewer(ctx context.Context, v Viewer) context.Context {
	return context.WithValue(ctx, viewerKey{}, v)
}

// FromContext returns the viewer of ctx; ok is false when there is none.
func FromContext(ctx context.Context) (v Viewer, ok bool) {
	v, ok = ctx.Value(viewerKey{}).(Viewer)
	return v, ok
}

// Require returns the viewer of ctx when it may use a scope: fault.Unauthenticated when there is none, fault.Forbidden when it may not.
func Require(ctx context.Context, scope Scope) (Viewer, error) {
	v, ok := FromContext(ctx)
	switch {
	case !ok:
		return v, fault.New(fault.Unauthenticated, "log in or send an API token first")
	case !v.Allows(scope):
		return v, fault.New(fault.Forbidden, "%s may not do this: it needs the scope %s", v.Name, scope).
			WithHint("Use a token with the scope %q, or ask for another role.", scope)
	}
	return v, nil
}

// System returns a context for the control plane's own work across organizations. Call it only where a sweep or start-up needs
// it: it is the one way around the organization filter.
func System(ctx context.Context) context.Context {
	return WithViewer(ctx, Viewer{Kind: KindSystem, Name: "system"})
}
