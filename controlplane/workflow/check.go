package workflow

import (
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/merge"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// Source is one document of several that are checked together.
type Source struct {
	File string
	Text []byte
}

// Checked is what there is to say of a document.
type Checked struct {
	Kind     string
	Name     string // of workflows, templates, policies and environments
	Faults   []fault.Place
	Warnings []fault.Place // what the system cannot execute yet, and what could not be checked
}

// Check reads documents without applying them. A workflow that uses templates is checked with them when they are among the
// documents. The result has one entry for each source. Whoever knows more of a kind than the language does, such as what the rules of
// a policy may say, adds checks: each is asked for every document, those with faults among them.
func Check(sources []Source, more ...func(parse.Result) []fault.Place) []Checked {
	reads := make([]parse.Result, len(sources))
	templates := shelf{}
	for i, s := range sources {
		reads[i] = parse.Read(s.Text)
		if doc := reads[i].Workflow(); doc != nil && doc.IsTemplate() {
			templates[doc.Metadata.Name] = &reads[i]
		}
	}
	out := make([]Checked, len(sources))
	for i, read := range reads {
		out[i] = Checked{Kind: read.Kind, Faults: read.Faults, Warnings: Unsupported(read)}
		for _, check := range more {
			out[i].Faults = inOrder(append(out[i].Faults, check(read)...))
		}
		switch doc := read.Value.(type) {
		case *document.ReadinessPolicyDocument:
			out[i].Name = doc.Metadata.Name
		case *document.EnvironmentDocument:
			out[i].Name = doc.Metadata.Name
		}
		doc := read.Workflow()
		if doc == nil {
			continue
		}
		out[i].Name = doc.Metadata.Name
		faults, warnings := merged(&reads[i], templates)
		out[i].Faults = append(out[i].Faults, faults...)
		out[i].Warnings = inOrder(append(out[i].Warnings, warnings...))
	}
	return out
}

// merged checks a document with its templates.
func merged(read *parse.Result, templates shelf) (faults, warnings []fault.Place) {
	for _, name := range merge.Missing(read, templates.find) {
		place := read.At("spec.use")
		place.Message = "the template " + name + " is not among the files: what it brings was not checked"
		warnings = append(warnings, place)
	}
	if len(warnings) > 0 {
		return nil, warnings
	}
	_, found, err := merge.Apply(read, templates.find)
	if err != nil {
		place := read.At("spec.use")
		place.Message = err.Error()
		return []fault.Place{place}, nil
	}
	return placesIn(read, found), nil
}

// Templated reports whether a document is a template or uses one.
func Templated(src []byte) bool {
	doc := parse.Read(src).Workflow()
	return doc != nil && (doc.IsTemplate() || len(doc.Spec.Use) > 0)
}

// Order returns the indexes of documents in the order in which they can be applied: templates before what uses them. Otherwise it is
// kept; documents that cannot be read come where they are.
func Order(sources []Source) []int {
	byName, uses := map[string]int{}, make([][]string, len(sources))
	for i, s := range sources {
		read := parse.Read(s.Text)
		doc := read.Workflow()
		if doc == nil {
			continue
		}
		if doc.IsTemplate() {
			byName[doc.Metadata.Name] = i
		}
		for _, use := range doc.Spec.Use {
			uses[i] = append(uses[i], use.Template)
		}
	}
	order, placed := make([]int, 0, len(sources)), make([]bool, len(sources))
	var place func(i int)
	place = func(i int) {
		if placed[i] {
			return
		}
		placed[i] = true // before its templates: those may use each other in a circle, which is a fault of theirs
		for _, name := range uses[i] {
			if t, known := byName[name]; known {
				place(t)
			}
		}
		order = append(order, i)
	}
	for i := range sources {
		place(i)
	}
	return order
}
