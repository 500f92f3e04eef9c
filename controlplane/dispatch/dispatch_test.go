package dispatch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/dispatch"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

var update = flag.Bool("update", false, "write the golden files")

const document = `
apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: shop}
spec:
  params: {users: {type: integer, default: 3, maximum: 9}}
  retry: {infrastructure: 2}
  source: {git: {url: "https://git.example.test/shop.git", secretRef: {name: git}}, files: [{path: a.sh, content: "true", mode: 0755}]}
  container:
    image: python:3
    env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: shop, key: token}}}]
    resources: {requests: {cpu: 100m}, limits: {memory: 1Gi}}
  pod:
    serviceAccountName: tests
    securityContext: {runAsUser: 1000, readOnlyRootFilesystem: true}
    tolerations: [{key: tests, operator: Exists, effect: NoExecute, tolerationSeconds: 5}]
    imagePullSecrets: [{name: pull}]
    volumes:
      - {name: shm, mountPath: /dev/shm, emptyDir: {medium: Memory, sizeLimit: 64Mi}}
      - {name: conf, mountPath: /conf, subPath: shop, configMap: {name: conf, optional: true}}
      - {name: data, mountPath: /data, readOnly: true, persistentVolumeClaim: {claimName: data}}
      - {name: certs, mountPath: /certs, secret: {name: certs}}
    nodeSelector: {disk: ssd}
  services:
    web: {image: "nginx:1", ready: {http: {port: 8080}, timeout: 30s}}
    db:
      image: postgres:17
      command: [postgres]
      args: ["-c", "max_connections=${{ params.users }}"]
      workingDir: data
      env: [{name: A, value: b}, {name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}, {name: NAME, valueFrom: {configMapKeyRef: {name: db, key: name}}}]
      resources: {requests: {cpu: 50m}, limits: {memory: 256Mi}}
      ready: {exec: [pg_isready]}
      securityContext: {runAsUser: 999, runAsGroup: 998}
    cache: {image: "redis:7", imagePullPolicy: Always, ready: {tcp: {port: 6379}, interval: 3s}}
  steps:
    - name: test
      run: "pytest -n ${{ params.users }} --id ${{ execution.id }} --in ${{ environment.namespace }}"
      timeout: 5m
      env: [{name: REGION, valueFrom: {configMapKeyRef: {name: shop, key: region, optional: true}}}]
      reports: [{format: junit, paths: ["*.xml"]}]
      artifacts: {paths: ["out/**"]}
    - {name: check, image: "debian:12", command: [echo, "${{ env.TOKEN }}"]}
`

// memory is a store that keeps the promises of dispatch.Store for one organization.
type memory struct {
	quota, use   tenant.Quota
	workflows    map[string]workflow.Record
	templates    map[string]workflow.Record
	environments map[string]cluster.Environment
	created      []execution.New
	cancelled    map[execution.ID]string
	resumed      []execution.Resume
	full         error
	admitted     []execution.ID
	effects      execution.Effects // of admitting
	stuck        error             // what admitting answers
	sweeps       int
	open         map[execution.CallStep]execution.Settled
	failed       map[uuid.UUID]string // calls
	took         map[string]time.Duration
	loads        map[cluster.ID]cluster.Load
	changed      []string // clusters
}

func (m *memory) OpenCalls(ctx context.Context, limit int) (steps []execution.CallStep, err error) {
	if v, _ := tenant.FromContext(ctx); v.Kind != tenant.KindSystem {
		return nil, fault.New(fault.Forbidden, "not the system")
	}
	for of := range m.open {
		steps = append(steps, of)
	}
	return steps[:min(limit, len(steps))], nil
}

func (m *memory) SettleCalls(_ context.Context, of execution.CallStep) (execution.Settled, error) {
	out := m.open[of]
	delete(m.open, of) // the caller has a lease
	return out, nil
}

func (m *memory) CallFailed(_ context.Context, id uuid.UUID, problem string) error {
	m.failed[id] = problem
	return nil
}

