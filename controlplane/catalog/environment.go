package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// applyEnvironment checks an environment against the clusters that there are and, unless it is a dry run, stores it. It says where tests
// run and what evidence of that place is worth, so it takes the right that enrolling a cluster takes.
func (c *Catalog) applyEnvironment(ctx context.Context, r Request, read parse.Result) (Applied, error) {
	if len(read.Faults) > 0 {
		return Applied{}, parse.Error(r.File, fault.Invalid, read.Faults) //nolint:wrapcheck // a fault that speaks for itself
	}
	if places := workflow.Unsupported(read); len(places) > 0 {
		return Applied{}, parse.Error(r.File, fault.Unsupported, places) //nolint:wrapcheck // a fault that speaks for itself
	}
	doc, ok := read.Value.(*document.EnvironmentDocument)
	if !ok {
		return Applied{}, fault.New(fault.Internal, "a document of kind %s is none", read.Kind)
	}
	if v, ok := tenant.FromContext(ctx); !ok || !v.Allows(tenant.ScopeAdmin) {
		return Applied{}, fault.New(fault.Forbidden, "only administrators apply environments").
			WithHint("Ask an administrator of the organization, or use an API token with the scope admin.")
	}
	place, err := c.place(ctx, r, read, doc)
	if err != nil {
		return Applied{}, err
	}
	if r.DryRun {
		return c.wouldPlace(ctx, place)
	}
	stored, created, changed, err := c.store.ApplyEnvironment(ctx, place)
	if err != nil {
		return Applied{}, fmt.Errorf("apply %s: %w", place.Name, err)
	}
	return Applied{Place: &stored, Outcome: outcome(created, changed)}, nil
}

// place returns the environment that a document describes.
func (c *Catalog) place(ctx context.Context, r Request, read parse.Result, doc *document.EnvironmentDocument) (cluster.Environment, error) {
	all, err := c.store.Clusters(ctx)
	if err != nil {
		return cluster.Environment{}, fmt.Errorf("read clusters: %w", err)
	}
	spec := doc.Spec
	wrong := func(path, format string, args ...any) (cluster.Environment, error) {
		at := read.At(path)
		at.Message = fmt.Sprintf(format, args...)
		return cluster.Environment{}, parse.Error(r.File, fault.Invalid, []fault.Place{at}) //nolint:wrapcheck // a fault that speaks for itself
	}
	i := slices.IndexFunc(all, func(c cluster.Cluster) bool { return c.Name == spec.Cluster })
	switch {
	case i < 0 && len(all) == 0:
		return wrong("spec.cluster", "there is no cluster yet: enroll it with seatrial cluster enroll %s", spec.Cluster)
	case i < 0:
		names := make([]string, len(all))
		for n, c := range all {
			names[n] = c.Name
		}
		return wrong("spec.cluster", "there is no cluster %s; there are: %s", spec.Cluster, strings.Join(names, ", "))
	}
	// What an agent may do is known once it has connected.
	if may := all[i].Namespaces; len(may) > 0 && !slices.Contains(may, spec.Namespace) {
		return wrong("spec.namespace", "the agent of cluster %s may not create Jobs in %s, only in: %s; add it to runNamespaces of its chart first",
			spec.Cluster, spec.Namespace, strings.Join(may, ", "))
	}
	return cluster.Environment{
		Name: doc.Metadata.Name, ClusterID: all[i].ID, ClusterName: all[i].Name, Namespace: spec.Namespace, Labels: doc.Metadata.Labels,
		Tier: spec.Tier, Description: spec.Description, Digest: doc.Digest, Source: r.Source,
	}, nil
}

// wouldPlace says what applying would do.
func (c *Catalog) wouldPlace(ctx context.Context, place cluster.Environment) (Applied, error) {
	all, err := c.store.Environments(ctx)
	if err != nil {
		return Applied{}, fmt.Errorf("read environments: %w", err)
	}
	i := slices.IndexFunc(all, func(e cluster.Environment) bool { return e.Name == place.Name })
	switch {
	case i < 0:
		return Applied{Place: &place, Outcome: Created}, nil
	case all[i].Digest == place.Digest && all[i].ClusterID == place.ClusterID:
		return Applied{Place: &all[i]}, nil
	}
	place.ID = all[i].ID
	return Applied{Place: &place, Outcome: Changed}, nil
}
