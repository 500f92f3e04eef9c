// Package viewfake is an organization in memory that serves the interfaces of package view, for tests and for looking at pages.
package viewfake

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/testcase/board"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ui/web/view"
)

// World holds everything. Fill it before it is served; afterwards use its methods.
type World struct {
	Member    view.Member
	Password  string
	Workflows []view.Workflow
	Templates []view.Template
	Policies  []workflow.Record
	Places    []cluster.Environment
	Fleet     []cluster.Cluster
	Tests     map[execution.ID][]execution.TestResult
	Attached  map[execution.ID][]execution.File
	Contents  map[uuid.UUID][]byte
	Err       error // what every read answers when set
	RunErr    error // what Run answers when set
	WaiveErr  error // what Waive answers when set
	// QuarantineErr is what changes of a quarantine answer when set.
	QuarantineErr error
	// Unreadable is what opening a file answers when set.
	Unreadable error

	Now         func() time.Time
	mu          sync.Mutex
	cookies     map[string]bool
	executions  []execution.Execution // newest first
	released    []kept                // newest first
	shared      []release.Snapshot    // newest first
	known       []board.Known
	quarantines []testcase.Quarantine
	logs        map[string]*stored
	listeners   map[string][]chan struct{}
	keys        map[string]execution.ID
	times       *Times
	origins     *Origins
	hooks       *Webhooks
	cancelled   []string
	resumed     []execution.Resume
	enrolled    []view.Enrollment
	requests    []execution.Request
	people      People
	access      Access
	recorded    []audit.Entry
	opened      int // files
	readsLeft   int // how many log reads succeed; below zero for all
}

// New returns an organization without anything but one member, who is an owner and signed in with the cookie "valid".
func New(now func() time.Time) *World {
	w := &World{
		Member: view.Member{Organization: "acme", Viewer: tenant.Viewer{
			Kind: tenant.KindMember, Organization: ID("organization"), Subject: ID("member"), Credential: ID("session"), Team: ID("team"), Name: "ada@acme.example", Role: tenant.RoleOwner,
		}},
		Password: "correct horse", Now: now,
		Tests: map[execution.ID][]execution.TestResult{}, Attached: map[execution.ID][]execution.File{}, Contents: map[uuid.UUID][]byte{},
		readsLeft: -1, cookies: map[string]bool{"valid": true}, logs: map[string]*stored{}, listeners: map[string][]chan struct{}{}, keys: map[string]execution.ID{},
	}
	w.people = newPeople(w)
	w.access = Access{world: w, Asks: tenant.Access{BreakGlass: true, Visibility: tenant.VisibleAll}}
	return w
}

// ID returns the same identifier for the same name, every time.
func ID(name string) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)) }

func (w *World) allowed(ctx context.Context) error {
	v, ok := tenant.FromContext(ctx)
	if !ok || v.Organization != w.Member.Viewer.Organization {
		return fault.New(fault.Internal, "no viewer of this organization in the context")
	}
	return w.Err
}

// SignIn checks the one password there is, and the one code when the member has a second factor.
func (w *World) SignIn(_ context.Context, e tenant.Entry) (view.Ticket, error) {
	if e.Halfway != "halfway" && (e.Email != w.Member.Viewer.Name || e.Password != w.Password) {
		return view.Ticket{}, fault.New(fault.Unauthenticated, "e-mail and password do not belong together")
	}
	if w.people.Mates[0].Factor.On() && e.Code == "" {
		return view.Ticket{Halfway: "halfway"}, nil
	}
	if w.people.Mates[0].Factor.On() && e.Code != Code {
		return view.Ticket{}, fault.New(fault.Unauthenticated, "the code is wrong").WithField("code")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	cookie := "session-" + strconv.Itoa(len(w.cookies))
	w.cookies[cookie] = true
	return view.Ticket{Cookie: cookie, ExpiresAt: w.Now().Add(12 * time.Hour)}, nil
}

// SignOut forgets a cookie.
func (w *World) SignOut(_ context.Context, cookie string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.cookies, cookie)
	return nil
}

