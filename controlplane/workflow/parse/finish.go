package parse

import (
	"errors"
	"maps"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

// SourceStep is the name of the step that fetches the source.
const SourceStep = "source"

func itoa(i int) string { return strconv.Itoa(i) }

// finish checks what concerns the whole document, names the steps without a name, and checks the expressions.
func (r *reader) finish(doc *document.Document) {
	s := &doc.Spec
	spec, ok := r.given["spec"]
	if !ok {
		return
	}
	partial := doc.IsTemplate() || len(s.Use) > 0 // other documents bring the rest
	if len(s.Steps) == 0 && !partial && len(r.places) == 0 {
		if steps, given := r.given["spec.steps"]; given {
			r.fault(steps, "is empty: a workflow needs at least one step")
		} else {
			r.fault(spec.under("steps"), "is missing: a workflow needs at least one step")
		}
	}
	nameSteps(s, stepPrefix(doc))
	r.stepNames(s)
	r.stepImages(s, partial)
	r.teardown(s)
	r.serviceUsers(s)
	if size := document.PackedSize(s.Source.Files, scripts(s)); size > document.MaxPacked {
		r.fault(spec.under("source.files"), "%s", document.TooLarge(size))
	}
	r.checkTemplates(doc, partial)
}

// stepPrefix keeps the names that steps of a template get apart from those of the workflow.
func stepPrefix(doc *document.Document) string {
	if !doc.IsTemplate() {
		return ""
	}
	const most = 40 // of the 63 that a name may have
	name := doc.Metadata.Name
	return strings.TrimRight(name[:min(most, len(name))], "-") + "-"
}

func nameSteps(s *document.Spec, prefix string) {
	each := func(prefix string, steps []document.Step) {
		for i := range steps {
			if steps[i].Name == "" {
				steps[i].Name = prefix + "-" + itoa(i+1)
			}
		}
	}
	each(prefix+"step", s.Steps)
	each(prefix+"teardown", s.Teardown)
	for i := range s.Steps {
		each(s.Steps[i].Name, s.Steps[i].Parallel)
	}
	for i := range s.Teardown {
		each(s.Teardown[i].Name, s.Teardown[i].Parallel)
	}
}

func scripts(s *document.Spec) []string {
	var all []string
	s.EachStep(func(_ string, step *document.Step, _ []string) {
		all = append(append(append(all, step.Run), step.Command...), step.Args...)
	})
	return all
}

// place returns the place of a step.
func (r *reader) place(path string) node {
	dot := strings.LastIndexByte(path, '.')
	list, index, _ := strings.Cut(path[dot+1:], "[")
	i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
	if err != nil {
		return node{nil, path}
	}
	return r.item(node{nil, path[:dot]}, list, i)
}

func (r *reader) stepNames(s *document.Spec) {
	used := map[string]string{}
	s.EachStep(func(path string, step *document.Step, _ []string) {
		if first, taken := used[step.Name]; taken {
			r.fault(r.place(path), "the name %q is that of %s already", step.Name, first)
			return
		}
		used[step.Name] = strings.TrimPrefix(path, "spec.")
		if step.Name == SourceStep && s.Source.Fetched() {
			r.fault(r.place(path), "the name %q is that of the step that fetches the source", SourceStep)
		}
	})
}

func (r *reader) stepImages(s *document.Spec, partial bool) {
	if s.Container.Image != "" || partial || r.has(node{nil, "spec.container"}, "image") {
		return
	}
	s.EachStep(func(path string, step *document.Step, _ []string) {
		place := r.place(path)
		runs := step.Run != "" || len(step.Command) > 0
		if runs && step.Image == "" && !r.has(place, "image") {
			r.fault(place, "has no image: set image here or spec.container.image for all steps")
		}
	})
}

func (r *reader) teardown(s *document.Spec) {
	for i, step := range s.Teardown {
		if step.Pause != nil || step.Execute != nil {
			r.fault(r.place("spec.teardown["+itoa(i)+"]"), "steps of the teardown have run, command or parallel: nobody waits for a person or for other workflows there")
		}
	}
}

// serviceUsers refuses what the kubelet would: a service as root in a pod that has none.
func (r *reader) serviceUsers(s *document.Spec) {
	if never := s.Pod.Security.RunAsNonRoot; never == nil || !*never {
		return
	}
	for name, service := range s.Services {
		if user := service.Security.RunAsUser; user != nil && *user == 0 {
			path := "spec.services." + name + ".securityContext.runAsUser"
			r.fault(node{r.given[path].Node, path}, "is root, which pod.securityContext.runAsNonRoot forbids")
		}
	}
}

// checkTemplates checks every expression against the names of the document.
func (r *reader) checkTemplates(doc *document.Document, partial bool) {
	compiler, err := expr.New(doc.Spec.Variables())
	if partial && err == nil {
		compiler = compiler.WithUnknown("matrix", "shard", "steps")
	}
	over := map[string][]string{}
	doc.Spec.EachStep(func(path string, _ *document.Step, names []string) { over[path] = names })
	steps, outputs := doc.Spec.Outputs()
	r.check(func(path string) (*expr.Compiler, error) {
		if err != nil {
			return nil, err
		}
		return compiler.WithSteps(steps, over[reStep.FindString(path)], outputs), nil
	})
}

func (r *reader) check(compiler func(path string) (*expr.Compiler, error)) {
	for _, t := range r.templates {
		c, err := compiler(t.at.path)
		if err != nil {
			r.fault(t.at, "%v", err)
			return
		}
		uses, err := t.check(c)
		var bad *expr.Error
		if errors.As(err, &bad) {
			for _, f := range bad.Faults {
				r.fault(t.line(f.Offset), "%s", f.Message)
			}
		}
		for _, name := range uses {
			r.uses = append(r.uses, Use{Place: t.at.place(), What: "${{ " + name + " }}"})
		}
	}
}

// checkStarts checks the expressions of schedules and triggers, which know nothing but what happened.
func (r *reader) checkStarts() {
	vars := (&document.Spec{}).Variables()
	maps.DeleteFunc(vars, func(name string, _ expr.Type) bool { return !strings.HasPrefix(name, "trigger.") })
	r.check(func(string) (*expr.Compiler, error) { return expr.New(vars) })
}

var reStep = regexp.MustCompile(`^spec\.(steps|teardown)\[\d+\](\.parallel\[\d+\])?`)

func (t template) check(c *expr.Compiler) ([]string, error) {
	if t.alone {
		v, err := c.CompileValue(t.text, t.where, t.want)
		if err != nil {
			return nil, err //nolint:wrapcheck // an *expr.Error
		}
		return v.Uses(), nil
	}
	compiled, err := c.Compile(t.text, t.where)
	if err != nil {
		return nil, err //nolint:wrapcheck // an *expr.Error
	}
	return compiled.Uses(), nil
}

// line returns the place of an offset in a template; in a literal block it is its own line.
func (t template) line(offset int) node {
	if t.at.Style&yaml.LiteralStyle == 0 {
		return t.at
	}
	place := *t.at.Node
	place.Line += 1 + strings.Count(t.text[:offset], "\n")
	place.Column = 0
	return node{&place, t.at.path}
}

// Error words the faults of a document as one error: Invalid, or Unsupported when all of them are about what cannot be done yet.
func Error(file string, kind fault.Kind, places []fault.Place) error {
	if file == "" {
		file = "the workflow"
	}
	first := places[0]
	message := file + " has " + itoa(len(places)) + " faults"
	if len(places) == 1 {
		message = strings.Join(strings.Fields(position(file, first)+" "+first.Field+" "+first.Message), " ")
	}
	return &fault.Error{Kind: kind, Field: first.Field, Message: message, Places: places}
}

func position(file string, p fault.Place) string {
	switch {
	case p.Line == 0:
		return file + ":"
	case p.Column == 0:
		return file + ":" + itoa(p.Line) + ":"
	}
	return file + ":" + itoa(p.Line) + ":" + itoa(p.Column) + ":"
}
