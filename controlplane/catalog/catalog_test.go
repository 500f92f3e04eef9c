package catalog_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/catalog"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// memory is a store that keeps the promises of catalog.Store for one organization.
type memory struct {
	workflows map[string]workflow.Record
	templates map[string]workflow.Record
	policies  map[string]workflow.Record
	conflicts int // how many times applying is told to try again
	checked   []workflow.Ref
	users     []workflow.Ref
	clusters  []cluster.Cluster
	places    []cluster.Environment
	schedules map[string]schedule.Record
	hook      notify.Webhook
	kept      notify.Secrets
}

func (m *memory) Schedule(_ context.Context, name string) (schedule.Record, error) {
	r, ok := m.schedules[name]
	if !ok {
		return r, fault.New(fault.NotFound, "there is no %q", name)
	}
	return r, nil
}

func (m *memory) ApplySchedule(_ context.Context, r schedule.Record, _ string) (schedule.Record, bool, bool, error) {
	known, exists := m.schedules[r.Name]
	if m.schedules == nil {
		m.schedules = map[string]schedule.Record{}
	}
	m.schedules[r.Name] = r
	return r, !exists, known.Digest != r.Digest, nil
}

func (m *memory) Clusters(context.Context) ([]cluster.Cluster, error) { return m.clusters, nil }

func (m *memory) Environments(context.Context) ([]cluster.Environment, error) { return m.places, nil }

func (m *memory) ApplyEnvironment(_ context.Context, e cluster.Environment) (cluster.Environment, bool, bool, error) {
	for i, known := range m.places {
		if known.Name == e.Name {
			m.places[i] = e
			return e, false, known.Digest != e.Digest, nil
		}
	}
	m.places = append(m.places, e)
	return e, true, true, nil
}

func (m *memory) Workflow(_ context.Context, name string) (workflow.Record, error) {
	return get(m.workflows, name)
}

func (m *memory) Template(_ context.Context, name string) (workflow.Record, error) {
	return get(m.templates, name)
}

func get(from map[string]workflow.Record, name string) (workflow.Record, error) {
	r, ok := from[name]
	if !ok {
		return r, fault.New(fault.NotFound, "there is no %q", name)
	}
	return r, nil
}

