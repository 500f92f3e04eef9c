package specify

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
	"github.com/seatrial/seatrial/proto/runspec"
)

// check says what keeps a workflow from being signed.
func check(doc *workflow.Document, uses []parse.Use) []fault.Place {
	c := checker{values: variables(doc), free: freeAt(uses), uses: uses}
	for _, use := range uses {
		c.use(use.Place.Field, used(use))
	}
	for path, v := range c.values {
		if runspec.Powerful(v.name) && (c.free[path] || c.derived(path)) {
			c.fault(path, "the variable %s decides what programs do, so that its value has to be signed: write it out", v.name)
		}
	}
	slices.SortFunc(c.places, func(a, b fault.Place) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(c.places)
}

type checker struct {
	values  map[string]variable
	free    map[string]bool
	uses    []parse.Use
	tainted map[string]bool
	places  []fault.Place
}

func (c *checker) fault(path, format string, args ...any) {
	c.places = append(c.places, fault.Place{Field: path, Message: fmt.Sprintf(format, args...)})
}

// use judges what one expression uses.
func (c *checker) use(path, name string) {
	_, mayBeOpen := c.values[path]
	variable, ofEnv := strings.CutPrefix(name, "env.")
	switch {
	case name == "" || reUnsigned.MatchString(path):
	case isFree(name) && !mayBeOpen:
		c.fault(path, "uses %s, which the control plane brings when an execution starts: it would decide what runs. %s", name, instead(path, name))
	case mayBeOpen && c.free[path] && inPod(name):
		c.fault(path, "mixes what the control plane chooses with %s, which is known in the pod only: use two variables", name)
	case reExecuted.MatchString(path) && c.flows(name):
		c.fault(path, "writes %s into what is executed, and steps see values that the control plane chooses: give it to an environment variable "+
			"and use \"$X\"", name)
	case ofEnv && reExecuted.MatchString(path) && c.taint()[variable]:
		c.fault(path, "writes the variable %s, whose value the control plane chooses, into what is executed: use $%s of the shell instead, in double quotes",
			variable, variable)
	}
}

var (
	// reUnsigned are the places of which nothing reaches the pod.
	reUnsigned = regexp.MustCompile(`^spec\.(concurrency|triggers|environments|use|params)\b`)
	// reExecuted are the texts that are executed.
	reExecuted = regexp.MustCompile(`\.(run|command|args)(\[\d+\])?$`)
)

// instead says what to do.
func instead(path, name string) string {
	switch {
	case strings.HasSuffix(path, ".if"):
		return fmt.Sprintf("Give it to an environment variable, env: [{name: X, value: \"${{ %s.… }}\"}], and ask for env.X.", name)
	case strings.HasSuffix(path, ".run"):
		return fmt.Sprintf("Give it to an environment variable, env: [{name: X, value: \"${{ %s.… }}\"}], and use \"$X\".", name)
	case reExecuted.MatchString(path):
		return fmt.Sprintf("Give it to an environment variable, env: [{name: X, value: \"${{ %s.… }}\"}], that the program reads, "+
			"or that a script in run hands to it as \"$X\".", name)
	default:
		return "Write it out."
	}
}

// inPod reports whether a variable or function is the runner's to resolve.
func inPod(name string) bool {
	return strings.HasPrefix(name, "env.") || slices.Contains([]string{"env", "steps", "file()", "glob()"}, name)
}

// derived reports whether a value is made of one that is open.
func (c *checker) derived(path string) bool {
	return slices.ContainsFunc(c.uses, func(use parse.Use) bool {
		of, ok := strings.CutPrefix(used(use), "env.")
		return use.Place.Field == path && (ok && c.taint()[of] || c.flows(used(use)))
	})
}

// flows reports whether a name stands for what a step may have made of an open value.
func (c *checker) flows(name string) bool {
	made := slices.Contains([]string{"steps", "file()", "glob()"}, name)
	return made && slices.ContainsFunc(slices.Collect(maps.Keys(c.values)), func(path string) bool { return c.free[path] })
}

// taint returns the names of all variables whose value is open, or made of one that is. A name counts wherever it is set: that is more
// than need be, and simple.
func (c *checker) taint() map[string]bool {
	if c.tainted != nil {
		return c.tainted
	}
	c.tainted = map[string]bool{}
	for path, v := range c.values {
		if c.free[path] && v.name != "" {
			c.tainted[v.name] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for _, use := range c.uses {
			of, ok := strings.CutPrefix(used(use), "env.")
			v, is := c.values[use.Place.Field]
			if from := ok && c.tainted[of] || c.flows(used(use)); from && is && v.name != "" && !c.tainted[v.name] {
				c.tainted[v.name], grown = true, true
			}
		}
	}
	return c.tainted
}
