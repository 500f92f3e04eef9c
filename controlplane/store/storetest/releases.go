package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// Two images that a release may consist of.
const (
	shopImage  = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	otherImage = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// releasing stores a release of the shop.
func (f *fixture) releasing(t *testing.T, version, commit string, digests ...string) release.Release {
	t.Helper()
	r := release.Release{
		ID: uuid.Must(uuid.NewV7()), Application: "shop", Version: version, Commit: commit, Actor: f.member.Name, State: verdict.Incomplete,
		Policy: verdict.Policy{Name: "gate", Revision: 3, Digest: "d", Rules: []verdict.Rule{{ID: "r", Kind: verdict.Missing, Expr: "true"}}},
		Cells:  []release.Cell{{Environment: "staging", Suite: "smoke", Required: []verdict.Test{{Key: "k", Name: "adds"}}}},
	}
	for _, digest := range digests {
		r.Images = append(r.Images, verdict.Image{Name: "shop", Digest: digest})
	}
	got, existed, err := f.CreateRelease(f.as(t), release.New{Release: r, Since: f.now.Add(-time.Hour)})
	if err != nil || existed {
		t.Fatalf("create: existed %t, %v", existed, err)
	}
	return got
}

// whole reads a release.
func (f *fixture) whole(t *testing.T, version string) release.Release {
	t.Helper()
	r, err := f.Release(f.as(t), "shop", version)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (f *fixture) arrivals(t *testing.T, id release.ID) int {
	t.Helper()
	r, err := f.ReleaseByID(f.as(t), id)
	if err != nil {
		t.Fatal(err)
	}
	return r.Arrivals
}

// decided stores a verdict that knows everything until now.
func (f *fixture) decided(t *testing.T, r release.Release, state verdict.State) bool {
	t.Helper()
	changed, err := f.SaveVerdict(f.as(t), r.ID, release.Decision{State: state, Output: []byte(`{"state":"x"}`), At: f.now, Arrivals: f.arrivals(t, r.ID), Cause: "Because."})
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func subject(at time.Time, digests ...string) *execution.Subject {
	s := &execution.Subject{ObservedAt: at}
	for _, digest := range digests {
		s.Images = append(s.Images, execution.SubjectImage{Container: "web", Image: "shop:1", Digest: digest})
	}
	return s
}

func (f *fixture) linked(t *testing.T, version string) []execution.ID {
	t.Helper()
	var ids []execution.ID
	for _, l := range f.whole(t, version).Executions {
		ids = append(ids, l.Execution.ID)
	}
	return ids
}

func releases() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"Create": func(t *testing.T, f *fixture) {
			first := f.releasing(t, "1.0", "0123abc", shopImage)
			again, existed, err := f.CreateRelease(f.as(t), release.New{Release: release.Release{ID: uuid.New(), Application: "shop", Version: "1.0"}})
			if err != nil || !existed || again.ID != first.ID || again.Commit != "0123abc" {
				t.Errorf("the same version again: %+v, existed %t, %v", again, existed, err)
			}
			r := f.whole(t, "1.0")
			if r.Team != "default" || !r.Stale || r.State != verdict.Incomplete || r.Policy.Revision != 3 || len(r.Policy.Rules) != 1 ||
				len(r.Cells) != 1 || r.Cells[0].Required[0].Name != "adds" || r.Images[0].Digest != shopImage || len(r.Changes) != 0 {
				t.Errorf("kept %+v", r)
			}
			if _, err := f.Release(f.as(t), "shop", "2.0"); !fault.Is(err, fault.NotFound) {
				t.Errorf("one that is not there: %v", err)
			}
			f.releasing(t, "1.1", "", otherImage)
			list, next, err := f.Releases(f.as(t), "shop", 1, "")
			if err != nil || len(list) != 1 || list[0].Version != "1.1" || next == "" {
				t.Fatalf("newest first: %+v, %q, %v", list, next, err)
			}
			list, next, err = f.Releases(f.as(t), "shop", 1, next)
			if err != nil || len(list) != 1 || list[0].Version != "1.0" || next != "" {
				t.Errorf("then the older: %+v, %q, %v", list, next, err)
			}
			if list, _, err := f.Releases(f.as(t), "cart", 10, ""); err != nil || len(list) != 0 {
				t.Errorf("of another application: %+v, %v", list, err)
			}
		},
		"Verdicts":  verdicts,
		"Same":      sameVerdicts,
		"Observed":  observedLinks,
		"Asked":     askedLinks,
		"Evidence":  evidenceOfAll,
		"Known":     knownTests,
		"Waivers":   waiving,
		"Snapshots": sharing,
		"Policies":  policies,
		"Approvers": approving,
		"Strangers": func(t *testing.T, f *fixture) {
			r := f.releasing(t, "1.0", "", shopImage)
			eve := foreigner(t)
			if _, err := f.Release(eve, "shop", "1.0"); !fault.Is(err, fault.NotFound) {
				t.Errorf("a stranger reads it: %v", err)
			}
			if list, _, err := f.Releases(eve, "", 10, ""); err != nil || len(list) != 0 {
				t.Errorf("a stranger lists %+v, %v", list, err)
			}
			if _, err := f.SaveVerdict(eve, r.ID, release.Decision{State: verdict.Ready}); !fault.Is(err, fault.NotFound) {
				t.Errorf("a stranger decides: %v", err)
			}
			if got, err := f.Evidence(eve, r.ID); err != nil || len(got) != 0 {
				t.Errorf("a stranger sees evidence: %+v, %v", got, err)
			}
			if err := f.SaveWaiver(eve, r.ID, verdict.Waiver{ID: uuid.NewString(), ExpiresAt: f.now}); !fault.Is(err, fault.NotFound) {
				t.Errorf("a stranger waives: %v", err)
			}
		},
	}
}

// sameVerdicts proves that what is remembered of a verdict is never shown when there is another, and that one that says the same is not
// written anew, unless it is the same as one that was overtaken.
func sameVerdicts(t *testing.T, f *fixture) {
	r := f.releasing(t, "1.0", "", shopImage)
	decide := func(what string, same time.Time, output, want string) time.Time {
		t.Helper()
		f.now = f.now.Add(time.Second)
		if _, err := f.SaveVerdict(f.as(t), r.ID, release.Decision{
			State: verdict.Ready, Output: []byte(output), SameAs: same, At: f.now, Arrivals: f.arrivals(t, r.ID),
		}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got := f.whole(t, "1.0")
			if text := strings.ReplaceAll(string(got.Verdict), " ", ""); text != want || !got.Decided.Equal(f.now) || len(got.Cells) != 1 {
				t.Errorf("%s: %s of %s with %d cells, want %s of %s", what, text, got.Decided, len(got.Cells), want, f.now)
			}
		}
		return f.now
	}
	first := decide("the first", time.Time{}, `{"state":"a"}`, `{"state":"a"}`)
	second := decide("another", time.Time{}, `{"state":"b"}`, `{"state":"b"}`)
	decide("the same as one that was overtaken", first, `{"state":"a"}`, `{"state":"a"}`)
	third := decide("another", second, `{"state":"c"}`, `{"state":"c"}`)
	decide("what says the same", third, `{"state":"not written"}`, `{"state":"c"}`)
}

// verdicts holds that changes are recorded once each with their cause, and that nothing that came in meanwhile is overlooked.
func verdicts(t *testing.T, f *fixture) {
	r := f.releasing(t, "1.0", "", shopImage)
	stale := func() int {
		list, err := f.StaleReleases(tenant.System(t.Context()), f.now.Add(-time.Minute), f.now.Add(-time.Hour), 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if stale() != 1 {
		t.Error("a new release is to be decided")
	}
	if !f.decided(t, r, verdict.Incomplete) || stale() != 0 {
		t.Error("the first verdict is a change, and settles it")
	}
	f.now = f.now.Add(2 * time.Minute)
	if stale() != 1 {
		t.Error("an old verdict is made anew: evidence grows old by itself")
	}
	if f.decided(t, r, verdict.Incomplete) {
		t.Error("the same again is no change")
	}
	f.now = f.now.Add(time.Second)
	if !f.decided(t, r, verdict.NotReady) {
		t.Error("another one is a change")
	}
	late := release.Decision{State: verdict.Ready, Output: []byte("{}"), At: f.now.Add(-time.Second), Arrivals: f.arrivals(t, r.ID)}
	if changed, err := f.SaveVerdict(f.as(t), r.ID, late); err != nil || changed {
		t.Errorf("a verdict that was overtaken: changed %t, %v", changed, err)
	}
	read := f.arrivals(t, r.ID) // and the evidence with it; then something comes in
	if err := f.SaveWaiver(f.as(t), r.ID, verdict.Waiver{ID: uuid.NewString(), Rule: "r", Requester: "ann", CreatedAt: f.now, ExpiresAt: f.now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(time.Second)
	before := release.Decision{State: verdict.NotReady, Output: []byte("{}"), At: f.now, Arrivals: read}
	if _, err := f.SaveVerdict(f.as(t), r.ID, before); err != nil || stale() != 1 {
		t.Errorf("what came in after the evidence was read is still to be decided on: %d stale, %v", stale(), err)
	}
	f.decided(t, r, verdict.NotReady)
	f.now = f.now.Add(time.Second)
	before.State, before.At = verdict.Ready, f.now
	if changed, err := f.SaveVerdict(f.as(t), r.ID, before); err != nil || changed || stale() != 0 {
		t.Errorf("a verdict that knows less comes too late: changed %t, %d stale, %v", changed, stale(), err)
	}
	got := f.whole(t, "1.0").Changes
	if len(got) != 2 || got[0].Before != "" || got[0].After != verdict.Incomplete || got[1].Before != verdict.Incomplete || got[1].After != verdict.NotReady {
		t.Fatalf("history %+v", got)
	}
	if !strings.Contains(got[0].Cause, "was created by") || !strings.Contains(got[0].Cause, "Because.") {
		t.Errorf("cause %q: want what came in, and why", got[0].Cause)
	}
}

// observedLinks holds that what ran against all images of a release is evidence for it, before and after it was created.
func observedLinks(t *testing.T, f *fixture) {
	early := f.assigned(t)
	f.report(t, execution.Report{Attempt: early.AttemptID, Status: execution.Passed, SubjectStart: subject(f.now, shopImage), SubjectEnd: subject(f.now, shopImage, otherImage)})
	one := f.releasing(t, "1.0", "", shopImage)
	f.releasing(t, "1.1", "", shopImage, otherImage)
	if got := f.linked(t, "1.0"); !slices.Equal(got, []execution.ID{early.Execution.ID}) {
		t.Errorf("what ran before: %v, want %v", got, early.Execution.ID)
	}
	f.decided(t, one, verdict.Incomplete)
	n := f.assigned(t)
	f.now = f.now.Add(time.Second)
	f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Running, SubjectStart: subject(f.now, shopImage)})
	if got := f.linked(t, "1.0"); !slices.Contains(got, n.Execution.ID) {
		t.Errorf("what runs against it: %v", got)
	}
	if got := f.linked(t, "1.1"); slices.Contains(got, n.Execution.ID) {
		t.Error("one image of two is not the release")
	}
	if r := f.whole(t, "1.0"); !r.Stale || r.Executions[0].Link != release.Observed {
		t.Errorf("stale %t, link %q", r.Stale, r.Executions[0].Link)
	}
	f.decided(t, one, verdict.Incomplete)
	f.now = f.now.Add(time.Second)
	saved, err := f.SaveReport(f.agent(t, f.cluster), execution.Report{Attempt: n.AttemptID, Status: execution.Failed, SubjectEnd: subject(f.now, otherImage)})
	if err != nil || !saved.Judge {
		t.Errorf("its end is something new: %+v, %v", saved, err)
	}
	if e := f.execution(t, n.Execution.ID); e.Runs[0].Attempts[0].Start.Images[0].Digest != shopImage || e.Runs[0].Attempts[0].End.Images[0].Digest != otherImage {
		t.Errorf("observed %+v", e.Runs[0].Attempts[0])
	}
	again := f.assigned(t)
	saved, err = f.SaveReport(f.agent(t, f.cluster), execution.Report{Attempt: again.AttemptID, Status: execution.Running, SubjectStart: &execution.Subject{Message: "forbidden"}})
	if err != nil || saved.Judge || slices.Contains(f.linked(t, "1.0"), again.Execution.ID) {
		t.Errorf("what was not observed is evidence for nothing: %+v, %v", saved, err)
	}
}

// askedLinks holds that a trigger can name the release, and a commit.
func askedLinks(t *testing.T, f *fixture) {
	f.releasing(t, "1.0", "0123abc", shopImage)
	f.releasing(t, "2.0", "4567def")
	start := func(change func(*execution.New)) (execution.ID, error) {
		n := f.request(t, "")
		change(&n)
		id, _, err := f.CreateExecution(f.as(t), n)
		return id, err
	}
	named, err := start(func(n *execution.New) { n.Application, n.Version = "shop", "1.0" })
	if err != nil {
		t.Fatal(err)
	}
	if e := f.execution(t, named); e.Commit != "" {
		t.Errorf("commit %q: whoever names the release does not know what runs there", e.Commit)
	}
	commit, err := start(func(n *execution.New) { n.Execution.Commit = "4567def" })
	if err != nil {
		t.Fatal(err)
	}
	if got := f.whole(t, "1.0").Executions; len(got) != 1 || got[0].Execution.ID != named || got[0].Link != release.Asked {
		t.Errorf("of 1.0: %+v", got)
	}
	if got := f.linked(t, "2.0"); !slices.Equal(got, []execution.ID{commit}) {
		t.Errorf("of 2.0: %v, want what names its commit", got)
	}
	for id, want := range map[execution.ID]string{named: "shop 1.0", commit: " "} {
		if application, version, err := f.ReleaseOf(f.as(t), id); err != nil || application+" "+version != want {
			t.Errorf("the trigger of %v has named %q %q, %v; want %q", id, application, version, err, want)
		}
	}
	if _, err := start(func(n *execution.New) { n.Application, n.Version = "shop", "9" }); !fault.Is(err, fault.NotFound) {
		t.Errorf("a release that is not there: %v", err)
	}
}

// evidenceOfAll holds that the evidence has the results of the latest attempts, with what their reports are worth.
func evidenceOfAll(t *testing.T, f *fixture) {
	r := f.releasing(t, "1.0", "", shopImage)
	n := f.assigned(t)
	file := execution.File{
		ID: uuid.New(), Attempt: n.AttemptID, Step: 1, Kind: execution.FileReport, Path: "junit.xml", SHA256: "aa", Grade: "contradictory", Format: "junit", Blob: "b",
	}
	list := []execution.TestResult{{Suite: "cart", Name: "adds", Key: "k1", Outcome: "passed"}, {Suite: "cart", Name: "pays", Key: "k2", Outcome: "failed", Fingerprint: "fp1:1", Earlier: []string{"passed"}}}
	if _, err := f.SaveFile(f.agent(t, f.cluster), file, list); err != nil {
		t.Fatal(err)
	}
	f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Failed, SubjectStart: subject(f.now, shopImage), SubjectEnd: subject(f.now, shopImage)})
	got, err := f.Evidence(f.as(t), r.ID)
	if err != nil || len(got) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	a := got[0]
	if a.Workflow != "smoke" || a.Environment != "staging" || a.Status != execution.Failed || !a.Start.Observed() || !a.End.Observed() || len(a.Results) != 2 {
		t.Fatalf("attempt %+v", a)
	}
	for _, result := range a.Results {
		if !a.Contradictory[result.ID] {
			t.Errorf("%s is of a report that contradicts itself", result.Name)
		}
	}
	i := slices.IndexFunc(a.Results, func(r execution.TestResult) bool { return r.Key == "k2" })
	if i < 0 || a.Results[i].Fingerprint != "fp1:1" || !slices.Equal(a.Results[i].Earlier, []string{"passed"}) {
		t.Errorf("results %+v", a.Results)
	}
}

// knownTests holds which tests a release requires: those that were listed last where it is asked for, else anywhere.
func knownTests(t *testing.T, f *fixture) {
	listed := func(names ...string) {
		n := f.assigned(t)
		file := execution.File{ID: uuid.New(), Attempt: n.AttemptID, Step: 1, Kind: execution.FileReport, Path: "junit.xml", SHA256: "aa", Grade: "consistent", Format: "junit", Blob: "b"}
		var list []execution.TestResult
		for _, name := range names {
			list = append(list, execution.TestResult{Suite: "cart", Name: name, Key: "key-" + name, Outcome: "passed"})
		}
		list = append(list, execution.TestResult{Name: "«exit»", Key: "key-exit", Outcome: "errored", Flags: execution.Synthetic})
		if _, err := f.SaveFile(f.agent(t, f.cluster), file, list); err != nil {
			t.Fatal(err)
		}
		f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Failed})
	}
	known := func(workflow, environment string) string {
		got, err := f.KnownTests(f.as(t), workflow, environment)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, one := range got {
			names = append(names, one.Name)
		}
		return strings.Join(names, ", ")
	}
	if got := known("smoke", "staging"); got != "" {
		t.Errorf("before anything ran: %s", got)
	}
	listed("pays", "adds", "adds")
	if got := known("smoke", "staging"); got != "cart › adds, cart › pays" {
		t.Errorf("each once, and what stands for an exit code is no test: %s", got)
	}
	if got := known("smoke", "production"); got != "cart › adds, cart › pays" {
		t.Errorf("where it never ran: %s", got)
	}
	listed("removes")
	if got := known("smoke", "staging"); got != "cart › adds, cart › pays, cart › removes" {
		t.Errorf("an execution that lists less makes nothing disappear: %s", got)
	}
	if got := known("load", "staging"); got != "" {
		t.Errorf("of another workflow: %s", got)
	}
}

