package view

import (
	"context"

	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// Origins says where documents come from and how they were before, for the viewer of the context. What is absent or foreign is
// fault.NotFound.
type Origins interface {
	// Revisions lists those of a workflow or template, the newest first, without their sources.
	Revisions(ctx context.Context, kind, name string, size int, after string) (list []workflow.Revision, next string, err error)
	// Revision returns one with its source; number 0 stands for the current one.
	Revision(ctx context.Context, kind, name string, number int) (workflow.Revision, error)
	// AllClaims returns the documents of clusters and repositories, by kind and name, the owner of a name first; at most limit.
	AllClaims(ctx context.Context, limit int) ([]origin.Claim, error)
	// Repositories lists by name.
	Repositories(ctx context.Context) ([]origin.Repository, error)
}

// Repositories registers and reads git repositories for the viewer of the context.
type Repositories interface {
	AddRepository(ctx context.Context, r origin.Repository, c origin.Credential) (origin.Repository, error)
	// SyncNamed reads a repository now, and returns it as it is afterwards.
	SyncNamed(ctx context.Context, name string) (origin.Repository, error)
	// RemoveRepository forgets a repository. Its documents leave the catalog, or stay with keep.
	RemoveRepository(ctx context.Context, name string, keep bool) error
}
