package workflow

import (
	"errors"
	"slices"

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
	Name     string // of workflows and templates
	Faults   []fault.Place
	Warnings []fault.Place // what the system cannot execute yet, and what could not be checked
}

// Check reads documents without applying them. A workflow that uses templates is checked with them when they are among the
// documents. The result has one entry for each source.
func Check(sources []Source) []Checked {
	reads := make([]parse.Result, len(sources))
	templates := map[string]*Document{}
	for i, s := range sources {
		reads[i] = parse.Read(s.Text)
		if doc := reads[i].Workflow(); doc != nil && doc.IsTemplate() {
			templates[doc.Metadata.Name] = doc
		}
	}
	find := func(name string) *Document { return templates[name] }
	out := make([]Checked, len(sources))
	for i, read := range reads {
		out[i] = Checked{Kind: read.Kind, Faults: read.Faults, Warnings: Unsupported(read)}
		doc := read.Workflow()
		if doc == nil {
			continue
		}
		out[i].Name = doc.Metadata.Name
		faults, warnings := merged(doc, find, read.Uses)
		out[i].Faults = append(out[i].Faults, faults...)
		out[i].Warnings = inOrder(append(out[i].Warnings, warnings...))
	}
	return out
}

// merged checks a workflow with its templates.
func merged(doc *document.Document, find merge.Templates, uses []parse.Use) (faults, warnings []fault.Place) {
	if len(doc.Spec.Use) == 0 || doc.IsTemplate() {
		return nil, nil
	}
	at := fault.Place{Field: "spec.use"}
	if i := slices.IndexFunc(uses, func(u parse.Use) bool { return u.What == "spec.use" }); i >= 0 {
		at = uses[i].Place
	}
	for _, name := range merge.Missing(doc, find) {
		place := at
		place.Message = "the template " + name + " is not among the files: what it brings was not checked"
		warnings = append(warnings, place)
	}
	if len(warnings) > 0 {
		return nil, warnings
	}
	_, err := merge.Apply(doc, find)
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		for _, place := range f.Places {
			place.Line, place.Column = at.Line, at.Column
			faults = append(faults, place)
		}
	case err != nil:
		at.Message = err.Error()
		faults = []fault.Place{at}
	}
	return faults, nil
}
