package intake

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
)

// Append commits chunks in order and answers each with the state of its stream afterwards. A chunk that can never be stored is
// answered with Refused and costs the others nothing; an error means that none is known to be stored and all may be sent again.
func (i *Intake) Append(ctx context.Context, chunks []execution.Chunk) ([]execution.StreamState, error) {
	viewer, err := agent(ctx)
	if err != nil {
		return nil, err
	}
	answers := make([]execution.StreamState, len(chunks))
	places, good := i.check(chunks, answers)
	states, err := i.commit(ctx, good)
	if err != nil {
		return nil, err
	}
	for n, state := range states {
		answers[places[n]] = state
	}
	i.tell(ctx, viewer.Organization, good, states)
	return answers, nil
}

// check refuses what is damaged and returns the rest with its places.
func (i *Intake) check(chunks []execution.Chunk, answers []execution.StreamState) (places []int, good []execution.Chunk) {
	buf, ok := i.scratch.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	defer i.scratch.Put(buf)
	places, good = make([]int, 0, len(chunks)), make([]execution.Chunk, 0, len(chunks))
	for n, c := range chunks {
		raw, err := i.opener.Check(*buf, c)
		if *buf = raw; err != nil {
			answers[n] = execution.StreamState{Stream: c.Stream, Refused: err.Error()}
			continue
		}
		places, good = append(places, n), append(good, c)
	}
	return places, good
}

// commit stores chunks together. When the store refuses one of them for good it refuses all: then each is tried by itself, so
// that an attempt that is gone does not hold up the others of its agent.
func (i *Intake) commit(ctx context.Context, chunks []execution.Chunk) ([]execution.StreamState, error) {
	if len(chunks) == 0 {
		return nil, nil
	}
	states, err := i.store.AppendChunks(ctx, chunks)
	switch {
	case err == nil && len(states) == len(chunks):
		return states, nil
	case err == nil:
		return nil, fmt.Errorf("append %d log chunks: the store answered %d", len(chunks), len(states))
	case !final(err):
		return nil, fmt.Errorf("append log chunks: %w", err)
	case len(chunks) == 1:
		return []execution.StreamState{{Stream: chunks[0].Stream, Refused: refusal(err)}}, nil
	}
	states = make([]execution.StreamState, 0, len(chunks))
	for n := range chunks {
		one, err := i.commit(ctx, chunks[n:n+1])
		if err != nil {
			return nil, err
		}
		states = append(states, one...)
	}
	return states, nil
}

// final reports whether trying again cannot help.
func final(err error) bool {
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Invalid, fault.Forbidden, fault.Conflict, fault.Exhausted, fault.Unsupported:
		return true
	case fault.Unauthenticated, fault.Unavailable, fault.Internal:
		return false
	}
	return false
}

func refusal(err error) string {
	if fault.Is(err, fault.NotFound) {
		return "there is no such log: the attempt, step or service does not exist, or the log stays in the cluster"
	}
	return err.Error()
}

// tell publishes once for each stream that moved.
func (i *Intake) tell(ctx context.Context, organization uuid.UUID, chunks []execution.Chunk, states []execution.StreamState) {
	told := make(map[string]bool, 1)
	for n, c := range chunks {
		if states[n].Refused != "" {
			continue
		}
		if topic := execution.LogTopic(organization, c.Attempt, c.Stream); !told[topic] {
			told[topic] = true
			i.bus.Publish(ctx, topic)
		}
	}
}
