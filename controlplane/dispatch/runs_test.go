package dispatch_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/dispatch"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const many = `
apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: many}
spec:
  params: {parts: {type: integer, default: 2}}
  environments: {names: [staging, canary]}
  matrix: {browser: [firefox, chromium], locale: [en, de], exclude: [{browser: firefox, locale: de}]}
  shards: {count: "${{ params.parts }}"}
  failFast: true
  maxParallel: 3
  container: {image: "browser-${{ matrix.browser }}:1"}
  steps:
    - run: "test --lang ${{ matrix.locale }} --shard ${{ shard.index }}/${{ shard.count }} --in ${{ environment.name }} on ${{ cluster.name }}"
`

func setupMany(t *testing.T) bundle {
	t.Helper()
	b := setup(t)
	b.store.workflows["many"] = workflow.Record{Name: "many", RevisionID: id(0xf), Revision: 1, Source: many}
	b.store.environments["canary"] = cluster.Environment{ID: id(0xee), Name: "canary", ClusterID: id(0xcc), ClusterName: "us-1", Namespace: "canary-tests"}
	return b
}

// script returns what the pod of a run does.
func script(t *testing.T, r execution.NewRun) string {
	t.Helper()
	var a agentv1.Assignment
	if err := proto.Unmarshal(r.Spec, &a); err != nil {
		t.Fatal(err)
	}
	if a.GetRunId() != r.ID.String() || a.GetAttemptId() != r.AttemptID.String() || a.GetEnvironment() != r.Environment.Name {
		t.Errorf("run %s has the assignment of another: %v", r.Name, &a)
	}
	return a.GetContainers()[0].GetImage() + " " + a.GetPlan().GetSteps()[0].GetScript()
}

func TestDispatcher_Start_Runs(t *testing.T) {
	t.Parallel()
	b := setupMany(t)
	e, _, err := b.Start(as(t, tenant.ScopeRun), execution.Request{Workflow: "many"})
	if err != nil {
		t.Fatal(err)
	}
	n := b.store.created[0]
	if len(n.Runs) != 2*3*2 || len(e.Runs) != len(n.Runs) || !n.FailFast || n.MaxParallel != 3 {
		t.Fatalf("%d runs, failFast %t, maxParallel %d; want 2 environments × 3 cells × 2 shards", len(n.Runs), n.FailFast, n.MaxParallel)
	}
	tests := map[int]struct{ name, does, reason string }{
		0:  {"staging, browser=firefox, locale=en, shard 1/2", "browser-firefox:1 test --lang en --shard 1/2 --in staging on eu-1", "the first cell"},
		5:  {"staging, browser=chromium, locale=de, shard 2/2", "browser-chromium:1 test --lang de --shard 2/2 --in staging on eu-1", "the last of the first environment"},
		11: {"canary, browser=chromium, locale=de, shard 2/2", "browser-chromium:1 test --lang de --shard 2/2 --in canary on us-1", "another cluster"},
	}
	for i, tc := range tests {
		if r := n.Runs[i]; r.Name != tc.name || script(t, r) != tc.does {
			t.Errorf("run %d is %q and does %q; want %q and %q: %s", i, r.Name, script(t, r), tc.name, tc.does, tc.reason)
		}
	}
	last := e.Runs[11]
	if last.Matrix["locale"] != "de" || last.Shard != 2 || last.Shards != 2 || last.Cluster != "us-1" || last.Namespace != "canary-tests" {
		t.Errorf("last run %+v", last)
	}
	if hints := strings.Join(*b.bus, " "); !strings.Contains(hints, id(0xc).String()) || !strings.Contains(hints, id(0xcc).String()) || len(*b.bus) != 4 {
		t.Errorf("hints %v: each cluster is woken once", *b.bus)
	}
}

func TestDispatcher_Start_Places(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		asked  []string
		want   []string
		kind   fault.Kind
		reason string
	}{
		"AsTheWorkflowSays": {nil, []string{"staging", "canary"}, "", "nothing else was asked for"},
		"AsAsked":           {[]string{"canary"}, []string{"canary"}, "", "who runs it decides"},
		"Twice":             {[]string{"canary", "staging", "canary"}, []string{"canary", "staging"}, "", "a place is one place, however often it is named"},
		"Absent":            {[]string{"canary", "moon"}, nil, fault.NotFound, "half of the answer would look like the whole"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupMany(t)
			_, _, err := b.Start(as(t, tenant.ScopeRun), execution.Request{Workflow: "many", Environments: tc.asked})
			if tc.kind != "" {
				if !fault.Is(err, tc.kind) || len(b.store.created) != 0 {
					t.Errorf("err = %v, want %s: %s", err, tc.kind, tc.reason)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range b.store.created[0].Runs {
				if !slices.Contains(got, r.Environment.Name) {
					got = append(got, r.Environment.Name)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("in %v, want %v: %s", got, tc.want, tc.reason)
			}
		})
	}
}

// TestDispatcher_Start_Selected holds that a workflow runs wherever the labels are that it selects, as they are then.
func TestDispatcher_Start_Selected(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		says   string // of the environments
		asked  []string
		want   []string
		kind   fault.Kind
		hint   string
		reason string
	}{
		"Each":    {"{select: {tier: test}}", nil, []string{"canary", "staging"}, "", "", "every place that has them"},
		"Exact":   {"{select: {tier: test, region: eu}}", nil, []string{"staging"}, "", "", "all labels count"},
		"Any":     {"{select: {tier: test}, mode: any}", nil, []string{"canary", "staging"}, "", "", "where there is least to do, run by run"},
		"AnyOne":  {"{select: {region: eu}, mode: any}", nil, []string{"staging"}, "", "", "one place will do when it is the only one"},
		"AsAsked": {"{select: {region: eu}}", []string{"canary"}, []string{"canary"}, "", "", "who runs it decides"},
		"None":    {"{select: {region: moon}}", nil, nil, fault.NotFound, "canary (tier=test), staging (region=eu, tier=test)", "nobody takes nothing for everything"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupMany(t)
			record := b.store.workflows["many"]
			record.Source = regexp.MustCompile(`(?m)^  environments: .*$`).ReplaceAllString(many, "  environments: "+tc.says)
			b.store.workflows["many"] = record
			delete(b.store.environments, "")
			for name, labels := range map[string]map[string]string{"staging": {"region": "eu"}, "canary": nil} {
				e := b.store.environments[name]
				e.Labels, e.Tier = labels, "test"
				b.store.environments[name] = e
			}
			_, _, err := b.Start(as(t, tenant.ScopeRun), execution.Request{Workflow: "many", Environments: tc.asked})
			if tc.kind != "" {
				var f *fault.Error
				if !errors.As(err, &f) || f.Kind != tc.kind || f.Field != "spec.environments.select" || !strings.Contains(f.Hint, tc.hint) || len(b.store.created) != 0 {
					t.Errorf("%s: %v", tc.reason, f)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range b.store.created[0].Runs {
				if !slices.Contains(got, r.Environment.Name) {
					got = append(got, r.Environment.Name)
				}
			}
			if slices.Sort(got); !slices.Equal(got, tc.want) {
				t.Errorf("%s: in %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

func TestDispatcher_Start_TooLarge(t *testing.T) {
	t.Parallel()
	b := setupMany(t)
	big := strings.Replace(many, "  steps:", "  source: {files: [{path: big, content: \""+incompressible(150<<10)+"\"}]}\n  steps:", 1)
	b.store.workflows["many"] = workflow.Record{Name: "many", RevisionID: id(0xf), Revision: 1, Source: big}
	_, _, err := b.Start(as(t, tenant.ScopeRun), execution.Request{Workflow: "many", Params: map[string]string{"parts": "3"}})
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "1 MiB") || len(b.store.created) != 0 {
		t.Errorf("err = %v: 18 runs with 150 KiB each are one transaction", err)
	}
}

func incompressible(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	out, state := make([]byte, n), uint32(1)
	for i := range out {
		state = state*1664525 + 1013904223
		out[i] = letters[state>>26]
	}
	return string(out)
}

// TestDispatcher_Start_Templates proves that an execution runs what the templates are now, and says which revisions those were.
func TestDispatcher_Start_Templates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const user = "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: w}\nspec: {params: {n: {type: integer, default: 1}}, use: [{template: base, with: {n: \"${{ params.n }}\"}}]}\n"
	base := func(run string) string {
		return "apiVersion: seatrial.dev/v1\nkind: TestWorkflowTemplate\nmetadata: {name: base}\nspec: {params: {n: {type: integer}}, steps: [{image: a, run: \"" + run + "\"}]}\n"
	}
	b.store.workflows["w"] = workflow.Record{Name: "w", RevisionID: id(0xf), Revision: 1, Source: user}
	b.store.templates = map[string]workflow.Record{"base": {Name: "base", Revision: 3, Digest: "b3", Source: base("test ${{ params.n }}")}}
	e, _, err := b.Start(as(t, tenant.ScopeRun), execution.Request{Workflow: "w", Params: map[string]string{"n": "5"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []execution.Template{{Name: "base", Revision: 3, Digest: "b3"}}
	if !slices.Equal(e.Templates, want) || !slices.Equal(b.store.created[0].Execution.Templates, want) {
		t.Errorf("templates %v, stored %v, want %v", e.Templates, b.store.created[0].Execution.Templates, want)
	}
	if got := script(t, b.store.created[0].Runs[0]); got != "a test 5" {
		t.Errorf("it does %q", got)
	}
	b.store.templates["base"] = workflow.Record{Name: "base", Revision: 4, Digest: "b4", Source: base("other")}
	if _, _, err := b.Start(as(t, tenant.ScopeRun), execution.Request{Workflow: "w"}); err != nil {
		t.Fatal(err)
	}
	if got := script(t, b.store.created[1].Runs[0]); got != "a other" {
		t.Errorf("the next execution does %q, want what the template says now", got)
	}
	delete(b.store.templates, "base")
	if _, _, err := b.Start(as(t, tenant.ScopeRun), execution.Request{Workflow: "w"}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "revision 1 of workflow w cannot be run") {
		t.Errorf("without the template: %v", err)
	}
}

// TestDispatcher_Start_Group proves that the group is that of each run, and that others are told what becomes of them.
func TestDispatcher_Start_Group(t *testing.T) {
	t.Parallel()
	b := setupMany(t)
	source := strings.Replace(many, "  failFast: true", "  concurrency: {group: \"shop-${{ environment.name }}-${{ matrix.browser }}\", limit: 2, onConflict: cancel}\n  failFast: true", 1)
	b.store.workflows["many"] = workflow.Record{Name: "many", RevisionID: id(0xf), Revision: 1, Source: source}
	b.store.effects = execution.Effects{Wake: []cluster.ID{id(0xc1)}, Changed: []execution.ID{id(0xe1)}}
	b.store.stuck = errors.New("no connection")
	e, _, err := b.Start(as(t, tenant.ScopeRun), execution.Request{Workflow: "many"})
	if err != nil {
		t.Fatalf("%v: it is stored, and to tell of a failure would have it started twice", err)
	}
	n := b.store.created[0]
	if g := n.Runs[11].Group; g != (execution.Group{Name: "shop-canary-chromium", Limit: 2, OnConflict: execution.CancelOlder}) || e.Runs[11].Group != g.Name {
		t.Errorf("group %+v", g)
	}
	if !slices.Equal(b.store.admitted, []execution.ID{e.ID}) {
		t.Errorf("admitted %v", b.store.admitted)
	}
	if hints := strings.Join(*b.bus, " "); !strings.Contains(hints, id(0xc1).String()) || !strings.Contains(hints, id(0xe1).String()) {
		t.Errorf("hints %s", hints)
	}
}

func TestDispatcher_Sweep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.effects = execution.Effects{Changed: []execution.ID{id(0xe1)}}
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if hints := strings.Join(*b.bus, " "); b.store.sweeps != 1 || !strings.Contains(hints, id(0xe1).String()) {
		t.Errorf("%d sweeps, hints %s", b.store.sweeps, hints)
	}
}

func TestReissue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, _, err := b.Start(as(t, tenant.ScopeRun), execution.Request{Workflow: "shop"}); err != nil {
		t.Fatal(err)
	}
	first := b.store.created[0].Runs[0]
	if first.Retries != 2 {
		t.Errorf("%d retries, want those of the workflow", first.Retries)
	}
	spec, digest, err := dispatch.Reissue(first.Spec, id(0x77), 2)
	var before, after agentv1.Assignment
	if err = errors.Join(err, proto.Unmarshal(first.Spec, &before), proto.Unmarshal(spec, &after)); err != nil {
		t.Fatal(err)
	}
	if digest == first.SpecDigest || after.GetAttemptId() != id(0x77).String() || after.GetPlan().GetAttemptId() != id(0x77).String() || after.GetAttemptNumber() != 2 {
		t.Errorf("assignment of attempt %s, number %d, in the plan %s", after.GetAttemptId(), after.GetAttemptNumber(), after.GetPlan().GetAttemptId())
	}
	before.AttemptId, before.AttemptNumber, before.Plan.AttemptId = after.GetAttemptId(), 2, after.GetAttemptId()
	if !proto.Equal(&before, &after) {
		t.Error("more than the attempt has changed")
	}
}

// TestDispatcher_Start_Any deals runs out to the clusters that have the least to do, unless somebody asks for an environment.
func TestDispatcher_Start_Any(t *testing.T) {
	t.Parallel()
	staging, canary := id(0xc), id(0xcc)
	for name, tc := range map[string]struct {
		reason string
		loads  map[cluster.ID]cluster.Load
		asked  []string
		want   string
	}{
		"Even":    {"as much to do: in turn", map[cluster.ID]cluster.Load{staging: {}, canary: {}}, nil, "staging canary staging canary"},
		"Busy":    {"one is busy", map[cluster.ID]cluster.Load{staging: {Active: 3}, canary: {}}, nil, "canary canary canary staging"},
		"Away":    {"an agent that is away does nothing", map[cluster.ID]cluster.Load{staging: {Away: true}, canary: {Active: 9}}, nil, "canary canary canary canary"},
		"AllAway": {"it waits somewhere", map[cluster.ID]cluster.Load{staging: {Away: true}, canary: {Away: true, Active: 9}}, nil, "staging staging staging staging"},
		"Drained": {"nothing begins in a drained cluster, however little it has to do", map[cluster.ID]cluster.Load{staging: {Drained: true}, canary: {Active: 9}}, nil, "canary canary canary canary"},
		"Neither": {"an agent comes back by itself", map[cluster.ID]cluster.Load{staging: {Drained: true}, canary: {Away: true, Active: 9}}, nil, "canary canary canary canary"},
		"Asked":   {"who runs it decides", map[cluster.ID]cluster.Load{staging: {}, canary: {}}, []string{"canary"}, "canary canary canary canary"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupMany(t)
			b.store.loads = tc.loads
			b.store.workflows["any"] = workflow.Record{Name: "any", RevisionID: id(0xf), Revision: 1, Source: `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: any}
spec:
  environments: {names: [staging, canary], mode: any}
  shards: {count: 4}
  steps: [{run: "in ${{ environment.name }}", image: a}]
`}
			if _, _, err := b.Start(as(t, tenant.ScopeRun), execution.Request{Workflow: "any", Environments: tc.asked}); err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, r := range b.store.created[0].Runs {
				got = append(got, r.Environment.Name)
				if want := fmt.Sprintf("shard %d/4", i+1); r.Name != want || script(t, r) != "a in "+r.Environment.Name {
					t.Errorf("run %q does %q", r.Name, script(t, r))
				}
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("%s: in %v, want %s", tc.reason, got, tc.want)
			}
		})
	}
}
