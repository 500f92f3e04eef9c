package pages

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/readiness"
	"github.com/seatrial/seatrial/ui/web/words"
)

// ReleasesProps are what the list of releases shows.
type ReleasesProps struct {
	Frame       parts.Frame
	List        []release.Release // heads
	Application string
	Next        string // address of the next page
	Paged       bool   // this is not the first page
	Policies    []workflow.Record
}

// ReleaseProps are what the page of a release shows.
type ReleaseProps struct {
	Frame    parts.Frame
	Release  release.Release
	Report   readiness.Report
	Viewer   string // name of who looks: people do not approve what they have asked for
	MayWaive bool
	Role     string
	Form     WaiverForm
	Wrong    Wrong  // with an approval or a revocation
	All      string // anchor of the cell whose evidence is shown to the last test
	After    string // of that cell, the test that the page begins behind
	Suite    string // that the matrix begins behind
	Before   string // execution that the list of executions begins behind
	Events   string // address of the events; empty on the answer to a form
	Version  string // of the state that the page shows
	Shared   Sharing
}

// Sharing is what of a release others can read.
type Sharing struct {
	List []release.Snapshot
	Made release.Snapshot // just now; its link is shown once
	Link string
}

// SnapshotsProps are what the page of all snapshots shows.
type SnapshotsProps struct {
	SettingsProps
	List      []release.Snapshot
	MayRevoke bool
}

// WaiverForm is what somebody filled in. The zero value is a form that nobody has sent.
type WaiverForm struct {
	Fault  string // ID of the fault to be waived
	Reason string
	For    string // as a duration; empty for as long as the policy allows
	Wrong  Wrong
}

// ReleasePath is the address of a release. An application may hold a slash, and is one segment of the address all the same.
func ReleasePath(org, application, version string) string {
	return "/o/" + org + "/releases/" + url.PathEscape(application) + "/" + url.PathEscape(version)
}

func releasePath(f parts.Frame, r release.Release) string {
	return ReleasePath(f.Org, r.Application, r.Version)
}

// releasesPath is the address of the list, of one application or of all.
func releasesPath(f parts.Frame, application string) string {
	if application == "" {
		return home(f) + "/releases"
	}
	return home(f) + "/releases?" + url.Values{"application": {application}}.Encode()
}

func waiverPath(p ReleaseProps, w readiness.Waiver, verb string) string {
	return releasePath(p.Frame, p.Release) + "/waivers/" + url.PathEscape(w.ID) + "/" + verb + "#waivers"
}

// mayOthers reports whether people of another role than the viewer's could ask for a waiver.
func (p ReleaseProps) mayOthers() bool {
	if p.MayWaive {
		return false
	}
	return slices.ContainsFunc(p.Report.Broken, func(r readiness.Rule) bool { return r.Waivable })
}

// lost reports whether a form has a fault that no form on the page could show: what it was about is gone.
func (p ReleaseProps) lost() bool {
	if p.Form.Wrong.Message == "" {
		return false
	}
	for _, rule := range p.Report.Broken {
		for _, c := range rule.Cells {
			for _, f := range c.Faults {
				if f.ID == p.Form.Fault && f.Waivable {
					return false
				}
			}
		}
	}
	return true
}

// form is what the form of a fault holds.
func (p ReleaseProps) form(f readiness.Fault) WaiverForm {
	if p.Form.Fault == f.ID {
		return p.Form
	}
	return WaiverForm{}
}

// mayApprove reports whether to offer the viewer to approve a waiver that lacks approvals. The service decides anyway.
func (p ReleaseProps) mayApprove(w readiness.Waiver) bool {
	if !p.MayWaive || w.Over || w.Active || w.Requester == p.Viewer && !p.Release.Policy.Waivers.SelfApproval {
		return false
	}
	for _, a := range w.Approvals {
		if a.By == p.Viewer {
			return false
		}
	}
	return true
}

// terms says what the policy asks of waivers.
func terms(t verdict.WaiverTerms) string {
	if t.MaxAge <= 0 || t.Approvers == "" {
		return "The policy lets nobody waive anything."
	}
	text := "A waiver counts when " + words.Count(int64(max(1, t.MinApprovers)), "member") + " of " + t.Approvers
	if max(1, t.MinApprovers) == 1 {
		text += " has approved it"
	} else {
		text += " have approved it"
	}
	if !t.SelfApproval {
		text += ", other than whoever asks"
	}
	text += ". It holds for at most " + words.Period(time.Duration(t.MaxAge))
	if t.BindTo == verdict.BindFingerprint {
		return text + ", and for the same failure only."
	}
	return text + "."
}

// lifetime is how long a waiver may hold, as a choice.
type lifetime struct{ value, word string }

// lifetimes are the choices that a policy allows.
func lifetimes(t verdict.WaiverTerms) []lifetime {
	longest := time.Duration(t.MaxAge)
	out := []lifetime{{"", words.Period(longest) + ", the longest allowed"}}
	for _, d := range []time.Duration{8 * time.Hour, 24 * time.Hour, 72 * time.Hour, 168 * time.Hour} {
		if d < longest {
			out = append(out, lifetime{d.String(), words.Period(d)})
		}
	}
	return out
}

