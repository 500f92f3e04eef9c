package assess_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/assess"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

const image = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// world is the store of one release.
type world struct {
	mu        sync.Mutex
	policies  []workflow.Record
	known     map[string][]verdict.Test
	release   *release.Release
	attempts  []release.Attempt
	approvers []string
	decisions []release.Decision
	topics    []string

	quarantines []testcase.Quarantine
	linked      int
	broken      error // of reading evidence
}

func (w *world) Policies(context.Context) ([]workflow.Record, error) { return w.policies, nil }

func (w *world) Suites(context.Context) ([]policy.Workflow, error) {
	return []policy.Workflow{{Name: "load"}, {Name: "smoke", Labels: map[string]string{"suite": "smoke", "tier": "critical"}}}, nil
}

func (w *world) EnvironmentNames(context.Context) ([]string, error) { return []string{"eu", "us"}, nil }

func (w *world) KnownTests(_ context.Context, workflow, environment string) ([]verdict.Test, error) {
	return slices.Clone(w.known[environment+"/"+workflow]), nil
}

func (w *world) Approvers(_ context.Context, group string) ([]string, error) {
	if group != "team:managers" {
		return nil, nil
	}
	return w.approvers, nil
}

func (w *world) Quarantines(context.Context, time.Time) ([]testcase.Quarantine, error) {
	return w.quarantines, nil
}

func (w *world) QuarantinesAt(ctx context.Context, at time.Time) ([]testcase.Quarantine, error) {
	return w.Quarantines(ctx, at)
}

// team owns the release.
func team() uuid.UUID { return uuid.UUID{7} }

func (w *world) CreateRelease(_ context.Context, n release.New) (release.Release, bool, error) {
	if w.release != nil {
		return *w.release, true, nil
	}
	r := n.Release
	r.Team, r.TeamID = "shop", team()
	r.Stale, r.CreatedAt = true, n.Since.Add(7*24*time.Hour)
	w.release = &r
	return r, false, nil
}

func (w *world) Release(_ context.Context, application, version string) (release.Release, error) {
	if w.release == nil || w.release.Application != application || w.release.Version != version {
		return release.Release{}, fault.New(fault.NotFound, "no release")
	}
	return *w.release, nil
}

func (w *world) ReleaseByID(context.Context, release.ID) (release.Release, error) {
	return *w.release, nil
}

func (w *world) LinkEvidence(context.Context, release.ID, time.Time) error {
	w.linked++
	return nil
}

func (w *world) Releases(context.Context, string, int, string) ([]release.Release, string, error) {
	return []release.Release{*w.release}, "", nil
}

func (w *world) Evidence(context.Context, release.ID) ([]release.Attempt, error) {
	return w.attempts, w.broken
}

func (w *world) SaveVerdict(_ context.Context, _ release.ID, d release.Decision) (bool, error) {
	changed := len(w.decisions) == 0 || w.release.State != d.State
	w.decisions = append(w.decisions, d)
	if changed {
		w.release.Changes = append(w.release.Changes, release.Change{Number: len(w.release.Changes) + 1, Before: w.release.State, After: d.State, At: d.At})
	}
	w.release.State, w.release.Verdict, w.release.Decided, w.release.Stale = d.State, d.Output, d.At, false
	return changed, nil
}

func (w *world) StaleReleases(context.Context, time.Time, time.Time, int) ([]release.Stale, error) {
	return []release.Stale{{Organization: uuid.New(), ID: w.release.ID}}, nil
}

func (w *world) SaveWaiver(_ context.Context, _ release.ID, waiver verdict.Waiver) error {
	w.release.Waivers, w.release.Stale = append(w.release.Waivers, waiver), true
	return nil
}

func (w *world) ChangeWaiver(_ context.Context, _ release.ID, id, _ string, change func(*verdict.Waiver) error) error {
	i := slices.IndexFunc(w.release.Waivers, func(w verdict.Waiver) bool { return w.ID == id })
	if i < 0 {
		return fault.New(fault.NotFound, "no waiver")
	}
	w.release.Stale = true
	return change(&w.release.Waivers[i])
}

