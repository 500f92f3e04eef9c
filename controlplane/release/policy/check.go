package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// Check returns the faults of the expressions of a ReadinessPolicy, each at its place, in the order of the document; nil for other
// kinds. What the parser found already is not repeated, and does not keep expressions from being checked.
func Check(read parse.Result) []fault.Place {
	doc, ok := read.Value.(*document.ReadinessPolicyDocument)
	if !ok {
		return nil
	}
	c := checker{read: read}
	c.rules(doc)
	for i, req := range doc.Spec.Require {
		if req.Selector == "" {
			continue
		}
		if _, err := newSelector(req.Selector); err != nil {
			c.fault(fmt.Sprintf("spec.require[%d].selector", i), err.Error())
		}
	}
	slices.SortStableFunc(c.places, func(a, b fault.Place) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return c.places
}

type checker struct {
	read   parse.Result
	places []fault.Place
}

func (c *checker) fault(field, message string) {
	if slices.ContainsFunc(c.read.Faults, func(p fault.Place) bool { return p.Field == field }) {
		return
	}
	place := c.read.At(field)
	place.Message = message
	c.places = append(c.places, place)
}

// rules checks the conditions.
func (c *checker) rules(doc *document.ReadinessPolicyDocument) {
	p := FromDocument(doc)
	_, err := verdict.Compile(p)
	var bad *fault.Error
	if !errors.As(err, &bad) {
		return
	}
	for _, place := range bad.Places {
		c.fault("spec."+place.Field, place.Message)
	}
	if len(bad.Places) == 0 { // a defect of ours
		c.fault("spec.rules", bad.Error())
	}
}