func (m *memory) Workflow(_ context.Context, name string) (workflow.Record, error) {
	if w, ok := m.workflows[name]; ok {
		return w, nil
	}
	return workflow.Record{}, fault.New(fault.NotFound, "there is no workflow %q", name)
}

func (m *memory) DrainCluster(_ context.Context, name, reason string) (cluster.Cluster, error) {
	m.changed = append(m.changed, "drain "+name+": "+reason)
	return cluster.Cluster{ID: id(0xc), Name: name}, nil
}

func (m *memory) UndrainCluster(_ context.Context, name string) (cluster.Cluster, error) {
	m.changed = append(m.changed, "undrain "+name)
	return cluster.Cluster{ID: id(0xc), Name: name}, nil
}

func (m *memory) LimitCluster(_ context.Context, name string, runs int) (cluster.Cluster, error) {
	if name == "none" {
		return cluster.Cluster{}, fault.New(fault.NotFound, "there is no cluster %q", name)
	}
	m.changed = append(m.changed, fmt.Sprintf("limit %s to %d", name, runs))
	return cluster.Cluster{ID: id(0xc), Name: name}, nil
}

func (m *memory) Quota(context.Context) (tenant.Quota, error) { return m.quota, nil }
func (m *memory) Use(context.Context) (tenant.Quota, error)   { return m.use, nil }

func (m *memory) Loads(context.Context, []cluster.ID) (map[cluster.ID]cluster.Load, error) {
	return m.loads, nil
}

func (m *memory) TestDurations(context.Context, string) (map[string]time.Duration, error) {
	return m.took, nil
}

func (m *memory) TemplatesNamed(_ context.Context, names []string) (out []workflow.Record, err error) {
	for _, name := range names {
		if t, ok := m.templates[name]; ok {
			out = append(out, t)
		}
	}
	return out, nil
}

func (m *memory) Environments(context.Context) (all []cluster.Environment, err error) {
	for _, name := range slices.Sorted(maps.Keys(m.environments)) {
		if name != "" {
			all = append(all, m.environments[name])
		}
	}
	return all, nil
}

func (m *memory) Environment(_ context.Context, name string) (cluster.Environment, error) {
	if e, ok := m.environments[name]; ok {
		return e, nil
	}
	return cluster.Environment{}, fault.New(fault.NotFound, "there is no environment %q", name)
}

func (m *memory) Execution(_ context.Context, id execution.ID) (execution.Execution, error) {
	for _, n := range m.created {
		if n.Execution.ID == id {
			return n.Execution, nil
		}
	}
	return execution.Execution{}, fault.New(fault.NotFound, "there is no execution %s", id)
}

func (m *memory) CreateExecution(_ context.Context, n execution.New) (execution.ID, bool, error) {
	if m.full != nil {
		return uuid.Nil, false, m.full
	}
	for _, earlier := range m.created {
		if n.Idempotency != "" && earlier.Idempotency == n.Idempotency {
			return earlier.Execution.ID, true, nil
		}
	}
	m.created = append(m.created, n)
	return n.Execution.ID, false, nil
}

func (m *memory) CancelExecution(ctx context.Context, id execution.ID, reason string) (effects execution.Effects, err error) {
	if _, err := m.Execution(ctx, id); err != nil {
		return effects, err
	}
	if _, twice := m.cancelled[id]; twice {
		return effects, fault.New(fault.Conflict, "execution %s has ended", id)
	}
	m.cancelled[id] = reason
	return execution.Effects{Wake: []cluster.ID{m.created[0].Runs[0].Environment.ClusterID}, Changed: []execution.ID{id}}, nil
}

func (m *memory) Admit(_ context.Context, id execution.ID) (execution.Effects, error) {
	m.admitted = append(m.admitted, id)
	return m.effects, m.stuck
}

func (m *memory) AdmitWaiting(context.Context) (map[tenant.ID]execution.Effects, error) {
	m.sweeps++
	return map[tenant.ID]execution.Effects{id(0xa): m.effects}, m.stuck
}

