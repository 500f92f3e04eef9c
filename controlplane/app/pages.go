package app

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/archive"
	"github.com/seatrial/seatrial/controlplane/auth"
	"github.com/seatrial/seatrial/controlplane/catalog"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/federate"
	"github.com/seatrial/seatrial/controlplane/logchunk"
	"github.com/seatrial/seatrial/controlplane/packed"
	"github.com/seatrial/seatrial/controlplane/people"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
	"github.com/seatrial/seatrial/ui/web/view"
)

// runner starts and cancels executions.
type runner interface {
	api.Queues
	Start(ctx context.Context, r execution.Request) (e execution.Execution, existed bool, err error)
	Cancel(ctx context.Context, id execution.ID, reason string) error
	Rerun(ctx context.Context, id execution.ID, again execution.Again) (e execution.Execution, existed bool, err error)
	Resume(ctx context.Context, id execution.ID, which execution.Resume) (steps int, err error)
}

// records is what pages read.
type records interface {
	api.Catalog
	api.History
	api.Fleet
	TemplatesNamed(ctx context.Context, names []string) ([]workflow.Record, error)
	LastExecutions(ctx context.Context, workflows []string) (map[string]execution.Execution, error)
}

// pages gives ui/web what it asks for, from the parts that the API uses too.
type pages struct {
	records records
	auth    *auth.Auth
	people  *people.Service
	access  *federate.Service
	runner  runner
	blobs   blobs
	logs    *logchunk.Reader
	install api.Install
	catalog *catalog.Catalog
}

func newPages(p *parts, run runner) (*pages, error) {
	logs, err := logchunk.NewReader(p.store)
	if err != nil {
		return nil, fmt.Errorf("read logs: %w", err)
	}
	return &pages{records: p.store, auth: p.auth, people: p.people, access: p.access, runner: run, blobs: p.blobs, logs: logs, install: p.install(), catalog: p.catalog}, nil
}

// SignIn implements view.Sessions.
func (a *pages) SignIn(ctx context.Context, e tenant.Entry) (view.Ticket, error) {
	t, err := a.auth.StartSession(ctx, e)
	if err != nil {
		return view.Ticket{}, fmt.Errorf("sign in: %w", err)
	}
	return ticket(t), nil
}

func ticket(t tenant.Ticket) view.Ticket {
	return view.Ticket{Cookie: t.Cookie, ExpiresAt: t.Expires, Halfway: t.Halfway}
}

// Invitation implements view.Door.
func (a *pages) Invitation(ctx context.Context, secret string) (tenant.Invitation, error) {
	return a.people.Invitation(ctx, secret) //nolint:wrapcheck // transparent
}

// Accept implements view.Door.
func (a *pages) Accept(ctx context.Context, secret, name string, e tenant.Entry) (view.Ticket, error) {
	m, err := a.people.Accept(ctx, secret, name, e.Password)
	if err != nil {
		return view.Ticket{}, fmt.Errorf("accept invitation: %w", err)
	}
	t, err := a.auth.Admit(ctx, m, e)
	if err != nil {
		return view.Ticket{}, fmt.Errorf("sign in: %w", err)
	}
	return ticket(t), nil
}

// Ways implements view.SSO.
func (a *pages) Ways(ctx context.Context, organization string) ([]string, error) {
	return a.access.Providers(ctx, organization) //nolint:wrapcheck // transparent
}

// Begin implements view.SSO.
func (a *pages) Begin(ctx context.Context, organization, provider, base, next string) (to, kept string, err error) {
	return a.access.Begin(ctx, organization, provider, base, next) //nolint:wrapcheck // transparent
}

// Finish implements view.SSO.
func (a *pages) Finish(ctx context.Context, back view.Back, e tenant.Entry) (view.Ticket, string, error) {
	m, next, err := a.access.Finish(ctx, federate.Back(back))
	if err != nil {
		return view.Ticket{}, "", fmt.Errorf("sign in by identity provider: %w", err)
	}
	t, err := a.auth.Admit(ctx, m, e)
	if err != nil {
		return view.Ticket{}, "", fmt.Errorf("sign in: %w", err)
	}
	return ticket(t), next, nil
}

