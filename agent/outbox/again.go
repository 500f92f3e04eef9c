package outbox

import (
	"slices"
	"time"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// lostNote says what an attempt lacks whose records the control plane lost after it had taken them.
const lostNote = "The records of the control plane went back to an earlier time after it had taken the result: results, files and logs " +
	"that were delivered since may be missing."

// Mark says in the items of an inventory what the control plane took of the attempts' reports: that one has ended, and that all of it was
// delivered.
func (o *Outbox) Mark(items []*agentv1.InventoryItem) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, item := range items {
		if r, ok := o.records[item.GetAttemptId()]; ok {
			item.Ended, item.Delivered = r.endTaken, r.allTaken
		}
	}
}

// taken notes what a report said that was taken; the caller holds the lock.
func (r *record) taken(report *agentv1.AttemptReport) {
	r.endTaken, r.allTaken = r.endTaken || ended(report), r.allTaken || report.GetDelivered()
}

// Again reports an attempt anew of whose reports the control plane has lost some that it took: its records are those of an earlier time, as
// after a failover of its database. The runner has dropped what it had delivered; what the cluster still has of the logs is read there, and
// the report says what may be missing.
func (o *Outbox) Again(attemptID string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r, ok := o.records[attemptID]
	if !ok || !r.endTaken {
		return
	}
	r.endTaken, r.allTaken = false, false
	if !slices.Contains(r.report.GetNotes(), lostNote) {
		r.report.Notes = append(r.report.Notes, lostNote)
	}
	if r.report.GetDelivered() && r.pod != nil && r.pod.Ended && !r.podGone {
		r.report.Delivered, r.tailing, r.deliverBy = false, false, time.Now().Add(o.o.Allowance)
		clear(r.delivered)
	}
	o.touch(r)
	o.settle(r)
}