func (m *memory) ResumeExecution(ctx context.Context, id execution.ID, which execution.Resume) (int, []cluster.ID, error) {
	if _, err := m.Execution(ctx, id); err != nil {
		return 0, nil, err
	}
	m.resumed = append(m.resumed, which)
	return 2, []cluster.ID{m.created[0].Runs[0].Environment.ClusterID}, nil
}

type published []string

func (p *published) Publish(_ context.Context, topic string) { *p = append(*p, topic) }

type bundle struct {
	*dispatch.Dispatcher
	store *memory
	bus   *published
	env   cluster.Environment
}

func setup(t *testing.T) bundle {
	t.Helper()
	env := cluster.Environment{ID: id(0xe), Name: "staging", ClusterID: id(0xc), ClusterName: "eu-1", Namespace: "shop-tests"}
	store := &memory{
		workflows: map[string]workflow.Record{
			"shop":   {Name: "shop", RevisionID: id(0xf), Revision: 4, Digest: "d4", Source: document},
			"broken": {Name: "broken", Revision: 1, Source: "kind: [", RevisionID: id(0xf)},
		},
		environments: map[string]cluster.Environment{"": env, "staging": env},
		cancelled:    map[execution.ID]string{},
		open:         map[execution.CallStep]execution.Settled{},
		failed:       map[uuid.UUID]string{},
	}
	bus := &published{}
	next := byte(0)
	d := dispatch.New(dispatch.Config{
		Store: store, Bus: bus, Log: slog.New(slog.DiscardHandler),
		MaxSpecs: 1 << 20,
		Clock:    func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("CET", 3600)) },
		NewID:    func() (uuid.UUID, error) { next++; return id(next), nil },
		Topics: dispatch.Topics{
			Agent:     func(org tenant.ID, c cluster.ID) string { return "agent/" + org.String() + "/" + c.String() },
			Execution: func(org tenant.ID, id execution.ID) string { return "execution/" + org.String() + "/" + id.String() },
		},
	})
	return bundle{d, store, bus, env}
}

func id(n byte) uuid.UUID { return uuid.UUID{15: n, 6: 0x70, 8: 0x80} }

func as(t *testing.T, scopes ...tenant.Scope) context.Context {
	t.Helper()
	return tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindToken, Organization: id(0xa), Name: "ci", Scopes: scopes})
}

func TestDispatcher_Start(t *testing.T) {
	t.Parallel()
	b := setup(t)
	e, existed, err := b.Start(as(t, tenant.ScopeRun), execution.Request{Workflow: "shop", Params: map[string]string{"users": "7"}})
	if err != nil || existed {
		t.Fatalf("existed %t, %v", existed, err)
	}
	steps := []execution.Step{
		{Name: "source", Status: execution.Waiting}, {Index: 1, Name: "test", Status: execution.Waiting}, {Index: 2, Name: "check", Status: execution.Waiting},
	}
	services := []execution.Service{
		{Name: "cache", Status: execution.ServiceWaiting, LogWithheld: true}, // the pod mounts a secret, which all of them can read
		{Name: "db", Status: execution.ServiceWaiting, LogWithheld: true},
		{Name: "web", Status: execution.ServiceWaiting, LogWithheld: true},
	}
	want := execution.Execution{
		ID: id(1), Workflow: "shop", Revision: 4, Digest: "d4", Status: execution.Queued, Params: map[string]string{"users": "7"}, Priority: 50,
		Trigger: "api", Actor: "ci", CreatedAt: time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC),
		Runs: []execution.Run{{
			ID: id(2), Environment: "staging", Cluster: "eu-1", Namespace: "shop-tests", Status: execution.Queued, Retries: 2,
			Attempts: []execution.Attempt{{ID: id(3), Number: 1, Status: execution.Queued, Steps: steps, Services: services}},
		}},
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("execution (-want +got):\n%s", diff)
	}
	topics := published{"agent/" + id(0xa).String() + "/" + id(0xc).String(), "execution/" + id(0xa).String() + "/" + id(1).String(), execution.ChangesTopic(id(0xa))}
	if diff := cmp.Diff(topics, *b.bus); diff != "" {
		t.Errorf("hints (-want +got):\n%s", diff)
	}
	stored := b.store.created[0]
	want.Runs = nil
	if diff := cmp.Diff(want, stored.Execution); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if stored.RevisionID != id(0xf) || len(stored.Runs) != 1 || stored.MaxParallel != 0 || stored.FailFast {
		t.Fatalf("stored %+v", stored)
	}
	if r := stored.Runs[0]; r.ID != id(2) || r.AttemptID != id(3) || r.Environment.ID != b.env.ID || r.Name != "" {
		t.Errorf("stored run %+v", r)
	}
	assignment(t, stored.Runs[0])
}