func (m *memory) TemplatesNamed(_ context.Context, names []string) (out []workflow.Record, err error) {
	for _, name := range names {
		if r, ok := m.templates[name]; ok {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m *memory) TemplateUsers(_ context.Context, name string) (out []workflow.Record, err error) {
	for _, from := range []map[string]workflow.Record{m.workflows, m.templates} {
		for _, r := range from {
			if slices.Contains(r.Uses, name) {
				out = append(out, r)
			}
		}
	}
	slices.SortFunc(out, func(a, b workflow.Record) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (m *memory) ApplyWorkflow(_ context.Context, w workflow.Record, _ string) (workflow.Record, bool, bool, error) {
	m.checked = w.Checked
	return m.put(m.workflows, w)
}

func (m *memory) ApplyTemplate(_ context.Context, t workflow.Record, users []workflow.Ref, _ string) (workflow.Record, bool, bool, error) {
	m.checked, m.users = t.Checked, users
	return m.put(m.templates, t)
}

func (m *memory) Policy(_ context.Context, name string) (workflow.Record, error) {
	return get(m.policies, name)
}

func (m *memory) ApplyPolicy(_ context.Context, p workflow.Record, _ string) (workflow.Record, bool, bool, error) {
	return m.put(m.policies, p)
}

func (m *memory) put(into map[string]workflow.Record, r workflow.Record) (workflow.Record, bool, bool, error) {
	if m.conflicts--; m.conflicts >= 0 {
		return r, false, false, fault.New(fault.Conflict, "changed meanwhile")
	}
	known, exists := into[r.Name]
	if exists && known.Digest == r.Digest {
		return known, false, false, nil
	}
	r.Revision = known.Revision + 1
	into[r.Name] = r
	return r, !exists, true, nil
}

const (
	base      = "apiVersion: seatrial.dev/v1\nkind: TestWorkflowTemplate\nmetadata: {name: base}\nspec: {params: {n: {type: integer, default: 1}}, container: {image: a}}\n"
	renamed   = "apiVersion: seatrial.dev/v1\nkind: TestWorkflowTemplate\nmetadata: {name: base}\nspec: {params: {m: {type: integer}}, container: {image: a}}\n"
	shop      = "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: shop}\nspec: {use: [{template: base, with: {n: 2}}], steps: [{run: x}]}\n"
	shopAnew  = "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: shop}\nspec: {use: [{template: base, with: {m: 2}}], steps: [{run: x}]}\n"
	policy    = "apiVersion: seatrial.dev/v1\nkind: ReadinessPolicy\nmetadata: {name: gate}\nspec: {description: d, appliesTo: {applications: [shop]}, require: [{suites: [a], environments: [b]}], rules: []}\n"
	plainFlow = "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: plain}\nspec: {steps: [{run: x, image: a}]}\n"
)

// setup returns a catalog with the documents in it.
func setup(t *testing.T, sources ...string) (*catalog.Catalog, *memory) {
	t.Helper()
	m := &memory{workflows: map[string]workflow.Record{}, templates: map[string]workflow.Record{}, policies: map[string]workflow.Record{}}
	c := catalog.New(m)
	for _, source := range sources {
		if _, err := c.Apply(t.Context(), catalog.Request{Source: source}); err != nil {
			t.Fatal(err)
		}
	}
	return c, m
}

func TestApply(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before  []string
		source  string
		along   []string
		dry     bool
		kind    string
		outcome catalog.Outcome
		stored  bool
		reason  string
	}{
		"Workflow":          {nil, plainFlow, nil, false, document.Workflow, catalog.Created, true, "nothing is used"},
		"Template":          {nil, base, nil, false, document.TemplateKind, catalog.Created, true, "nothing uses it"},
		"Uses":              {[]string{base}, shop, nil, false, document.Workflow, catalog.Created, true, "the template is there"},
		"Same":              {[]string{base, shop}, base, nil, false, document.TemplateKind, catalog.Unchanged, true, "nothing changes"},
		"Harmless":          {[]string{base, shop}, strings.Replace(base, "image: a", "image: b", 1), nil, false, document.TemplateKind, catalog.Changed, true, "the workflow goes on"},
		"Together":          {[]string{base, shop}, renamed, []string{shopAnew}, false, document.TemplateKind, catalog.Changed, true, "the workflow changes in the same go"},
		"DryTogether":       {nil, shop, []string{base}, true, document.Workflow, catalog.Created, false, "the template would be there"},
		"DryTogetherItself": {[]string{base, shop}, base, []string{base}, true, document.TemplateKind, catalog.Unchanged, true, "along with itself means nothing"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, m := setup(t, tc.before...)
			got, err := c.Apply(t.Context(), catalog.Request{Source: tc.source, Along: tc.along, DryRun: tc.dry})
			if err != nil || got.Record.Kind != tc.kind || got.Outcome != tc.outcome || got.Record.Source != "" || got.Record.Revision == 0 {
				t.Errorf("%+v, %v; want %d: %s", got, err, tc.outcome, tc.reason)
			}
			_, flow := m.workflows[got.Record.Name]
			_, template := m.templates[got.Record.Name]
			if (flow || template) != tc.stored {
				t.Errorf("stored: %t: %s", flow || template, tc.reason)
			}
		})
	}
}

func TestApply_Refused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before []string
		source string
		along  []string
		dry    bool
		kind   fault.Kind
		says   string // of the first place
		hint   string
		reason string
	}{
		"Missing":      {nil, shop, nil, false, fault.Invalid, `no template "base"`, "Apply base first", "what it uses has to be there"},
		"PolicyRule":   {nil, strings.Replace(policy, "rules: []", "rules: [{id: r, kind: negative, expr: cell.nope == 0}]", 1), nil, false, fault.Invalid, "nope", "", "the rules of a policy are compiled"},
		"PolicyTarget": {nil, strings.Replace(policy, "applications: [shop]", "applications: [shop], targets: [Production!]", 1), nil, false, fault.Invalid, "Production!", "", "a target has a name as environments have"},
		"PolicyFault":  {nil, strings.Replace(policy, "suites", "suite", 1), nil, false, fault.Invalid, "suite", "", "a policy is checked as all documents are"},
		"Breaks":       {[]string{base, shop}, renamed, nil, false, fault.Invalid, "breaks workflow shop", "Change shop in the same command", "others rely on it"},
		"BreaksDry":    {[]string{base, shop}, renamed, nil, true, fault.Invalid, "breaks workflow shop", "", "a dry run says the same"},
		"WrongAlong":   {[]string{base, shop}, renamed, []string{shop}, false, fault.Invalid, "breaks workflow shop", "", "what goes along is as bad"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, m := setup(t, tc.before...)
			_, err := c.Apply(t.Context(), catalog.Request{Source: tc.source, Along: tc.along, DryRun: tc.dry})
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != tc.kind || len(f.Places) == 0 || !strings.Contains(f.Places[0].Message, tc.says) || !strings.Contains(f.Hint, tc.hint) {
				t.Errorf("%v with %+v; want %q: %s", err, f, tc.says, tc.reason)
			}
			if m.templates["base"].Revision > 1 {
				t.Error("it was stored")
			}
		})
	}
}

