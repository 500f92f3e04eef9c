package workflow

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	"github.com/seatrial/seatrial/controlplane/workflow/rule"
)

// Inputs are what one attempt is compiled for. Params come from Params.Resolve.
type Inputs struct {
	Params      Values
	ExecutionID string
	Environment string
	Namespace   string
	Cluster     string
	Matrix      document.Cell // values of the run's cell; nil without a matrix
	Shard       Shard
	Release     Release
	Trigger     Trigger
	Took        map[string]time.Duration // how long the tests of a file usually take, for shards by duration
}

// Shard is the number of a run among those that share its tests, from 1.
type Shard struct{ Index, Count int64 }

// Release is what an execution is for; empty when it is for none.
type Release struct{ Application, Version string }

// Trigger is what started an execution.
type Trigger struct{ Kind, Name, Actor, Repository, Branch, Commit string }

// AtTrigger returns the values of expressions, by their full names, that are known before there are runs.
func (in Inputs) AtTrigger(doc *Document) map[string]any {
	v := map[string]any{
		"execution.id": in.ExecutionID, "workflow.name": doc.Metadata.Name,
		"release.application": in.Release.Application, "release.version": in.Release.Version, "trigger.kind": in.Trigger.Kind,
		"trigger.name": in.Trigger.Name, "trigger.actor": in.Trigger.Actor, "trigger.repository": in.Trigger.Repository,
		"trigger.branch": in.Trigger.Branch, "trigger.commit": in.Trigger.Commit,
	}
	for name, value := range in.Params {
		v["params."+name] = value
	}
	return v
}

func (in Inputs) values(doc *Document) map[string]any {
	v := in.AtTrigger(doc)
	maps.Copy(v, map[string]any{
		"environment.name": in.Environment, "environment.namespace": in.Namespace, "cluster.name": in.Cluster,
		"shard.index": in.Shard.Index, "shard.count": in.Shard.Count,
	})
	for name, value := range in.Matrix {
		v["matrix."+name] = value
	}
	return v
}

// Compile resolves a parsed document for one attempt. It is pure: equal inputs give equal plans. The error is a *fault.Error
// with every fault in Places.
func Compile(doc *Document, in Inputs) (*Plan, error) {
	compiler, err := expr.New(doc.Spec.Variables())
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "compile "+doc.Metadata.Name)
	}
	c := &compilation{expr: compiler, base: compiler, values: in.values(doc), doc: doc, plan: &Plan{
		Timeout: time.Duration(doc.Spec.Timeout), Pod: doc.Spec.Pod, Files: doc.Spec.Source.Files,
	}}
	c.services()
	c.source(doc.Spec.Source)
	if doc.Spec.Concurrency != nil {
		c.concurrency(*doc.Spec.Concurrency)
	}
	doc.Spec.EachStep(c.visit)
	if s := doc.Spec.Shards; s != nil && len(s.Files) > 0 && in.Shard.Count > 0 {
		c.plan.Shard = &PlanShard{Index: in.Shard.Index, Count: in.Shard.Count, Files: s.Files, Took: in.Took}
	}
	c.firstWaits()
	c.resources()
	c.size()
	if len(c.places) > 0 {
		return nil, c.error()
	}
	return c.plan, nil
}

type compilation struct {
	expr   *expr.Compiler // for the place that is compiled
	base   *expr.Compiler
	values map[string]any
	doc    *Document
	plan   *Plan
	group  group
	places []fault.Place
}

func (c *compilation) fault(path, format string, args ...any) {
	c.places = append(c.places, fault.Place{Field: path, Message: fmt.Sprintf(format, args...)})
}

func (c *compilation) error() error {
	first := c.places[0]
	message := fmt.Sprintf("workflow %s: %s %s", c.doc.Metadata.Name, first.Field, first.Message)
	if n := len(c.places); n > 1 {
		message += fmt.Sprintf(" (and %d more)", n-1)
	}
	return &fault.Error{Kind: fault.Invalid, Field: first.Field, Message: message, Places: c.places}
}

// text resolves a template and checks the result; what is left for the pod is not checked.
func (c *compilation) text(path, template string, where expr.Where, check string) string {
	if template == "" || expr.IsPlain(template) {
		return template // checked when it was parsed
	}
	t, err := c.expr.Compile(template, where)
	if err != nil {
		c.faults(path, err)
		return ""
	}
	out, err := t.Expand(c.values)
	if err != nil {
		c.faults(path, err)
		return ""
	}
	if where == expr.Here {
		if wrong := rule.Of(check)(out); wrong != "" {
			c.fault(path, "%s", wrong)
		}
	}
	return out
}

func (c *compilation) faults(path string, err error) {
	var e *expr.Error
	if !errors.As(err, &e) {
		c.fault(path, "%v", err)
		return
	}
	for _, f := range e.Faults {
		c.fault(path, "%s", f.Message)
	}
}

func (c *compilation) texts(path string, templates []string, where expr.Where, check string) []string {
	var out []string
	for i, t := range templates {
		out = append(out, c.text(path+"["+strconv.Itoa(i)+"]", t, where, check))
	}
	return out
}

// container returns the container of the plan for an image, making it at its first use. Steps of a group never share one.
func (c *compilation) container(want PlanContainer) *PlanContainer {
	same := func(p PlanContainer) bool {
		return p.Image == want.Image && p.PullPolicy == want.PullPolicy && p.RunnerImage == want.RunnerImage && !c.group.taken[p.Name]
	}
	i := slices.IndexFunc(c.plan.Containers, same)
	if i < 0 {
		i = len(c.plan.Containers)
		want.Name = "c" + strconv.Itoa(i)
		c.plan.Containers = append(c.plan.Containers, want)
	}
	return &c.plan.Containers[i]
}

