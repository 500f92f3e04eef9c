package api

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// maxClaims is how many documents of clusters and repositories are listed.
const maxClaims = 5000

// Origins is where documents come from and how they were before, for the viewer of the context.
type Origins interface {
	// Revisions lists those of a workflow or template, the newest first, without their sources.
	Revisions(ctx context.Context, kind, name string, size int, after string) (list []workflow.Revision, next string, err error)
	// Revision returns one with its source; number 0 stands for the current one.
	Revision(ctx context.Context, kind, name string, number int) (workflow.Revision, error)
	// AllClaims returns those of an organization without their sources, by kind and name, the owner of a name first; at most limit.
	AllClaims(ctx context.Context, limit int) ([]origin.Claim, error)
	// SetClusterCatalog says which documents a cluster's agent may bring, and which team owns them.
	SetClusterCatalog(ctx context.Context, name string, kinds origin.Kinds, team string) error
	// Repositories lists by name.
	Repositories(ctx context.Context) ([]origin.Repository, error)
}

// Syncer registers and reads repositories for the viewer of the context. Implemented by mirror.
type Syncer interface {
	AddRepository(ctx context.Context, r origin.Repository, c origin.Credential) (origin.Repository, error)
	// SyncNamed reads a repository now, and returns it as it is afterwards.
	SyncNamed(ctx context.Context, name string) (origin.Repository, error)
	// RemoveRepository forgets a repository. Its documents leave the catalog, or stay with keep.
	RemoveRepository(ctx context.Context, name string, keep bool) error
}

// ListRevisions implements CatalogServiceHandler.
func (s *server) ListRevisions(ctx context.Context, r *apiv1.ListRevisionsRequest) (*apiv1.ListRevisionsResponse, error) {
	list, next, err := s.Origins.Revisions(ctx, cmp.Or(r.GetKind(), document.Workflow), r.GetName(), int(r.GetPageSize()), r.GetPageToken())
	if err != nil {
		return nil, fmt.Errorf("list revisions of %s: %w", r.GetName(), err)
	}
	out := &apiv1.ListRevisionsResponse{NextPageToken: next}
	for _, one := range list {
		out.Revisions = append(out.Revisions, revisionOf(one))
	}
	return out, nil
}

// GetRevision implements CatalogServiceHandler.
func (s *server) GetRevision(ctx context.Context, r *apiv1.GetRevisionRequest) (*apiv1.GetRevisionResponse, error) {
	one, err := s.Origins.Revision(ctx, cmp.Or(r.GetKind(), document.Workflow), r.GetName(), int(r.GetNumber()))
	if err != nil {
		return nil, fmt.Errorf("revision %d of %s: %w", r.GetNumber(), r.GetName(), err)
	}
	return &apiv1.GetRevisionResponse{Revision: revisionOf(one)}, nil
}

func revisionOf(r workflow.Revision) *apiv1.Revision {
	return &apiv1.Revision{Number: int32Of(r.Number), Digest: r.Digest, CreatedAt: timeOf(r.CreatedAt), Source: r.Source, Current: r.Current}
}

// ListDocuments implements CatalogServiceHandler.
func (s *server) ListDocuments(ctx context.Context, _ *apiv1.ListDocumentsRequest) (*apiv1.ListDocumentsResponse, error) {
	list, err := s.Origins.AllClaims(ctx, maxClaims)
	if err != nil {
		return nil, fmt.Errorf("list documents: %w", err)
	}
	out := &apiv1.ListDocumentsResponse{}
	for _, c := range list {
		d := &apiv1.OriginDocument{
			Kind: c.Kind, Name: c.Name, Origin: c.Origin.String(), Namespace: c.Origin.Namespace, Path: c.Path, Owner: c.Owns, Reason: string(c.Reason),
			Message: c.Message, Revision: int32Of(c.Revision), UpdatedAt: timeOf(c.UpdatedAt),
		}
		if c.Origin.Namespace != "" {
			d.Cluster = c.Origin.Place
		} else {
			d.Repository = c.Origin.Place
		}
		out.Documents = append(out.Documents, d)
	}
	return out, nil
}

