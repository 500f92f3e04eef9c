package api_test

import (
	"context"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/workflow"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// origins is where the documents of the world come from.
type origins struct{ *world }

func (o origins) Revisions(ctx context.Context, kind, name string, size int, after string) ([]workflow.Revision, string, error) {
	o.size, o.after, o.reason = size, after, kind+" "+name
	return []workflow.Revision{{Number: 2, Digest: "d", CreatedAt: time.Unix(5, 0), Current: true}}, "next", o.check(ctx)
}

func (o origins) Revision(ctx context.Context, _, _ string, number int) (workflow.Revision, error) {
	if number > 2 {
		return workflow.Revision{}, fault.New(fault.NotFound, "there is none")
	}
	return workflow.Revision{Number: 2, Source: document}, o.check(ctx)
}

func (o origins) AllClaims(ctx context.Context, _ int) ([]origin.Claim, error) {
	return []origin.Claim{
		{Kind: "TestWorkflow", Name: "checkout", Origin: origin.Origin{Cluster: o.org, Namespace: "shop", Place: "eu"}, Owns: true, Revision: 2},
		{Kind: "TestWorkflow", Name: "checkout", Origin: origin.Origin{Repository: o.org, Place: "shop"}, Path: "a.yaml", Reason: origin.Conflict, Message: "taken"},
	}, o.check(ctx)
}

func (o origins) SetClusterCatalog(ctx context.Context, name string, kinds origin.Kinds, team string) error {
	o.reason = name + " " + string(kinds) + " " + team
	return o.check(ctx)
}

func (o origins) Repositories(ctx context.Context) ([]origin.Repository, error) {
	r, err := o.SyncNamed(ctx, "shop")
	return []origin.Repository{r}, err
}

func (o origins) AddRepository(ctx context.Context, r origin.Repository, c origin.Credential) (origin.Repository, error) {
	o.reason = c.Token + c.Key
	return r, o.check(ctx)
}

func (o origins) SyncNamed(ctx context.Context, name string) (origin.Repository, error) {
	return origin.Repository{
		Name: name, URL: "https://git.test/shop.git", Sealed: true, Commit: "c", Documents: 3, Problems: []origin.Problem{{File: "a.yaml", Line: 7, Field: "spec", Message: "wrong"}},
	}, o.check(ctx)
}

func (o origins) RemoveRepository(ctx context.Context, _ string, _ bool) error { return o.check(ctx) }

// catalogCalls are those of the service.
func catalogCalls() map[string]call {
	return map[string]call{
		"ListRevisions": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.catalog.ListRevisions(ctx, &apiv1.ListRevisionsRequest{Name: "checkout"})
			return err
		}},
		"GetRevision": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.catalog.GetRevision(ctx, &apiv1.GetRevisionRequest{Name: "checkout"})
			return err
		}},
		"ListDocuments": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.catalog.ListDocuments(ctx, &apiv1.ListDocumentsRequest{})
			return err
		}},
		"SetClusterCatalog": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.catalog.SetClusterCatalog(ctx, &apiv1.SetClusterCatalogRequest{Name: "eu", Kinds: "all"})
			return err
		}},
		"AddRepository": {"catalog", func(ctx context.Context, b *bench) error {
			_, err := b.catalog.AddRepository(ctx, &apiv1.AddRepositoryRequest{Name: "shop", Url: "https://git.test/shop.git"})
			return err
		}},
		"ListRepositories": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.catalog.ListRepositories(ctx, &apiv1.ListRepositoriesRequest{})
			return err
		}},
		"SyncRepository": {"catalog", func(ctx context.Context, b *bench) error {
			_, err := b.catalog.SyncRepository(ctx, &apiv1.SyncRepositoryRequest{Name: "shop"})
			return err
		}},
		"RemoveRepository": {"catalog", func(ctx context.Context, b *bench) error {
			_, err := b.catalog.RemoveRepository(ctx, &apiv1.RemoveRepositoryRequest{Name: "shop"})
			return err
		}},
	}
}

func TestAPI_Catalog(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	ctx := t.Context()
	revisions, err := b.catalog.ListRevisions(ctx, &apiv1.ListRevisionsRequest{Name: "checkout", PageSize: 7, PageToken: "p"})
	if err != nil || b.world.reason != "TestWorkflow checkout" || b.world.size != 7 || b.world.after != "p" || !revisions.GetRevisions()[0].GetCurrent() || revisions.GetNextPageToken() != "next" {
		t.Errorf("%v, %v of %q", revisions, err, b.world.reason)
	}
	if _, err := b.catalog.GetRevision(ctx, &apiv1.GetRevisionRequest{Name: "checkout", Number: 9}); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("%v", err)
	}
	documents, err := b.catalog.ListDocuments(ctx, &apiv1.ListDocumentsRequest{})
	if err != nil || documents.GetDocuments()[0].GetCluster() != "eu" || documents.GetDocuments()[1].GetRepository() != "shop" || documents.GetDocuments()[1].GetReason() != "Conflict" {
		t.Errorf("%v, %v", documents, err)
	}
	added, err := b.catalog.AddRepository(ctx, &apiv1.AddRepositoryRequest{Name: "shop", Url: "https://git.test/shop.git", Token: "s3cret", Interval: durationpb.New(time.Minute)})
	if err != nil || b.world.reason != "s3cret" || added.GetRepository().GetKinds() != "tests" || added.GetRepository().GetInterval().AsDuration() != time.Minute {
		t.Errorf("%v, %v", added, err)
	}
	if got, err := b.catalog.SyncRepository(ctx, &apiv1.SyncRepositoryRequest{Name: "shop"}); err != nil || got.GetRepository().GetProblems()[0].GetLine() != 7 || !got.GetRepository().GetCredential() {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := b.catalog.AddRepository(ctx, &apiv1.AddRepositoryRequest{Name: "Shop", Url: "x"}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("a name that is none: %v", err)
	}
}