// SignOut implements view.Sessions.
func (a *pages) SignOut(ctx context.Context, cookie string) error {
	if err := a.auth.SignOut(ctx, cookie); err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	return nil
}

// Viewer implements view.Sessions.
func (a *pages) Viewer(ctx context.Context, cookie, remote string) (view.Member, error) {
	t, err := a.auth.Visit(ctx, cookie, remote)
	if err != nil {
		return view.Member{}, fmt.Errorf("session: %w", err)
	}
	m, err := a.member(ctx, t.Viewer)
	m.Renewed = ticket(t)
	return m, err
}

func (a *pages) member(ctx context.Context, v tenant.Viewer) (view.Member, error) {
	organization, _, err := a.auth.Describe(tenant.WithViewer(ctx, v))
	if err != nil {
		return view.Member{}, fmt.Errorf("organization of %s: %w", v.Name, err)
	}
	return view.Member{Viewer: v, Organization: organization}, nil
}

// Executions implements view.History.
func (a *pages) Executions(ctx context.Context, q view.ExecutionQuery) (list []execution.Execution, next string, err error) {
	return a.records.Executions(ctx, q.Workflow, q.Status, q.Size, q.After) //nolint:wrapcheck // transparent
}

// Execution implements view.History.
func (a *pages) Execution(ctx context.Context, id execution.ID) (execution.Execution, error) {
	return a.records.Execution(ctx, id) //nolint:wrapcheck // transparent
}

// LastExecutions implements view.History.
func (a *pages) LastExecutions(ctx context.Context, workflows []string) (map[string]execution.Execution, error) {
	return a.records.LastExecutions(ctx, workflows) //nolint:wrapcheck // transparent
}

// Results implements view.History.
func (a *pages) Results(ctx context.Context, id execution.ID, size int, after string) (list []execution.TestResult, next string, err error) {
	return a.records.Results(ctx, id, nil, size, after) //nolint:wrapcheck // transparent
}

// Files implements view.History.
func (a *pages) Files(ctx context.Context, id execution.ID) ([]execution.File, error) {
	return a.records.Files(ctx, id) //nolint:wrapcheck // transparent
}

// OpenFile implements view.History. A file of another execution is not found.
func (a *pages) OpenFile(ctx context.Context, id execution.ID, file uuid.UUID) (execution.File, io.ReadCloser, error) {
	f, err := a.records.File(ctx, file)
	if err != nil {
		return f, nil, fmt.Errorf("open file: %w", err)
	}
	_, of, err := a.records.Attempt(ctx, f.Attempt)
	if err == nil && of != id {
		err = fault.New(fault.NotFound, "the execution has no file %s", file)
	}
	if err != nil {
		return f, nil, fmt.Errorf("open file: %w", err)
	}
	body, err := a.Content(ctx, f)
	return f, body, err
}

// Content implements view.History.
func (a *pages) Content(ctx context.Context, f execution.File) (io.ReadCloser, error) {
	body, err := packed.Open(ctx, a.blobs, f)
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	return body, nil
}

// Archive implements view.History.
func (a *pages) Archive(ctx context.Context, e execution.Execution, w io.Writer) error {
	files, err := a.records.Files(ctx, e.ID)
	if err != nil {
		return fmt.Errorf("list files: %w", err)
	}
	return archive.Write(ctx, w, e, files, func(ctx context.Context, f execution.File) (io.ReadCloser, error) { //nolint:wrapcheck // transparent
		return packed.Open(ctx, a.blobs, f) //nolint:wrapcheck // transparent
	})
}

// Run implements view.Launcher.
func (a *pages) Run(ctx context.Context, r execution.Request) (execution.ID, error) {
	e, _, err := a.runner.Start(ctx, r)
	return e.ID, err //nolint:wrapcheck // transparent
}

// Rerun implements view.Launcher.
func (a *pages) Rerun(ctx context.Context, id execution.ID, again execution.Again) (execution.ID, error) {
	e, _, err := a.runner.Rerun(ctx, id, again)
	return e.ID, err //nolint:wrapcheck // transparent
}

