package sim

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// identities lets every agent in by the id of its cluster: who may come in is tested elsewhere.
type identities struct{ w *World }

// Enrol implements agentlink.Identity.
func (i identities) Enrol(context.Context, string, []byte, string, string) (cluster.Identity, error) {
	return cluster.Identity{}, fault.New(fault.Unsupported, "agents of the simulation are enrolled")
}

// Challenge implements agentlink.Identity.
func (i identities) Challenge(context.Context, cluster.ID) ([]byte, error) {
	return []byte("nonce"), nil
}

// Renew implements agentlink.Identity.
func (i identities) Renew(_ context.Context, id cluster.ID, _, _ []byte) (cluster.Identity, error) {
	s := i.w.siteOf(id)
	if s == nil {
		return cluster.Identity{}, fault.New(fault.Unauthenticated, "there is no such agent")
	}
	return cluster.Identity{Cluster: id, Organization: s.member.Organization, Name: s.name}, nil
}

// RotateKey implements agentlink.Identity.
func (i identities) RotateKey(context.Context, cluster.ID, []byte, []byte, []byte, []byte) error {
	return fault.New(fault.Unsupported, "agents of the simulation keep their key")
}

// Token implements agentlink.Identity.
func (i identities) Token(_ context.Context, id cluster.Identity) (string, time.Time, error) {
	return id.Cluster.String(), time.Now().Add(time.Hour), nil
}

// Agent implements agentlink.Identity.
func (i identities) Agent(_ context.Context, token string) (tenant.Viewer, error) {
	id, err := uuid.Parse(token)
	s := i.w.siteOf(id)
	if err != nil || s == nil {
		return tenant.Viewer{}, fault.New(fault.Unauthenticated, "there is no such agent")
	}
	return s.agentViewer(), nil
}
