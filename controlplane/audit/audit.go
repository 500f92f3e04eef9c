// Package audit is the record of who did what: its entries, and the chain of hashes by which a change of the record shows.
//
// Each organization has a chain of its own, numbered from 1 without a gap. The hash of an entry covers all of its fields and the hash
// of the entry before it, so that whoever changes, removes or inserts one has to make every later one anew. A hash that was noted
// elsewhere, such as at the last export, proves everything before it.
package audit

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Outcome says how an action ended.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"    // it was carried out, or there was nothing left to change
	Refused Outcome = "refused" // the credential did not allow it, or did not hold
	Failed  Outcome = "failed"  // it was allowed and could not be done: wrong input, a conflict, a defect
)

// Actor is who acted.
type Actor struct {
	Kind       tenant.Kind `json:"kind"`
	ID         uuid.UUID   `json:"id,omitzero"`         // of the member, token or agent
	Name       string      `json:"name"`                // e-mail, or name of the token or cluster
	Person     string      `json:"person,omitempty"`    // e-mail of the member behind a token, when somebody knows
	Credential uuid.UUID   `json:"credential,omitzero"` // id of the session or token; none for a password
}

// Object is what was acted on. What an action did not get as far as naming is empty.
type Object struct {
	Kind string `json:"kind,omitempty"` // such as workflow, execution, release
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// Entry is one line of the record.
type Entry struct {
	Organization tenant.ID         `json:"organization"` // zero for what concerns the instance
	Number       int64             `json:"number"`       // from 1, without a gap
	At           time.Time         `json:"at"`           // to the microsecond
	Actor        Actor             `json:"actor"`
	Action       string            `json:"action"` // such as RunWorkflow, the same from a page and from the API
	Object       Object            `json:"object"`
	From         string            `json:"from,omitempty"` // network address of the caller
	Outcome      Outcome           `json:"outcome"`
	Details      map[string]string `json:"details,omitempty"` // never a secret
	Previous     []byte            `json:"previous"`          // hash of the entry before; that of the first is 32 zeros
	Hash         []byte            `json:"hash"`
}

// ActorOf returns the actor that a viewer is.
func ActorOf(v tenant.Viewer) Actor {
	a := Actor{Kind: v.Kind, ID: v.Subject, Name: v.Name, Credential: v.Credential}
	if v.Kind == tenant.KindToken {
		a.Person = v.Maker
	}
	return a
}

// OutcomeOf says how an action ended that returned err.
func OutcomeOf(err error) Outcome {
	switch {
	case err == nil:
		return Done
	case fault.Is(err, fault.Forbidden), fault.Is(err, fault.Unauthenticated):
		return Refused
	}
	return Failed
}

// Filter selects entries; what is zero selects all.
type Filter struct {
	Actor       string // name or id of the actor, or e-mail of the person behind a token
	Action      string
	Kind        string // of the object
	Object      string // name or id of the object
	Outcome     Outcome
	From        string // network address
	Since       time.Time
	Until       time.Time // exclusive
	NewestFirst bool      // otherwise in the order of the chain
	Size        int
	After       string // page token
}

// Page is a part of the record of an organization.
type Page struct {
	Entries []Entry
	Next    string // page token; empty at the end
	Head    Head
}

// Head is the end of a chain.
type Head struct {
	Number int64  // of the last entry; 0 when there is none
	Hash   []byte // of the last entry
}

// Store keeps the record.
type Store interface {
	// AppendAudit adds an entry at the end of the chain of its organization, and numbers, dates and hashes it.
	AppendAudit(ctx context.Context, e Entry) error
	// AuditEntries returns those of the viewer's organization that a filter selects, and the end of the chain.
	AuditEntries(ctx context.Context, f Filter) (Page, error)
}
