package workflow

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

// execute adds a step that starts executions of other workflows. It needs no image: as with a pause, whichever container had the step
// before it asks for them.
func (c *compilation) execute(path string, s document.Step) {
	step := PlanStep{
		Index: len(c.plan.Steps), Name: s.Name, ContinueOnError: s.ContinueOnError, Timeout: time.Duration(s.Timeout),
		Execute: &PlanExecute{
			Calls:       make([]PlanCall, len(s.Execute.Workflows)),
			Parallelism: int(s.Execute.Parallelism), Wait: s.Execute.Wait == nil || *s.Execute.Wait,
		},
	}
	for i, ref := range s.Execute.Workflows {
		call := &step.Execute.Calls[i]
		call.Name, call.Selector = ref.Name, ref.Selector
		c.params(call, path+".execute.params", s.Execute.Params)
		c.params(call, fmt.Sprintf("%s.execute.workflows[%d].params", path, i), ref.Params) // these win
	}
	c.neighbour(&step)
	c.condition(&step, path+".if", s.If)
	c.plan.Steps = append(c.plan.Steps, step)
}

func (c *compilation) params(call *PlanCall, path string, params map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if call.Params == nil {
			call.Params = map[string]string{}
		}
		call.Params[name] = c.text(path+"."+name, params[name], expr.InPod, "")
	}
}
