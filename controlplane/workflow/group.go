package workflow

import (
	"cmp"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// group is what holds for the steps of a group while they are compiled; zero for a step of none.
type group struct {
	path  string
	step  document.Step
	when  condition
	taken map[string]bool // containers that have a step of the group already
}

// visit compiles a step in its place. A group only says what holds for its steps, which follow it.
func (c *compilation) visit(path string, step *document.Step, over []string) {
	steps, outputs := c.doc.Spec.Outputs()
	c.expr = c.base.WithSteps(steps, over, outputs)
	if !strings.HasPrefix(path, c.group.path+".parallel[") {
		c.group = group{}
	}
	switch {
	case len(step.Parallel) > 0:
		c.group = group{path: path, step: *step, when: c.compileIf(path+".if", step.If), taken: map[string]bool{}}
	case step.Pause != nil:
		c.pause(path, *step)
	default:
		c.step(path, *step)
	}
}

// join makes a compiled step one of the group that it belongs to, if any.
func (c *compilation) join(step *PlanStep, box *PlanContainer) {
	if c.group.path == "" {
		return
	}
	g := c.group.step
	step.Group = g.Name
	step.ContinueOnError = step.ContinueOnError || g.ContinueOnError
	box.Concurrent = true
	c.group.taken[box.Name] = true
}

// within returns the time limit of a step, which its group may make shorter.
func (g group) within(own time.Duration) time.Duration {
	if limit := time.Duration(g.step.Timeout); limit > 0 {
		return min(limit, cmp.Or(own, limit))
	}
	return own
}

// and adds the condition of a step to that of its group. A group without one runs only when nothing before it failed, whatever its
// steps ask for.
func (g group) and(own condition) condition {
	switch {
	case g.path == "", own.text == "" && g.when.text == "":
		return own
	case own.text == "":
		return g.when
	case g.when.text == "":
		return condition{text: "passed() && (" + own.text + ")", asks: own.asks}
	}
	return condition{text: "(" + g.when.text + ") && (" + own.text + ")", asks: g.when.asks || own.asks}
}
