package agentlink

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// serve handles frames, hints and endings until the session is over. Everything is sent from here, so frames keep their order.
func (s *Server) serve(ctx context.Context, ss *session, hints <-chan struct{}) error {
	silence := time.NewTimer(s.o.Timing.Silence)
	defer silence.Stop()
	age := time.NewTimer(s.aged())
	defer age.Stop()
	stopping := s.stopping
	documents, watches := s.follow(ctx, ss), s.followWatches(ctx, ss)
	defer documents.stop()
	defer watches.stop()
	examine, forget := s.followExaminations(ctx, ss)
	defer forget()
	if err := s.dispatch(ctx, ss); err != nil {
		return err
	}
	for {
		var err error
		select {
		case f, ok := <-ss.frames:
			if !ok {
				return left(ss.readErr)
			}
			silence.Reset(s.o.Timing.Silence)
			err = s.frame(ctx, ss, f)
		case <-hints:
			err = s.dispatch(ctx, ss)
		case <-ss.wake:
			err = s.dispatch(ctx, ss)
		case <-documents.hints:
			documents.heard(time.Now())
		case <-documents.timer.C:
			err = documents.tell(ss, time.Now())
		case <-watches.hints:
			watches.heard(time.Now())
		case <-watches.timer.C:
			err = watches.tell(ss, time.Now())
		case <-examine:
			err = s.examine(ctx, ss)
		case why := <-ss.endings:
			return ss.finish(why)
		case <-age.C:
			ss.leaving = time.After(leaveTimeout)
			err = ss.goAway(endAge, 0, s.o.Timing.Spread)
		case <-stopping:
			stopping = nil
			err = ss.goAway(endStopping, 0, s.o.Timing.Spread)
		case <-s.closing:
			if stopping != nil { // both were closed at once
				err = ss.goAway(endStopping, 0, s.o.Timing.Spread)
			}
			return errors.Join(err, status.Error(codes.Unavailable, string(endStopping)))
		case <-ss.leaving:
			return status.Error(codes.Aborted, string(endAge))
		case <-silence.C:
			return status.Errorf(codes.DeadlineExceeded, "no frame for %s", s.o.Timing.Silence)
		}
		if err != nil {
			return err
		}
	}
}

// left is how a session ended that the agent closed.
func left(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// finish says goodbye for a reason that leaves the agent no right to this session.
func (ss *session) finish(why ending) error {
	if why == endRevoked {
		if err := ss.goAway(why, time.Minute, 5*time.Minute); err != nil {
			return err
		}
		return status.Error(codes.Unauthenticated, string(why))
	}
	// The agent itself has moved and no longer listens here; a second agent with the same key must not win it back at once.
	if err := ss.goAway(why, 30*time.Second, time.Minute); err != nil {
		return err
	}
	return status.Error(codes.Aborted, string(why))
}

// frame handles one frame of the agent. Frames that this version does not know are counted and ignored.
func (s *Server) frame(ctx context.Context, ss *session, f *agentv1.AgentFrame) error {
	switch k := f.GetFrame().(type) {
	case *agentv1.AgentFrame_Ping:
		return ss.send(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_Pong{Pong: &agentv1.Pong{Time: timestamppb.Now()}}})
	case *agentv1.AgentFrame_Credit:
		ss.credit = int(min(max(k.Credit.GetStarts(), 0), maxCredit))
		// More credit brings nothing when all that waited was taken with what there was: for whatever came since, the session is woken.
		if ss.credit > 0 && ss.more {
			return s.dispatch(ctx, ss)
		}
	case *agentv1.AgentFrame_CommandAck:
		s.acked(ctx, ss, k.CommandAck)
	case *agentv1.AgentFrame_Inventory:
		return s.inventory(ctx, ss, k.Inventory)
	case *agentv1.AgentFrame_Examination:
		return s.examined(ctx, ss, k.Examination)
	case *agentv1.AgentFrame_Draining:
		ss.credit = 0
	default:
		s.metrics.ignored.Inc()
	}
	return nil
}
