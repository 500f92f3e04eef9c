package agentlink

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/tenant"
)

// sweep does for all sessions of this replica what each would otherwise ask the store by itself: one statement to find those for
// which commands wait, one to store that they are alive.
func (s *Server) sweep(ctx context.Context) {
	ctx = tenant.System(ctx)
	commands := time.NewTicker(s.o.Timing.Sweep)
	defer commands.Stop()
	touch := time.NewTicker(s.o.Timing.Touch)
	defer touch.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-commands.C:
			err = s.sweepCommands(ctx)
		case <-touch.C:
			err = s.touch(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.o.Log.ErrorContext(ctx, "sweep of the sessions failed", "error", err)
		}
	}
}

func (s *Server) sweepCommands(ctx context.Context) error {
	sessions := s.sessions.all()
	if len(sessions) == 0 {
		return nil
	}
	waiting, err := s.o.Store.WaitingCommands(ctx, slices.Collect(maps.Keys(sessions)), s.o.Timing.Resend)
	if err != nil {
		return err
	}
	for _, id := range waiting {
		if ss := sessions[id]; ss != nil {
			ss.nudge()
		}
	}
	return nil
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
		s.sessions.endLogs(id, endRevoked)
		if ss := sessions[id]; ss != nil {
			ss.end(endRevoked)
		}
	}
	for _, id := range superseded {
		if ss := sessions[id]; ss != nil {
			ss.end(endSuperseded)
		}
	}
	return nil
}
