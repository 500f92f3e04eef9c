package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// frame handles one frame. What takes time runs on its own and outlives the session: the answer goes to whichever is current then.
func (l *Link) frame(ctx context.Context, s *session, f *agentv1.ServerFrame) {
	switch k := f.GetFrame().(type) {
	case *agentv1.ServerFrame_Command:
		l.command(ctx, s, k.Command)
	case *agentv1.ServerFrame_InventoryReply:
		r := k.InventoryReply
		for _, id := range r.GetCancel() {
			l.stages.Cancel(id, "cancelled while the agent was away")
		}
		for _, id := range r.GetRelease() {
			l.stages.Release(id)
		}
		for _, id := range r.GetWantReport() {
			l.stages.Again(id)
		}
		if len(r.GetUnknown()) > 0 {
			l.o.Log.WarnContext(ctx, "Jobs of attempts that the control plane does not know are left alone", "attempts", r.GetUnknown())
		}
	case *agentv1.ServerFrame_DocumentsChanged:
		if l.stages.Documents != nil {
			l.stages.Documents(false)
		}
	case *agentv1.ServerFrame_WatchesChanged:
		if l.stages.Watches != nil {
			l.stages.Watches()
		}
	case *agentv1.ServerFrame_Examine:
		l.examine(ctx, k.Examine.GetId())
	case *agentv1.ServerFrame_GoAway:
		select {
		case s.away <- k.GoAway:
		default:
		}
	default: // Pong needs no answer; frames of a newer protocol are ignored
	}
}

func (l *Link) command(ctx context.Context, s *session, c *agentv1.Command) {
	switch k := c.GetKind().(type) {
	case *agentv1.Command_Start:
		l.starting.Add(1)
		l.running.Go(func() {
			outcome, message := l.start(ctx, s.offset, c, k.Start)
			l.starting.Add(-1)
			if ctx.Err() == nil {
				l.ack(c.GetId(), outcome, message)
			}
		})
	case *agentv1.Command_Cancel:
		l.stages.Cancel(k.Cancel.GetAttemptId(), k.Cancel.GetReason())
		l.cancelled.Store(time.Now().UnixNano())
		s.recheckIn(orDefault(l.o.Recheck, defaultRecheck))
		l.ack(c.GetId(), agentv1.CommandOutcome_COMMAND_OUTCOME_DONE, "")
	case *agentv1.Command_Resume:
		l.stages.Resume(k.Resume.GetAttemptId(), &runnerv1.Resume{
			StepIndex: k.Resume.GetStepIndex(), Reason: k.Resume.GetReason(), Status: k.Resume.GetStatus(),
		})
		l.ack(c.GetId(), agentv1.CommandOutcome_COMMAND_OUTCOME_DONE, "")
	case *agentv1.Command_Release:
		l.stages.Release(k.Release.GetAttemptId())
		l.ack(c.GetId(), agentv1.CommandOutcome_COMMAND_OUTCOME_DONE, "")
	default:
		l.ack(c.GetId(), agentv1.CommandOutcome_COMMAND_OUTCOME_REJECTED, fmt.Sprintf(
			"This agent (%s) does not know the command: upgrade it.", l.o.Version))
	}
}

// start hands an assignment to the first stage and translates its answer.
func (l *Link) start(
	ctx context.Context, offset time.Duration, c *agentv1.Command, start *agentv1.Start,
) (agentv1.CommandOutcome, string) {
	if at := c.GetExpiresAt(); at != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, at.AsTime().Add(-offset))
		defer cancel()
	}
	assignment, err := l.assignment(ctx, start)
	if err == nil {
		err = l.stages.Start.Handle(ctx, work.Assignment{Assignment: assignment, Digest: start.GetSpecDigest()})
	}
	var rejected *work.RejectedError
	switch {
	case err == nil:
		return agentv1.CommandOutcome_COMMAND_OUTCOME_DONE, ""
	case errors.Is(err, work.ErrDuplicate):
		return agentv1.CommandOutcome_COMMAND_OUTCOME_EXISTS, ""
	case errors.As(err, &rejected):
		return agentv1.CommandOutcome_COMMAND_OUTCOME_REJECTED, rejected.Message
	case errors.Is(err, work.ErrStale):
		return agentv1.CommandOutcome_COMMAND_OUTCOME_EXPIRED, ""
	default:
		return agentv1.CommandOutcome_COMMAND_OUTCOME_DEFERRED, err.Error()
	}
}

// assignment returns what to start, which is fetched when it was too large for a frame.
func (l *Link) assignment(ctx context.Context, start *agentv1.Start) (*agentv1.Assignment, error) {
	inline := start.GetAssignment()
	if len(inline.GetContainers()) > 0 {
		return inline, nil
	}
	gateway, err := l.gateway(ctx)
	if err != nil {
		return nil, err
	}
	reply, err := gateway.FetchAttempt(ctx, &agentv1.FetchAttemptRequest{AttemptId: inline.GetAttemptId()})
	if err != nil {
		err = l.failed("fetch the assignment", err)
	}
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w: %w", work.ErrStale, ctx.Err())
	case errors.Is(err, work.ErrRefused):
		return nil, &work.RejectedError{Message: "The control plane does not give the assignment out: run the workflow again. " + err.Error()}
	case err != nil:
		return nil, err
	case reply.GetSpecDigest() != start.GetSpecDigest():
		return nil, &work.RejectedError{Message: "The assignment is another one than the command is for: run the workflow again."}
	}
	return reply.GetAssignment(), nil
}

// ack answers a command on the current session, always: a lost answer makes the command come again.
func (l *Link) ack(id string, outcome agentv1.CommandOutcome, message string) {
	s := l.session()
	if s == nil {
		return
	}
	s.send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_CommandAck{CommandAck: &agentv1.CommandAck{
		CommandId: id, Outcome: outcome, Message: message,
	}}})
	l.credit(s)
}

// credit says how many more starts the agent takes.
func (l *Link) credit(s *session) {
	s.sendNow(func() *agentv1.AgentFrame {
		left := max(0, l.o.Starts-int(l.starting.Load()))
		return &agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Credit{Credit: &agentv1.Credit{Starts: int32(left)}}} //nolint:gosec // small
	})
}

// inventory sends the whole inventory in pages.
func (l *Link) inventory(ctx context.Context, s *session) {
	if !s.listing.CompareAndSwap(false, true) {
		return
	}
	defer s.listing.Store(false)
	items, err := l.stages.Inventory(ctx)
	if err != nil {
		if ctx.Err() == nil {
			l.o.Log.WarnContext(ctx, "no inventory sent", "error", err)
		}
		return
	}
	for {
		n := min(len(items), inventoryPage)
		page := &agentv1.Inventory{Attempts: items[:n], Last: n == len(items)}
		s.send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Inventory{Inventory: page}})
		if items = items[n:]; page.GetLast() {
			return
		}
	}
}
