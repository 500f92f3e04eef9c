package cmd_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/release/attest/key"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
	"github.com/seatrial/seatrial/ui/cli/cmd"
)

var update = flag.Bool("update", false, "write golden files")

// plane is a control plane that answers what it is told to. What is not set is answered as the generated code does: as
// unimplemented.
type plane struct {
	apiv1connect.UnimplementedWorkflowServiceHandler
	apiv1connect.UnimplementedClusterServiceHandler
	apiv1connect.UnimplementedIdentityServiceHandler

	applied  func(*apiv1.ApplyWorkflowRequest) (*apiv1.ApplyWorkflowResponse, error)
	asked    []string // of clusters
	enrolled func(*apiv1.EnrollClusterRequest) (*apiv1.EnrollClusterResponse, error)
	who      error
	code     string        // of a second factor
	notReady int           // what it answers instead of being ready
	skew     time.Duration // of its clock
	hangs    bool          // it does not say who asks
}

func (p *plane) ApplyWorkflow(_ context.Context, r *apiv1.ApplyWorkflowRequest) (*apiv1.ApplyWorkflowResponse, error) {
	return p.applied(r)
}

func (p *plane) GetWorkflow(context.Context, *apiv1.GetWorkflowRequest) (*apiv1.GetWorkflowResponse, error) {
	return &apiv1.GetWorkflowResponse{Workflow: &apiv1.Workflow{Name: "smoke", Source: "kind: TestWorkflow\n"}}, nil
}

func (p *plane) ListWorkflows(_ context.Context, r *apiv1.ListWorkflowsRequest) (*apiv1.ListWorkflowsResponse, error) {
	if r.GetPageToken() == "" {
		return &apiv1.ListWorkflowsResponse{NextPageToken: "2", Workflows: []*apiv1.Workflow{
			{Name: "smoke", Team: "core", Revision: 3, UpdatedAt: instant(0), Description: "first\npage"},
		}}, nil
	}
	return &apiv1.ListWorkflowsResponse{Workflows: []*apiv1.Workflow{{Name: "load", Team: "core", Revision: 1}}}, nil
}

func (p *plane) GetTemplate(context.Context, *apiv1.GetTemplateRequest) (*apiv1.GetTemplateResponse, error) {
	return &apiv1.GetTemplateResponse{Template: &apiv1.Template{
		Name: "playwright", Source: "kind: TestWorkflowTemplate\n", Workflows: []string{"shop", "smoke"},
	}}, nil
}

func (p *plane) ListTemplates(_ context.Context, r *apiv1.ListTemplatesRequest) (*apiv1.ListTemplatesResponse, error) {
	if r.GetPageToken() == "" {
		return &apiv1.ListTemplatesResponse{NextPageToken: "2", Templates: []*apiv1.Template{{Name: "node", Team: "core", Revision: 1}}}, nil
	}
	return &apiv1.ListTemplatesResponse{Templates: []*apiv1.Template{
		{Name: "playwright", Team: "core", Revision: 3, UpdatedAt: instant(0), Description: "browser tests"},
	}}, nil
}

func (p *plane) EnrollCluster(_ context.Context, r *apiv1.EnrollClusterRequest) (*apiv1.EnrollClusterResponse, error) {
	return p.enrolled(r)
}

func (p *plane) RevokeCluster(_ context.Context, r *apiv1.RevokeClusterRequest) (*apiv1.RevokeClusterResponse, error) {
	p.asked = append(p.asked, "revoke "+r.GetName()+": "+r.GetReason())
	return &apiv1.RevokeClusterResponse{Cluster: &apiv1.Cluster{Name: r.GetName(), RevokedAt: instant(0), RevokedReason: r.GetReason()}}, nil
}

func (p *plane) RotateClusterKey(_ context.Context, r *apiv1.RotateClusterKeyRequest) (*apiv1.RotateClusterKeyResponse, error) {
	p.asked = append(p.asked, "rotate "+r.GetName())
	return &apiv1.RotateClusterKeyResponse{Cluster: &apiv1.Cluster{Name: r.GetName(), RotationAsked: true}}, nil
}

func (p *plane) readyz(w http.ResponseWriter, _ *http.Request) {
	if p.skew != 0 {
		w.Header().Set("Date", time.Now().Add(p.skew).UTC().Format(http.TimeFormat))
	}
	if p.notReady != 0 {
		w.WriteHeader(p.notReady)
	}
}

