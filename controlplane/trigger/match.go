package trigger

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/seatrial/seatrial/controlplane/forge"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// Given is what an event gives to what it starts.
type Given struct {
	Params     map[string]string `json:"params,omitempty"`
	Repository string            `json:"repository,omitempty"`
	Branch     string            `json:"branch,omitempty"`
	Commit     string            `json:"commit,omitempty"`
	Note       string            `json:"note,omitempty"` // what a person should know
}

// Match says what an event gives when a trigger is for it, and otherwise why it is not, as a sentence without a full stop.
func Match(spec document.TriggerSpec, e Event) (given Given, why string) {
	switch {
	case spec.Suspend:
		return given, "it is suspended"
	case spec.Git != nil && e.Kind == Git:
		return matchGit(*spec.Git, e)
	case spec.Workflow != nil && e.Kind == Workflow:
		return matchWorkflow(*spec.Workflow, e)
	case spec.Webhook != nil && e.Kind == Webhook:
		return matchCEL(spec.Webhook.Filter, spec.Webhook.Values, e)
	case spec.Event != nil && e.Kind == Cloud:
		return matchCloud(*spec.Event, e)
	case spec.Kubernetes != nil && e.Kind == Kube:
		return matchKube(*spec.Kubernetes, e)
	}
	return given, "it is for another kind of events"
}

func matchGit(on document.GitEvent, e Event) (given Given, why string) {
	var p forge.Push
	if err := json.Unmarshal(e.Data, &p); err != nil {
		return given, "the event cannot be read: " + err.Error()
	}
	events := on.Events
	if len(events) == 0 {
		events = []string{forge.PushEvent}
	}
	switch {
	case !strings.EqualFold(on.Repository, p.Repository):
		return given, "it is for " + on.Repository
	case !slices.Contains(events, p.Event):
		return given, fmt.Sprintf("it is for %s, not for %s", strings.Join(events, ", "), p.Event)
	case p.Event != forge.TagEvent && len(on.Branches) > 0 && !anyMatches(on.Branches, p.Branch):
		return given, fmt.Sprintf("the branch %s is not one of %s", p.Branch, strings.Join(on.Branches, ", "))
	case p.Fork:
		return given, "the pull request comes from a fork, whose code is not run unasked"
	}
	given = Given{Repository: p.Repository, Branch: p.Branch, Commit: p.Commit}
	if len(on.Paths) == 0 || slices.ContainsFunc(p.Paths, func(path string) bool { return anyMatches(on.Paths, path) }) {
		return given, ""
	}
	if !p.AllPaths { // too many tests rather than too few
		given.Note = "the forge does not say which files have changed, so that paths were not looked at"
		return given, ""
	}
	return Given{}, "no file that has changed is in " + strings.Join(on.Paths, ", ")
}

func anyMatches(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { ok, err := doublestar.Match(p, s); return ok && err == nil })
}

func matchWorkflow(on document.WorkflowEvent, e Event) (given Given, why string) {
	var end Ended
	if err := json.Unmarshal(e.Data, &end); err != nil {
		return given, "the event cannot be read: " + err.Error()
	}
	when := on.When
	if len(when) == 0 {
		when = []string{"passed"}
	}
	switch {
	case on.Name != end.Workflow:
		return given, "it is for " + on.Name
	case !slices.Contains(when, end.Status):
		return given, fmt.Sprintf("the execution ended as %s, not as %s", end.Status, strings.Join(when, ", "))
	}
	return Given{Commit: end.Commit}, ""
}

func matchCloud(on document.CloudEvent, e Event) (given Given, why string) {
	var c struct {
		Source  string `json:"source"`
		Subject string `json:"subject"`
	}
	if err := json.Unmarshal(e.Data, &c); err != nil {
		return given, "the event cannot be read: " + err.Error()
	}
	switch {
	case !anyMatches(on.Types, e.Type):
		return given, fmt.Sprintf("the type %s is not one of %s", e.Type, strings.Join(on.Types, ", "))
	case on.Source != "" && !anyMatches([]string{on.Source}, c.Source):
		return given, fmt.Sprintf("the source %s is not %s", c.Source, on.Source)
	case on.Subject != "" && !anyMatches([]string{on.Subject}, c.Subject):
		return given, fmt.Sprintf("the subject %q is not %s", c.Subject, on.Subject)
	}
	return matchCEL(on.Filter, on.Values, e)
}

// matchCEL asks the filter, and then for the values.
func matchCEL(filter string, values map[string]string, e Event) (given Given, why string) {
	vars, err := variables(e)
	if err != nil {
		return given, err.Error()
	}
	if filter != "" {
		ok, err := condition(e.Kind, filter, vars)
		switch {
		case err != nil:
			return given, "the filter cannot be answered: " + err.Error()
		case !ok:
			return given, "the filter says no"
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		text, err := value(e.Kind, values[name], vars)
		if err != nil {
			return Given{}, fmt.Sprintf("values.%s cannot be found out: %v", name, err)
		}
		if given.Params == nil {
			given.Params = map[string]string{}
		}
		given.Params[name] = text
	}
	return given, ""
}