// SetClusterCatalog implements CatalogServiceHandler.
func (s *server) SetClusterCatalog(ctx context.Context, r *apiv1.SetClusterCatalogRequest) (*apiv1.SetClusterCatalogResponse, error) {
	if err := s.Origins.SetClusterCatalog(ctx, r.GetName(), origin.Kinds(r.GetKinds()), r.GetTeam()); err != nil {
		return nil, fmt.Errorf("catalog of cluster %s: %w", r.GetName(), err)
	}
	return &apiv1.SetClusterCatalogResponse{}, nil
}

// AddRepository implements CatalogServiceHandler.
func (s *server) AddRepository(ctx context.Context, r *apiv1.AddRepositoryRequest) (*apiv1.AddRepositoryResponse, error) {
	added, err := s.Syncer.AddRepository(ctx, origin.Repository{
		Name: r.GetName(), URL: r.GetUrl(), Branch: r.GetBranch(), Path: r.GetPath(), Team: r.GetTeam(),
		Kinds: origin.Kinds(cmp.Or(r.GetKinds(), string(origin.KindsTests))), Interval: r.GetInterval().AsDuration(),
	}, origin.Credential{User: r.GetUser(), Token: r.GetToken(), Key: r.GetKey(), HostKeys: r.GetHostKeys()})
	if err != nil {
		return nil, fmt.Errorf("add repository %s: %w", r.GetName(), err)
	}
	return &apiv1.AddRepositoryResponse{Repository: repositoryOf(added)}, nil
}

// ListRepositories implements CatalogServiceHandler.
func (s *server) ListRepositories(ctx context.Context, _ *apiv1.ListRepositoriesRequest) (*apiv1.ListRepositoriesResponse, error) {
	list, err := s.Origins.Repositories(ctx)
	if err != nil {
		return nil, fmt.Errorf("list repositories: %w", err)
	}
	out := &apiv1.ListRepositoriesResponse{}
	for _, r := range list {
		out.Repositories = append(out.Repositories, repositoryOf(r))
	}
	return out, nil
}

// SyncRepository implements CatalogServiceHandler.
func (s *server) SyncRepository(ctx context.Context, r *apiv1.SyncRepositoryRequest) (*apiv1.SyncRepositoryResponse, error) {
	synced, err := s.Syncer.SyncNamed(ctx, r.GetName())
	if err != nil {
		return nil, fmt.Errorf("read repository %s: %w", r.GetName(), err)
	}
	return &apiv1.SyncRepositoryResponse{Repository: repositoryOf(synced)}, nil
}

// RemoveRepository implements CatalogServiceHandler.
func (s *server) RemoveRepository(ctx context.Context, r *apiv1.RemoveRepositoryRequest) (*apiv1.RemoveRepositoryResponse, error) {
	if err := s.Syncer.RemoveRepository(ctx, r.GetName(), r.GetKeep()); err != nil {
		return nil, fmt.Errorf("remove repository %s: %w", r.GetName(), err)
	}
	return &apiv1.RemoveRepositoryResponse{}, nil
}

func repositoryOf(r origin.Repository) *apiv1.Repository {
	out := &apiv1.Repository{
		Name: r.Name, Url: r.URL, Branch: r.Branch, Path: r.Path, Kinds: string(r.Kinds), Team: r.Team, Interval: durationpb.New(r.Interval.Round(time.Second)),
		Credential: r.Sealed, Commit: r.Commit, Documents: int32Of(r.Documents), Failure: r.Failure, SyncedAt: timeOf(r.SyncedAt),
	}
	for _, p := range r.Problems {
		out.Problems = append(out.Problems, &apiv1.RepositoryProblem{File: p.File, Line: int32Of(p.Line), Field: p.Field, Message: p.Message})
	}
	return out
}
