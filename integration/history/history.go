// Package history is what a test under faults writes down, and the checker that judges it. Every layer of tests writes the same kinds of
// events: the simulation, the one that kills real processes, and the one on a real cluster. The checker knows nothing else than the events,
// so that a history can be kept and judged anew.
package history

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// Kind is what an event says.
type Kind string

// The kinds, with the fields of Event that each of them uses beside At.
const (
	// Accepted: a client was told that its trigger is accepted. Tenant, Execution, Key.
	Accepted Kind = "accepted"
	// CancelAccepted: a client was told that its cancellation is accepted. Execution.
	CancelAccepted Kind = "cancel accepted"
	// Seen: a viewer read an execution, or one of its attempts when Attempt is set. Execution, Attempt, Status, Terminal, Reason.
	Seen Kind = "seen"
	// Created: the API server accepted the creation of a Job. Attempt, Object (its UID).
	Created Kind = "created"
	// Began: the process of an attempt began, by its own account. Execution, Attempt, Object (the pod's UID).
	Began Kind = "began"
	// Ended: that process is gone. Attempt, Object.
	Ended Kind = "ended"
	// Taken: somebody other than the system took the Job or pod of an attempt away. Attempt.
	Taken Kind = "taken"
	// Wrote: a process has written. Attempt, Stream, Offset, Bytes, and Data or Sum.
	Wrote Kind = "wrote"
	// Committed: a writer was told that everything of a stream before Offset is stored. Attempt, Stream, Offset.
	Committed Kind = "committed"
	// Reported: an agent was told that its report is stored. Attempt, Status, Terminal.
	Reported Kind = "reported"
	// Read: a viewer got a piece of a stream. Viewer, Attempt, Stream, Offset, Bytes (gaps included), Gap, and Data or Sum.
	Read Kind = "read"
	// Totals: what is said at the end of a stream. Attempt, Stream, Offset (its length), Complete.
	Totals Kind = "totals"
	// Opened: a session was opened. Cluster, Epoch.
	Opened Kind = "opened"
	// Acted: a session changed the record, or was given something to do, in a call that began at Since. Cluster, Epoch, Since, Name.
	Acted Kind = "acted"
	// Canary: a secret of a tenant that no other may ever see. Tenant, Data.
	Canary Kind = "canary"
	// Sent: bytes that a tenant was sent. Tenant, Data.
	Sent Kind = "sent"
	// Gauge: how much there is of something. Name, Phase, Value, Limit (0 for none).
	Gauge Kind = "gauge"
	// Fault: a fault was injected. Name.
	Fault Kind = "fault"
	// Healed: no fault is injected from now on.
	Healed Kind = "healed"
	// Settled: everything had come to its end, queues included.
	Settled Kind = "settled"
	// Left: something is still there that should have been collected. Name, Object.
	Left Kind = "left"
)

// Phases of a Gauge.
const (
	PhaseBaseline = "baseline" // before the first trigger
	PhasePeak     = "peak"     // under load
	PhaseDrained  = "drained"  // after everything has settled
)

// Event is one thing that happened. Which fields mean something depends on its kind.
type Event struct {
	At        time.Time `json:"at"`
	Kind      Kind      `json:"kind"`
	Tenant    string    `json:"tenant,omitempty"`
	Execution string    `json:"execution,omitempty"`
	Attempt   string    `json:"attempt,omitempty"`
	Key       string    `json:"key,omitempty"` // idempotency key
	Object    string    `json:"object,omitempty"`
	Status    string    `json:"status,omitempty"`
	Terminal  bool      `json:"terminal,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Viewer    string    `json:"viewer,omitempty"`
	Stream    string    `json:"stream,omitempty"`
	Offset    int64     `json:"offset,omitempty"`
	Bytes     int64     `json:"bytes,omitempty"`
	Gap       int64     `json:"gap,omitempty"`
	Sum       uint32    `json:"sum,omitempty"` // CRC-32C of all kept bytes up to the end of this piece; 0 when not taken
	Data      []byte    `json:"data,omitempty"`
	Complete  bool      `json:"complete,omitempty"`
	Cluster   string    `json:"cluster,omitempty"`
	Epoch     int64     `json:"epoch,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	Name      string    `json:"name,omitempty"`
	Phase     string    `json:"phase,omitempty"`
	Value     int64     `json:"value,omitempty"`
	Limit     int64     `json:"limit,omitempty"`
}

// Recorder gathers events. It may be used from many goroutines; the zero value works.
type Recorder struct {
	mu     sync.Mutex
	events []Event
}

// Add appends an event and gives it the time when it has none. Events of one stream, session or execution have to be added in their order.
func (r *Recorder) Add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.At.IsZero() {
		e.At = time.Now()
	}
	r.events = append(r.events, e)
}

// Events returns what was added so far, in order.
func (r *Recorder) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Event(nil), r.events...)
}

// Write writes events as lines of JSON, to be judged anew later.
func Write(w io.Writer, events []Event) error {
	enc := json.NewEncoder(w)
	for _, e := range events {
		if err := enc.Encode(e); err != nil {
			return fmt.Errorf("write history: %w", err)
		}
	}
	return nil
}

// Load reads what Write has written.
func Load(r io.Reader) ([]Event, error) {
	var out []Event
	for dec := json.NewDecoder(r); dec.More(); {
		var e Event
		if err := dec.Decode(&e); err != nil {
			return nil, fmt.Errorf("read event %d of the history: %w", len(out)+1, err)
		}
		out = append(out, e)
	}
	return out, nil
}
