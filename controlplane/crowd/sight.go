package crowd

import (
	"context"

	"github.com/seatrial/seatrial/controlplane/tenant"
)

// InSight answers questions whose answers depend on what the viewer of the context sees, and on nothing else of the viewer. The zero value is
// ready for use.
type InSight[K comparable, V any] struct{ crowd Crowd[seen[K], V] }

type seen[K comparable] struct {
	sight tenant.Sight
	key   K
}

// Ask does as Crowd.Ask among those who see the same. Whoever sees less than others is answered alone.
func (c *InSight[K, V]) Ask(ctx context.Context, key K, find func(context.Context) (V, error)) (V, error) {
	v, _ := tenant.FromContext(ctx)
	sight, ok := v.Sight()
	if !ok {
		return find(ctx)
	}
	return c.crowd.Ask(ctx, seen[K]{sight, key}, find)
}
