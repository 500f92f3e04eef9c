package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/schedule"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// world is one organization in memory; for another one nothing exists.
type world struct {
	mu        sync.Mutex
	org       uuid.UUID
	workflows map[string]workflow.Record
	templates map[string]workflow.Record
	execution execution.Execution
	release   release.Release
	freeze    release.Request
	waived    release.Ask
	log       string // that was read last
	chunks    []execution.Chunk
	stream    execution.StreamState
	results   []execution.TestResult
	files     []execution.File
	blobs     map[string]string
	fail      error
	panics    bool
	outcomes  []string
	status    execution.Status
	size      int
	after     string
	request   execution.Request
	reason    string
	resumed   execution.Resume
	again     execution.Again
	sought    workflow.Filter
	tokens    map[string]tenant.Viewer
	made      []tenant.Scope
	recorded  []audit.Entry
	filter    audit.Filter
	life      time.Duration
	team      string
	done      []string
	quota     tenant.Quota
	called    int64
}

func (w *world) check(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.panics {
		panic("broken on purpose") //nolint:forbidigo // what the interceptor is for
	}
	if w.fail != nil {
		return w.fail
	}
	if v, _ := tenant.FromContext(ctx); v.Organization != w.org {
		return fault.New(fault.NotFound, "not found")
	}
	return nil
}

func (w *world) change(do func(*world)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do(w)
}

func (w *world) ApplyEnvironment(ctx context.Context, e cluster.Environment) (cluster.Environment, bool, bool, error) {
	return e, true, true, w.check(ctx)
}

func (w *world) ApplyWorkflow(ctx context.Context, r workflow.Record, team string) (workflow.Record, bool, bool, error) {
	return w.put(ctx, w.workflows, r, team)
}

func (w *world) ApplyTemplate(ctx context.Context, r workflow.Record, _ []workflow.Ref, team string) (workflow.Record, bool, bool, error) {
	return w.put(ctx, w.templates, r, team)
}

func (w *world) put(ctx context.Context, into map[string]workflow.Record, r workflow.Record, team string) (workflow.Record, bool, bool, error) {
	if err := w.check(ctx); err != nil {
		return r, false, false, err
	}
	known, ok := into[r.Name]
	w.team = team
	r.ID, r.Revision = uuid.New(), known.Revision+1
	switch {
	case !ok:
	case known.Digest == r.Digest:
		return known, false, false, nil
	}
	into[r.Name] = r
	return r, !ok, ok, nil
}

func (w *world) Policy(ctx context.Context, name string) (workflow.Record, error) {
	return workflow.Record{}, errors.Join(w.check(ctx), fault.New(fault.NotFound, "there is no policy %q", name))
}

func (w *world) ApplyPolicy(ctx context.Context, r workflow.Record, team string) (workflow.Record, bool, bool, error) {
	return w.put(ctx, map[string]workflow.Record{}, r, team)
}

func (w *world) Policies(ctx context.Context) ([]workflow.Record, error) {
	return []workflow.Record{{Kind: "ReadinessPolicy", Name: "gate", Revision: 7, Digest: "d"}}, w.check(ctx)
}

func (w *world) Template(ctx context.Context, name string) (workflow.Record, error) {
	if err := w.check(ctx); err != nil {
		return workflow.Record{}, err
	}
	r, ok := w.templates[name]
	if !ok {
		return r, fault.New(fault.NotFound, "there is no template %q", name).WithHint("List them.")
	}
	return r, nil
}

func (w *world) Templates(ctx context.Context, size int, after string) (list []workflow.Record, next string, err error) {
	w.size, w.after = size, after
	for _, r := range w.templates {
		list = append(list, r)
	}
	return list, "next", w.check(ctx)
}

func (w *world) TemplatesNamed(ctx context.Context, names []string) (list []workflow.Record, err error) {
	for _, name := range names {
		if r, ok := w.templates[name]; ok {
			list = append(list, r)
		}
	}
	return list, w.check(ctx)
}

func (w *world) TemplateUsers(ctx context.Context, name string) (list []workflow.Record, err error) {
	for _, r := range w.workflows {
		if slices.Contains(r.Uses, name) {
			list = append(list, r)
		}
	}
	return list, w.check(ctx)
}

func (w *world) Workflow(ctx context.Context, name string) (workflow.Record, error) {
	if err := w.check(ctx); err != nil {
		return workflow.Record{}, err
	}
	r, ok := w.workflows[name]
	if !ok {
		return r, fault.New(fault.NotFound, "there is no workflow %q", name).WithHint("List them.")
	}
	return r, nil
}

func (w *world) FindWorkflows(ctx context.Context, f workflow.Filter, size int, after string) (list []workflow.Record, next string, err error) {
	w.size, w.after, w.sought = size, after, f
	for _, r := range w.workflows {
		list = append(list, r)
	}
	return list, "next", w.check(ctx)
}

