// Package specify derives from a workflow what its runs may do, which is what people sign: see package runspec. The same derivation
// serves the author, who signs the specifications of all runs, and the control plane, which hands that of one run to an agent.
//
// Whatever the control plane knows first when an execution starts (parameters, what triggered it, the release, the environment) must not
// decide what is executed: in a workflow to be signed it may be the value of an environment variable, and nothing else.
package specify

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/runplan"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expand"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
	"github.com/seatrial/seatrial/proto/runspec"
)

// Specifier derives the specifications of one workflow.
type Specifier struct {
	doc  *workflow.Document
	open map[string]runspec.Rule
}

// New returns the Specifier of a workflow with its templates merged. The error is a *fault.Error of kind Invalid whose places say
// everything that keeps the workflow from being signed.
func New(doc *workflow.Document) (*Specifier, error) {
	raw, err := json.Marshal(doc) // a copy, and with it what its expressions use
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "encode "+doc.Metadata.Name)
	}
	read := parse.Read(raw)
	own := read.Workflow()
	if own == nil || own.IsTemplate() {
		return nil, fault.New(fault.Invalid, "%s is no workflow without faults", doc.Metadata.Name)
	}
	if places := check(own, read.Uses); len(places) > 0 {
		return nil, parse.Error(doc.Metadata.Name, fault.Invalid, places)
	}
	s := &Specifier{doc: own, open: map[string]runspec.Rule{}}
	values, free := variables(own), freeAt(read.Uses)
	for _, path := range slices.Sorted(maps.Keys(values)) {
		if free[path] {
			s.mark(values[path].text)
		}
	}
	own.Spec.Concurrency = nil // the control plane's own business, like triggers and priorities
	return s, nil
}

// mark puts a text that nobody else writes in place of a value that is chosen later.
func (s *Specifier) mark(text value) {
	name := fmt.Sprintf("\x00open %d", len(s.open))
	s.open[name] = rule(s.doc, text.get())
	text.set(name)
}

// rule returns what holds for a value: the rule of its parameter when it is nothing else.
func rule(doc *workflow.Document, template string) runspec.Rule {
	m := reParam.FindStringSubmatch(template)
	if m == nil {
		return runspec.Rule{}
	}
	i := slices.IndexFunc(doc.Spec.Params, func(p workflow.Param) bool { return p.Name == m[1] })
	if i < 0 {
		return runspec.Rule{}
	}
	p := doc.Spec.Params[i]
	out := runspec.Rule{
		Param: p.Name, Type: string(p.Type), Minimum: p.Minimum, Maximum: p.Maximum, Pattern: p.Pattern, Optional: p.Default == nil && !p.MustBeGiven(),
	}
	for _, v := range p.Enum {
		out.Enum = append(out.Enum, workflow.Text(v))
	}
	return out
}

var reParam = regexp.MustCompile(`^\$\{\{\s*params\.(\w+)\s*\}\}$`)

// Specification is what runs may do, with the names of those that have it.
type Specification struct {
	Runs []string // as expand names them; "" for a run alone
	JSON []byte
}

// All returns the specifications of all runs, each once, in the order of the runs.
func (s *Specifier) All() ([]Specification, error) {
	runs, err := expand.Runs(s.doc, expand.Input{Values: workflow.Inputs{}.AtTrigger(s.doc)})
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	var all []Specification
	at := map[string]int{}
	for _, run := range runs {
		text, err := s.Run(run)
		if err != nil {
			return nil, err
		}
		i, known := at[string(text)]
		if !known {
			i = len(all)
			at[string(text)] = i
			all = append(all, Specification{JSON: text})
		}
		all[i].Runs = append(all[i].Runs, run.Name)
	}
	return all, nil
}

// Run returns the specification of one run, wherever it runs.
func (s *Specifier) Run(run expand.Run) ([]byte, error) {
	plan, err := workflow.Compile(s.doc, workflow.Inputs{Matrix: run.Matrix, Shard: workflow.Shard{Index: run.Shard, Count: run.Shards}})
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	text, err := runspec.Of(runplan.Assignment("", s.doc.Metadata.Name, plan), s.open)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "specify "+s.doc.Metadata.Name)
	}
	return text, nil
}

// value is a text of the document.
type value struct {
	get func() string
	set func(string)
}

func at(text *string) value {
	return value{get: func() string { return *text }, set: func(v string) { *text = v }}
}

// variable is a value that may be open.
type variable struct {
	name string // of the environment variable; empty for the parameter of another workflow
	text value
}

// variables returns the literal values that may be open, by their paths.
func variables(doc *workflow.Document) map[string]variable {
	out := map[string]variable{}
	env := func(path string, list []document.EnvVar) {
		for i := range list {
			if list[i].ValueFrom == nil {
				out[fmt.Sprintf("%s.env[%d].value", path, i)] = variable{list[i].Name, at(&list[i].Value)}
			}
		}
	}
	env("spec.container", doc.Spec.Container.Env)
	for name, s := range doc.Spec.Services {
		for i := range s.Env {
			if s.Env[i].ValueFrom == nil {
				out[fmt.Sprintf("spec.services.%s.env[%d].value", name, i)] = variable{s.Env[i].Name, at(&s.Env[i].Value)}
			}
		}
	}
	doc.Spec.EachStep(func(path string, step *document.Step, _ []string) {
		env(path, step.Env)
		if step.Execute == nil {
			return
		}
		params(out, path+".execute.params.", step.Execute.Params)
		for i, ref := range step.Execute.Workflows {
			params(out, fmt.Sprintf("%s.execute.workflows[%d].params.", path, i), ref.Params)
		}
	})
	return out
}

func params(out map[string]variable, path string, list map[string]string) {
	for name := range list {
		out[path+name] = variable{text: value{get: func() string { return list[name] }, set: func(v string) { list[name] = v }}}
	}
}

// freeAt returns the paths whose texts depend on what is known first when an execution starts.
func freeAt(uses []parse.Use) map[string]bool {
	out := map[string]bool{}
	for _, use := range uses {
		if isFree(used(use)) {
			out[use.Place.Field] = true
		}
	}
	return out
}

// used returns the name that an expression uses, "" when the use is of a field.
func used(use parse.Use) string {
	name, ok := strings.CutPrefix(use.What, "${{ ")
	if !ok {
		return ""
	}
	return strings.TrimSuffix(name, " }}")
}

// isFree reports whether a variable has the value that the control plane gives it. What is left is in the document (matrix, shard,
// workflow) or in the pod (env, steps and functions).
func isFree(name string) bool {
	return slices.Contains([]string{"params", "execution", "release", "trigger", "environment", "cluster"}, name)
}