func waiving(t *testing.T, f *fixture) {
	r := f.releasing(t, "1.0", "", shopImage)
	f.decided(t, r, verdict.NotReady)
	w := verdict.Waiver{
		ID: uuid.NewString(), Application: "shop", Version: "1.0", Rule: "r", Environment: "staging", Suite: "smoke", Test: "k", Variant: "v",
		Fingerprint: "fp1:1", Reason: "known", Requester: "ann", CreatedAt: f.now, ExpiresAt: f.now.Add(time.Hour),
	}
	f.now = f.now.Add(time.Second)
	if err := f.SaveWaiver(f.as(t), r.ID, w); err != nil {
		t.Fatal(err)
	}
	err := f.ChangeWaiver(f.as(t), r.ID, w.ID, "bob", func(w *verdict.Waiver) error {
		w.Approvals = append(w.Approvals, verdict.Approval{By: "bob", At: f.now})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got := f.whole(t, "1.0")
	if !got.Stale || len(got.Waivers) != 1 {
		t.Fatalf("%+v", got)
	}
	w.Approvals = []verdict.Approval{{By: "bob", At: f.now}}
	if kept := got.Waivers[0]; kept.Rule != w.Rule || kept.Test != w.Test || kept.Fingerprint != w.Fingerprint || kept.Version != "1.0" ||
		!kept.ExpiresAt.Equal(w.ExpiresAt) || len(kept.Approvals) != 1 || kept.Approvals[0].By != "bob" || kept.Revoked {
		t.Errorf("kept %+v, want %+v", kept, w)
	}
	refused := fault.New(fault.Forbidden, "no")
	if err := f.ChangeWaiver(f.as(t), r.ID, w.ID, "bob", func(*verdict.Waiver) error { return refused }); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a change that is refused: %v", err)
	}
	if err := f.ChangeWaiver(f.as(t), r.ID, w.ID, "bob", func(w *verdict.Waiver) error { w.Revoked = true; return nil }); err != nil || !f.whole(t, "1.0").Waivers[0].Revoked {
		t.Errorf("revoked: %v", err)
	}
	for _, id := range []string{uuid.NewString(), "none"} {
		if err := f.ChangeWaiver(f.as(t), r.ID, id, "bob", func(*verdict.Waiver) error { return nil }); !fault.Is(err, fault.NotFound) {
			t.Errorf("waiver %s: %v", id, err)
		}
	}
}

func policies(t *testing.T, f *fixture) {
	for i, step := range []struct {
		digest           string
		created, changed bool
		revision         int
	}{{"d1", true, true, 1}, {"d1", false, false, 1}, {"d2", false, true, 2}} {
		rec, created, changed, err := f.ApplyPolicy(f.as(t), workflow.Record{Name: "gate", Digest: step.digest, Source: "of " + step.digest, Description: "d"}, "")
		if err != nil || created != step.created || changed != step.changed || rec.Revision != step.revision || rec.Team != "default" {
			t.Errorf("step %d: %+v, created %t, changed %t, %v", i, rec, created, changed, err)
		}
	}
	if p, err := f.Policy(f.as(t), "gate"); err != nil || p.Source != "of d2" || p.Kind != "ReadinessPolicy" {
		t.Errorf("read %+v, %v", p, err)
	}
	if list, err := f.Policies(f.as(t)); err != nil || len(list) != 1 {
		t.Errorf("all %+v, %v", list, err)
	}
	if list, err := f.Policies(foreigner(t)); err != nil || len(list) != 0 {
		t.Errorf("a stranger reads %+v, %v", list, err)
	}
	if _, err := f.Policy(f.as(t), "none"); !fault.Is(err, fault.NotFound) {
		t.Errorf("one that is not there: %v", err)
	}
}

func approving(t *testing.T, f *fixture) {
	for group, want := range map[string]int{"team:default": 1, "team:none": 0, "": 0, "default": 0} {
		if got, err := f.Approvers(f.as(t), group); err != nil || len(got) != want {
			t.Errorf("of %q: %v, %v", group, got, err)
		}
	}
	if suites, err := f.Suites(f.as(t)); err != nil || len(suites) != 1 || suites[0].Labels["suite"] != "smoke" {
		t.Errorf("suites %+v, %v", suites, err)
	}
	if names, err := f.EnvironmentNames(f.as(t)); err != nil || !slices.Equal(names, []string{"staging"}) {
		t.Errorf("environments %v, %v", names, err)
	}
}