// assignment compares what the agent gets with what it was once agreed to be.
func assignment(t *testing.T, n execution.NewRun) {
	t.Helper()
	sum := sha256.Sum256(n.Spec)
	if n.SpecDigest != hex.EncodeToString(sum[:]) {
		t.Errorf("digest %s is not that of the bytes", n.SpecDigest)
	}
	var a agentv1.Assignment
	if err := proto.Unmarshal(n.Spec, &a); err != nil {
		t.Fatal(err)
	}
	raw, err := protojson.Marshal(&a)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	const file = "testdata/assignment.golden.json"
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("assignment (-want +got; -update writes it):\n%s", diff)
	}
}

func TestDispatcher_Start_Idempotent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := execution.Request{Workflow: "shop", IdempotencyKey: "build-7", Actor: "somebody", Trigger: "web"}
	first, _, err := b.Start(as(t, tenant.ScopeRun), req)
	if err != nil {
		t.Fatal(err)
	}
	hints := len(*b.bus)
	second, existed, err := b.Start(as(t, tenant.ScopeRun), req)
	if err != nil || !existed || second.ID != first.ID {
		t.Errorf("second = %s, existed %t, %v; want the first, %s", second.ID, existed, err, first.ID)
	}
	if len(b.store.created) != 1 || len(*b.bus) != hints {
		t.Errorf("%d executions, %d hints: the same key started twice", len(b.store.created), len(*b.bus))
	}
	if first.Actor != "somebody" || first.Trigger != "web" {
		t.Errorf("actor %q, trigger %q", first.Actor, first.Trigger)
	}
}

func TestDispatcher_Start_Err(t *testing.T) {
	t.Parallel()
	disk := errors.New("disk full")
	tests := map[string]struct {
		req    execution.Request
		ctx    func(*testing.T) context.Context
		full   error
		kind   fault.Kind
		reason string
	}{
		"NoViewer":       {req: execution.Request{Workflow: "shop"}, ctx: (*testing.T).Context, kind: fault.Unauthenticated, reason: "denied without a viewer"},
		"WrongScope":     {req: execution.Request{Workflow: "shop"}, ctx: func(t *testing.T) context.Context { t.Helper(); return as(t, tenant.ScopeRead) }, kind: fault.Forbidden, reason: "reading is not running"},
		"NoWorkflow":     {req: execution.Request{Workflow: "shoop"}, kind: fault.NotFound, reason: "absent"},
		"NoEnvironment":  {req: execution.Request{Workflow: "shop", Environments: []string{"prod"}}, kind: fault.NotFound, reason: "absent"},
		"UnknownParam":   {req: execution.Request{Workflow: "shop", Params: map[string]string{"user": "1"}}, kind: fault.Invalid, reason: "a typo"},
		"ParamRange":     {req: execution.Request{Workflow: "shop", Params: map[string]string{"users": "10"}}, kind: fault.Invalid, reason: "over the maximum"},
		"BrokenWorkflow": {req: execution.Request{Workflow: "broken"}, kind: fault.Invalid, reason: "an older version took it"},
		"LongKey":        {req: execution.Request{Workflow: "shop", IdempotencyKey: string(make([]byte, 201))}, kind: fault.Invalid, reason: "bounded"},
		"Store":          {req: execution.Request{Workflow: "shop"}, full: disk, kind: fault.Internal, reason: "nothing accepted, nothing announced"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.store.full = tc.full
			ctx := as(t, tenant.ScopeRun)
			if tc.ctx != nil {
				ctx = tc.ctx(t)
			}
			_, _, err := b.Start(ctx, tc.req)
			if !fault.Is(err, tc.kind) || tc.full != nil && !errors.Is(err, tc.full) {
				t.Errorf("err = %v, want %s: %s", err, tc.kind, tc.reason)
			}
			if len(b.store.created) != 0 || len(*b.bus) != 0 {
				t.Errorf("%d executions and %d hints after an error", len(b.store.created), len(*b.bus))
			}
		})
	}
}

