package insight_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/insight"
	"github.com/seatrial/seatrial/controlplane/insight/coverage"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// books is a store of a catalog and of failures.
type books struct {
	insight.Store

	flows, templates, policies []workflow.Record
	last                       []coverage.Last
	since                      time.Time
	reads                      int // of templates
	counts                     int // of failures
	failed                     uuid.UUID
}

func (b *books) Flows(_ context.Context, limit int) ([]workflow.Record, error) {
	return b.flows[:min(limit, len(b.flows))], nil
}

func (b *books) TemplatesNamed(context.Context, []string) ([]workflow.Record, error) {
	b.reads++
	return b.templates, nil
}

func (b *books) Policies(context.Context) ([]workflow.Record, error) { return b.policies, nil }

func (b *books) Suites(context.Context) ([]policy.Workflow, error) {
	var out []policy.Workflow
	for _, f := range b.flows {
		out = append(out, policy.Workflow{Name: f.Name, Labels: f.Labels})
	}
	return out, nil
}

func (b *books) Environments(context.Context) ([]cluster.Environment, error) {
	return []cluster.Environment{{Name: "eu", Labels: map[string]string{"region": "eu"}}, {Name: "us", Tier: "production"}}, nil
}

func (b *books) LastRuns(_ context.Context, since time.Time) ([]coverage.Last, error) {
	b.since = since
	return b.last, nil
}

func (b *books) FailureClusters(_ context.Context, _, _ string, since time.Time, _ int) (insight.Clusters, error) {
	b.since = since
	b.counts++
	return insight.Clusters{Total: 1}, nil
}

func (b *books) LastFailure(context.Context, time.Time) (uuid.UUID, error) { return b.failed, nil }

func (b *books) FailureCluster(_ context.Context, fingerprint string, _ time.Time) (insight.Failure, error) {
	if fingerprint != "fp1:1" {
		return insight.Failure{}, fault.New(fault.NotFound, "none")
	}
	return insight.Failure{}, nil
}

func flow(name, spec string) workflow.Record {
	return workflow.Record{Name: name, Source: "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: " + name + "}\nspec: {" + spec + "container: {image: a}, steps: [{run: a}]}\n"}
}

func gate(name, require string) workflow.Record {
	return workflow.Record{Name: name, Source: "apiVersion: seatrial.dev/v1\nkind: ReadinessPolicy\nmetadata: {name: " + name + "}\nspec:\n  appliesTo: {applications: [shop]}\n  require: [" + require + "]\n"}
}