// Viewer returns the member for a cookie that is signed in.
func (w *World) Viewer(_ context.Context, cookie, _ string) (view.Member, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.cookies[cookie] {
		return view.Member{}, fault.New(fault.Unauthenticated, "the session is unknown or has ended")
	}
	return w.Member, nil
}

// page cuts a list; the cursor is the number of the first element.
func page[T any](list []T, size int, after string) (part []T, next string) {
	from, err := strconv.Atoi(after)
	if err != nil || from < 0 || from > len(list) {
		from = 0
	}
	to := min(from+size, len(list))
	if to < len(list) {
		next = strconv.Itoa(to)
	}
	return list[from:to], next
}

// Catalog returns the workflows as the catalog interface.
func (w *World) Catalog() view.Catalog { return catalog{w} }

type catalog struct{ *World }

// Workflows lists the workflows without their sources.
func (c catalog) Workflows(ctx context.Context, q workflow.Filter, size int, after string) ([]workflow.Record, string, error) {
	if err := c.allowed(ctx); err != nil {
		return nil, "", err
	}
	var list []workflow.Record
	for _, f := range c.World.Workflows {
		r := f.Record
		r.Source = ""
		if c.matches(ctx, r, q) {
			list = append(list, r)
		}
	}
	part, next := page(list, size, after)
	return part, next, nil
}

func (c catalog) matches(ctx context.Context, r workflow.Record, q workflow.Filter) bool {
	for key, value := range q.Labels {
		if r.Labels[key] != value {
			return false
		}
	}
	last := workflow.NeverRun
	if found, err := c.LastExecutions(ctx, []string{r.Name}); err == nil && len(found) > 0 {
		last = string(found[r.Name].Status)
	}
	text := strings.Contains(strings.ToLower(r.Name+" "+r.Description), strings.ToLower(q.Text))
	return text && (q.Team == "" || q.Team == r.Team) && (q.Last == "" || q.Last == last)
}

// Workflow returns one by name.
func (c catalog) Workflow(ctx context.Context, name string) (view.Workflow, error) {
	if err := c.allowed(ctx); err != nil {
		return view.Workflow{}, err
	}
	i := slices.IndexFunc(c.World.Workflows, func(f view.Workflow) bool { return f.Record.Name == name })
	if i < 0 {
		return view.Workflow{}, fault.New(fault.NotFound, "no workflow %q", name)
	}
	return c.World.Workflows[i], nil
}

// Templates lists the templates without their sources.
func (c catalog) Templates(ctx context.Context, size int, after string) ([]workflow.Record, string, error) {
	if err := c.allowed(ctx); err != nil {
		return nil, "", err
	}
	var list []workflow.Record
	for _, t := range c.World.Templates {
		r := t.Record
		r.Source = ""
		list = append(list, r)
	}
	part, next := page(list, size, after)
	return part, next, nil
}

// Template returns one by name.
func (c catalog) Template(ctx context.Context, name string) (view.Template, error) {
	if err := c.allowed(ctx); err != nil {
		return view.Template{}, err
	}
	i := slices.IndexFunc(c.World.Templates, func(t view.Template) bool { return t.Record.Name == name })
	if i < 0 {
		return view.Template{}, fault.New(fault.NotFound, "no template %q", name)
	}
	return c.World.Templates[i], nil
}

// Clusters lists the clusters.
func (w *World) Clusters(ctx context.Context) ([]cluster.Cluster, error) {
	return w.Fleet, w.allowed(ctx)
}

// Environments lists the environments.
func (w *World) Environments(ctx context.Context) ([]cluster.Environment, error) {
	return w.Places, w.allowed(ctx)
}

