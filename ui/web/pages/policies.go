package pages

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/words"
)

// PoliciesProps are what the page of readiness policies shows.
type PoliciesProps struct {
	SettingsProps
	List   []workflow.Record
	Source string           // what the form has
	Trials *release.Trials  // nil unless it was tried
	Would  view.Applied     // what saving it would do, when it was tried
	Saved  *workflow.Record // what was saved just now; nil for nothing
	Viewer tenant.Viewer
	Teams  []tenant.Team // that may own a new one
}

// FirstPolicy is a document to begin with.
const FirstPolicy = `apiVersion: seatrial.dev/v1
kind: ReadinessPolicy
metadata: {name: gate}
spec:
  description: Every suite has passed on the images of the release.
  appliesTo: {applications: ["*"]}
  require:
    - {suites: [smoke], environments: [staging]}
  waivers: {approvers: "team:default", maxAge: 72h}
`

// MaySave reports whether the viewer may save what was tried.
func (p PoliciesProps) MaySave() bool {
	if !p.Viewer.Allows(tenant.ScopeCatalog) {
		return false
	}
	i := slices.IndexFunc(p.List, func(one workflow.Record) bool { return one.Name == p.Would.Record.Name })
	return i < 0 || p.Viewer.Acts(p.List[i].TeamID)
}

// wouldSave says what saving a document that was tried would do.
func wouldSave(a view.Applied) string {
	switch {
	case a.Created:
		return "Saving it makes the policy " + a.Record.Name + "."
	case a.Changed:
		return "Saving it makes revision " + words.Number(int64(a.Record.Revision)) + " of " + a.Record.Name + ", for releases that are created from then on; those that exist keep theirs."
	}
	return "It is what revision " + words.Number(int64(a.Record.Revision)) + " of " + a.Record.Name + " says already: there is nothing to save."
}

// faultsOf are the faults of a document, a line each.
func faultsOf(w Wrong) []string {
	if len(w.Places) == 0 {
		return nil
	}
	out := make([]string, len(w.Places))
	for i, p := range w.Places {
		where := p.Field
		if p.Line > 0 {
			where = strings.TrimRight("line "+strconv.Itoa(p.Line)+", "+p.Field, ", ")
		}
		out[i] = where + ": " + p.Message
	}
	return out
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
