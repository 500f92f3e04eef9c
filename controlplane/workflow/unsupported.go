package workflow

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// notYet lists what the language has and the system cannot execute. Whoever builds something deletes its row, and nothing else has
// to change here: a field by its path, one value of a field behind "=", or a name of expressions.
func notYet() []string {
	return []string{}
}

// Unsupported says what of a document the system cannot execute yet, each with its place.
func Unsupported(read parse.Result) []fault.Place {
	rows := map[string]bool{}
	for _, row := range notYet() {
		rows[row] = true
	}
	var places []fault.Place
	for _, use := range read.Uses {
		if !rows[use.What] {
			continue
		}
		place := use.Place
		place.Message = nameOf(use.What) + " is not supported yet"
		places = append(places, place)
	}
	return inOrder(places)
}

// nameOf is what a message calls a row: "if", "format playwright", "steps", "file()".
func nameOf(what string) string {
	if name, ok := strings.CutPrefix(what, "${{ "); ok {
		return strings.TrimSuffix(name, " }}")
	}
	path, value, _ := strings.Cut(what, "=")
	if path == "kind" {
		return value
	}
	name := path[strings.LastIndexByte(path, '.')+1:]
	return strings.TrimSpace(name + " " + value)
}

func inOrder(places []fault.Place) []fault.Place {
	slices.SortStableFunc(places, func(a, b fault.Place) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return places
}
