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
	RemovedAt   time.Time // when it was taken out of the catalog; zero while it is in it
	Origin      string    // where it is kept, for people; empty when it is applied by hand, and in what does not ask for it
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

// Revision is one immutable version of a document.
type Revision struct {
	Number    int    // from 1
	Digest    string // hex SHA-256 of the canonical document
	CreatedAt time.Time
	Source    string // as it was applied; empty in lists
	Current   bool   // it is the one that is run
}