func (w *world) Publish(_ context.Context, topic string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.topics = append(w.topics, topic)
}

const gate = `apiVersion: seatrial.dev/v1
kind: ReadinessPolicy
metadata: {name: gate}
spec:
  appliesTo: {applications: [shop]}
  require: [{selector: 'tier == "critical"', environments: ["*"]}]
  waivers: {approvers: "team:managers", maxAge: 48h}
`

type bench struct {
	*assess.Service
	world *world
	now   time.Time
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{now: time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC), world: &world{
		policies: []workflow.Record{{Name: "gate", Source: gate, Revision: 7, Digest: "d7"}}, approvers: []string{"bob", "cid"},
		known: map[string][]verdict.Test{"eu/smoke": {{Key: "a", Name: "adds"}, {Key: "p", Name: "pays"}}},
	}}
	b.Service = assess.NewService(assess.Config{Store: b.world, Bus: b.world, Log: slog.New(slog.DiscardHandler), Clock: func() time.Time { return b.now }})
	return b
}

func as(t *testing.T, name string, kind tenant.Kind) context.Context {
	t.Helper()
	return tenant.WithViewer(t.Context(), tenant.Viewer{
		Team: team(),
		Kind: kind, Organization: uuid.New(), Name: name, Maker: name, Role: tenant.RoleMaintainer, Scopes: []tenant.Scope{tenant.ScopeRead, tenant.ScopeRelease},
	})
}

func asked() release.Request {
	return release.Request{Application: "shop", Version: "1.0", Images: []verdict.Image{{Name: "shop", Digest: image}}}
}

func (b *bench) create(t *testing.T) release.Release {
	t.Helper()
	r, existed, err := b.Create(as(t, "ann", tenant.KindToken), asked())
	if err != nil || existed {
		t.Fatalf("create: existed %t, %v", existed, err)
	}
	return r
}

// ran adds an attempt on the release.
func (b *bench) ran(environment string, status execution.Status, outcomes ...string) *release.Attempt {
	subject := &execution.Subject{ObservedAt: b.now, Images: []execution.SubjectImage{{Container: "web", Digest: image}}}
	a := release.Attempt{
		ID: uuid.New(), Execution: uuid.New(), Workflow: "smoke", Environment: environment, Status: status, Delivered: true, FinishedAt: b.now, Start: subject, End: subject,
		Contradictory: map[uuid.UUID]bool{},
	}
	for i, outcome := range outcomes {
		a.Results = append(a.Results, execution.TestResult{ID: uuid.New(), Key: string("ap"[i%2]), Name: "n", Outcome: outcome, Fingerprint: "fp1:1"})
	}
	b.world.attempts = append(b.world.attempts, a)
	return &b.world.attempts[len(b.world.attempts)-1]
}

