package workflow

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/merge"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// Loaded is a workflow or template without faults of its own, which knows where its fields are written.
type Loaded struct {
	*Document
	file string
	text []byte
	read parse.Result
}

// Load reads a document of the catalog; its faults are those of Parse.
func Load(file string, src []byte) (*Loaded, error) {
	read := parse.Read(src)
	places := read.Faults
	kind := fault.Unsupported
	if len(places) > 0 {
		kind = fault.Invalid
	}
	places = inOrder(append(places, Unsupported(read)...))
	if len(places) > 0 {
		return nil, parse.Error(file, kind, places)
	}
	doc := read.Workflow()
	if doc == nil {
		return nil, fault.New(fault.Invalid, "%s is a %s, not a %s or %s", file, read.Kind, document.Workflow, document.TemplateKind).
			WithField("kind")
	}
	return &Loaded{doc, file, src, read}, nil
}

// Text returns the document as it was written.
func (l *Loaded) Text() string { return string(l.text) }

// At returns the place where a field is written.
func (l *Loaded) At(path string) fault.Place { return l.read.At(path) }

// Uses returns the names of the templates that the document uses itself, each once.
func (l *Loaded) Uses() []string {
	var names []string
	for _, use := range l.Spec.Use {
		if !slices.Contains(names, use.Template) {
			names = append(names, use.Template)
		}
	}
	return names
}

// Library returns the templates of some names; those that do not exist are left out.
type Library func(names []string) ([]Record, error)

// Resolve returns a document with its templates merged as the library has them, and those templates by name, the ones they use
// included. A fault of the merged document is at the entry of spec.use that brings it, and names its place in the template.
func Resolve(l *Loaded, library Library) (doc *Document, used []Record, err error) {
	if len(l.Spec.Use) == 0 {
		return l.Document, nil, nil
	}
	shelf, used, err := gather(l, library)
	if err != nil {
		return nil, nil, err
	}
	merged, faults, err := merge.Apply(&l.read, shelf.find)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	places := placesIn(&l.read, faults)
	if len(places) == 0 {
		places = Unsupported(merged)
	}
	if len(places) > 0 {
		return nil, nil, missing(l, shelf, parse.Error(l.file, fault.Invalid, places))
	}
	return merged.Workflow(), used, nil
}

// missing says what to do about templates that are not there.
func missing(l *Loaded, shelf shelf, err error) error {
	names := merge.Missing(&l.read, shelf.find)
	f, ok := err.(*fault.Error) //nolint:errorlint // made just now
	if !ok || len(names) == 0 {
		return err
	}
	return f.WithHint("Apply %s first, or in the same command; seatrial get templates lists what there is.", strings.Join(names, ", "))
}

// shelf holds templates by name.
type shelf map[string]*parse.Result

func (s shelf) find(name string) *parse.Result { return s[name] }

// gather loads the templates that a document uses, directly or through others.
func gather(l *Loaded, library Library) (shelf, []Record, error) {
	held, seen := shelf{}, map[string]bool{}
	used := map[string]Record{}
	for names := l.Uses(); len(names) > 0; {
		for _, name := range names {
			seen[name] = true
		}
		found, err := library(names)
		if err != nil {
			return nil, nil, err
		}
		names = nil
		for _, record := range found {
			t, err := Load(record.Name, []byte(record.Source))
			if err != nil {
				return nil, nil, fmt.Errorf("the template %s cannot be read by this version: %w", record.Name, err)
			}
			held[record.Name], used[record.Name] = &t.read, record
			for _, name := range t.Uses() {
				if !seen[name] {
					seen[name] = true
					names = append(names, name)
				}
			}
		}
	}
	out := make([]Record, 0, len(used))
	for _, name := range slices.Sorted(maps.Keys(used)) {
		out = append(out, used[name])
	}
	return held, out, nil
}

// placesIn words faults for whoever reads the document. What is wrong in a template is at the entry of spec.use that brings it.
func placesIn(read *parse.Result, faults []merge.Fault) []fault.Place {
	places := make([]fault.Place, len(faults))
	for i, f := range faults {
		places[i] = f.Place
		if f.Template != "" {
			places[i] = read.At(fmt.Sprintf("spec.use[%d]", f.Use))
			places[i].Message = fmt.Sprintf("template %s, %s", f.Template, worded(f.Place))
		}
	}
	return inOrder(places)
}

func worded(p fault.Place) string {
	if p.Line == 0 {
		return p.Field + ": " + p.Message
	}
	return fmt.Sprintf("line %d, %s: %s", p.Line, p.Field, p.Message)
}

// Breaks says what of a template, which the library has, would break a document that uses it: at the place in the template, or at its
// spec when the document is at fault.
func Breaks(template, user *Loaded, library Library) ([]fault.Place, error) {
	shelf, _, err := gather(user, library)
	if err != nil {
		return nil, err
	}
	_, faults, err := merge.Apply(&user.read, shelf.find)
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	places := make([]fault.Place, len(faults))
	for i, f := range faults {
		who := fmt.Sprintf("%s %s", noun(user), user.Metadata.Name)
		if f.Template == template.Metadata.Name {
			places[i] = f.Place
			places[i].Message += ", in " + who
			continue
		}
		if f.Template != "" {
			who = "template " + f.Template + ", which " + who + " uses too"
		}
		places[i] = template.read.At("spec")
		places[i].Message = fmt.Sprintf("breaks %s: %s", who, worded(f.Place))
	}
	return places, nil
}

func noun(l *Loaded) string {
	if l.IsTemplate() {
		return "template"
	}
	return "workflow"
}