// TestApply_BrokenBefore proves that a workflow which does not work anyway does not stop others from changing a template.
func TestApply_BrokenBefore(t *testing.T) {
	t.Parallel()
	c, m := setup(t, base, shop)
	broken := m.workflows["shop"]
	broken.Source = strings.Replace(shop, "n: 2", "n: many", 1)
	m.workflows["shop"] = broken
	if _, err := c.Apply(t.Context(), catalog.Request{Source: renamed}); err != nil {
		t.Errorf("%v", err)
	}
}

// TestApply_Checked proves that the store learns what a document was checked with, and that it is checked anew when that has changed.
func TestApply_Checked(t *testing.T) {
	t.Parallel()
	c, m := setup(t, base, shop)
	if want := []workflow.Ref{{Kind: document.TemplateKind, Name: "base", Revision: 1}}; !slices.Equal(m.checked, want) {
		t.Errorf("checked with %v, want %v", m.checked, want)
	}
	m.conflicts = 2
	if _, err := c.Apply(t.Context(), catalog.Request{Source: strings.Replace(base, "image: a", "image: b", 1)}); err != nil {
		t.Fatal(err)
	}
	if want := []workflow.Ref{{Kind: document.Workflow, Name: "shop", Revision: 1}}; !slices.Equal(m.users, want) {
		t.Errorf("checked with the users %v, want %v", m.users, want)
	}
	m.conflicts = 1000
	if _, err := c.Apply(t.Context(), catalog.Request{Source: base}); !fault.Is(err, fault.Conflict) {
		t.Errorf("err = %v, want an end of trying", err)
	}
}

// TestApply_Policy holds that a readiness policy gets revisions as other documents do.
func TestApply_Policy(t *testing.T) {
	t.Parallel()
	c, m := setup(t)
	stricter := strings.Replace(policy, "suites: [a]", "suites: [a, c]", 1)
	for i, step := range []struct {
		source   string
		dry      bool
		want     catalog.Outcome
		revision int
	}{
		{policy, true, catalog.Created, 1},
		{policy, false, catalog.Created, 1},
		{policy + "# a comment\n", false, catalog.Unchanged, 1},
		{stricter, true, catalog.Changed, 2},
		{stricter, false, catalog.Changed, 2},
	} {
		got, err := c.Apply(t.Context(), catalog.Request{Source: step.source, DryRun: step.dry})
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if got.Outcome != step.want || got.Record.Revision != step.revision || got.Record.Source != "" || got.Record.Kind != document.ReadinessPolicyKind {
			t.Errorf("step %d: %+v, want outcome %d of revision %d without source", i, got, step.want, step.revision)
		}
	}
	if kept := m.policies["gate"]; kept.Description != "d" || kept.Source != stricter {
		t.Errorf("kept %+v", kept)
	}
}

func (m *memory) Trigger(context.Context, string) (trigger.Record, error) {
	return trigger.Record{}, fault.New(fault.NotFound, "there is none")
}

func (m *memory) ApplyTrigger(_ context.Context, r trigger.Record, _ string) (trigger.Record, bool, bool, error) {
	return r, true, true, nil
}

func (m *memory) Webhook(_ context.Context, name string) (notify.Webhook, error) {
	if m.hook.Name == name {
		return m.hook, nil
	}
	return notify.Webhook{}, fault.New(fault.NotFound, "there is none")
}

func (m *memory) ApplyWebhook(_ context.Context, name, digest, _ string, change notify.Amend) (w notify.Webhook, created, changed bool, err error) {
	created, changed = m.hook.Name != name, m.hook.Digest != digest
	m.hook.Name, m.hook.Revision = name, 1
	return m.hook, created, changed, change(&m.hook, &m.kept)
}