// Resume implements view.Launcher.
func (a *pages) Resume(ctx context.Context, id execution.ID, which execution.Resume) (int, error) {
	return a.runner.Resume(ctx, id, which) //nolint:wrapcheck // transparent
}

// Cancel implements view.Launcher.
func (a *pages) Cancel(ctx context.Context, id execution.ID, reason string) error {
	return a.runner.Cancel(ctx, id, reason) //nolint:wrapcheck // transparent
}

// Workflows implements view.Catalog.
func (a *pages) Workflows(ctx context.Context, f workflow.Filter, size int, after string) (list []workflow.Record, next string, err error) {
	return a.records.FindWorkflows(ctx, f, size, after) //nolint:wrapcheck // transparent
}

// Workflow implements view.Catalog. What an earlier version accepted is shown without parameters when this one cannot read it.
func (a *pages) Workflow(ctx context.Context, name string) (view.Workflow, error) {
	record, err := a.records.Workflow(ctx, name)
	if err != nil {
		return view.Workflow{}, fmt.Errorf("read workflow: %w", err)
	}
	out := view.Workflow{Record: record} // the rest is in its source
	loaded, err := workflow.Load(record.Name, []byte(record.Source))
	if err != nil {
		return out, nil //nolint:nilerr // running it says why
	}
	out.Params = params(loaded.Spec.Params)
	doc, _, err := workflow.Resolve(loaded, func(names []string) ([]workflow.Record, error) { return a.records.TemplatesNamed(ctx, names) })
	switch {
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.Unsupported):
		return out, nil
	case err != nil:
		return out, fmt.Errorf("read templates: %w", err)
	}
	if out.Places, err = a.places(ctx, doc.Spec.Environments); err != nil {
		return out, fmt.Errorf("read environments: %w", err)
	}
	return out, nil
}

// places returns the names of the environments that a workflow names or selects.
func (a *pages) places(ctx context.Context, e *document.Environments) ([]string, error) {
	switch {
	case e == nil:
		return nil, nil
	case len(e.Select) == 0:
		return e.Names, nil
	}
	all, err := a.records.Environments(ctx)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what for
	}
	var names []string
	for _, place := range cluster.Selected(all, e.Select) {
		names = append(names, place.Name)
	}
	return names, nil
}

func params(declared workflow.Params) []view.Param {
	var out []view.Param
	for _, p := range declared {
		param := view.Param{
			Name: p.Name, Type: string(p.Type), Default: workflow.Text(p.Default), Required: p.MustBeGiven(), Description: p.Description,
		}
		for _, value := range p.Enum {
			param.Enum = append(param.Enum, workflow.Text(value))
		}
		out = append(out, param)
	}
	return out
}

// Templates implements view.Catalog.
func (a *pages) Templates(ctx context.Context, size int, after string) (list []workflow.Record, next string, err error) {
	return a.records.Templates(ctx, size, after) //nolint:wrapcheck // transparent
}

// Template implements view.Catalog. What an earlier version accepted is shown without parameters when this one cannot read it.
func (a *pages) Template(ctx context.Context, name string) (view.Template, error) {
	record, err := a.records.Template(ctx, name)
	if err != nil {
		return view.Template{}, fmt.Errorf("read template: %w", err)
	}
	users, err := a.records.TemplateUsers(ctx, name)
	if err != nil {
		return view.Template{}, fmt.Errorf("read what uses the template: %w", err)
	}
	out := view.Template{Record: record}
	for _, user := range users {
		if user.Kind == document.Workflow {
			out.Workflows = append(out.Workflows, user.Name)
		}
	}
	if doc, err := workflow.Load(record.Name, []byte(record.Source)); err == nil {
		out.Params = params(doc.Spec.Params)
	}
	return out, nil
}

// Policies implements view.Catalog.
func (a *pages) Policies(ctx context.Context) ([]workflow.Record, error) {
	return a.records.Policies(ctx) //nolint:wrapcheck // transparent
}

// policyDocument is what messages call the document of a form.
const policyDocument = "the policy"

