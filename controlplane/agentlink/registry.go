package agentlink

import (
	"maps"
	"sync"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
)

type clusterID = cluster.ID

// An agent that moves to another replica leaves the log stream of its old connection within this time.
const orphanAfter = time.Minute

// registry holds the sessions of this replica, the newest of each cluster, and its log streams.
type registry struct {
	mu        sync.Mutex
	byCluster map[clusterID]*session
	logs      map[*appending]time.Time // log streams, and since when their cluster has no session here; zero while it has one
	files     map[*body]clusterID      // uploads, and of which cluster
	drained   chan struct{}            // not nil while somebody waits for the registry to be empty
}

// add makes s the session of its cluster and sends an older one away.
func (r *registry) add(s *session) {
	r.mu.Lock()
	old := r.byCluster[s.viewer.Cluster]
	if old != nil && old.epoch > s.epoch { // the two opened in the other order
		old, s = s, old
	}
	r.byCluster[s.viewer.Cluster] = s
	r.mu.Unlock()
	if old != nil {
		old.end(endSuperseded)
	}
}

// remove forgets s unless a newer session took its place.
func (r *registry) remove(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byCluster[s.viewer.Cluster] == s {
		delete(r.byCluster, s.viewer.Cluster)
	}
	if len(r.byCluster) == 0 && r.drained != nil {
		close(r.drained)
		r.drained = nil
	}
}

// empty returns a channel that is closed when there is no session. It serves one caller.
func (r *registry) empty() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	drained := make(chan struct{})
	if len(r.byCluster) == 0 {
		close(drained)
		return drained
	}
	r.drained = drained
	return drained
}

func (r *registry) all() map[clusterID]*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.byCluster)
}

func (r *registry) addLogs(a *appending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logs[a] = time.Time{}
}

func (r *registry) removeLogs(a *appending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.logs, a)
}

func (r *registry) addFile(b *body, id clusterID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[b] = id
}

func (r *registry) removeFile(b *body) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.files, b)
}

// revoke ends all streams of a cluster whose agent has lost its right.
func (r *registry) revoke(id clusterID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ss := r.byCluster[id]; ss != nil {
		ss.end(endRevoked)
	}
	for a := range r.logs {
		if a.cluster == id {
			a.end(endRevoked)
		}
	}
	for b, of := range r.files {
		if of == id {
			b.end(endRevoked)
		}
	}
}

// endOrphans ends log streams whose agent has had no session here for a while: only the sessions tell that a right was lost.
func (r *registry) endOrphans(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for a, since := range r.logs {
		switch {
		case r.byCluster[a.cluster] != nil:
			r.logs[a] = time.Time{}
		case since.IsZero():
			r.logs[a] = now
		case now.Sub(since) >= orphanAfter:
			a.end(endNoSession)
		}
	}
}