func TestApply_Webhook(t *testing.T) {
	t.Parallel()
	c, m := setup(t)
	const source = "apiVersion: seatrial.dev/v1\nkind: Webhook\nmetadata: {name: chat}\nspec:\n  format: slack\n  template: ${{ execution.workflow }} broke\n"
	apply := func(r catalog.Request) catalog.Applied {
		t.Helper()
		got, err := c.Apply(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := apply(catalog.Request{Source: source, DryRun: true}); got.Outcome != catalog.Created || m.hook.Name != "" {
		t.Errorf("a dry run: %+v", got)
	}
	if got := apply(catalog.Request{Source: source}); got.Outcome != catalog.Created || got.Record.Kind != document.WebhookKind || !strings.Contains(got.Missing, "webhook set chat --url-stdin") {
		t.Errorf("%+v", got)
	}
	if got := apply(catalog.Request{Source: source, DryRun: true}); got.Outcome != catalog.Unchanged {
		t.Errorf("the same: %+v", got)
	}
	if got := apply(catalog.Request{Source: strings.Replace(source, "broke", "failed", 1), DryRun: true}); got.Outcome != catalog.Changed || got.Record.Revision != 2 {
		t.Errorf("another text: %+v", got)
	}
	_, err := c.Apply(t.Context(), catalog.Request{File: "w.yaml", Source: strings.Replace(source, "execution.workflow", "execution.workflo", 1)})
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid || len(f.Places) != 1 || f.Places[0].Line != 6 || f.Places[0].Field != "spec.template" {
		t.Errorf("a template with a fault: %v", err)
	}
}

func TestApply_Trigger(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	const source = "apiVersion: seatrial.dev/v1\nkind: Trigger\nmetadata: {name: on-deploy}\nspec:\n  webhook: {receiver: cd, filter: 'body.a == 1', values: {v: body.v}}\n  workflows: [{name: plain}]\n"
	got, err := c.Apply(t.Context(), catalog.Request{Source: source})
	if err != nil || got.Outcome != catalog.Created || got.Record.Kind != document.TriggerKind || got.Record.Name != "on-deploy" {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = c.Apply(t.Context(), catalog.Request{File: "t.yaml", Source: strings.Replace(source, "body.a ==", "bod.a ==", 1)})
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Places[0].Line != 5 || f.Places[0].Field != "spec.webhook.filter" {
		t.Errorf("an expression with a fault: %v", err)
	}
}

const nightly = "apiVersion: seatrial.dev/v1\nkind: Schedule\nmetadata: {name: nightly}\nspec: {cron: \"H 2 * * *\", workflows: [{name: plain}]}\n"

func TestApply_Schedule(t *testing.T) {
	t.Parallel()
	c, m := setup(t)
	for i, step := range []struct {
		source string
		dry    bool
		want   catalog.Outcome
	}{
		{nightly, true, catalog.Created},
		{nightly, false, catalog.Created},
		{nightly, true, catalog.Unchanged},
		{nightly, false, catalog.Unchanged},
		{strings.Replace(nightly, "H 2", "H 3", 1), true, catalog.Changed},
		{strings.Replace(nightly, "H 2", "H 3", 1), false, catalog.Changed},
	} {
		got, err := c.Apply(t.Context(), catalog.Request{Source: step.source, DryRun: step.dry})
		if err != nil || got.Outcome != step.want || got.Record.Kind != document.ScheduleKind || got.Record.Name != "nightly" {
			t.Errorf("step %d: %+v, %v; want outcome %d", i, got, err, step.want)
		}
	}
	if m.schedules["nightly"].Spec.Cron != "H 3 * * *" {
		t.Errorf("stored %+v", m.schedules)
	}
	_, err := c.Apply(t.Context(), catalog.Request{File: "s.yaml", Source: strings.Replace(nightly, "H 2", "H 25", 1)})
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Places[0].Line != 4 || f.Places[0].Field != "spec.cron" {
		t.Errorf("a schedule that is none: %v", err)
	}
}

// TestApply_ScheduleOfToken: a token that is limited must not have run by a schedule what it must not run itself.
func TestApply_ScheduleOfToken(t *testing.T) {
	t.Parallel()
	selects := strings.Replace(nightly, "{name: plain}", "{selector: {a: b}}", 1)
	placed := strings.Replace(nightly, "{name: plain}]", "{name: plain}], environments: {names: [dev-1]}", 1)
	for name, tc := range map[string]struct {
		limits tenant.Limits
		source string
		ok     bool
	}{
		"NoLimits":         {tenant.Limits{}, selects, true},
		"Within":           {tenant.Limits{Workflows: []string{"pl*"}}, nightly, true},
		"Outside":          {tenant.Limits{Workflows: []string{"shop"}}, nightly, false},
		"Selector":         {tenant.Limits{Workflows: []string{"pl*"}}, selects, false},
		"Anywhere":         {tenant.Limits{Environments: []string{"dev-*"}}, nightly, false},
		"InEnvironment":    {tenant.Limits{Environments: []string{"dev-*"}}, placed, true},
		"OtherEnvironment": {tenant.Limits{Environments: []string{"prod"}}, placed, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := setup(t)
			ctx := tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindToken, Name: "ci", Scopes: []tenant.Scope{tenant.ScopeCatalog}, Limits: tc.limits})
			if _, err := c.Apply(ctx, catalog.Request{Source: tc.source}); tc.ok != (err == nil) || !tc.ok && !fault.Is(err, fault.Forbidden) {
				t.Errorf("%v", err)
			}
		})
	}
}
