package audit

import (
	"context"
	"maps"
	"sync"

	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Note is an action under way. Its context carries it, and whoever learns something of the action writes it down: the edge who and from
// where, the store what was changed. The store makes an entry of it in the transaction of the change; an action that changed nothing
// gets its entry from the edge, once it is over. Methods of a nil Note do nothing.
type Note struct {
	mu    sync.Mutex
	entry Entry
	kept  bool
}

type noteKey struct{}

// Begin returns a context that carries the note of an action.
func Begin(ctx context.Context, action, from string) (context.Context, *Note) {
	n := &Note{entry: Entry{Action: action, From: from}}
	return context.WithValue(ctx, noteKey{}, n), n
}

// Of returns the note of a context, nil when there is none: what the control plane does by itself.
func Of(ctx context.Context) *Note {
	n, _ := ctx.Value(noteKey{}).(*Note)
	return n
}

// By says who acts, and so whose record it goes to.
func (n *Note) By(v tenant.Viewer) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.entry.Organization, n.entry.Actor = v.Organization, ActorOf(v)
}

// In says whose record an action goes to, when it is another organization's than the actor's: an operator has none.
func (n *Note) In(organization tenant.ID) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.entry.Organization = organization
}

// On says what is acted on. What is empty leaves what was said before.
func (n *Note) On(o Object) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for to, value := range map[*string]string{&n.entry.Object.Kind: o.Kind, &n.entry.Object.ID: o.ID, &n.entry.Object.Name: o.Name} {
		if value != "" {
			*to = value
		}
	}
}

// Detail adds something small that is no secret.
func (n *Note) Detail(key, value string) {
	if n == nil || value == "" {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.entry.Details == nil {
		n.entry.Details = map[string]string{}
	}
	n.entry.Details[key] = value
}

// Entry returns the entry of the action as it ended with err.
func (n *Note) Entry(err error) Entry {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := n.entry
	e.Details = maps.Clone(e.Details)
	e.Outcome = OutcomeOf(err)
	return e
}

// Keep says that the entry is stored for good.
func (n *Note) Keep() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kept = true
}

// Kept reports whether the entry is stored for good.
func (n *Note) Kept() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.kept
}
