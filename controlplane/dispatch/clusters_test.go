package dispatch_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// TestDispatcher_Clusters: only an administrator says what begins in a cluster. Its agent hears of it at once, and so does who looks at what
// waits for it.
func TestDispatcher_Clusters(t *testing.T) {
	t.Parallel()
	calls := map[string]func(context.Context, bundle) (cluster.Cluster, error){
		"drain eu-1: new nodes": func(ctx context.Context, b bundle) (cluster.Cluster, error) {
			return b.DrainCluster(ctx, "eu-1", "new nodes")
		},
		"undrain eu-1":    func(ctx context.Context, b bundle) (cluster.Cluster, error) { return b.UndrainCluster(ctx, "eu-1") },
		"limit eu-1 to 4": func(ctx context.Context, b bundle) (cluster.Cluster, error) { return b.LimitCluster(ctx, "eu-1", 4) },
	}
	for asked, call := range calls {
		t.Run(asked, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			if _, err := call(as(t, tenant.ScopeRun, tenant.ScopeCatalog), b); !fault.Is(err, fault.Forbidden) || len(b.store.changed) != 0 {
				t.Errorf("one who may only run: %v, %q", err, b.store.changed)
			}
			if _, err := call(as(t, tenant.ScopeAdmin), b); err != nil || !slices.Equal(b.store.changed, []string{asked}) {
				t.Errorf("%q, %v", b.store.changed, err)
			}
			if diff := cmp.Diff(published{"agent/" + id(0xa).String() + "/" + id(0xc).String(), execution.ChangesTopic(id(0xa))}, *b.bus); diff != "" {
				t.Errorf("hints (-want +got):\n%s", diff)
			}
			if _, err := b.LimitCluster(as(t, tenant.ScopeAdmin), "none", 1); !fault.Is(err, fault.NotFound) {
				t.Errorf("a cluster that is none: %v", err)
			}
		})
	}
}

// TestDispatcher_DrainCluster_LongReason: what is said with all that waits has an end.
func TestDispatcher_DrainCluster_LongReason(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.DrainCluster(as(t, tenant.ScopeAdmin), "eu-1", strings.Repeat("n", 501)); !fault.Is(err, fault.Invalid) || len(b.store.changed) != 0 {
		t.Errorf("%v, %q", err, b.store.changed)
	}
}
