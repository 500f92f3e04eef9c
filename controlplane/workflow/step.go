package workflow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

// lateTimeout bounds a step that may run after the time limit of the attempt or its cancellation, when it has no limit of its own. The
// runner holds to it.
const lateTimeout = 5 * time.Minute

// step adds a step that runs a command.
func (c *compilation) step(path string, s document.Step) {
	image := c.text(path+".image", s.Image, expr.Here, "image")
	if s.Image == "" {
		image = c.text("spec.container.image", c.doc.Spec.Container.Image, expr.Here, "image")
	}
	dir := c.text(path+".workingDir", s.WorkingDir, expr.Here, "workingDir")
	if s.WorkingDir == "" {
		dir = c.text("spec.container.workingDir", c.doc.Spec.Container.WorkingDir, expr.Here, "workingDir")
	}
	step := PlanStep{
		Index: len(c.plan.Steps), Name: s.Name, WorkingDir: dir, Timeout: c.group.within(time.Duration(s.Timeout)),
		Script: c.text(path+".run", s.Run, expr.InPod, ""), Command: c.texts(path+".command", s.Command, expr.InPod, ""),
		Artifacts: c.artifacts(path+".artifacts", s.Artifacts), Teardown: strings.HasPrefix(path, "spec.teardown"),
		Retry: s.Retry, ContinueOnError: s.ContinueOnError, Expect: s.Expect, Outputs: s.Outputs,
		Metrics: s.Metrics == nil || *s.Metrics,
	}
	c.condition(&step, path+".if", s.If)
	step.Command = append(step.Command, c.texts(path+".args", s.Args, expr.InPod, "")...)
	for i, rep := range s.Reports {
		paths := c.texts(fmt.Sprintf("%s.reports[%d].paths", path, i), rep.Paths, expr.Here, "pattern")
		step.Reports = append(step.Reports, Report{Format: rep.Format, Paths: paths})
	}
	box := c.container(PlanContainer{Image: image, PullPolicy: c.doc.Spec.Container.ImagePullPolicy})
	step.Container = box.Name
	c.join(&step)
	c.env(&step, box, path, s.Env)
	c.plan.Steps = append(c.plan.Steps, step)
}

// defaultPause is how long a step waits for a person when the workflow does not say.
const defaultPause = time.Hour

// pause adds a step that waits for a person. It needs no image: whichever container had the step before it waits.
func (c *compilation) pause(path string, s document.Step) {
	step := PlanStep{
		Index: len(c.plan.Steps), Name: s.Name, ContinueOnError: s.ContinueOnError, Pause: &PlanPause{
			Message: c.text(path+".pause.message", s.Pause.Message, expr.InPod, ""),
			Timeout: cmp.Or(time.Duration(s.Pause.Timeout), defaultPause),
		},
	}
	c.neighbour(&step)
	allowance := c.plan.TeardownAllowance
	c.condition(&step, path+".if", s.If)
	c.plan.TeardownAllowance = allowance // after the end of the others nobody is waited for
	c.plan.PauseAllowance += step.Pause.Timeout
	c.plan.Steps = append(c.plan.Steps, step)
}

// neighbour gives a step that needs no image the container of the step before it; one without such a step gets its own from firstWaits.
func (c *compilation) neighbour(step *PlanStep) {
	if n := len(c.plan.Steps); n > 0 {
		step.Container = c.plan.Steps[n-1].Container
		c.waitingEnv(step)
	}
}

// firstWaits gives the steps that wait before the first command a container: that of this command, or the runner's own when there is
// none.
func (c *compilation) firstWaits() {
	for i := range c.plan.Steps {
		if c.plan.Steps[i].Container != "" {
			continue
		}
		if len(c.plan.Containers) == 0 {
			c.container(PlanContainer{RunnerImage: true})
		}
		c.plan.Steps[i].Container = c.plan.Containers[0].Name
		c.waitingEnv(&c.plan.Steps[i])
	}
}

// waitingEnv gives a step that waits the variables of spec.container, which its texts and its condition may use.
func (c *compilation) waitingEnv(step *PlanStep) {
	i := slices.IndexFunc(c.plan.Containers, func(p PlanContainer) bool { return p.Name == step.Container })
	if i >= 0 {
		c.env(step, &c.plan.Containers[i], "", nil)
	}
}

// condition is an expression for the runner, and whether it asks how the steps before ended.
type condition struct {
	text string
	asks bool
}

// compileIf returns the condition in a field, empty when there is none or it is wrong.
func (c *compilation) compileIf(path, text string) condition {
	if text == "" {
		return condition{}
	}
	v, err := c.expr.CompileValue(text, expr.If, expr.Condition)
	if err != nil {
		c.faults(path, err)
		return condition{}
	}
	out, err := v.ForPod(c.values)
	if err != nil {
		c.faults(path, err)
	}
	return condition{text: out, asks: v.AsksStatus()}
}

// condition says when a step runs, and bounds it when that may be after the end of the others.
func (c *compilation) condition(step *PlanStep, path, text string) {
	when := c.group.and(c.compileIf(path, text), step.Teardown)
	step.Condition = when.text
	if step.Teardown && when.text != "" { // its conditions ask about the case, not whether to go on after a failure
		step.Condition = "always() && (" + when.text + ")"
	}
	if !step.Teardown && !when.asks {
		return
	}
	if step.Timeout == 0 && step.Teardown {
		step.Timeout = lateTimeout
	}
	// Of a group, whose steps run at once, only the longest counts.
	takes := cmp.Or(step.Timeout, lateTimeout)
	c.plan.TeardownAllowance += max(0, takes-c.group.late)
	if c.group.path != "" {
		c.group.late = max(c.group.late, takes)
	}
}

func (c *compilation) artifacts(path string, a document.Artifacts) PlanArtifacts {
	out := PlanArtifacts{Paths: c.texts(path+".paths", a.Paths, expr.Here, "pattern"), When: a.When}
	out.Compress = len(out.Paths) > 0 && (a.Compress == nil || *a.Compress)
	if a.MaxSize == "" {
		return out
	}
	size, ok := a.MaxSize.Bytes()
	if !ok {
		c.fault(path+".maxSize", "%q is not a number of bytes such as 500Mi", a.MaxSize)
	}
	out.MaxSize = size
	return out
}
