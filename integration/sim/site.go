package sim

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/integration/history"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// site is a cluster with its agents and its pods, and the organization that it belongs to.
type site struct {
	w      *World
	name   string
	id     cluster.ID
	member tenant.Viewer
	kube   *apiServer
	canary string // a secret that only this organization's logs hold

	mu     sync.Mutex
	pods   map[string]*pod // by UID, those that live
	ahead  time.Duration   // how far the control plane's clock is ahead of the cluster's
	agents []*agent        // guarded by the World's lock
}

func newSite(w *World, i int) *site {
	s := &site{
		w: w, name: siteName(i), id: w.shared.clusters[i], member: w.shared.members[i], kube: newAPIServer(w.shared.kinds, siteName(i)),
		canary: "canary-of-" + siteName(i), pods: map[string]*pod{},
	}
	s.kube.onJob = s.onJob
	w.history.Add(history.Event{Kind: history.Canary, Tenant: s.name, Data: []byte(s.canary)})
	return s
}

// as returns a context of the organization's owner.
func (s *site) as() context.Context { return tenant.WithViewer(s.w.ctx, s.member) }

func (s *site) agentViewer() tenant.Viewer {
	return tenant.Viewer{Kind: tenant.KindAgent, Organization: s.member.Organization, Cluster: s.id, Subject: s.id, Name: s.name}
}

func (s *site) skew() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ahead
}

func (s *site) setSkew(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = d
}

// sent notes what the agent of the organization was sent.
func (s *site) sent(m *agentv1.ServerFrame) {
	if b, err := proto.Marshal(m); err == nil {
		s.w.history.Add(history.Event{Kind: history.Sent, Tenant: s.name, Data: b})
	}
}

// podByUID names a pod that the API server knows; empty for none.
func (s *site) podByUID(uid string) string {
	s.kube.mu.Lock()
	defer s.kube.mu.Unlock()
	for _, obj := range s.kube.objects["pods"] {
		if p, ok := obj.(*corev1.Pod); ok && string(p.UID) == uid {
			return p.Name
		}
	}
	return ""
}

// anyPod returns a pod that runs, nil for none.
func (s *site) anyPod(n int) *pod {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first *pod
	for _, p := range s.pods {
		if first == nil || p.name < first.name {
			first = p
		}
	}
	if n%2 == 1 {
		for _, p := range s.pods {
			if first == nil || p.name > first.name {
				first = p
			}
		}
	}
	return first
}

// endpoint is the agent that a runner reaches behind the Service.
func (s *site) endpoint() *agent {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if len(s.agents) == 0 {
		return nil
	}
	return s.agents[s.w.chance.among("endpoint."+s.name, len(s.agents))]
}
