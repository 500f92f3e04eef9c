package expr

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Pod is what the runner knows when it resolves a template.
type Pod struct {
	Env       func(name string) (value string, set bool)
	Steps     map[string]Step // those that are over
	Failed    bool            // a step before failed, and was not allowed to
	Cancelled bool            // the attempt is being cancelled or ran out of time
	Files     fs.FS           // the workspace; it must not lead out of itself
}

// Step is a step that is over.
type Step struct {
	Status   string
	ExitCode int64
	Outputs  map[string]string
}

// ExpandEnv resolves a template in the pod that uses nothing but env.NAME and env["NAME"]. A variable that env does not report as
// set is an error, unless the expression asks for it first with has(env.NAME) or "NAME" in env.
//
// What the control plane hands to the runner (script, command and the literal values of a step's environment) must pass through
// ExpandEnv or Pod.Expand even when it looks plain: literal "${{" is escaped in it.
func ExpandEnv(template string, env func(string) (string, bool)) (string, error) {
	return (&Pod{Env: env}).Expand(template)
}

// Expand resolves a template in the pod.
func (p *Pod) Expand(template string) (string, error) {
	parts, bad := split(template)
	if bad != nil {
		return "", bad
	}
	if !slices.ContainsFunc(parts, func(p part) bool { return p.expr }) {
		return join(parts), nil // CEL costs memory: only steps that use it pay for it
	}
	c, values, err := p.compiler()
	if err != nil {
		return "", err
	}
	t, err := c.Compile(template, InPod)
	if err != nil {
		return "", err
	}
	return t.resolve(values, p.Env)
}

// Holds evaluates the condition of a step. A condition that asks for no status holds only when nothing before it failed and the
// attempt is not being cancelled.
func (p *Pod) Holds(condition string) (bool, error) {
	c, values, err := p.compiler()
	if err != nil {
		return false, err
	}
	v, err := c.CompileValue(condition, If, Condition)
	if err != nil {
		return false, err
	}
	if !v.AsksStatus() && (p.Failed || p.Cancelled) {
		return false, nil
	}
	all := map[string]any{"env": lookup(v.env, p.Env)}
	maps.Copy(all, values)
	out, err := v.Eval(all)
	if err != nil {
		return false, err
	}
	holds, ok := out.(bool)
	if !ok {
		return false, fail(0, "the condition %q is neither true nor false", strings.TrimSpace(condition))
	}
	return holds, nil
}

// compiler returns one that knows the steps that are over, with their values.
func (p *Pod) compiler() (*Compiler, map[string]any, error) {
	vars, values, names := map[string]Type{}, map[string]any{}, slices.Sorted(maps.Keys(p.Steps))
	outputs := map[string][]string{}
	for name, s := range p.Steps {
		StepVars(vars, name)
		all := s.Outputs
		if all == nil {
			all = map[string]string{}
		}
		values["steps."+name+".status"], values["steps."+name+".exitCode"], values["steps."+name+".outputs"] = s.Status, s.ExitCode, all
		outputs[name] = slices.Sorted(maps.Keys(all))
	}
	c, err := build(vars, p)
	if err != nil {
		return nil, nil, err
	}
	return c.WithSteps(names, names, outputs), values, nil
}

// StepVars adds the variables of a step.
func StepVars(vars map[string]Type, name string) {
	vars["steps."+name+".status"], vars["steps."+name+".exitCode"], vars["steps."+name+".outputs"] = String, Integer, Texts
}