func output(t *testing.T, r release.Release) verdict.Output {
	t.Helper()
	var out verdict.Output
	if err := json.Unmarshal(r.Verdict, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (b *bench) get(t *testing.T) (release.Release, verdict.Output) {
	t.Helper()
	b.world.release.Stale = true
	r, err := b.Get(as(t, "ann", tenant.KindToken), "shop", "1.0")
	if err != nil {
		t.Fatal(err)
	}
	return r, output(t, r)
}

func TestService_Create(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	if r.State != verdict.Incomplete || r.Policy.Revision != 7 || r.Policy.Digest != "d7" || len(r.Policy.Rules) == 0 || r.Decided.IsZero() {
		t.Errorf("created %+v: want it decided, with the rules of its policy", r)
	}
	if len(r.Cells) != 2 || r.Cells[0].Environment != "eu" || r.Cells[0].Suite != "smoke" || len(r.Cells[0].Required) != 2 {
		t.Fatalf("cells %+v", r.Cells)
	}
	if got := r.Cells[0].Required[0].Labels; !slices.Equal(got, []string{"critical", "smoke", "suite=smoke", "tier=critical"}) {
		t.Errorf("labels of a test %v", got)
	}
	if got := r.Cells[1].Required; len(got) != 1 || got[0].Key != release.Itself {
		t.Errorf("where nothing is known the workflow itself is required: %+v", got)
	}
	b.world.policies = nil
	if _, existed, err := b.Create(as(t, "ann", tenant.KindToken), asked()); err != nil || !existed {
		t.Errorf("the same again, whatever has become of the policy: existed %t, %v", existed, err)
	}
	named := asked()
	named.Policy = "another"
	if _, _, err := b.Create(as(t, "ann", tenant.KindToken), named); !fault.Is(err, fault.Conflict) {
		t.Errorf("held to another policy: %v", err)
	}
	other := asked()
	other.Commit = "0123abc"
	if _, _, err := b.Create(as(t, "ann", tenant.KindToken), other); !fault.Is(err, fault.Conflict) {
		t.Errorf("another commit: %v", err)
	}
}

func TestService_CreateRefuses(t *testing.T) {
	t.Parallel()
	second := strings.Replace(gate, "name: gate", "name: second", 1)
	tests := map[string]struct {
		change func(*bench, *release.Request)
		want   fault.Kind
		says   string
		reason string
	}{
		"NoPolicy": {func(_ *bench, r *release.Request) { r.Application = "cart" }, fault.NotFound, "no readiness policy applies to cart", "nothing says what it has to show"},
		"Unknown":  {func(_ *bench, r *release.Request) { r.Policy = "none" }, fault.NotFound, `no readiness policy "none"`, "a name that nobody bears"},
		"TwoPolicies": {func(b *bench, _ *release.Request) {
			b.world.policies = append(b.world.policies, workflow.Record{Name: "second", Source: second})
		}, fault.Invalid, "gate, second", "somebody has to choose"},
		"Nothing":     {func(_ *bench, r *release.Request) { r.Images = nil }, fault.Invalid, "nothing says what the release consists of", "no evidence could be matched"},
		"Application": {func(_ *bench, r *release.Request) { r.Application = "Shop 1" }, fault.Invalid, "no name of an application", "it stands in addresses"},
		"Version":     {func(_ *bench, r *release.Request) { r.Version = "1 0" }, fault.Invalid, "no version", "it stands in addresses"},
		"Commit":      {func(_ *bench, r *release.Request) { r.Commit = "main" }, fault.Invalid, "no commit", "a branch moves"},
		"Digest":      {func(_ *bench, r *release.Request) { r.Images[0].Digest = "sha256:1" }, fault.Invalid, "no digest", "it would match nothing"},
		"Twice":       {func(_ *bench, r *release.Request) { r.Images = append(r.Images, r.Images[0]) }, fault.Invalid, "given twice", "a slip of the pen"},
		"NotFor":      {func(b *bench, r *release.Request) { r.Application, r.Policy = "cart", "gate" }, fault.Invalid, "does not apply to cart", "a laxer policy must not be borrowed"},
		"NoSuite": {func(b *bench, _ *release.Request) {
			b.world.policies[0].Source = strings.Replace(gate, "critical", "none", 1)
		}, fault.Invalid, "none", "what matches nothing would vanish"},
		"OldPolicy": {func(b *bench, _ *release.Request) {
			b.world.policies[0].Source = strings.Replace(gate, "selector", "select", 1)
		}, fault.Invalid, "cannot read the policy gate", "another version has accepted it"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			r := asked()
			tc.change(b, &r)
			_, _, err := b.Create(as(t, "ann", tenant.KindToken), r)
			if !fault.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v, want %s saying %q: %s", err, tc.want, tc.says, tc.reason)
			}
		})
	}
	b := setup(t)
	none := tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindToken, Scopes: []tenant.Scope{tenant.ScopeRead}})
	if _, _, err := b.Create(none, asked()); !fault.Is(err, fault.Forbidden) {
		t.Errorf("without the scope: %v", err)
	}
}

