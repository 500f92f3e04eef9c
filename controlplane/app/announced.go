package app

import (
	"context"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// announced is the store of the catalog. It hints to the agents of an organization that there may be something else to look at, so that a
// trigger watches within a moment; a sweep makes up for what is not announced here.
type announced struct {
	*store.Store
	bus hints
}

func (a announced) tell(ctx context.Context, changed bool, err error) {
	if v, ok := tenant.FromContext(ctx); ok && changed && err == nil {
		a.bus.Publish(ctx, trigger.WatchTopic(v.Organization))
	}
}

// ApplyTrigger implements catalog.Triggers.
func (a announced) ApplyTrigger(ctx context.Context, r trigger.Record, team string) (rec trigger.Record, created, changed bool, err error) {
	rec, created, changed, err = a.Store.ApplyTrigger(ctx, r, team)
	a.tell(ctx, changed, err)
	return rec, created, changed, err //nolint:wrapcheck // transparent
}

// ApplyWorkflow implements catalog.Store: a workflow may say when it is started.
func (a announced) ApplyWorkflow(ctx context.Context, w workflow.Record, team string) (rec workflow.Record, created, changed bool, err error) {
	rec, created, changed, err = a.Store.ApplyWorkflow(ctx, w, team)
	a.tell(ctx, changed, err)
	return rec, created, changed, err //nolint:wrapcheck // transparent
}

// ApplyEnvironment implements catalog.Places: triggers may name it.
func (a announced) ApplyEnvironment(ctx context.Context, e cluster.Environment) (stored cluster.Environment, created, changed bool, err error) {
	stored, created, changed, err = a.Store.ApplyEnvironment(ctx, e)
	a.tell(ctx, changed, err)
	return stored, created, changed, err //nolint:wrapcheck // transparent
}
