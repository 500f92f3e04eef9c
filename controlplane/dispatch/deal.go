package dispatch

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// dealing says where each run of an execution takes place: in every place, or in any.
type dealing struct {
	places []cluster.Environment
	loads  map[cluster.ID]cluster.Load // nil when every run takes place everywhere
	dealt  map[string]int              // runs by place
}

// any reports whether one of the places will do. Environments that somebody has asked for are all meant unless the request says otherwise.
func (d *Dispatcher) any(doc *workflow.Document, req execution.Request) bool {
	if len(req.Environments) > 0 || len(req.Select) > 0 {
		return req.Any
	}
	return doc.Spec.Environments != nil && doc.Spec.Environments.Mode == "any"
}

// deal learns what has to be known of the places.
func (d *Dispatcher) deal(ctx context.Context, doc *workflow.Document, req execution.Request, places []cluster.Environment) (*dealing, error) {
	out := &dealing{places: places}
	if !d.any(doc, req) {
		return out, nil
	}
	ids := make([]cluster.ID, len(places))
	for i, p := range places {
		ids[i] = p.ClusterID
	}
	loads, err := d.store.Loads(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("load how much clusters have to do: %w", err)
	}
	out.loads, out.dealt = loads, map[string]int{}
	for _, idle := range []func(cluster.Load) bool{
		func(l cluster.Load) bool { return l.Drained || l.Away },
		func(l cluster.Load) bool { return l.Drained }, // an agent comes back by itself, a drained cluster when somebody says so
	} {
		here := slices.DeleteFunc(slices.Clone(places), func(p cluster.Environment) bool { return idle(loads[p.ClusterID]) })
		if len(here) > 0 {
			out.places = here
			break
		}
	}
	return out, nil
}

// names are the environments that the runs are expanded for; of those of which any will do the first stands for all.
func (d *dealing) names() []string {
	places := d.places
	if d.loads != nil {
		places = places[:1]
	}
	names := make([]string, len(places))
	for i, p := range places {
		names[i] = p.Name
	}
	return names
}

// place returns where a run of an environment takes place. Where any will do, it is the one whose cluster has the least to do, with
// what was dealt out before; the first of several. One whose agent is away, or that is drained, is it only when all are.
func (d *dealing) place(name string) cluster.Environment {
	if d.loads == nil {
		return d.places[slices.IndexFunc(d.places, func(p cluster.Environment) bool { return p.Name == name })]
	}
	least := slices.MinFunc(d.places, func(a, b cluster.Environment) int {
		x, y := d.loads[a.ClusterID], d.loads[b.ClusterID]
		return cmp.Or(cmp.Compare(x.Active, y.Active), cmp.Compare(d.dealt[a.Name], d.dealt[b.Name]))
	})
	load := d.loads[least.ClusterID]
	load.Active++
	d.dealt[least.Name]++
	d.loads[least.ClusterID] = load
	return least
}