func TestDispatcher_Resume(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := as(t, tenant.ScopeRun)
	e, _, err := b.Start(ctx, execution.Request{Workflow: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	*b.bus = nil
	if _, err := b.Resume(as(t, tenant.ScopeRead), e.ID, execution.Resume{}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("err = %v, want forbidden: reading is not resuming", err)
	}
	if _, err := b.Resume(ctx, e.ID, execution.Resume{Reason: string(make([]byte, 501))}); !fault.Is(err, fault.Invalid) {
		t.Errorf("err = %v, want invalid: bounded", err)
	}
	if len(b.store.resumed) != 0 || len(*b.bus) != 0 {
		t.Errorf("resumed %v, hints %v although nothing was allowed", b.store.resumed, *b.bus)
	}
	steps, err := b.Resume(ctx, e.ID, execution.Resume{Run: id(7), Step: "approve", Reason: "looks good"})
	if err != nil || steps != 2 {
		t.Fatalf("%d steps, %v", steps, err)
	}
	if _, err := b.Resume(ctx, e.ID, execution.Resume{}); err != nil {
		t.Fatal(err)
	}
	want := []execution.Resume{{Run: id(7), Step: "approve", Reason: "Resumed by ci: looks good"}, {Reason: "Resumed by ci."}}
	if diff := cmp.Diff(want, b.store.resumed); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	if want := "agent/" + id(0xa).String() + "/" + id(0xc).String(); len(*b.bus) != 2 || (*b.bus)[0] != want {
		t.Errorf("hints %v, want %s for each", *b.bus, want)
	}
}

func TestDispatcher_Cancel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := as(t, tenant.ScopeRun)
	e, _, err := b.Start(ctx, execution.Request{Workflow: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	*b.bus = nil
	if err := b.Cancel(as(t, tenant.ScopeRead), e.ID, ""); !fault.Is(err, fault.Forbidden) {
		t.Errorf("err = %v, want forbidden: reading is not cancelling", err)
	}
	if err := b.Cancel(ctx, id(0x99), ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("err = %v, want not found", err)
	}
	if err := b.Cancel(ctx, e.ID, string(make([]byte, 501))); !fault.Is(err, fault.Invalid) {
		t.Errorf("err = %v, want invalid: bounded", err)
	}
	if len(*b.bus) != 0 {
		t.Errorf("hints %v although nothing was cancelled", *b.bus)
	}
	if err := b.Cancel(ctx, e.ID, ""); err != nil {
		t.Fatal(err)
	}
	if got := b.store.cancelled[e.ID]; got != "Cancelled by ci." {
		t.Errorf("reason %q does not say who", got)
	}
	want := published{"agent/" + id(0xa).String() + "/" + id(0xc).String(), "execution/" + id(0xa).String() + "/" + e.ID.String(), execution.ChangesTopic(id(0xa))}
	if diff := cmp.Diff(want, *b.bus); diff != "" {
		t.Errorf("hints (-want +got):\n%s", diff)
	}
	if err := b.Cancel(ctx, e.ID, "again"); !fault.Is(err, fault.Conflict) {
		t.Errorf("err = %v, want conflict", err)
	}
}
