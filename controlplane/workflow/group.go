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
	late  time.Duration   // the longest that a step of it may take after the end of the others
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
	case step.Execute != nil:
		c.execute(path, *step)
	default:
		c.step(path, *step)
	}
}

// join makes a compiled step one of the group that it belongs to, if any.
func (c *compilation) join(step *PlanStep) {
	if c.group.path == "" {
		return
	}
	g := c.group.step
	step.Group = g.Name
	step.ContinueOnError = step.ContinueOnError || g.ContinueOnError
	c.group.taken[step.Container] = true
}

// within returns the time limit of a step, which its group may make shorter.
func (g group) within(own time.Duration) time.Duration {
	if limit := time.Duration(g.step.Timeout); limit > 0 {
		return min(limit, cmp.Or(own, limit))
	}
	return own
}

// and adds the condition of a step to that of its group. A group that does not ask how the steps before it ended runs only when none
// of them failed, whatever its steps ask for; in the teardown everything runs.
func (g group) and(own condition, teardown bool) condition {
	var parts []string
	if g.path != "" && own.asks && !g.when.asks && !teardown {
		parts = append(parts, "passed()")
	}
	for _, c := range []condition{g.when, own} {
		if c.text != "" {
			parts = append(parts, c.text)
		}
	}
	asks := g.when.asks || g.path == "" && own.asks
	if len(parts) < 2 {
		return condition{text: strings.Join(parts, ""), asks: asks}
	}
	return condition{text: "(" + strings.Join(parts, ") && (") + ")", asks: asks}
}
