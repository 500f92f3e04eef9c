package agentlink

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seatrial/seatrial/controlplane/execution"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	maxInventory = 100_000
	maxID        = 64   // bytes of an id: a label of Kubernetes has no more, and unknown ones are sent back
	replyPage    = 1000 // ids of one kind in one frame
)

// inventory gathers the pages of an inventory and compares the whole with the records.
func (s *Server) inventory(ctx context.Context, ss *session, page *agentv1.Inventory) error {
	for _, item := range page.GetAttempts() {
		if n := len(item.GetAttemptId()); n > maxID {
			return status.Errorf(codes.InvalidArgument, "the id of an attempt has %d bytes, at most %d are taken", n, maxID)
		}
		if id, err := uuid.Parse(item.GetAttemptId()); err == nil {
			ss.present = append(ss.present, id)
			if item.GetEnded() || item.GetDelivered() {
				ss.taken[id] = item.GetDelivered()
			}
		} else {
			ss.unknown = append(ss.unknown, item.GetAttemptId())
		}
	}
	if len(ss.present)+len(ss.unknown) > maxInventory {
		return status.Errorf(codes.ResourceExhausted, "an inventory lists at most %d attempts", maxInventory)
	}
	if !page.GetLast() {
		return nil
	}
	present, unknown, taken := ss.present, ss.unknown, ss.taken
	ss.present, ss.unknown, ss.taken = nil, nil, map[execution.AttemptID]bool{}
	r, err := s.o.Store.Reconcile(ctx, present, s.o.Timing.Grace)
	s.tell(ctx, ss, r.Effects) // of what was stored before an error, too
	if err != nil {
		if ctx.Err() == nil { // the next inventory tries again
			s.o.Log.ErrorContext(ctx, "inventory not compared", "cluster", ss.viewer.Name, "error", err)
		}
		return nil
	}
	again := lostReports(r, taken)
	if len(again) > 0 {
		s.o.Log.WarnContext(ctx, "records are behind what was taken once, as after a failover of the database: attempts are reported anew",
			"cluster", ss.viewer.Name, "attempts", len(again))
	}
	return ss.reply(texts(r.Cancel), append(texts(r.Unknown), unknown...), texts(r.Release), texts(again))
}

// lostReports returns the attempts of which an agent was told once that more is stored than there is. The agent spoke before the records
// were read, and these only ever gain: so they are those of an earlier time.
func lostReports(r execution.Reconciled, taken map[execution.AttemptID]bool) (out []execution.AttemptID) {
	for _, id := range r.Open {
		if _, ended := taken[id]; ended {
			out = append(out, id)
		}
	}
	for _, id := range r.Partial {
		if taken[id] {
			out = append(out, id)
		}
	}
	return out
}

// reply sends what to do about an inventory, in frames of bounded size; one at least, so that the agent knows it was read.
func (ss *session) reply(cancel, unknown, release, again []string) error {
	for first := true; first || len(cancel)+len(unknown)+len(release)+len(again) > 0; first = false {
		r := &agentv1.InventoryReply{}
		r.Cancel, cancel = split(cancel)
		r.Unknown, unknown = split(unknown)
		r.Release, release = split(release)
		r.WantReport, again = split(again)
		if err := ss.send(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_InventoryReply{InventoryReply: r}}); err != nil {
			return err
		}
	}
	return nil
}

func split(ids []string) (page, rest []string) {
	n := min(len(ids), replyPage)
	return ids[:n], ids[n:]
}

func texts(ids []execution.AttemptID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.String()
	}
	return out
}