// env gives a step the variables of spec.container and its own, which win.
func (c *compilation) env(step *PlanStep, box *PlanContainer, path string, own []document.EnvVar) {
	for i, v := range c.doc.Spec.Container.Env {
		if !slices.ContainsFunc(own, func(o document.EnvVar) bool { return o.Name == v.Name }) {
			c.variable(step, box, fmt.Sprintf("spec.container.env[%d]", i), "C", v)
		}
	}
	for i, v := range own {
		c.variable(step, box, fmt.Sprintf("%s.env[%d]", path, i), strconv.Itoa(step.Index), v)
	}
}

func (c *compilation) variable(step *PlanStep, box *PlanContainer, path, owner string, v document.EnvVar) {
	if v.ValueFrom == nil {
		value := c.text(path+".value", v.Value, expr.InPod, "")
		step.Env = append(step.Env, PlanEnv{Name: v.Name, Value: value})
		return
	}
	ref := PlanRef{Name: "SEATRIAL_ENV_" + owner + "_" + v.Name, Secret: v.ValueFrom.Secret, ConfigMap: v.ValueFrom.ConfigMap}
	if !slices.ContainsFunc(box.Env, func(r PlanRef) bool { return r.Name == ref.Name }) {
		box.Env = append(box.Env, ref)
	}
	step.Env = append(step.Env, PlanEnv{Name: v.Name, From: ref.Name, Secret: v.ValueFrom.Secret != nil})
}

func (c *compilation) concurrency(g document.Concurrency) {
	onConflict := g.OnConflict
	if onConflict == "" {
		onConflict = "queue"
	}
	c.plan.Concurrency = &PlanConcurrency{
		Name: c.text("spec.concurrency.group", g.Group, expr.Here, "group"), Limit: int(max(g.Limit, 1)), OnConflict: onConflict,
	}
}

func (c *compilation) resources() {
	want := c.doc.Spec.Container.Resources
	carriers := c.carriers()
	for i := range c.plan.Containers {
		box := &c.plan.Containers[i]
		if box.RunnerImage {
			continue
		}
		box.Limits = quantities(want.Limits)
		box.Concurrent = len(carriers) > 1 && carriers[box.Name]
		if carriers[box.Name] {
			box.Requests = quantities(want.Requests)
			continue
		}
		for name := range want.Limits {
			if box.Requests == nil {
				box.Requests = map[string]string{}
			}
			box.Requests[name] = "0"
		}
	}
}

func quantities(q map[string]document.Quantity) map[string]string {
	if q == nil {
		return nil
	}
	out := make(map[string]string, len(q))
	for name, value := range q {
		out[name] = string(value)
	}
	return out
}

// carriers are the containers that carry the requests: those of the largest group, whose steps run at once, else the busiest one.
// Nothing else that runs at any time needs more, as all ask for the same.
func (c *compilation) carriers() map[string]bool {
	groups, largest := map[string]map[string]bool{}, map[string]bool{c.busiest(): true}
	for _, s := range c.plan.Steps {
		if s.Group == "" {
			continue
		}
		if groups[s.Group] == nil {
			groups[s.Group] = map[string]bool{}
		}
		groups[s.Group][s.Container] = true
		if len(groups[s.Group]) > len(largest) {
			largest = groups[s.Group]
		}
	}
	return largest
}

// busiest returns the name of the container with the most steps, the first of them when several have.
func (c *compilation) busiest() string {
	steps := map[string]int{}
	for _, s := range c.plan.Steps {
		if s.Pause == nil && s.Execute == nil {
			steps[s.Container]++
		}
	}
	best := ""
	for _, box := range c.plan.Containers {
		if !box.RunnerImage && steps[box.Name] > steps[best] {
			best = box.Name
		}
	}
	return best
}

// What agents and runners are made for.
const (
	maxSteps      = 500
	maxContainers = 50
)

func (c *compilation) size() {
	var texts []string
	for _, s := range c.plan.Steps {
		texts = append(append(texts, s.Script), s.Command...)
		if s.Pause != nil {
			texts = append(texts, s.Pause.Message)
		}
		if s.Execute != nil {
			for _, call := range s.Execute.Calls {
				texts = slices.AppendSeq(texts, maps.Values(call.Params))
			}
		}
		for _, v := range s.Env {
			texts = append(texts, v.Value)
		}
	}
	if size := document.PackedSize(c.plan.Files, texts); size > document.MaxPacked {
		c.fault("spec.source.files", "%s", document.TooLarge(size))
	}
	if n := len(c.plan.Steps); n > maxSteps {
		c.fault("spec.steps", "has %d steps with those of its groups and the teardown; the limit is %d", n, maxSteps)
	}
	if n := len(c.plan.Containers); n > maxContainers {
		c.fault("spec.steps", "need %d containers, one for each image and for each step that runs beside another; the limit is %d",
			n, maxContainers)
	}
	total := 0
	for _, t := range texts {
		total += len(t)
	}
	if total > MaxSource {
		c.fault("spec.steps", "scripts, commands and variables have %d KiB with their parameters; the limit is %d KiB", total>>10, MaxSource>>10)
	}
}
