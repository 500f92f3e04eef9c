// Package origin says where documents of the catalog come from, when no person applies them: from a cluster, as custom resources of a
// namespace, or from a git repository.
//
// Each document that an origin has is a claim on its name in the catalog. One claim owns the name; the others wait, and are told whose
// it is. What an origin owns can be changed there alone, so that the catalog never differs from what is written there. When the owner
// gives a name up, the claim that has waited longest takes it over.
package origin

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// ErrTaken is in the chain of an error when a name belongs to somebody else.
var ErrTaken = errors.New("the name is taken")

// Origin is a namespace of a cluster, or a repository.
type Origin struct {
	Cluster    uuid.UUID
	Namespace  string // of a cluster
	Repository uuid.UUID
	Place      string // name of the cluster or the repository
}

// Key names the origin for good.
func (o Origin) Key() string {
	if o.Repository != uuid.Nil {
		return "repository/" + o.Repository.String()
	}
	return "cluster/" + o.Cluster.String() + "/" + o.Namespace
}

// String names the origin for people.
func (o Origin) String() string {
	if o.Repository != uuid.Nil {
		return "repository " + o.Place
	}
	return "namespace " + o.Namespace + " of cluster " + o.Place
}

// Kinds of documents that an origin may bring.
type Kinds string

// The choices.
const (
	KindsNone  Kinds = "none"
	KindsTests Kinds = "tests" // what a team decides: workflows, templates, executions, schedules, triggers, webhooks
	KindsAll   Kinds = "all"   // environments and readiness policies among them, which decide what evidence is worth
)

// Check returns fault.Invalid for what is no choice.
func (k Kinds) Check() error {
	switch k {
	case KindsNone, KindsTests, KindsAll:
		return nil
	}
	return fault.New(fault.Invalid, "%q is no choice of kinds", string(k)).WithField("kinds").WithHint("Choose one of none, tests and all.")
}

// Claim is a document that an origin has.
type Claim struct {
	ID         uuid.UUID
	Kind       string
	Name       string
	Origin     Origin
	Path       string // of the file in a repository
	Line       int    // of the file, before the document
	UID        string // of the object in a cluster
	Generation int64
	Digest     string // of what was seen last, as whoever sends it makes it
	Source     string // what was seen last; empty in lists
	Adopt      bool   // it may take over what was applied by hand
	Owns       bool   // it is the document of the catalog
	Reason     Reason
	Message    string
	Revision   int       // of the catalog, when it was applied last
	Execution  uuid.UUID // of a TestExecution
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Reason is in one word why the catalog does not have a document as it was seen; empty when it has.
type Reason string

// The reasons.
const (
	Synced      Reason = ""
	Conflict    Reason = "Conflict"    // the name belongs to somebody else
	Invalid     Reason = "Invalid"     // the document is wrong
	Unsupported Reason = "Unsupported" // the control plane cannot execute it yet
	Forbidden   Reason = "Forbidden"   // the origin may not bring it
	Refused     Reason = "Refused"     // the state of the control plane does not allow it
	Waiting     Reason = "Waiting"     // the control plane has failed, and tries again
)

// ReasonOf says why applying a document has failed.
func ReasonOf(err error) Reason {
	switch {
	case err == nil:
		return Synced
	case errors.Is(err, ErrTaken):
		return Conflict
	}
	switch fault.KindOf(err) { //nolint:exhaustive // the rest is no matter of the document
	case fault.Invalid:
		return Invalid
	case fault.Unsupported:
		return Unsupported
	case fault.Forbidden:
		return Forbidden
	case fault.NotFound, fault.Exhausted, fault.Conflict:
		return Refused
	}
	return Waiting
}

// Applying is on whose behalf a document is applied.
type Applying struct {
	Claim uuid.UUID
	Adopt bool
}

type key struct{}

// With returns a context that applies a document of a claim.
func With(ctx context.Context, a Applying) context.Context { return context.WithValue(ctx, key{}, a) }

// From returns on whose behalf a document is applied; ok is false when a person applies it.
func From(ctx context.Context) (a Applying, ok bool) {
	a, ok = ctx.Value(key{}).(Applying)
	return a, ok
}