func (w *world) Execution(ctx context.Context, id execution.ID) (execution.Execution, error) {
	if err := w.check(ctx); err != nil {
		return execution.Execution{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if id != w.execution.ID {
		return execution.Execution{}, fault.New(fault.NotFound, "there is no execution %s", id)
	}
	return w.execution, nil
}

func (w *world) Executions(ctx context.Context, _ string, status execution.Status, size int, after string) (
	[]execution.Execution, string, error,
) {
	w.status, w.size, w.after = status, size, after
	return []execution.Execution{w.execution}, "next", w.check(ctx)
}

func (w *world) Attempt(ctx context.Context, id execution.AttemptID) (execution.Attempt, execution.ID, error) {
	if err := w.check(ctx); err != nil {
		return execution.Attempt{}, uuid.Nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.execution.Runs[0].Attempts[0]
	if a.ID != id {
		return a, uuid.Nil, fault.New(fault.NotFound, "there is no attempt %s", id)
	}
	return a, w.execution.ID, nil
}

func (w *world) Chunks(ctx context.Context, _ execution.AttemptID, stream string, offset int64, _ int) (
	out []execution.Chunk, state execution.StreamState, err error,
) {
	if err := w.check(ctx); err != nil {
		return nil, state, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = stream
	for _, c := range w.chunks {
		if c.End() > offset {
			out = append(out, c)
		}
	}
	return out, w.stream, nil
}

// asked returns the log that was read last.
func (w *world) asked() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log
}

func (w *world) SeekLine(ctx context.Context, _ execution.AttemptID, _ string, _ int64) (offset, at int64, err error) {
	return 0, 0, w.check(ctx)
}

func (w *world) Results(ctx context.Context, _ execution.ID, outcomes []string, size int, after string) (
	[]execution.TestResult, string, error,
) {
	w.outcomes, w.size, w.after = outcomes, size, after
	return w.results, "", w.check(ctx)
}

func (w *world) Files(ctx context.Context, _ execution.ID) ([]execution.File, error) {
	return w.files, w.check(ctx)
}

func (w *world) File(ctx context.Context, id uuid.UUID) (execution.File, error) {
	if err := w.check(ctx); err != nil {
		return execution.File{}, err
	}
	for _, f := range w.files {
		if f.ID == id {
			return f, nil
		}
	}
	return execution.File{}, fault.New(fault.NotFound, "there is no file %s", id)
}

func (w *world) Clusters(ctx context.Context) ([]cluster.Cluster, error) {
	return []cluster.Cluster{{Name: "kind", Connected: true}}, w.check(ctx)
}

func (w *world) Environments(ctx context.Context) ([]cluster.Environment, error) {
	return []cluster.Environment{{Name: "staging", ClusterName: "kind"}}, w.check(ctx)
}

func (w *world) EnrollCluster(ctx context.Context, name, environment, namespace string) (
	cluster.Cluster, cluster.Environment, string, time.Time, error,
) {
	return cluster.Cluster{Name: name}, cluster.Environment{Name: environment, Namespace: namespace}, "st_boot_1", time.Unix(9, 0), w.check(ctx)
}

func (w *world) RevokeCluster(ctx context.Context, name, reason string) (cluster.Cluster, error) {
	return cluster.Cluster{Name: name, RevokedAt: time.Unix(9, 0), RevokedReason: reason}, w.check(ctx)
}

func (w *world) RotateClusterKey(ctx context.Context, name string) (cluster.Cluster, error) {
	return cluster.Cluster{Name: name, RotationAsked: true}, w.check(ctx)
}

func (w *world) DrainCluster(ctx context.Context, name, reason string) (cluster.Cluster, error) {
	return cluster.Cluster{Name: name, Drained: cluster.Drain{Since: time.Unix(9, 0), By: "ada", Reason: reason}}, w.check(ctx)
}

func (w *world) UndrainCluster(ctx context.Context, name string) (cluster.Cluster, error) {
	return cluster.Cluster{Name: name}, w.check(ctx)
}

func (w *world) ExamineCluster(ctx context.Context, name string) (cluster.Cluster, cluster.Examination, error) {
	return cluster.Cluster{Name: name}, cluster.Examination{At: time.Unix(9, 0), Checks: []cluster.Check{
		{Name: "clock", State: cluster.CheckDoubtful, Found: "it is late", Remedy: "Set it."},
	}}, w.check(ctx)
}

func (w *world) LimitCluster(ctx context.Context, name string, runs int) (cluster.Cluster, error) {
	return cluster.Cluster{Name: name, MaxRuns: runs}, w.check(ctx)
}

func (w *world) Start(ctx context.Context, r execution.Request) (execution.Execution, bool, error) {
	w.request = r
	return w.execution, r.IdempotencyKey != "", w.check(ctx)
}

func (w *world) Cancel(ctx context.Context, _ execution.ID, reason string) error {
	w.reason = reason
	return w.check(ctx)
}

func (w *world) Rerun(ctx context.Context, id execution.ID, again execution.Again) (execution.Execution, bool, error) {
	w.again = again
	if id != w.execution.ID {
		return execution.Execution{}, false, fault.New(fault.NotFound, "there is no execution %s", id)
	}
	return w.execution, again.IdempotencyKey != "", w.check(ctx)
}

func (w *world) Resume(ctx context.Context, _ execution.ID, which execution.Resume) (int, error) {
	w.resumed = which
	return 3, w.check(ctx)
}

func (w *world) Bearer(_ context.Context, token string) (tenant.Viewer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.tokens[token]
	if !ok {
		return v, fault.New(fault.Unauthenticated, "the token has expired").WithHint("Make a new one.")
	}
	return v, nil
}

func (w *world) Cookie(ctx context.Context, value string) (tenant.Viewer, error) {
	return w.Bearer(ctx, value)
}

func (w *world) SignIn(_ context.Context, e tenant.Entry) (tenant.Viewer, error) {
	if e.Password != "right" || e.Remote == "" {
		return tenant.Viewer{}, fault.New(fault.Unauthenticated, "e-mail and password do not belong together")
	}
	return w.tokens["member"], nil
}

func (w *world) CreateToken(ctx context.Context, n tenant.NewToken) (string, tenant.Token, error) {
	w.made, w.life = n.Scopes, n.Lifetime
	return "st_new", tenant.Token{ExpiresAt: time.Unix(7, 0)}, w.check(ctx)
}

func (w *world) Tokens(ctx context.Context) ([]tenant.Token, error) {
	return []tenant.Token{{ID: w.org, Name: "ci", Member: &tenant.Member{Email: "ann"}}}, w.check(ctx)
}

func (w *world) RevokeToken(ctx context.Context, _ uuid.UUID) error { return w.check(ctx) }

func (w *world) AppendAudit(_ context.Context, e audit.Entry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recorded = append(w.recorded, e)
	return nil
}

func (w *world) AuditEntries(ctx context.Context, f audit.Filter) (audit.Page, error) {
	if err := w.check(ctx); err != nil {
		return audit.Page{}, err
	}
	w.filter = f
	return audit.Page{Entries: w.recorded, Next: "next", Head: audit.Head{Number: 7, Hash: []byte{1}}}, nil
}

func (w *world) Describe(ctx context.Context) (organization, team string, err error) {
	return "acme", "qa", w.check(ctx)
}

type blob struct{ *bytes.Reader }

func (blob) Close() error { return nil }

func (w *world) Open(_ context.Context, key string) (io.ReadSeekCloser, error) {
	data, ok := w.blobs[key]
	if !ok {
		return nil, errors.New("open /var/lib/secret-place: no such file")
	}
	return blob{bytes.NewReader([]byte(data))}, nil
}

// bus wakes every subscriber of a topic. Subscribed gets the topics of each subscription.
type bus struct {
	mu         sync.Mutex
	subs       map[string][]chan struct{}
	subscribed chan []string
}

func (b *bus) Subscribe(_ context.Context, topics ...string) (wake <-chan struct{}, cancel func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := make(chan struct{}, 1)
	for _, t := range topics {
		b.subs[t] = append(b.subs[t], c)
	}
	b.subscribed <- topics
	return c, func() {}
}

func (b *bus) publish(topic string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.subs[topic] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (w *world) Schedule(context.Context, string) (schedule.Record, error) {
	return schedule.Record{}, fault.New(fault.NotFound, "there is none")
}

func (w *world) ApplySchedule(ctx context.Context, r schedule.Record, _ string) (schedule.Record, bool, bool, error) {
	return r, true, true, w.check(ctx)
}

func (w *world) Trigger(context.Context, string) (trigger.Record, error) {
	return trigger.Record{}, fault.New(fault.NotFound, "there is none")
}

func (w *world) Webhook(context.Context, string) (notify.Webhook, error) {
	return notify.Webhook{}, fault.New(fault.NotFound, "there is none")
}

func (w *world) ApplyWebhook(ctx context.Context, name, _, _ string, _ notify.Amend) (notify.Webhook, bool, bool, error) {
	return notify.Webhook{Name: name, Revision: 1}, true, true, w.check(ctx)
}

func (w *world) ApplyTrigger(ctx context.Context, r trigger.Record, _ string) (trigger.Record, bool, bool, error) {
	return r, true, true, w.check(ctx)
}