// ApplyPolicy implements view.Catalog.
func (a *pages) ApplyPolicy(ctx context.Context, source, team string) (view.Applied, error) {
	return a.apply(ctx, catalog.Request{File: policyDocument, Source: source, Team: team})
}

// CheckPolicy implements view.Catalog.
func (a *pages) CheckPolicy(ctx context.Context, source string) (view.Applied, error) {
	return a.apply(ctx, catalog.Request{File: policyDocument, Source: source, DryRun: true})
}

// apply refuses documents of other kinds: the page would not show what has become of them.
func (a *pages) apply(ctx context.Context, r catalog.Request) (view.Applied, error) {
	if kind := parse.Read([]byte(r.Source)).Kind; kind != document.ReadinessPolicyKind {
		return view.Applied{}, fault.New(fault.Invalid, "it is not the document of a readiness policy").WithField("kind").
			WithHint("Begin with kind: %s.", document.ReadinessPolicyKind)
	}
	done, err := a.catalog.Apply(ctx, r)
	return view.Applied{Record: done.Record, Created: done.Outcome == catalog.Created, Changed: done.Outcome == catalog.Changed}, err //nolint:wrapcheck // transparent
}

// Clusters implements view.Fleet.
func (a *pages) Clusters(ctx context.Context) ([]cluster.Cluster, error) {
	return a.records.Clusters(ctx) //nolint:wrapcheck // transparent
}

// Environments implements view.Fleet.
func (a *pages) Environments(ctx context.Context) ([]cluster.Environment, error) {
	return a.records.Environments(ctx) //nolint:wrapcheck // transparent
}

// Enroll implements view.Fleet.
func (a *pages) Enroll(ctx context.Context, e view.Enrollment) (view.Enrolled, error) {
	if v, ok := tenant.FromContext(ctx); !ok || !v.Allows(tenant.ScopeAdmin) {
		return view.Enrolled{}, fault.New(fault.Forbidden, "only administrators enroll clusters")
	}
	c, made, token, expires, err := api.Enroll(ctx, a.auth, e.Name, e.Environment, e.Namespace)
	if err != nil {
		return view.Enrolled{}, fmt.Errorf("enroll cluster: %w", err)
	}
	return view.Enrolled{Cluster: c.Name, Command: a.install.Command(c, made, e.Namespace, token), ExpiresAt: expires.In(time.UTC)}, nil
}

// Revoke implements view.Fleet.
func (a *pages) Revoke(ctx context.Context, name, reason string) error {
	_, err := a.auth.RevokeCluster(ctx, name, reason)
	return err //nolint:wrapcheck // transparent
}

// RotateKey implements view.Fleet.
func (a *pages) RotateKey(ctx context.Context, name string) error {
	_, err := a.auth.RotateClusterKey(ctx, name)
	return err //nolint:wrapcheck // transparent
}

// Drain implements view.Fleet.
func (a *pages) Drain(ctx context.Context, name, reason string) error {
	_, err := a.runner.DrainCluster(ctx, name, reason)
	return err //nolint:wrapcheck // transparent
}

// Undrain implements view.Fleet.
func (a *pages) Undrain(ctx context.Context, name string) error {
	_, err := a.runner.UndrainCluster(ctx, name)
	return err //nolint:wrapcheck // transparent
}

// Limit implements view.Fleet.
func (a *pages) Limit(ctx context.Context, name string, runs int) error {
	_, err := a.runner.LimitCluster(ctx, name, runs)
	return err //nolint:wrapcheck // transparent
}

// ReadLog implements view.Logs.
func (a *pages) ReadLog(ctx context.Context, id execution.AttemptID, stream string, offset int64, limit int) (view.Piece, error) {
	p, err := a.logs.Read(ctx, id, stream, offset, limit)
	return view.Piece(p), err //nolint:wrapcheck // transparent
}

// SeekLine implements view.Logs.
func (a *pages) SeekLine(ctx context.Context, id execution.AttemptID, stream string, line int64) (offset, at int64, err error) {
	return a.logs.Seek(ctx, id, stream, line) //nolint:wrapcheck // transparent
}
