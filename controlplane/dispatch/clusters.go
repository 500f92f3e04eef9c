package dispatch

import (
	"context"
	"fmt"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Clusters are what Dispatcher needs of the database to say what begins in clusters. Each is fault.NotFound for one that is not there.
type Clusters interface {
	// DrainCluster lets nothing begin in a cluster any more.
	DrainCluster(ctx context.Context, name, reason string) (cluster.Cluster, error)
	// UndrainCluster lets what waits for it begin again.
	UndrainCluster(ctx context.Context, name string) (cluster.Cluster, error)
	// LimitCluster says how many runs may be under way there at once; 0 for as many as its agent takes.
	LimitCluster(ctx context.Context, name string, runs int) (cluster.Cluster, error)
}

// DrainCluster lets nothing begin in a cluster any more. What is under way there goes on to its end; what comes waits, and so does what is
// tried anew.
func (d *Dispatcher) DrainCluster(ctx context.Context, name, reason string) (cluster.Cluster, error) {
	if len(reason) > maxReason { // it is shown with all that waits
		return cluster.Cluster{}, fault.New(fault.Invalid, "the reason is longer than %d bytes", maxReason).WithField("reason")
	}
	return d.changed(ctx, "drain", func() (cluster.Cluster, error) { return d.store.DrainCluster(ctx, name, reason) })
}

// UndrainCluster lets what waits for a cluster begin again, and wakes its agent.
func (d *Dispatcher) UndrainCluster(ctx context.Context, name string) (cluster.Cluster, error) {
	return d.changed(ctx, "undrain", func() (cluster.Cluster, error) { return d.store.UndrainCluster(ctx, name) })
}

// LimitCluster says how many runs may be under way in a cluster at once; 0 for as many as its agent takes. What is under way beyond it goes
// on.
func (d *Dispatcher) LimitCluster(ctx context.Context, name string, runs int) (cluster.Cluster, error) {
	return d.changed(ctx, "limit", func() (cluster.Cluster, error) { return d.store.LimitCluster(ctx, name, runs) })
}

// changed wakes the agent of a cluster that an administrator has changed, and has those look again that show what waits for it.
func (d *Dispatcher) changed(ctx context.Context, what string, change func() (cluster.Cluster, error)) (cluster.Cluster, error) {
	viewer, err := tenant.Require(ctx, tenant.ScopeAdmin)
	if err != nil {
		return cluster.Cluster{}, err //nolint:wrapcheck // a fault that speaks for itself
	}
	c, err := change()
	if err != nil {
		return cluster.Cluster{}, fmt.Errorf("%s the cluster: %w", what, err)
	}
	d.bus.Publish(ctx, d.topics.Agent(viewer.Organization, c.ID))
	d.bus.Publish(ctx, execution.ChangesTopic(viewer.Organization))
	return c, nil
}
