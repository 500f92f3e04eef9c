package document

import (
	"strconv"

	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

// EachStep visits every step in the order in which they run, with its field path and the names of the steps that are over before
// it. Steps of a group follow the group and do not see each other.
func (s *Spec) EachStep(visit func(path string, step *Step, over []string)) {
	var over []string
	each := func(field string, steps []Step) {
		for i := range steps {
			path, before := field+"["+strconv.Itoa(i)+"]", over[:len(over):len(over)]
			visit(path, &steps[i], before)
			over = append(over, steps[i].Name)
			for k := range steps[i].Parallel {
				visit(path+".parallel["+strconv.Itoa(k)+"]", &steps[i].Parallel[k], before)
				over = append(over, steps[i].Parallel[k].Name)
			}
		}
	}
	each("spec.steps", s.Steps)
	each("spec.teardown", s.Teardown)
}

// Variables are what expressions may use beside env, by their full names.
func (s *Spec) Variables() map[string]expr.Type {
	vars := map[string]expr.Type{}
	for _, name := range []string{
		"execution.id", "workflow.name", "environment.name", "environment.namespace", "cluster.name", "release.application",
		"release.version", "trigger.kind", "trigger.name", "trigger.actor", "trigger.repository", "trigger.branch", "trigger.commit",
	} {
		vars[name] = expr.String
	}
	for _, p := range s.Params {
		vars["params."+p.Name] = p.Type
	}
	for _, name := range s.Matrix.Names() {
		vars["matrix."+name] = s.Matrix.typeOf(name)
	}
	if s.Shards != nil {
		vars["shard.index"], vars["shard.count"] = expr.Integer, expr.Integer
	}
	s.EachStep(func(_ string, step *Step, _ []string) { expr.StepVars(vars, step.Name) })
	return vars
}

// Outputs are the outputs that each step declares.
func (s *Spec) Outputs() (steps []string, outputs map[string][]string) {
	outputs = map[string][]string{}
	s.EachStep(func(_ string, step *Step, _ []string) {
		steps = append(steps, step.Name)
		outputs[step.Name] = step.Outputs
	})
	return steps, outputs
}

// typeOf returns the type of an axis: that of its values when they agree.
func (m Matrix) typeOf(name string) expr.Type {
	if m.Axes[name].Expr != "" {
		return expr.Any
	}
	values := append([]any{}, m.Axes[name].Values...)
	for _, cell := range m.Include {
		values = append(values, cell[name])
	}
	var found expr.Type
	for _, v := range values {
		t := expr.Any
		switch v.(type) {
		case string:
			t = expr.String
		case int64:
			t = expr.Integer
		case float64:
			t = expr.Number
		case bool:
			t = expr.Boolean
		}
		if found != "" && found != t {
			return expr.Any
		}
		found = t
	}
	return found
}
