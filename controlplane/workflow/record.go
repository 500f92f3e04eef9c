package workflow

import (
	"time"

	"github.com/google/uuid"
)

// Record is a workflow of the catalog with its current revision.
type Record struct {
	ID          uuid.UUID
	Name        string
	Team        string
	Labels      map[string]string
	Description string
	RevisionID  uuid.UUID
	Revision    int    // from 1; grows by one whenever the digest changes
	Digest      string // hex SHA-256 of the canonical document
	Source      string // the document as applied; empty in lists
	UpdatedAt   time.Time
}
