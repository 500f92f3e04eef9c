package api_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/catalog"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

type bench struct {
	world      *world
	bus        *bus
	draining   chan struct{}
	url        string
	http       *http.Client
	workflows  apiv1connect.WorkflowServiceClient
	executions apiv1connect.ExecutionServiceClient
	clusters   apiv1connect.ClusterServiceClient
	identity   apiv1connect.IdentityServiceClient
	releases   apiv1connect.ReleaseServiceClient
	tests      apiv1connect.TestServiceClient
	insights   apiv1connect.InsightServiceClient
	people     apiv1connect.PeopleServiceClient
	catalog    apiv1connect.CatalogServiceClient
	audits     apiv1connect.AuditServiceClient
	access     apiv1connect.AccessServiceClient
	schedules  apiv1connect.ScheduleServiceClient
	triggers   apiv1connect.TriggerServiceClient
	webhooks   apiv1connect.WebhookServiceClient
}

// credential adds a header to every request.
type credential struct {
	header, value string
	next          http.RoundTripper
}

func (c credential) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.value != "" {
		r.Header.Set(c.header, c.value)
	}
	return c.next.RoundTrip(r)
}

func newWorld() *world {
	org := uuid.New()
	viewer := func(kind tenant.Kind, org uuid.UUID, role tenant.Role, scopes ...tenant.Scope) tenant.Viewer {
		return tenant.Viewer{Kind: kind, Organization: org, Name: "ann", Role: role, Scopes: scopes}
	}
	all := []tenant.Scope{tenant.ScopeRead, tenant.ScopeRun, tenant.ScopeCatalog, tenant.ScopeRelease, tenant.ScopeAdmin}
	return &world{
		org: org, release: sample(), workflows: map[string]workflow.Record{}, templates: map[string]workflow.Record{}, blobs: map[string]string{},
		execution: execution.Execution{
			ID: uuid.New(), Workflow: "checkout", Status: execution.Running, CreatedAt: time.Unix(5, 0).UTC(),
			Runs: []execution.Run{{ID: uuid.New(), Environment: "staging", Status: execution.Running, Attempts: []execution.Attempt{{
				ID: uuid.New(), Number: 1, Status: execution.Running, Steps: []execution.Step{{Index: 0, Name: "test", Status: execution.Running}},
			}}}},
		},
		tokens: map[string]tenant.Viewer{
			"all": viewer(tenant.KindToken, org, "", all...), "none": viewer(tenant.KindToken, org, ""),
			"read": viewer(tenant.KindToken, org, "", tenant.ScopeRead), "member": viewer(tenant.KindMember, org, tenant.RoleMaintainer),
			"owner": viewer(tenant.KindMember, org, tenant.RoleOwner), "foreign": viewer(tenant.KindToken, uuid.New(), "", all...),
			"agent": viewer(tenant.KindAgent, org, "", all...),
		},
	}
}

// setup serves the API to a client with a token.
func setup(t *testing.T, token string, timing api.Timing) *bench {
	t.Helper()
	b := &bench{world: newWorld(), bus: &bus{subs: map[string][]chan struct{}{}, subscribed: make(chan []string, 100)}, draining: make(chan struct{})}
	handler, err := api.New(api.Options{
		Catalog: b.world, Applier: catalog.New(b.world), History: b.world, Fleet: b.world, Enroller: b.world, Runner: b.world, Queues: b.world, Examiner: b.world, Releases: releases{b.world}, Sharer: releases{b.world}, Tests: cases{b.world}, Insight: insights{b.world}, Searcher: insights{b.world}, Schedules: times{b.world}, Webhooks: hooks{b.world}, Triggers: reactions{b.world}, Gate: asked{b.world}, Bundles: releases{b.world}, Accounts: b.world, People: folk{b.world}, Access: doors{b.world}, Audit: b.world, Origins: origins{b.world}, Syncer: origins{b.world}, Bus: b.bus,
		Blobs: b.world, Log: slog.New(slog.DiscardHandler), Cookie: "session", PublicURL: "https://seatrial.test", Version: "v9",
		Install: api.Install{Chart: "charts/agent", Address: "cp.test:9443", CA: "-----BEGIN CERTIFICATE-----\nAA==\n"}, Draining: b.draining, Timing: timing,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	value := ""
	if token != "" {
		value = "Bearer " + token
	}
	b.url, b.http = server.URL, server.Client()
	b.http.Transport = credential{"Authorization", value, b.http.Transport}
	b.workflows = apiv1connect.NewWorkflowServiceClient(b.http, b.url)
	b.executions = apiv1connect.NewExecutionServiceClient(b.http, b.url)
	b.clusters = apiv1connect.NewClusterServiceClient(b.http, b.url)
	b.identity = apiv1connect.NewIdentityServiceClient(b.http, b.url)
	b.releases = apiv1connect.NewReleaseServiceClient(b.http, b.url)
	b.tests = apiv1connect.NewTestServiceClient(b.http, b.url)
	b.insights = apiv1connect.NewInsightServiceClient(b.http, b.url)
	b.people = apiv1connect.NewPeopleServiceClient(b.http, b.url)
	b.access = apiv1connect.NewAccessServiceClient(b.http, b.url)
	b.schedules = apiv1connect.NewScheduleServiceClient(b.http, b.url)
	b.catalog = apiv1connect.NewCatalogServiceClient(b.http, b.url)
	b.triggers = apiv1connect.NewTriggerServiceClient(b.http, b.url)
	b.webhooks = apiv1connect.NewWebhookServiceClient(b.http, b.url)
	b.audits = apiv1connect.NewAuditServiceClient(b.http, b.url)
	return b
}

func (b *bench) attempt() *execution.Attempt { return &b.world.execution.Runs[0].Attempts[0] }

// detail returns the detail that every error carries.
func detail(t *testing.T, err error) *apiv1.ErrorDetail {
	t.Helper()
	wire := new(connect.Error)
	if !asWire(err, &wire) || len(wire.Details()) != 1 {
		t.Fatalf("error %v carries no detail", err)
	}
	value, err := wire.Details()[0].Value()
	if err != nil {
		t.Fatal(err)
	}
	d, ok := value.(*apiv1.ErrorDetail)
	if !ok {
		t.Fatalf("detail %T", value)
	}
	return d
}
