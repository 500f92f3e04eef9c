package agentlink

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// keepTouching stores from time to time that the sessions of this replica are alive, in one statement for all.
func (s *Server) keepTouching(ctx context.Context) {
	ctx = tenant.System(ctx)
	touch := time.NewTicker(s.o.Timing.Touch)
	defer touch.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-touch.C:
		}
		if err := s.touch(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.ErrorContext(ctx, "sessions not stored as alive", "error", err)
		}
	}
}

// Sweep finds the sessions of this replica for which commands wait, in one statement for all: it makes up for lost hints, and for
// commands that nobody answers. It also finds what agents are to look at. One sweep runs at a time.
func (s *Server) Sweep(ctx context.Context) error {
	sessions := s.sessions.all()
	if len(sessions) == 0 {
		return nil
	}
	waiting, err := s.o.Store.WaitingCommands(tenant.System(ctx), slices.Collect(maps.Keys(sessions)), s.o.Timing.Resend)
	if err != nil {
		return fmt.Errorf("find commands that wait: %w", err)
	}
	for _, id := range waiting {
		if ss := sessions[id]; ss != nil {
			ss.nudge()
		}
	}
	return s.sweepWatches(ctx, sessions)
}

func (s *Server) touch(ctx context.Context) error {
	s.sessions.endOrphans(time.Now())
	sessions := s.sessions.all()
	if len(sessions) == 0 {
		return nil
	}
	epochs := make(map[clusterID]int64, len(sessions))
	for id, ss := range sessions {
		epochs[id] = ss.epoch
	}
	superseded, revoked, err := s.o.Store.TouchSessions(ctx, epochs)
	if err != nil {
		return err
	}
	for _, id := range revoked {
		s.sessions.revoke(id)
	}
	for _, id := range superseded {
		if ss := sessions[id]; ss != nil {
			ss.end(endSuperseded)
		}
	}
	return nil
}

// A right that was taken away longer ago has been heard of by every replica; one that could not ask the store for so long has lost its
// sessions anyway, as they are not stored as alive.
const revokedWithin = 10 * time.Minute

// keepRevoking ends the streams of agents that lose their right: at once when a hint comes, and within Timing.Revoked when it is lost.
// One question to the store serves all agents, so that it may be asked often.
func (s *Server) keepRevoking(ctx context.Context) {
	ctx = tenant.System(ctx)
	hints, cancel := s.o.Bus.Subscribe(ctx, cluster.TopicRevoked)
	defer cancel()
	ask := time.NewTicker(s.o.Timing.Revoked)
	defer ask.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hints:
		case <-ask.C:
		}
		ids, err := s.o.Store.RevokedAgents(ctx, revokedWithin)
		if err != nil && ctx.Err() == nil {
			s.o.Log.ErrorContext(ctx, "not known which agents were revoked", "error", err)
		}
		for _, id := range ids {
			s.sessions.revoke(id)
		}
	}
}
