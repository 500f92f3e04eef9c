package engine

import (
	"cmp"
	"fmt"
	"path/filepath"

	"github.com/seatrial/seatrial/agent/runner/state"
	"github.com/seatrial/seatrial/agent/runner/step"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// course is how an attempt has gone before a step.
type course struct {
	halt  *halt               // why no further step may start, nil when one may
	broke *runnerv1.StepState // the first step for which the attempt does not pass, nil when there is none
	ran   bool                // a step was run that neither fetches the source nor is of the teardown
	idle  string              // why the first one was not
	steps map[string]expr.Step
}

// courseBefore reads how the steps below an index have ended, except those of the same group, and whether the attempt was to end.
func (e *engine) courseBefore(index int) (*course, error) {
	h, err := e.halted()
	if err != nil {
		return nil, err
	}
	c := &course{halt: h, steps: map[string]expr.Step{}}
	for _, s := range e.Plan.GetSteps()[:e.begin(index)] {
		now, err := e.dir.Step(int(s.GetIndex()))
		if err != nil {
			return nil, err //nolint:wrapcheck // says what it is
		}
		if !state.Terminal(now) {
			continue
		}
		given, err := e.dir.Outputs(int(s.GetIndex()))
		if err != nil {
			return nil, err //nolint:wrapcheck // says what it is
		}
		how := expr.Step{Status: word(now.GetStatus()), ExitCode: int64(now.GetExitCode()), Outputs: given.GetValues()}
		c.steps[s.GetName()] = how
		if group := s.GetGroup(); group != "" {
			how.Outputs = nil
			c.steps[group] = worse(c.steps[group], how)
		}
		if s.GetTeardown() {
			continue
		}
		if !step.IsSource(s) {
			c.ran = c.ran || now.GetStatus() != skipped
			c.idle = cmp.Or(c.idle, now.GetReason())
		}
		if c.broke == nil && breaks(now) {
			c.broke = now
		}
	}
	return c, nil
}

// breaks reports whether an attempt with such a step does not pass.
func breaks(s *runnerv1.StepState) bool {
	return s.GetStatus() != passed && s.GetStatus() != skipped && !s.GetAllowed()
}

// decide returns the end of a step whose turn it is and that is not to be run, nil when it is. A condition is only asked in the
// step's own container, whose environment it may use.
func (e *engine) decide(s *runnerv1.Step, c *course) *runnerv1.StepState {
	if s.GetCondition() != "" {
		holds, err := e.holds(s, c)
		switch {
		case err != nil:
			return ended(s, errored, "the condition of the step cannot be evaluated: "+err.Error())
		case holds && c.halt != nil && s.GetPause() != nil:
			return ended(s, skipped, c.halt.reason+", so nobody is waited for")
		case holds && c.halt != nil && s.GetExecute() != nil:
			return ended(s, skipped, c.halt.reason+", so no other workflow is executed")
		case holds:
			return nil
		case c.halt == nil || s.GetTeardown():
			return ended(s, skipped, "its condition does not hold")
		}
	}
	if s.GetTeardown() {
		return nil
	}
	return refuse(s, c)
}

// refuse returns the end of a step without a condition when what was before it ends it.
func refuse(s *runnerv1.Step, c *course) *runnerv1.StepState {
	switch h := c.halt; {
	case h != nil && c.broke == nil:
		return ended(s, h.status, h.reason)
	case h != nil && h.status == cancelled:
		return ended(s, cancelled, h.reason)
	case c.broke != nil:
		return ended(s, skipped, fmt.Sprintf("step %q did not pass", c.broke.GetName()))
	}
	return nil
}

func (e *engine) holds(s *runnerv1.Step, c *course) (bool, error) {
	pod, _, err := e.knowing(s, c)
	if err != nil {
		return false, err
	}
	return pod.Holds(s.GetCondition()) //nolint:wrapcheck // a sentence for people
}

// knowing returns what the expressions of a step may use, and the environment that it runs with.
func (e *engine) knowing(s *runnerv1.Step, c *course) (*expr.Pod, *step.Env, error) {
	return e.knowingIn(e.Environ, s, c)
}

// knowingIn is knowing with other variables of the container.
func (e *engine) knowingIn(environ []string, s *runnerv1.Step, c *course) (*expr.Pod, *step.Env, error) {
	env := step.NewEnv(environ, s.GetEnv())
	pod := &expr.Pod{
		Env: env.Lookup, Steps: c.steps, Failed: c.broke != nil && c.broke.GetStatus() != cancelled, Cancelled: c.halt != nil,
	}
	if e.root != nil {
		pod.Files = e.root.FS()
	}
	env.Set("SEATRIAL_OUTPUT", e.outputFile(s))
	err := env.Resolve(s.GetEnv(), pod.Expand)
	env.Default("HOME", "", filepath.Join(e.Shared, "home"))
	env.Default("TMPDIR", "/tmp", filepath.Join(e.Shared, "tmp"))
	return pod, env, err //nolint:wrapcheck // a sentence for people
}

// spare ends a step whose turn it is before its container gets to it, when nothing can let it run any more: its image may still be on
// its way.
func (e *engine) spare() (acted bool, err error) {
	now, err := e.current()
	if err != nil {
		return false, err
	}
	for _, s := range now {
		if acted, err := e.spareOne(s); acted || err != nil {
			return acted, err
		}
	}
	return false, nil
}

func (e *engine) spareOne(s *runnerv1.Step) (acted bool, err error) {
	c, err := e.courseBefore(int(s.GetIndex()))
	if err != nil {
		return false, err
	}
	end, err := e.endOf(s, c)
	if err != nil || end == nil {
		return false, err
	}
	won, err := e.dir.Claim(int(s.GetIndex()), e.Container)
	if err != nil || !won {
		return false, err //nolint:wrapcheck // says what it is
	}
	return true, e.conclude(end)
}

// endOf is how a step ends that is spared, nil when it is not. One that may run after all is spared only when the attempt was ended
// before its container had even started.
func (e *engine) endOf(s *runnerv1.Step, c *course) (*runnerv1.StepState, error) {
	if !s.GetTeardown() && s.GetCondition() == "" {
		return refuse(s, c), nil
	}
	if c.halt == nil || s.GetContainer() == e.Container {
		return nil, nil //nolint:nilnil // its own container decides
	}
	v, err := e.dir.Attend(s.GetContainer())
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it is
	}
	if v != nil {
		return nil, v.Close() //nolint:wrapcheck // says what it is
	}
	status := skipped
	if c.broke == nil && !s.GetTeardown() {
		status = c.halt.status
	}
	return ended(s, status, c.halt.reason+" before container "+s.GetContainer()+" had started"), nil
}

// result is that of the whole attempt.
func (c *course) result() (status runnerv1.StepStatus, reason string) {
	switch {
	case c.broke != nil:
		return c.broke.GetStatus(), fmt.Sprintf("step %q: %s", c.broke.GetName(), c.broke.GetReason())
	case !c.ran:
		return skipped, "nothing was tested: " + c.idle
	}
	return passed, ""
}
