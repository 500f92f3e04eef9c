package workflow

import (
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// Record is a workflow or template of the catalog with its current revision.
type Record struct {
	ID          uuid.UUID
	Kind        string // TestWorkflow or TestWorkflowTemplate
	Name        string
	Team        string
	TeamID      uuid.UUID
	Restricted  bool // only its team may run it
	Labels      map[string]string
	Description string
	RevisionID  uuid.UUID
	Revision    int    // from 1; grows by one whenever the digest changes
	Digest      string // hex SHA-256 of the canonical document
	Source      string // the document as applied; empty in lists
	UpdatedAt   time.Time
	// Uses are the templates that the document uses itself; empty in lists.
	Uses []string
	// Checked are the templates that the document was checked with, directly used or not; only for applying it. When one of them is
	// another revision by then, nothing is stored.
	Checked []Ref
	// Triggers are what the document says of when it is started, with what its templates say; only for applying it.
	Triggers []document.Trigger
}

// Ref names a revision of a document.
type Ref struct {
	Kind     string
	Name     string
	Revision int
}

// Ref returns what names the current revision.
func (r Record) Ref() Ref { return Ref{r.Kind, r.Name, r.Revision} }
