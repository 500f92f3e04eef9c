package words

import (
	"strings"

	"github.com/seatrial/seatrial/controlplane/search"
)

// Found is what a kind of things is called above a list of them.
func Found(k search.Kind) string {
	switch k {
	case search.Workflow:
		return "Workflows"
	case search.Release:
		return "Releases"
	case search.Execution:
		return "Executions"
	case search.Test:
		return "Tests"
	case search.Failure:
		return "Failures"
	}
	return string(k)
}

// HitNote says in a line what stands behind the title of something that was found.
func HitNote(h search.Hit) string {
	switch h.Kind {
	case search.Workflow:
		return h.Description
	case search.Release:
		if h.Commit != "" {
			return "commit " + Short(h.Commit)
		}
	case search.Execution:
		return joined(h.Environment, h.Ref[:min(8, len(h.Ref))], Short(h.Commit))
	case search.Test:
		return joined("in "+h.Workflow, h.Environment)
	case search.Failure:
		return joined("in "+h.Workflow, h.Environment, h.Ref)
	}
	return ""
}

func joined(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, " · ")
}

// HitState returns how something that was found fares, as a class and a word; both are empty when it fares no way.
func HitState(h search.Hit) (kind, word string) {
	switch {
	case h.Kind == search.Release:
		return ReadinessClass(h.State), Readiness(h.State)
	case h.Kind == search.Execution:
		return string(h.Status), Status(h.Status)
	case h.Kind == search.Test && len(h.Last) > 0:
		o := string(h.Last.Mark(0).Outcome)
		return o, Outcome(o)
	}
	return "", ""
}