// TestService_Coverage proves that workflows say where they run, themselves or by a template, and that policies are heard.
func TestService_Coverage(t *testing.T) {
	t.Parallel()
	b := &books{
		flows: []workflow.Record{
			flow("anywhere", ""), flow("itself", "environments: {names: [eu]}, "), flow("template", "use: [{template: base}], "),
			flow("again", "use: [{template: base}], "),
			{Name: "unreadable", Source: "}{"},
			flow("selects", "environments: {select: {tier: production}}, "), flow("selects-none", "environments: {select: {region: mars}}, "),
		},
		templates: []workflow.Record{{Name: "base", Source: "apiVersion: seatrial.dev/v1\nkind: TestWorkflowTemplate\nmetadata: {name: base}\nspec: {environments: {names: [us]}}\n"}},
		policies:  []workflow.Record{gate("gate", "{suites: [itself], environments: [us]}"), gate("lost", "{suites: [gone], environments: [us]}"), {Name: "old", Source: "}{"}},
	}
	c, err := insight.New(b, now).Coverage(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range c.Rows {
		want := map[string][2]coverage.State{
			"anywhere": {coverage.Never, coverage.Never}, "itself": {coverage.Never, coverage.Never}, "template": {coverage.Elsewhere, coverage.Never},
			"again": {coverage.Elsewhere, coverage.Never}, "unreadable": {coverage.Never, coverage.Never},
			"selects": {coverage.Elsewhere, coverage.Never}, "selects-none": {coverage.Elsewhere, coverage.Elsewhere},
		}[row.Workflow]
		if got := [2]coverage.State{row.Cells[0].State, row.Cells[1].State}; got != want {
			t.Errorf("%s: %v, want %v", row.Workflow, got, want)
		}
	}
	if c.Required != 1 || c.Gaps != 9 || c.StaleDays != insight.DefaultDays || b.reads != 1 {
		t.Errorf("%d gaps, %d required, stale after %d days, templates read %d times", c.Gaps, c.Required, c.StaleDays, b.reads)
	}
	if len(c.Notes) != 2 || !strings.Contains(c.Notes[0], "lost") || !strings.Contains(c.Notes[1], "old") {
		t.Errorf("notes %q", c.Notes)
	}
	if !slices.Equal(c.Unresolved, []string{"lost", "old"}) {
		t.Errorf("unresolved %q: nobody knows what these require", c.Unresolved)
	}
	if !b.since.Equal(now().Add(-time.Duration(c.WindowDays) * 24 * time.Hour)) {
		t.Errorf("looked back to %s", b.since)
	}
}

// TestService_CoverageFollows proves that a service which has read the catalog before sees what was changed since, in workflows and in the
// templates that say where they run.
func TestService_CoverageFollows(t *testing.T) {
	t.Parallel()
	base := func(where string) []workflow.Record {
		return []workflow.Record{{Name: "base", Source: "apiVersion: seatrial.dev/v1\nkind: TestWorkflowTemplate\nmetadata: {name: base}\nspec: {environments: {names: [" + where + "]}}\n"}}
	}
	b := &books{flows: []workflow.Record{flow("itself", "environments: {names: [us]}, "), flow("template", "use: [{template: base}], ")}, templates: base("us")}
	s := insight.New(b, now)
	for _, change := range []func(){
		func() {}, func() {}, // the second time from memory
		func() { b.templates = base("eu") },
		func() { b.templates = base("us") },
		func() { b.flows[0] = flow("itself", "environments: {names: [eu]}, ") },
	} {
		change()
		c, err := s.Coverage(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range c.Rows {
			said := b.templates[0].Source
			if row.Workflow == "itself" {
				said = b.flows[0].Source
			}
			if inEU := row.Cells[0].State == coverage.Never; inEU != strings.Contains(said, "[eu]") {
				t.Errorf("%s runs in eu: %t, but it says %s", row.Workflow, inEU, said)
			}
		}
	}
}

// TestService_CoverageOfMany proves that what a policy requires counts, however many workflows come before it.
func TestService_CoverageOfMany(t *testing.T) {
	t.Parallel()
	b := &books{policies: []workflow.Record{gate("gate", "{suites: [zz], environments: [us]}")}}
	for i := range 2100 {
		b.flows = append(b.flows, workflow.Record{Name: fmt.Sprintf("a%04d", i), Source: "}{"})
	}
	b.flows = append(b.flows, flow("zz", ""))
	c, err := insight.New(b, now).Coverage(t.Context(), 0)
	if err != nil || len(c.Rows) != 2001 || c.Required != 1 || c.Rows[0].Workflow != "zz" || c.Rows[0].Gaps != 1 || len(c.Unresolved) != 0 || len(c.Notes) != 1 {
		t.Errorf("%d rows, %d required, unresolved %q, notes %q, %v", len(c.Rows), c.Required, c.Unresolved, c.Notes, err)
	}
}

func TestService_Failures(t *testing.T) {
	t.Parallel()
	b := &books{}
	s := insight.New(b, now)
	if c, err := s.Failures(t.Context(), insight.Filter{}); err != nil || c.Days != insight.DefaultDays || !b.since.Equal(now().Add(-14*24*time.Hour)) {
		t.Errorf("%+v, %v, since %s", c, err, b.since)
	}
	if c, err := s.Failures(t.Context(), insight.Filter{Days: insight.MaxDays}); err != nil || c.Days != insight.MaxDays {
		t.Errorf("%+v, %v", c, err)
	}
	for _, days := range []int{-1, insight.MaxDays + 1} {
		if _, err := s.Failures(t.Context(), insight.Filter{Days: days}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%d days: %v", days, err)
		}
		if _, err := s.Failure(t.Context(), "fp1:1", days); !fault.Is(err, fault.Invalid) {
			t.Errorf("%d days: %v", days, err)
		}
		if _, err := s.Coverage(t.Context(), days); !fault.Is(err, fault.Invalid) {
			t.Errorf("%d days: %v", days, err)
		}
	}
	if f, err := s.Failure(t.Context(), "fp1:1", 0); err != nil || f.Days != insight.DefaultDays {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := s.Failure(t.Context(), "none", 1); !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "in the last day") {
		t.Errorf("a failure that nobody knows: %v", err)
	}
}

// TestService_FailuresAgain proves that failures are counted again when another one has come, and for everybody who sees other ones.
func TestService_FailuresAgain(t *testing.T) {
	t.Parallel()
	b := &books{failed: uuid.New()}
	at := now()
	s := insight.New(b, func() time.Time { return at })
	one := tenant.Viewer{Kind: tenant.KindMember, Organization: uuid.New()}
	confined := one
	confined.Confined = true
	for _, step := range []struct {
		reason string
		change func()
		viewer tenant.Viewer
		filter insight.Filter
		counts int
	}{
		{"nobody has asked before", func() {}, one, insight.Filter{}, 1},
		{"nothing has failed since", func() {}, one, insight.Filter{}, 1},
		{"the usual days are the same question", func() {}, one, insight.Filter{Days: insight.DefaultDays}, 1},
		{"another question", func() {}, one, insight.Filter{Workflow: "smoke"}, 2},
		{"another organization", func() {}, tenant.Viewer{Kind: tenant.KindMember, Organization: uuid.New()}, insight.Filter{}, 3},
		{"who does not see everything", func() {}, confined, insight.Filter{}, 4},
		{"who does not see everything is told nothing that was remembered", func() {}, confined, insight.Filter{}, 5},
		{"something else has failed", func() { b.failed = uuid.New() }, one, insight.Filter{}, 6},
		{"what is too old leaves", func() { at = at.Add(2 * time.Minute) }, one, insight.Filter{}, 7},
	} {
		step.change()
		if got, err := s.Failures(tenant.WithViewer(t.Context(), step.viewer), step.filter); err != nil || got.Total != 1 || got.Days != insight.DefaultDays {
			t.Fatalf("%+v, %v", got, err)
		}
		if b.counts != step.counts {
			t.Errorf("counted %d times, not %d: %s", b.counts, step.counts, step.reason)
		}
	}
}