// waiverState returns how a waiver stands as a class and a word.
func waiverState(w readiness.Waiver) (kind, word string) {
	switch {
	case w.Revoked:
		return "cancelled", "revoked"
	case w.Over:
		return "cancelled", "expired"
	case w.Used:
		return "waived", "in use"
	case w.Active:
		return "ready", "active, not needed"
	}
	return "waiting", "not active"
}

func waiverKind(w readiness.Waiver) string { k, _ := waiverState(w); return k }
func waiverWord(w readiness.Waiver) string { _, s := waiverState(w); return s }

// tally is a number of results with its class.
type tally struct{ kind, text string }

// tallies says how the results of a cell are spread, the worst first.
func tallies(c readiness.Cell) []tally {
	var out []tally
	for _, n := range spread(c) {
		if n.n > 0 {
			text := words.Number(int64(n.n)) + " " + words.Outcome(string(n.verdict))
			if n.verdict == tests.InfraError {
				text = words.Count(int64(n.n), "infrastructure error")
			}
			out = append(out, tally{string(n.verdict), text})
		}
	}
	if c.Waived > 0 {
		out = append(out, tally{"waived", words.Number(int64(c.Waived)) + " waived"})
	}
	if c.Apart > 0 {
		out = append(out, tally{"waived", words.Number(int64(c.Apart)) + " in quarantine"})
	}
	return out
}

type amount struct {
	verdict tests.Verdict
	n       int
}

func spread(c readiness.Cell) []amount {
	return []amount{
		{tests.Failed, c.Failed},
		{tests.Flaky, c.Flaky},
		{tests.NeverRan, c.NeverRan},
		{tests.InfraError, c.InfraError},
		{tests.Blocked, c.Blocked},
		{tests.Running, c.Running},
		{tests.Skipped, c.Skipped},
		{tests.Passed, c.Passed},
	}
}

// spans lays the results of a cell side by side on 1000 units. Whatever happened at all stays visible.
func spans(c readiness.Cell) []share {
	const least = 30
	total, here := 0, 0
	for _, n := range spread(c) {
		if n.n > 0 {
			total, here = total+n.n, here+1
		}
	}
	var out []share
	x := 0
	for _, n := range spread(c) {
		if n.n <= 0 {
			continue
		}
		width := least + n.n*(1000-here*least)/total
		if here--; here == 0 {
			width = max(1000-x, 0)
		}
		gap := min(4, width)
		out = append(out, share{string(n.verdict), strconv.Itoa(x), strconv.Itoa(width - gap)})
		x += width
	}
	return out
}

// testName is what people call a test.
func testName(t verdict.TestResult) string { return or(t.Name, t.Test) }

// overridden says what people decided about a result.
func overridden(t verdict.TestResult) string {
	switch t.Override {
	case tests.Waived:
		return "waived"
	case tests.Quarantined:
		return "in quarantine"
	case tests.None:
	}
	return ""
}

// ranOn says on which images a result was made.
func ranOn(t verdict.TestResult) (kind, word string) {
	switch {
	case t.Attempts == 0:
		return "", "–"
	case t.SubjectOK:
		return "consistent", "the release's"
	}
	return "contradictory", "others"
}

func ranOnKind(t verdict.TestResult) string { k, _ := ranOn(t); return k }
func ranOnWord(t verdict.TestResult) string { _, s := ranOn(t); return s }

func attempts(t verdict.TestResult) string {
	if t.Attempts == 0 {
		return "–"
	}
	return strconv.Itoa(t.Attempts)
}

// known reports whether a fault has an outcome, so that it is missing only because of when or on what it came about.
func known(f readiness.Fault) bool {
	return f.Verdict == tests.Passed || f.Verdict == tests.Failed || f.Verdict == tests.Flaky || f.Verdict == tests.Skipped
}

func need(t verdict.TestResult) string {
	if t.Required {
		return "required"
	}
	return "extra"
}

// contradicts reports whether a report of the cell contradicts itself.
func contradicts(c readiness.Cell) bool { return c.Integrity == results.Contradictory }

// wholly reports whether all that is required in a failing cell has never run, so that nobody needs the names.
func wholly(p ReleaseProps, f readiness.FailingCell) bool {
	c, ok := p.Report.Cell(f.Environment, f.Suite)
	return ok && c.State == readiness.NeverRan
}

// inPlace names a cell.
func inPlace(environment, suite string) string { return suite + " in " + environment }

// scope says where a waiver counts.
func scope(w readiness.Waiver) string {
	switch {
	case w.Suite != "" && w.Environment != "":
		return inPlace(w.Environment, w.Suite)
	case w.Suite != "":
		return w.Suite + " in every environment"
	case w.Environment != "":
		return "every suite in " + w.Environment
	}
	return "every suite and environment"
}

// image is an image as it is written in commands.
func image(i verdict.Image) string {
	if i.Name == "" {
		return i.Digest
	}
	return i.Name + "@" + i.Digest
}

// minimalPolicy is a document to begin with.
const minimalPolicy = `apiVersion: seatrial.dev/v1
kind: ReadinessPolicy
metadata:
  name: release-gate
spec:
  appliesTo:
    applications: ["**"]        # every application
  require:                      # every workflow of this tier, everywhere
    - selector: tier == "critical"
      environments: ["*"]
  waivers:
    approvers: team:default
`
