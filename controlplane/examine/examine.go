// Package examine asks the agent of a cluster to look at itself and its cluster, and waits for what it says.
package examine

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const (
	patience = 30 * time.Second // of whoever asks
	repeat   = time.Second      // hints may be lost, and so may an agent's answer
)

// Store keeps what was asked and answered. Calls act for the viewer of the context.
type Store interface {
	// AskExamination notes that somebody wants the agent of a cluster to look at itself, and returns what its answer will name: the same
	// for all who ask while one is under way. fault.Conflict when the agent is not connected.
	AskExamination(ctx context.Context, name string) (cluster.Cluster, uuid.UUID, error)
	// Examination returns the last answer.
	Examination(ctx context.Context, name string) (cluster.Examination, error)
}

// Bus carries hints.
type Bus interface {
	Publish(ctx context.Context, topic string)
	Subscribe(ctx context.Context, topics ...string) (wake <-chan struct{}, cancel func())
}

// Examiner has agents look at themselves.
type Examiner struct {
	Store Store
	Bus   Bus
	// Patience is how long an answer is waited for; zero for half a minute.
	Patience time.Duration
}

// ExamineCluster returns what the agent of a cluster finds now. It takes the scope of administrators, as does all that has an agent do
// something.
func (e *Examiner) ExamineCluster(ctx context.Context, name string) (cluster.Cluster, cluster.Examination, error) {
	if v, ok := tenant.FromContext(ctx); !ok || !v.Allows(tenant.ScopeAdmin) {
		return cluster.Cluster{}, cluster.Examination{}, fault.New(fault.Forbidden, "examining a cluster needs the scope %q", tenant.ScopeAdmin).
			WithHint("Sign in as an administrator of the organization, or use a token with that scope.")
	}
	c, id, err := e.Store.AskExamination(ctx, name)
	if err != nil {
		return c, cluster.Examination{}, err //nolint:wrapcheck // says what it is about
	}
	limit := e.Patience
	if limit == 0 {
		limit = patience
	}
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answered, forget := e.Bus.Subscribe(ctx, cluster.TopicExamined(c.Organization, c.ID))
	defer forget()
	again := time.NewTicker(repeat)
	defer again.Stop()
	for {
		e.Bus.Publish(ctx, cluster.TopicExamine(c.Organization, c.ID))
		found, err := e.wait(waiting, name, id, answered, again.C)
		switch {
		case err == nil && found.ID == id:
			return c, found, nil
		case errors.Is(waiting.Err(), context.DeadlineExceeded) && ctx.Err() == nil:
			return c, cluster.Examination{}, fault.New(fault.Unavailable, "the agent of cluster %s does not answer, though it is connected", name).
				WithHint("Try again; if that does not help, look at the log of the agent's pod.")
		case err != nil:
			return c, cluster.Examination{}, err
		}
	}
}

// wait returns the last answer once there may be another one, or it is time to ask again.
func (e *Examiner) wait(ctx context.Context, name string, id uuid.UUID, answered <-chan struct{}, again <-chan time.Time) (cluster.Examination, error) {
	for {
		found, err := e.Store.Examination(ctx, name)
		if err != nil || found.ID == id {
			return found, err //nolint:wrapcheck // says what it is about
		}
		select {
		case <-ctx.Done():
			return found, ctx.Err() //nolint:wrapcheck // its own end
		case <-answered:
		case <-again:
			return found, nil
		}
	}
}
