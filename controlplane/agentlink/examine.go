package agentlink

import (
	"context"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// capabilityExamine says in Hello that the agent looks at itself when it is asked.
const capabilityExamine = "examine"

// What is taken of an examination.
const (
	maxChecks = 200
	maxWords  = 512 // bytes of each text: the answer is read with the cluster
)

// Examinations is what sessions need of the store for agents that are asked to look at themselves. Calls act for the agent of the context.
type Examinations interface {
	// AskedExamination returns what the agent was asked for and has not answered; zero for nothing.
	AskedExamination(ctx context.Context) (uuid.UUID, error)
	// AnswerExamination stores what it found. An answer to what nobody asks any more is ignored.
	AnswerExamination(ctx context.Context, id uuid.UUID, checks []cluster.Check) error
}

// followExaminations returns the hints that somebody asks for the agent, or ones that never come.
func (s *Server) followExaminations(ctx context.Context, ss *session) (hints <-chan struct{}, forget func()) {
	if s.o.Examinations == nil {
		return nil, func() {}
	}
	return s.o.Bus.Subscribe(ctx, cluster.TopicExamine(ss.viewer.Organization, ss.viewer.Cluster))
}

// examine asks the agent to look at itself, where somebody waits for that. For one that cannot the control plane answers.
func (s *Server) examine(ctx context.Context, ss *session) error {
	id, err := s.o.Examinations.AskedExamination(ctx)
	if err != nil {
		if ctx.Err() == nil { // whoever asks gives the hint again
			s.o.Log.ErrorContext(ctx, "an examination was not asked for", "cluster", ss.viewer.Name, "error", err)
		}
		return nil
	}
	if id == uuid.Nil {
		return nil
	}
	if ss.examines {
		return ss.send(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_Examine{Examine: &agentv1.Examine{Id: id.String()}}})
	}
	return s.answered(ctx, ss, id, []cluster.Check{{
		Name: "agent", State: cluster.CheckBad, Found: "it is connected, and too old to look at itself",
		Remedy: "Upgrade its chart to the version of the control plane, with the values that it has: helm upgrade --reset-then-reuse-values.",
	}})
}

// examined stores what an agent has found.
func (s *Server) examined(ctx context.Context, ss *session, e *agentv1.Examination) error {
	id, err := uuid.Parse(e.GetId())
	if err != nil || s.o.Examinations == nil {
		s.metrics.ignored.Inc()
		return nil //nolint:nilerr // an answer to nothing ends no session
	}
	checks := make([]cluster.Check, 0, min(len(e.GetChecks()), maxChecks))
	for _, c := range e.GetChecks()[:min(len(e.GetChecks()), maxChecks)] {
		checks = append(checks, cluster.Check{Name: wording(c.GetName()), State: stateOf(c.GetState()), Found: wording(c.GetFound()), Remedy: wording(c.GetRemedy())})
	}
	return s.answered(ctx, ss, id, checks)
}

func (s *Server) answered(ctx context.Context, ss *session, id uuid.UUID, checks []cluster.Check) error {
	if err := s.o.Examinations.AnswerExamination(ctx, id, checks); err != nil {
		if ctx.Err() == nil { // the agent is asked again as long as somebody waits
			s.o.Log.ErrorContext(ctx, "an examination was not stored", "cluster", ss.viewer.Name, "error", err)
		}
		return nil
	}
	s.o.Bus.Publish(ctx, cluster.TopicExamined(ss.viewer.Organization, ss.viewer.Cluster))
	return nil
}

// stateOf takes what this version does not know for a reason to look closer.
func stateOf(s agentv1.CheckState) string {
	switch s {
	case agentv1.CheckState_CHECK_STATE_GOOD:
		return cluster.CheckGood
	case agentv1.CheckState_CHECK_STATE_BAD:
		return cluster.CheckBad
	default:
		return cluster.CheckDoubtful
	}
}

// wording cuts a text that is longer than any agent writes.
func wording(s string) string {
	if len(s) <= maxWords {
		return s
	}
	s = s[:maxWords]
	for s != "" && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