func (p *plane) DrainCluster(_ context.Context, r *apiv1.DrainClusterRequest) (*apiv1.DrainClusterResponse, error) {
	p.asked = append(p.asked, "drain "+r.GetName()+": "+r.GetReason())
	return &apiv1.DrainClusterResponse{Cluster: &apiv1.Cluster{Name: r.GetName(), DrainedAt: instant(0), DrainedBy: "ada", DrainedReason: r.GetReason()}}, nil
}

func (p *plane) UndrainCluster(_ context.Context, r *apiv1.UndrainClusterRequest) (*apiv1.UndrainClusterResponse, error) {
	p.asked = append(p.asked, "undrain "+r.GetName())
	return &apiv1.UndrainClusterResponse{Cluster: &apiv1.Cluster{Name: r.GetName()}}, nil
}

func (p *plane) LimitCluster(_ context.Context, r *apiv1.LimitClusterRequest) (*apiv1.LimitClusterResponse, error) {
	p.asked = append(p.asked, fmt.Sprintf("limit %s to %d", r.GetName(), r.GetMaxRuns()))
	return &apiv1.LimitClusterResponse{Cluster: &apiv1.Cluster{Name: r.GetName(), MaxRuns: r.GetMaxRuns()}}, nil
}

func (p *plane) ExamineCluster(_ context.Context, r *apiv1.ExamineClusterRequest) (*apiv1.ExamineClusterResponse, error) {
	p.asked = append(p.asked, "examine "+r.GetName())
	res := &apiv1.ExamineClusterResponse{
		Cluster: &apiv1.Cluster{Name: r.GetName(), Connected: true, ConnectedAt: instant(0), AgentVersion: "0.1.0"}, ExaminedAt: instant(1),
		Checks: []*apiv1.ClusterCheck{
			{Check: "control plane", State: "ok", Found: "seatrial.example:9443 answers in 12 ms"},
			{Check: "clock", State: "warning", Found: "the clock of the API server differs by 7s", Do: "Have NTP set the clocks."},
		},
	}
	if r.GetName() == "us-2" {
		res.Checks = append(res.Checks, &apiv1.ClusterCheck{
			Check: "permissions", State: "failed", Found: "tests in shop: may not create jobs", Do: "Add shop to runNamespaces of the agent's chart.",
		})
	}
	return res, nil
}

func (p *plane) ListClusters(context.Context, *apiv1.ListClustersRequest) (*apiv1.ListClustersResponse, error) {
	return &apiv1.ListClustersResponse{Clusters: []*apiv1.Cluster{
		{Name: "eu-1", Enrolled: true, Connected: true, LastSeenAt: instant(5), KubernetesVersion: "v1.34.1", AgentVersion: "0.1.0", Namespaces: []string{"a", "b"}},
		{Name: "us-2", Enrolled: true},
		{
			Name: "us-3", Enrolled: true, Connected: true, LastSeenAt: instant(5), KubernetesVersion: "v1.34.1", AgentVersion: "0.1.0", Namespaces: []string{"a"},
			MaxRuns: 20, BusyRuns: 12, QueuedRuns: 340, DrainedAt: instant(2), DrainedBy: "ada", DrainedReason: "new nodes",
		},
		{Name: "lab"},
		{Name: "old", Enrolled: true, RevokedAt: instant(0), RevokedReason: "stolen", Rules: []string{"image: registry.example/qa/*", "secret: none"}},
	}}, nil
}

func (p *plane) ListEnvironments(context.Context, *apiv1.ListEnvironmentsRequest) (*apiv1.ListEnvironmentsResponse, error) {
	return &apiv1.ListEnvironmentsResponse{Environments: []*apiv1.Environment{{Name: "staging", Cluster: "eu-1", Namespace: "tests"}}}, nil
}

func (p *plane) WhoAmI(ctx context.Context, _ *apiv1.WhoAmIRequest) (*apiv1.WhoAmIResponse, error) {
	if p.hangs {
		<-ctx.Done()
		return nil, connect.NewError(connect.CodeDeadlineExceeded, ctx.Err()) // the deadline of whoever asks is known here, too
	}
	if p.who != nil {
		return nil, p.who
	}
	info, _ := connect.CallInfoForHandlerContext(ctx)
	return &apiv1.WhoAmIResponse{Organization: "acme", Subject: info.RequestHeader().Get("Authorization")}, nil
}