// Enroll remembers what was asked for; a name that is taken is a conflict.
func (w *World) Enroll(ctx context.Context, e view.Enrollment) (view.Enrolled, error) {
	if err := w.allowed(ctx); err != nil {
		return view.Enrolled{}, err
	}
	if slices.ContainsFunc(w.Fleet, func(c cluster.Cluster) bool { return c.Name == e.Name && c.Enrolled }) {
		return view.Enrolled{}, fault.New(fault.Conflict, "a cluster named %q is connected already", e.Name).
			WithField("name").WithHint("Choose another name.")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.enrolled = append(w.enrolled, e)
	return view.Enrolled{
		Cluster:   e.Name,
		Command:   "helm upgrade --install seatrial-agent oci://example.test/seatrial-agent \\\n  --namespace seatrial --create-namespace \\\n  --set cluster=" + e.Name + " \\\n  --set bootstrapToken=stb_once",
		ExpiresAt: w.Now().Add(time.Hour),
	}, nil
}

// Revoke takes the right of a cluster's agent away.
func (w *World) Revoke(ctx context.Context, name, reason string) error {
	return w.changeCluster(ctx, name, func(c *cluster.Cluster) { c.Connected, c.RevokedAt, c.RevokedReason = false, w.Now(), reason })
}

// RotateKey remembers that another key is wanted.
func (w *World) RotateKey(ctx context.Context, name string) error {
	return w.changeCluster(ctx, name, func(c *cluster.Cluster) { c.RotationAsked = true })
}

// Drain remembers that nothing is to begin.
func (w *World) Drain(ctx context.Context, name, reason string) error {
	return w.changeCluster(ctx, name, func(c *cluster.Cluster) {
		c.Drained = cluster.Drain{Since: w.Now(), By: "ada@example.test", Reason: reason}
	})
}

// Undrain forgets it.
func (w *World) Undrain(ctx context.Context, name string) error {
	return w.changeCluster(ctx, name, func(c *cluster.Cluster) { c.Drained = cluster.Drain{} })
}

// Limit remembers how many runs may be under way.
func (w *World) Limit(ctx context.Context, name string, runs int) error {
	return w.changeCluster(ctx, name, func(c *cluster.Cluster) { c.MaxRuns = runs })
}

func (w *World) changeCluster(ctx context.Context, name string, change func(*cluster.Cluster)) error {
	if err := w.allowed(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.Fleet {
		if w.Fleet[i].Name == name {
			change(&w.Fleet[i])
			return nil
		}
	}
	return fault.New(fault.NotFound, "there is no cluster %q", name)
}

// Files lists what an execution left behind.
func (w *World) Files(ctx context.Context, id execution.ID) ([]execution.File, error) {
	return w.Attached[id], w.allowed(ctx)
}

// OpenFile opens a file of an execution.
func (w *World) OpenFile(ctx context.Context, id execution.ID, file uuid.UUID) (execution.File, io.ReadCloser, error) {
	if err := w.allowed(ctx); err != nil {
		return execution.File{}, nil, err
	}
	for _, f := range w.Attached[id] {
		if f.ID == file {
			body, err := w.Content(ctx, f)
			return f, body, err
		}
	}
	return execution.File{}, nil, fault.New(fault.NotFound, "no such file")
}

// Content returns what is in a file, or fails with Unreadable.
func (w *World) Content(ctx context.Context, f execution.File) (io.ReadCloser, error) {
	if err := w.allowed(ctx); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened++
	if w.Unreadable != nil {
		return nil, w.Unreadable
	}
	return io.NopCloser(bytes.NewReader(w.Contents[f.ID])), nil
}

// Opened returns how many files were opened.
func (w *World) Opened() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.opened
}

// Archive writes the contents of all files one after the other.
func (w *World) Archive(ctx context.Context, e execution.Execution, to io.Writer) error {
	if err := w.allowed(ctx); err != nil {
		return err
	}
	if w.Unreadable != nil {
		return w.Unreadable
	}
	for _, f := range w.Attached[e.ID] {
		if _, err := to.Write(w.Contents[f.ID]); err != nil {
			return err
		}
	}
	return nil
}
