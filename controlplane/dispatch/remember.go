package dispatch

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// Remembering returns a Dispatcher that reads each entry of the catalog once, for whoever starts many executions within a few seconds and
// drops it then: most of them are of the same workflows in the same environments. It does not see what is applied meanwhile.
func (d *Dispatcher) Remembering() *Dispatcher {
	out := *d
	out.store = &memory{Store: d.store, known: map[memoryKey]any{}}
	out.loaded = &shelf{known: map[uuid.UUID]*workflow.Loaded{}}
	return &out
}

// memory is a store that remembers what it has read of the catalog.
type memory struct {
	Store

	mu    sync.Mutex
	known map[memoryKey]any
}

type memoryKey struct {
	organization tenant.ID
	what, name   string
}

// remember reads something that is not known yet. Two may do so at once, which does no harm.
func remember[T any](ctx context.Context, m *memory, what, name string, read func() (T, error)) (T, error) {
	v, _ := tenant.FromContext(ctx)
	key := memoryKey{v.Organization, what, name}
	m.mu.Lock()
	known, ok := m.known[key].(T)
	m.mu.Unlock()
	if ok {
		return known, nil
	}
	got, err := read()
	if err == nil {
		m.mu.Lock()
		m.known[key] = got
		m.mu.Unlock()
	}
	return got, err
}

// Workflow implements Catalog.
func (m *memory) Workflow(ctx context.Context, name string) (workflow.Record, error) {
	return remember(ctx, m, "workflow", name, func() (workflow.Record, error) { return m.Store.Workflow(ctx, name) })
}

// Environment implements Catalog.
func (m *memory) Environment(ctx context.Context, name string) (cluster.Environment, error) {
	return remember(ctx, m, "environment", name, func() (cluster.Environment, error) { return m.Store.Environment(ctx, name) })
}

// Environments implements Catalog.
func (m *memory) Environments(ctx context.Context) ([]cluster.Environment, error) {
	return remember(ctx, m, "environments", "", func() ([]cluster.Environment, error) { return m.Store.Environments(ctx) })
}

// Quota implements Quotas.
func (m *memory) Quota(ctx context.Context) (tenant.Quota, error) {
	return remember(ctx, m, "quota", "", func() (tenant.Quota, error) { return m.Store.Quota(ctx) })
}

// shelf holds documents that were read, by the ids of their revisions. A nil one holds nothing.
type shelf struct {
	mu    sync.Mutex
	known map[uuid.UUID]*workflow.Loaded
}

// load reads the document of a revision.
func (s *shelf) load(record workflow.Record) (*workflow.Loaded, error) {
	if s != nil {
		s.mu.Lock()
		known := s.known[record.RevisionID]
		s.mu.Unlock()
		if known != nil {
			return known, nil
		}
	}
	loaded, err := workflow.Load(record.Name, []byte(record.Source))
	if err == nil && s != nil {
		s.mu.Lock()
		s.known[record.RevisionID] = loaded
		s.mu.Unlock()
	}
	return loaded, err //nolint:wrapcheck // the caller says what for
}