// TestService_Evidence holds how attempts become evidence.
func TestService_Evidence(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		run    func(*bench)
		want   string // verdicts of the cell eu/smoke, by key
		state  verdict.State
		reason string
	}{
		"Passed":   {func(b *bench) { b.ran("eu", execution.Passed, "passed", "passed") }, "a:passed p:passed", verdict.Ready, "plain"},
		"Failed":   {func(b *bench) { b.ran("eu", execution.Failed, "passed", "failed") }, "a:passed p:failed", verdict.NotReady, "its tests account for the failure"},
		"Silent":   {func(b *bench) { b.ran("eu", execution.Failed, "passed", "passed") }, "a:passed p:passed workflow:failed", verdict.NotReady, "a failure that no test accounts for"},
		"TimedOut": {func(b *bench) { b.ran("eu", execution.TimedOut, "passed", "failed") }, "a:passed p:failed workflow:failed", verdict.NotReady, "no test accounts for a time limit"},
		"Errored":  {func(b *bench) { b.ran("eu", execution.Errored, "passed", "passed") }, "a:passed p:passed workflow:infra_error", verdict.Incomplete, "nobody knows what it would have said"},
		"Lost":     {func(b *bench) { b.ran("eu", execution.Errored) }, "a:never_ran p:never_ran workflow:infra_error", verdict.Incomplete, "a lost pod is no evidence"},
		"Running":  {func(b *bench) { b.ran("eu", execution.Running).End = nil }, "a:never_ran p:never_ran workflow:running", verdict.Incomplete, "it is under way"},
		"Skipped":  {func(b *bench) { b.ran("eu", execution.Skipped) }, "a:never_ran p:never_ran", verdict.Incomplete, "it says nothing"},
		"Again": {func(b *bench) {
			b.ran("eu", execution.Failed, "passed", "failed")
			b.ran("eu", execution.Passed, "passed", "passed")
		}, "a:passed p:flaky", verdict.NotReady, "a repetition does not hide the failure"},
		"AgainWhole": {func(b *bench) {
			b.ran("eu", execution.Failed, "passed", "passed")
			b.ran("eu", execution.Passed, "passed", "passed")
		}, "a:passed p:passed workflow:flaky", verdict.NotReady, "nor one of the workflow"},
		"Retried": {func(b *bench) {
			b.ran("eu", execution.Passed, "passed", "passed").Results[1].Earlier = []string{"failed"}
		}, "a:passed p:flaky", verdict.NotReady, "nor one that the tool made"},
		"Other": {func(b *bench) {
			b.ran("eu", execution.Passed, "passed", "passed").End = &execution.Subject{ObservedAt: b.now}
		}, "a:passed p:passed", verdict.Incomplete, "what was there at the end was another image"},
		"Cut": {func(b *bench) {
			a := b.ran("eu", execution.Passed, "passed", "passed")
			s := *a.End
			s.Cut = true
			a.End = &s
		}, "a:passed p:passed", verdict.Incomplete, "a list that was cut is not all"},
		"Hidden": {func(b *bench) {
			a := b.ran("eu", execution.Passed, "passed", "passed")
			a.Contradictory[a.Results[0].ID] = true
		}, "a:infra_error p:passed", verdict.Incomplete, "a report that hides failures proves nothing"},
		"Elsewhere": {func(b *bench) {
			b.ran("moon", execution.Failed, "failed", "failed")
			b.ran("eu", execution.Passed, "passed", "passed")
		}, "a:passed p:passed", verdict.Ready, "nobody requires it there"},
		"Quarantined": {func(b *bench) {
			b.ran("eu", execution.Failed, "passed", "failed")
			b.world.quarantines = []testcase.Quarantine{{Test: "p"}}
		}, "a:passed p:failed", verdict.Ready, "it runs, is shown, and does not count"},
		"MadeUp": {func(b *bench) {
			b.ran("eu", execution.Errored, "passed", "passed")
			b.ran("eu", execution.Passed, "passed", "passed")
		}, "a:passed p:passed workflow:passed", verdict.Ready, "it ran once more, to its end"},
		"Cell": {func(b *bench) {
			b.ran("eu", execution.Passed, "passed", "passed").Matrix = map[string]string{"browser": "chromium"}
			b.ran("eu", execution.Cancelled).Matrix = map[string]string{"browser": "firefox"}
		}, "a:passed p:passed workflow:passed workflow:infra_error", verdict.Incomplete, "whoever stops a cell does not make it pass"},
		"Undelivered": {func(b *bench) { b.ran("eu", execution.Passed, "passed", "passed").Delivered = false }, "a:passed p:passed workflow:running", verdict.Incomplete, "a report may still be on its way"},
		"NeverDelivered": {func(b *bench) {
			a := b.ran("eu", execution.Passed, "passed", "passed")
			a.Delivered, a.FinishedAt = false, b.now.Add(-time.Hour)
		}, "a:passed p:passed", verdict.Ready, "it is not waited for for ever"},
		"ExitCode": {func(b *bench) {
			a := b.ran("eu", execution.Failed, "passed", "passed", "errored")
			a.Results[2].Key, a.Results[2].Name = "", "«runner exit code»"
		}, "a:passed p:passed «runner exit code»:failed", verdict.NotReady, "what stands for an exit code"},
		"ExitCodeAgain": {func(b *bench) {
			a := b.ran("eu", execution.Failed, "passed", "passed", "errored")
			a.Results[2].Key, a.Results[2].Name = "", "«runner exit code»"
			b.ran("eu", execution.Passed, "passed", "passed")
		}, "a:passed p:passed «runner exit code»:flaky", verdict.NotReady, "an attempt without it speaks against it"},
		"Matrix": {func(b *bench) {
			for _, browser := range []string{"chromium", "firefox"} {
				b.ran("eu", execution.Passed, "passed", "passed").Matrix = map[string]string{"browser": browser}
			}
		}, "a:passed a:passed p:passed p:passed", verdict.Ready, "each cell of a matrix is a variant"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.create(t)
			b.ran("us", execution.Passed)
			tc.run(b)
			r, out := b.get(t)
			var got []string
			for _, result := range out.Cells[0].Results {
				got = append(got, result.Test+":"+string(result.Verdict))
			}
			if strings.Join(got, " ") != tc.want || r.State != tc.state {
				t.Errorf("%s with %v, want %s with %s: %s", r.State, got, tc.state, tc.want, tc.reason)
			}
		})
	}
}

