package engine

import (
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/runner/state"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// vigil is over the container whose turn it is. When that is killed as a whole, as for want of memory, its runner can tell nobody.
type vigil struct {
	container string
	watch     *state.Vigil
	over      bool // another container takes care
}

func (v *vigil) gone() <-chan struct{} {
	if v.watch == nil || v.over {
		return nil
	}
	return v.watch.Gone()
}

func (v *vigil) end() {
	if v.watch != nil {
		_ = v.watch.Close()
	}
	*v = vigil{}
}

// attend keeps the vigil over the container whose turn it is, and ends its step when it is gone.
func (e *engine) attend(v *vigil) (acted bool, err error) {
	s, _, err := e.current()
	if err != nil || s == nil || s.GetContainer() == e.Container {
		v.end()
		return false, err
	}
	if v.container != s.GetContainer() {
		v.end()
	}
	if v.watch == nil {
		if v.watch, err = e.dir.Attend(s.GetContainer()); err != nil || v.watch == nil {
			return false, err //nolint:wrapcheck // says what it is
		}
		v.container = s.GetContainer()
	}
	select {
	case <-v.gone():
	default:
		return false, nil
	}
	// It may have ended the step before it went.
	s, now, err := e.current()
	if err != nil {
		return false, err
	}
	if s == nil || s.GetContainer() != v.container {
		return true, nil
	}
	acted, err = e.bury(s, now)
	v.over = !acted
	return acted, err
}

// bury ends a step that nobody runs any more.
func (e *engine) bury(s *runnerv1.Step, now *runnerv1.StepState) (acted bool, err error) {
	won, err := e.dir.Bury(int(s.GetIndex()), e.Container, s.GetContainer())
	if err != nil || !won {
		return false, err //nolint:wrapcheck // says what it is
	}
	reason := fmt.Sprintf("container %s was killed while it ran the step, most likely because it used more memory than its limit",
		s.GetContainer())
	if now == nil {
		reason = fmt.Sprintf("container %s ended before it could run the step", s.GetContainer())
	}
	return true, e.conclude(&runnerv1.StepState{
		Index: s.GetIndex(), Name: s.GetName(), Status: errored, Reason: reason, StartedAt: now.GetStartedAt(),
		FinishedAt: timestamppb.Now(),
	})
}
