package link

import (
	"context"
	"time"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// maxChecks bounds a frame: an agent of very many namespaces says the first ones.
const maxChecks = 500

// examine has the agent looked at, once at a time, and tells the current session what was found.
func (l *Link) examine(ctx context.Context, id string) {
	if l.stages.Examine == nil || !l.examining.CompareAndSwap(false, true) {
		return // whoever asks does so again
	}
	l.running.Go(func() {
		defer l.examining.Store(false)
		checks := l.stages.Examine(ctx)
		s := l.session()
		if s == nil || ctx.Err() != nil {
			return
		}
		s.send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Examination{Examination: &agentv1.Examination{
			Id: id, Checks: checks[:min(len(checks), maxChecks)],
		}}})
	})
}

// Offset tells by how much the control plane's clock was ahead of this machine's when the session began. It is not known without a session.
func (l *Link) Offset() (ahead time.Duration, known bool) {
	s := l.session()
	if s == nil || s.welcome.GetServerTime() == nil {
		return 0, false
	}
	return s.offset, true
}