// TestService_Get holds that a verdict is made anew when something has come in, and when time has passed.
func TestService_Get(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t)
	made := len(b.world.decisions)
	look := func() int {
		if _, err := b.Get(as(t, "ann", tenant.KindToken), "shop", "1.0"); err != nil {
			t.Fatal(err)
		}
		return len(b.world.decisions) - made
	}
	if look() != 0 {
		t.Error("nothing has come in")
	}
	b.world.release.Stale = true
	if look() != 1 {
		t.Error("something has come in")
	}
	b.now = b.now.Add(time.Minute)
	if look() != 2 {
		t.Error("time has passed: evidence grows old by itself")
	}
	if err := b.Settle(t.Context()); err != nil || len(b.world.decisions)-made != 3 {
		t.Errorf("settled %d, %v", len(b.world.decisions)-made, err)
	}
	if last, before := b.world.decisions[len(b.world.decisions)-1], b.world.decisions[len(b.world.decisions)-2]; !last.SameAs.Equal(before.At) {
		t.Errorf("the same as of %s, want of %s: nothing else has come in", last.SameAs, before.At)
	}
	b.world.release.Verdict = []byte(`{"state": "READY"}`)
	b.now = b.now.Add(time.Minute)
	if look() != 4 || !b.world.decisions[len(b.world.decisions)-1].SameAs.IsZero() {
		t.Error("it says something else than the last one, and has to be written")
	}
	if last := b.world.decisions[len(b.world.decisions)-1]; !strings.Contains(last.Cause, "evidence-complete (eu/smoke, us/smoke)") {
		t.Errorf("cause %q: want what is missing where", last.Cause)
	}
}

// TestService_Undecidable holds that a release whose evidence is too much to be judged does not stay as it was.
func TestService_Undecidable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t)
	b.world.broken = fault.New(fault.Exhausted, "more than a million results")
	r, out := b.get(t)
	if r.State != verdict.Incomplete || len(out.Gaps) != 1 || !strings.Contains(out.Gaps[0], "more than a million results") {
		t.Errorf("%s, gaps %q", r.State, out.Gaps)
	}
	if b.world.linked == 0 {
		t.Error("while it is young, it is looked for what ran against it meanwhile")
	}
}