func (p *plane) SignIn(_ context.Context, r *apiv1.SignInRequest) (*apiv1.SignInResponse, error) {
	if r.GetPassword() != "correct horse" {
		return nil, connect.NewError(connect.CodeUnauthenticated, textError("e-mail and password do not belong together"))
	}
	if p.code != "" && r.GetCode() != p.code {
		err := connect.NewError(connect.CodeUnauthenticated, textError("a code is needed"))
		if d, fault := connect.NewErrorDetail(&apiv1.ErrorDetail{Kind: "unauthenticated", Field: "code"}); fault == nil {
			err.AddDetail(d)
		}
		return nil, err
	}
	return &apiv1.SignInResponse{Token: "fresh"}, nil
}

func (p *plane) CreateToken(_ context.Context, r *apiv1.CreateTokenRequest) (*apiv1.CreateTokenResponse, error) {
	return &apiv1.CreateTokenResponse{Token: "st_" + r.GetName(), ExpiresAt: instant(0)}, nil
}

type textError string

func (e textError) Error() string { return string(e) }

func instant(seconds int) *timestamppb.Timestamp {
	return timestamppb.New(time.Date(2026, 11, 3, 10, 0, seconds, 0, time.UTC))
}

// shell runs command lines against a control plane.
type shell struct {
	now    func() time.Time // nil for the clock of the machine
	server *httptest.Server
	env    map[string]string
	in     string
	term   bool
	plane  *plane
	runs   *runs

	releases *releases
	insights *insights
	audits   *audits
	runner   []string      // of local runs
	steps    []string      // variables of their steps
	look     time.Duration // of the doctor; 0 for as long as it does
}

func setup(t *testing.T) *shell {
	t.Helper()
	s := &shell{plane: &plane{}, runs: newRuns(), releases: &releases{}, insights: &insights{}, audits: newAudits(5)}
	mux := http.NewServeMux()
	mux.Handle(apiv1connect.NewWorkflowServiceHandler(s.plane))
	mux.Handle(apiv1connect.NewClusterServiceHandler(s.plane))
	mux.Handle(apiv1connect.NewIdentityServiceHandler(s.plane))
	mux.Handle(apiv1connect.NewExecutionServiceHandler(s.runs))
	mux.Handle(apiv1connect.NewReleaseServiceHandler(s.releases))
	mux.Handle(apiv1connect.NewInsightServiceHandler(s.insights))
	mux.Handle(apiv1connect.NewPeopleServiceHandler(folk{}))
	mux.Handle(apiv1connect.NewAuditServiceHandler(s.audits))
	mux.Handle(apiv1connect.NewAccessServiceHandler(doors{}))
	mux.Handle(apiv1connect.NewScheduleServiceHandler(times{}))
	mux.Handle(apiv1connect.NewTriggerServiceHandler(happenings{}))
	mux.Handle(apiv1connect.NewWebhookServiceHandler(hooked{}))
	mux.HandleFunc("GET /readyz", s.plane.readyz)
	mux.HandleFunc("GET "+key.Path, s.releases.served)
	mux.HandleFunc("GET /files/{id}", s.runs.served)
	mux.HandleFunc("GET /archives/{id}", s.runs.served)
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	s.env = map[string]string{"SEATRIAL_SERVER": s.server.URL, "SEATRIAL_TOKEN": "secret", "XDG_CONFIG_HOME": t.TempDir()}
	return s
}

// said is what a command line printed and returned.
type said struct {
	code     int
	out, err string
}

func (s *shell) run(t *testing.T, args ...string) said {
	t.Helper()
	return s.runIn(t.Context(), args...)
}

func (s *shell) runIn(ctx context.Context, args ...string) said {
	var out bytes.Buffer
	var err watched
	code := cmd.Main(ctx, args, cmd.Options{
		In: strings.NewReader(s.in), Out: &out, Err: &err, Env: func(k string) string { return s.env[k] }, Terminal: s.term, PipedOut: true,
		HTTP: s.server.Client(), Patience: 60 * time.Millisecond, Backoff: time.Millisecond, Look: s.look, Runner: s.runner, Environ: s.steps, Now: s.now,
	})
	told := func(text string) string { return strings.ReplaceAll(text, s.server.URL, "http://SERVER") }
	return said{code, told(out.String()), told(err.String())}
}

// watched is a buffer for what several goroutines write.
type watched struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// golden compares all that a command line did with a file.
func golden(t *testing.T, name string, got said) {
	t.Helper()
	text := "exit " + string(rune('0'+got.code)) + "\n--- out\n" + got.out + "--- err\n" + got.err
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
