package pages

import (
	"net/url"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/words"
)

// PoliciesProps are what the page of readiness policies shows.
type PoliciesProps struct {
	SettingsProps
	List   []workflow.Record
	Source string          // what the form has
	Trials *release.Trials // nil unless it was tried
}

// policyPath is the address of the page with the document of a policy in its form.
func policyPath(f parts.Frame, name string) string {
	return settingsPath(f, "policies") + "?" + url.Values{"policy": {name}}.Encode() + "#try"
}

// tried says in one sentence what a trial has found.
func tried(t release.Trials) string {
	if len(t.List) == 0 {
		return t.Policy + " applies to none of the past releases."
	}
	return t.Policy + " would change the verdict on " + words.Number(int64(t.Changed)) + " of " + words.Count(int64(len(t.List)), "past release") + "."
}

// judgedOtherwise says what a policy judges otherwise about a release, a line each.
func judgedOtherwise(t release.Trial) []string {
	var out []string
	for _, r := range t.Rules {
		out = append(out, r.ID+": "+string(r.Before)+" → "+string(r.After))
	}
	for _, c := range t.Added {
		out = append(out, "requires "+c+" in addition")
	}
	for _, c := range t.Removed {
		out = append(out, "requires "+c+" no longer")
	}
	return out
}
