package workflow

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

// lateTimeout bounds a step that may run after the time limit of the attempt or its cancellation, when it has no limit of its own. The
// runner holds to it.
const lateTimeout = 5 * time.Minute

// step adds a step that knows of those that are over before it.
func (c *compilation) step(path string, s document.Step, over []string) {
	steps, outputs := c.doc.Spec.Outputs()
	c.expr = c.base.WithSteps(steps, over, outputs)
	image := c.text(path+".image", s.Image, expr.Here, "image")
	if s.Image == "" {
		image = c.text("spec.container.image", c.doc.Spec.Container.Image, expr.Here, "image")
	}
	dir := c.text(path+".workingDir", s.WorkingDir, expr.Here, "workingDir")
	if s.WorkingDir == "" {
		dir = c.text("spec.container.workingDir", c.doc.Spec.Container.WorkingDir, expr.Here, "workingDir")
	}
	step := PlanStep{
		Index: len(c.plan.Steps), Name: s.Name, WorkingDir: dir, Timeout: time.Duration(s.Timeout),
		Script: c.text(path+".run", s.Run, expr.InPod, ""), Command: c.texts(path+".command", s.Command, expr.InPod, ""),
		Artifacts: c.artifacts(path+".artifacts", s.Artifacts), Teardown: strings.HasPrefix(path, "spec.teardown"),
		Retry: s.Retry, ContinueOnError: s.ContinueOnError, Expect: s.Expect, Outputs: s.Outputs,
	}
	c.condition(&step, path+".if", s.If)
	step.Command = append(step.Command, c.texts(path+".args", s.Args, expr.InPod, "")...)
	for i, rep := range s.Reports {
		paths := c.texts(fmt.Sprintf("%s.reports[%d].paths", path, i), rep.Paths, expr.Here, "pattern")
		step.Reports = append(step.Reports, Report{Format: rep.Format, Paths: paths})
	}
	box := c.container(PlanContainer{Image: image, PullPolicy: c.doc.Spec.Container.ImagePullPolicy})
	step.Container = box.Name
	c.env(&step, box, path, s.Env)
	c.plan.Steps = append(c.plan.Steps, step)
}

// condition says when a step runs, and bounds it when that may be after the end of the others.
func (c *compilation) condition(step *PlanStep, path, condition string) {
	late := step.Teardown
	if condition != "" {
		v, err := c.expr.CompileValue(condition, expr.If, expr.Condition)
		if err == nil {
			step.Condition, err = v.ForPod(c.values)
			late = late || v.AsksStatus()
		}
		if err != nil {
			c.faults(path, err)
			return
		}
		if step.Teardown { // its conditions ask about the case, not whether to go on after a failure
			step.Condition = "always() && (" + step.Condition + ")"
		}
	}
	if !late {
		return
	}
	if step.Timeout == 0 && step.Teardown {
		step.Timeout = lateTimeout
	}
	c.plan.TeardownAllowance += cmp.Or(step.Timeout, lateTimeout)
}

func (c *compilation) artifacts(path string, a document.Artifacts) PlanArtifacts {
	out := PlanArtifacts{Paths: c.texts(path+".paths", a.Paths, expr.Here, "pattern"), When: a.When}
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
