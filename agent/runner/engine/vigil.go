package engine

import (
	"fmt"
	"sync"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/runner/state"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// vigils are kept over the containers whose turn it is. When one is killed as a whole, as for want of memory, its runner can tell
// nobody.
type vigils struct {
	over map[string]*vigil
	bell chan struct{} // rung when one of them is gone
}

// vigil is kept over one container.
type vigil struct {
	watch   *state.Vigil
	stop    chan struct{}
	waiting sync.WaitGroup
	left    *runnerv1.Step // the step that another container takes care of
}

func newVigils() *vigils { return &vigils{over: map[string]*vigil{}, bell: make(chan struct{}, 1)} }

// keep starts a vigil; a container that has never announced itself gets none.
func (v *vigils) keep(dir *state.Dir, container string) error {
	watch, err := dir.Attend(container)
	if err != nil || watch == nil {
		return err //nolint:wrapcheck // says what it is
	}
	one := &vigil{watch: watch, stop: make(chan struct{})}
	one.waiting.Go(func() {
		select {
		case <-watch.Gone():
			select {
			case v.bell <- struct{}{}:
			default:
			}
		case <-one.stop:
		}
	})
	v.over[container] = one
	return nil
}

// drop ends the vigil over a container.
func (v *vigils) drop(container string) {
	one := v.over[container]
	close(one.stop)
	one.waiting.Wait()
	_ = one.watch.Close()
	delete(v.over, container)
}

func (v *vigils) end() {
	for container := range v.over {
		v.drop(container)
	}
}

func (v *vigil) gone() bool {
	select {
	case <-v.watch.Gone():
		return true
	default:
		return false
	}
}

// attend keeps the vigils over the other containers whose turn it is, and ends the step of one that is gone.
func (e *engine) attend(v *vigils) (acted bool, err error) {
	now, err := e.current()
	if err != nil {
		return false, err
	}
	turn := map[string]*runnerv1.Step{}
	for _, s := range now {
		if s.GetContainer() != e.Container {
			turn[s.GetContainer()] = s
		}
	}
	for container := range v.over {
		if turn[container] == nil {
			v.drop(container)
		}
	}
	for container, s := range turn {
		if v.over[container] == nil {
			if err := v.keep(e.dir, container); err != nil {
				return false, err
			}
		}
		if one := v.over[container]; one != nil && one.left != s && one.gone() {
			acted, err := e.bury(s)
			if acted || err != nil {
				return acted, err
			}
			one.left = s
		}
	}
	return false, nil
}

// bury ends a step that nobody runs any more, unless it was ended before its container went.
func (e *engine) bury(s *runnerv1.Step) (acted bool, err error) {
	now, err := e.dir.Step(int(s.GetIndex()))
	if err != nil || state.Terminal(now) {
		return err == nil, err //nolint:wrapcheck // says what it is
	}
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
