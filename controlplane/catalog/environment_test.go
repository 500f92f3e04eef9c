package catalog_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/catalog"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const place = `apiVersion: seatrial.dev/v1
kind: Environment
metadata: {name: staging-eu, labels: {region: eu}}
spec:
  description: Where everything goes first.
  cluster: harbour
  namespace: shop-staging
  tier: staging
`

func admin(ctx context.Context) context.Context {
	return tenant.WithViewer(ctx, tenant.Viewer{Kind: tenant.KindToken, Organization: uuid.New(), Scopes: []tenant.Scope{tenant.ScopeCatalog, tenant.ScopeAdmin}})
}

func places(t *testing.T) (*catalog.Catalog, *memory) {
	t.Helper()
	c, m := setup(t)
	m.clusters = []cluster.Cluster{
		{ID: uuid.UUID{1}, Name: "harbour", Namespaces: []string{"seatrial-tests", "shop-staging"}}, {ID: uuid.UUID{2}, Name: "new"},
	}
	return c, m
}

func TestApply_Environment(t *testing.T) {
	t.Parallel()
	c, m := places(t)
	moved := strings.Replace(place, "cluster: harbour", "cluster: new", 1)
	for i, step := range []struct {
		source string
		dry    bool
		want   catalog.Outcome
		reason string
	}{
		{place, true, catalog.Created, "a dry run"},
		{place, false, catalog.Created, "it is new"},
		{place, false, catalog.Unchanged, "again"},
		{place + "# why\n", true, catalog.Unchanged, "a comment means nothing"},
		{strings.Replace(place, "region: eu", "region: us", 1), true, catalog.Changed, "a dry run of a change"},
		{moved, false, catalog.Changed, "the agent of the new cluster has never said where it may create Jobs"},
	} {
		got, err := c.Apply(admin(t.Context()), catalog.Request{Source: step.source, DryRun: step.dry})
		if err != nil || got.Outcome != step.want || got.Place == nil || got.Place.Name != "staging-eu" {
			t.Errorf("step %d: %+v, %v: %s", i, got, err, step.reason)
		}
		if i == 0 && len(m.places) > 0 {
			t.Error("a dry run stores")
		}
	}
	got := m.places[0]
	if got.ClusterID != (uuid.UUID{2}) || got.Namespace != "shop-staging" || cluster.Words(got.Selectable()) != "region=eu, tier=staging" ||
		got.Description != "Where everything goes first." || got.Source != moved || got.Digest == "" {
		t.Errorf("stored is %+v", got)
	}
}

func TestApply_Environment_Refused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		old, made string // what is written instead
		kind      fault.Kind
		says      string
		line      int
		reason    string
	}{
		"NoCluster":   {"harbour", "moon", fault.Invalid, "there is no cluster moon; there are: harbour, new", 6, "a typing error"},
		"NoNamespace": {"shop-staging", "prod", fault.Invalid, "may not create Jobs in prod, only in: seatrial-tests, shop-staging", 7, "every run would be refused"},
		"TwoTiers":    {"region: eu", "tier: prod", fault.Invalid, "is staging while the label tier says prod", 8, "nobody knew which is selected"},
		"Missing":     {"  cluster: harbour\n", "", fault.Invalid, "is missing", 5, "it is somewhere"},
		"Unknown":     {"  tier:", "  teir:", fault.Invalid, "tier", 8, "a typing error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, m := places(t)
			_, err := c.Apply(admin(t.Context()), catalog.Request{Source: strings.Replace(place, tc.old, tc.made, 1)})
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != tc.kind || len(f.Places) != 1 || !strings.Contains(f.Places[0].Message, tc.says) || f.Places[0].Line != tc.line {
				t.Errorf("%s: %v with %+v", tc.reason, err, f)
			}
			if len(m.places) > 0 {
				t.Error("it was stored")
			}
		})
	}
}

// TestApply_Environment_Admin holds that whoever may change workflows may not say where the evidence of production comes from.
func TestApply_Environment_Admin(t *testing.T) {
	t.Parallel()
	c, m := places(t)
	v := tenant.Viewer{Kind: tenant.KindToken, Organization: uuid.New(), Scopes: []tenant.Scope{tenant.ScopeCatalog}}
	for name, ctx := range map[string]context.Context{"Team": tenant.WithViewer(t.Context(), v), "Nobody": t.Context()} {
		if _, err := c.Apply(ctx, catalog.Request{Source: place}); !fault.Is(err, fault.Forbidden) || len(m.places) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
