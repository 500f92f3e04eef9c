package api_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// parsed is the document as the catalog would hold it.
func parsed(t *testing.T) workflow.Record {
	t.Helper()
	doc, err := workflow.Parse("", []byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return workflow.Record{ID: uuid.New(), Name: "checkout", Revision: 4, Digest: doc.Digest, Source: document}
}

func TestAPI_ApplyWorkflow(t *testing.T) {
	t.Parallel()
	changed := strings.Replace(document, "debian", "alpine", 1)
	tests := map[string]struct {
		known  bool
		source string
		dry    bool
		want   apiv1.ApplyOutcome
		stored bool
	}{
		"Created":   {false, document, false, apiv1.ApplyOutcome_APPLY_OUTCOME_CREATED, true},
		"Changed":   {true, changed, false, apiv1.ApplyOutcome_APPLY_OUTCOME_CHANGED, true},
		"Unchanged": {true, document, false, apiv1.ApplyOutcome_APPLY_OUTCOME_UNCHANGED, false},
		"DryNew":    {false, document, true, apiv1.ApplyOutcome_APPLY_OUTCOME_CREATED, false},
		"DryOther":  {true, changed, true, apiv1.ApplyOutcome_APPLY_OUTCOME_CHANGED, false},
		"DrySame":   {true, document, true, apiv1.ApplyOutcome_APPLY_OUTCOME_UNCHANGED, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, "all", api.Timing{})
			if tc.known {
				b.world.workflows["checkout"] = parsed(t)
			}
			before := b.world.workflows["checkout"].Revision
			res, err := b.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: tc.source, DryRun: tc.dry, Team: "qa"})
			if err != nil || res.GetOutcome() != tc.want {
				t.Fatalf("outcome %v, error %v", res.GetOutcome(), err)
			}
			if stored := b.world.workflows["checkout"].Revision != before; stored != tc.stored {
				t.Errorf("stored: %t", stored)
			}
			if res.GetWorkflow().GetRevision() < 1 || len(res.GetWorkflow().GetParams()) != 2 {
				t.Errorf("workflow %v", res.GetWorkflow())
			}
		})
	}
}

func TestAPI_ApplyWorkflow_SaysEveryFaultWithItsPlace(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	_, err := b.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{
		File: "w.yaml", Source: strings.NewReplacer("type: integer", "type: nothing", "checkout", "Check Out").Replace(document),
	})
	d := detail(t, err)
	if connect.CodeOf(err) != connect.CodeInvalidArgument || len(d.GetFaults()) != 2 || d.GetFaults()[0].GetLine() == 0 {
		t.Errorf("error %v with %v", err, d)
	}
}

func TestAPI_Templates(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	const source = "apiVersion: seatrial.dev/v1\nkind: TestWorkflowTemplate\nmetadata: {name: base}\nspec: {params: {n: {type: integer}}, container: {image: a}}\n"
	const user = "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: shop}\nspec: {use: [{template: base, with: {n: 1}}], steps: [{run: x}]}\n"
	res, err := b.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: source})
	if err != nil || res.GetWorkflow() != nil || res.GetTemplate().GetName() != "base" || len(res.GetTemplate().GetParams()) != 1 ||
		res.GetOutcome() != apiv1.ApplyOutcome_APPLY_OUTCOME_CREATED {
		t.Fatalf("%v, %v", res, err)
	}
	if _, err := b.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: user}); err != nil {
		t.Fatal(err)
	}
	got, err := b.workflows.GetTemplate(t.Context(), &apiv1.GetTemplateRequest{Name: "base"})
	if err != nil || got.GetTemplate().GetSource() != source || len(got.GetTemplate().GetParams()) != 1 ||
		!slices.Equal(got.GetTemplate().GetWorkflows(), []string{"shop"}) {
		t.Errorf("%v, %v", got, err)
	}
	flow, err := b.workflows.GetWorkflow(t.Context(), &apiv1.GetWorkflowRequest{Name: "shop"})
	if err != nil || !slices.Equal(flow.GetWorkflow().GetTemplates(), []string{"base"}) {
		t.Errorf("%v, %v", flow, err)
	}
	list, err := b.workflows.ListTemplates(t.Context(), &apiv1.ListTemplatesRequest{PageSize: 7, PageToken: "p"})
	if err != nil || len(list.GetTemplates()) != 1 || list.GetNextPageToken() != "next" || b.world.size != 7 || b.world.after != "p" {
		t.Errorf("%v, %v", list, err)
	}
	_, err = b.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: strings.Replace(source, "{n:", "{m:", 1)})
	if d := detail(t, err); connect.CodeOf(err) != connect.CodeInvalidArgument || len(d.GetFaults()) == 0 || !strings.Contains(d.GetHint(), "shop") {
		t.Errorf("a change that breaks its user: %v with %v", err, d)
	}
}

func TestAPI_GetWorkflow_ListsParameters(t *testing.T) {
	t.Parallel()
	b := setup(t, "read", api.Timing{})
	b.world.workflows["checkout"] = parsed(t)
	res, err := b.workflows.GetWorkflow(t.Context(), &apiv1.GetWorkflowRequest{Name: "checkout"})
	if err != nil {
		t.Fatal(err)
	}
	p := res.GetWorkflow().GetParams()
	if len(p) != 2 || p[0].GetDefault() != "firefox" || len(p[0].GetEnum()) != 2 || p[0].GetRequired() || !p[1].GetRequired() {
		t.Errorf("parameters %v", p)
	}
}

func TestAPI_RerunExecution(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	id := b.world.execution.ID.String()
	res, err := b.executions.RerunExecution(t.Context(), &apiv1.RerunExecutionRequest{Id: id, FailedOnly: true, IdempotencyKey: "k"})
	if err != nil || !res.GetExisted() || res.GetUrl() != "https://seatrial.test/o/acme/executions/"+id {
		t.Fatalf("%v, error %v", res, err)
	}
	if d := cmp.Diff(execution.Again{Failed: true, IdempotencyKey: "k", Trigger: "api"}, b.world.again); d != "" {
		t.Error(d)
	}
	if _, err := b.executions.RerunExecution(t.Context(), &apiv1.RerunExecutionRequest{Id: "none"}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("what is no id: %v", err)
	}
}

func TestAPI_ListWorkflows_Filter(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	_, err := b.workflows.ListWorkflows(t.Context(), &apiv1.ListWorkflowsRequest{
		Text: "pay", Team: "payments", Labels: map[string]string{"app": "shop"}, LastStatus: apiv1.Status_STATUS_TIMED_OUT,
	})
	want := workflow.Filter{Text: "pay", Team: "payments", Labels: map[string]string{"app": "shop"}, Last: "timed_out"}
	if d := cmp.Diff(want, b.world.sought); err != nil || d != "" {
		t.Errorf("%v, %s", err, d)
	}
	if _, err = b.workflows.ListWorkflows(t.Context(), &apiv1.ListWorkflowsRequest{NeverRan: true}); err != nil || b.world.sought.Last != workflow.NeverRun {
		t.Errorf("%v, %+v", err, b.world.sought)
	}
	if _, err := b.workflows.ListWorkflows(t.Context(), &apiv1.ListWorkflowsRequest{LastStatus: 99}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("a status that is none: %v", err)
	}
}

func TestAPI_RunWorkflow(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	res, err := b.executions.RunWorkflow(t.Context(), &apiv1.RunWorkflowRequest{
		Workflow: "checkout", Params: map[string]string{"browser": "chromium"}, Environments: []string{"staging"}, IdempotencyKey: "k",
	})
	if err != nil || !res.GetExisted() {
		t.Fatalf("%v, error %v", res, err)
	}
	want := execution.Request{
		Workflow: "checkout", Params: map[string]string{"browser": "chromium"}, Environments: []string{"staging"}, IdempotencyKey: "k", Trigger: "api",
	}
	if d := cmp.Diff(want, b.world.request); d != "" {
		t.Error(d)
	}
	if want := "https://seatrial.test/o/acme/executions/" + b.world.execution.ID.String(); res.GetUrl() != want {
		t.Errorf("page %q", res.GetUrl())
	}
}

func TestAPI_GetExecution_TellsAll(t *testing.T) {
	t.Parallel()
	b := setup(t, "read", api.Timing{})
	code := 3
	b.attempt().Steps[0] = execution.Step{Name: "test", Status: execution.Waiting, ExitCode: &code, Log: execution.Log{Bytes: 9, Complete: true}}
	b.attempt().ID = uuid.MustParse("018f0000-0000-7000-8000-000000000000")
	res, err := b.executions.GetExecution(t.Context(), &apiv1.GetExecutionRequest{Id: b.world.execution.ID.String()})
	if err != nil {
		t.Fatal(err)
	}
	e := res.GetExecution()
	a := e.GetRuns()[0].GetAttempts()[0]
	if e.GetStatus() != apiv1.Status_STATUS_RUNNING || e.GetFinishedAt() != nil || e.GetCreatedAt().AsTime().Unix() != 5 {
		t.Errorf("execution %v", e)
	}
	if a.GetJob() != "t-aghqaaaaabyabaaaaaaaaaaaaa" {
		t.Errorf("job %q is not the name that agents give", a.GetJob())
	}
	if s := a.GetSteps()[0]; s.GetExitCode() != 3 || s.GetStatus() != apiv1.Status_STATUS_QUEUED || s.GetLog().GetBytes() != 9 {
		t.Errorf("step %v", s)
	}
}

func TestAPI_Lists_PassThePageOn(t *testing.T) {
	t.Parallel()
	b := setup(t, "read", api.Timing{})
	res, err := b.executions.ListExecutions(t.Context(), &apiv1.ListExecutionsRequest{
		PageSize: 7, PageToken: "here", Status: apiv1.Status_STATUS_TIMED_OUT,
	})
	if err != nil || res.GetNextPageToken() != "next" {
		t.Fatalf("%v, error %v", res, err)
	}
	if b.world.size != 7 || b.world.after != "here" || b.world.status != execution.TimedOut {
		t.Errorf("asked for %d after %q with status %q", b.world.size, b.world.after, b.world.status)
	}
	if _, err := b.executions.ListExecutions(t.Context(), &apiv1.ListExecutionsRequest{Status: 99}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("a status that does not exist: %v", err)
	}
	for _, o := range results.Outcomes() {
		ask := &apiv1.ListTestResultsRequest{ExecutionId: uuid.NewString(), Outcomes: []string{string(o)}}
		if _, err := b.executions.ListTestResults(t.Context(), ask); connect.CodeOf(err) == connect.CodeInvalidArgument {
			t.Errorf("outcome %s: %v", o, err)
		}
	}
	bad := &apiv1.ListTestResultsRequest{ExecutionId: uuid.NewString(), Outcomes: []string{"flaky"}}
	if _, err := b.executions.ListTestResults(t.Context(), bad); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("an outcome that does not exist: %v", err)
	}
}

func TestAPI_EnrollCluster(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	res, err := b.clusters.EnrollCluster(t.Context(), &apiv1.EnrollClusterRequest{Name: "kind"})
	if err != nil {
		t.Fatal(err)
	}
	if e := res.GetEnvironment(); e.GetName() != "kind" || e.GetNamespace() != "seatrial-tests" {
		t.Errorf("environment %v", e)
	}
	for _, want := range []string{"helm upgrade --install", "charts/agent", "'cp.test:9443'", "'st_boot_1'", "BEGIN CERTIFICATE", "'{seatrial-tests}'"} {
		if !strings.Contains(res.GetCommand(), want) {
			t.Errorf("the command lacks %q:\n%s", want, res.GetCommand())
		}
	}
}

// TestInstall_Command holds that what the owner of a cluster has set stays when it is enrolled once more.
func TestInstall_Command(t *testing.T) {
	t.Parallel()
	i := api.Install{Chart: "charts/agent", Address: "cp.test:9443"}
	for name, tc := range map[string]struct {
		cluster cluster.Cluster
		want    string
	}{
		"New": {cluster.Cluster{Name: "eu"}, "helm upgrade --install seatrial-eu charts/agent \\\n  --namespace seatrial --create-namespace \\\n" +
			"  --set controlPlane.address='cp.test:9443' \\\n  --set bootstrapToken='t' \\\n  --set runNamespaces='{tests}' --set createRunNamespaces=true"},
		"Known": {cluster.Cluster{Name: "eu", UID: "u", Namespaces: []string{"a", "tests"}}, "helm upgrade --install --reset-then-reuse-values seatrial-eu charts/agent \\\n" +
			"  --namespace seatrial --create-namespace \\\n  --set controlPlane.address='cp.test:9443' \\\n  --set bootstrapToken='t' \\\n" +
			"  --set runNamespaces='{a,tests}' --set createRunNamespaces=true"},
	} {
		got := i.Command(tc.cluster, cluster.Environment{Namespace: "tests"}, "", "t")
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAPI_RevokeAndRotate(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	revoked, err := b.clusters.RevokeCluster(t.Context(), &apiv1.RevokeClusterRequest{Name: "kind", Reason: " stolen "})
	if err != nil || revoked.GetCluster().GetRevokedReason() != "stolen" || revoked.GetCluster().GetRevokedAt().GetSeconds() != 9 {
		t.Errorf("%v, %v", revoked, err)
	}
	asked, err := b.clusters.RotateClusterKey(t.Context(), &apiv1.RotateClusterKeyRequest{Name: "kind"})
	if err != nil || !asked.GetCluster().GetRotationAsked() {
		t.Errorf("%v, %v", asked, err)
	}
	drained, err := b.clusters.DrainCluster(t.Context(), &apiv1.DrainClusterRequest{Name: "kind", Reason: " new nodes "})
	if c := drained.GetCluster(); err != nil || c.GetDrainedReason() != "new nodes" || c.GetDrainedBy() != "ada" || c.GetDrainedAt().GetSeconds() != 9 {
		t.Errorf("%v, %v", drained, err)
	}
	if back, err := b.clusters.UndrainCluster(t.Context(), &apiv1.UndrainClusterRequest{Name: "kind"}); err != nil || back.GetCluster().GetDrainedAt() != nil {
		t.Errorf("%v, %v", back, err)
	}
	examined, err := b.clusters.ExamineCluster(t.Context(), &apiv1.ExamineClusterRequest{Name: "kind"})
	if want := (&apiv1.ClusterCheck{Check: "clock", State: "warning", Found: "it is late", Do: "Set it."}); err != nil || len(examined.GetChecks()) != 1 ||
		!proto.Equal(examined.GetChecks()[0], want) || examined.GetExaminedAt().GetSeconds() != 9 {
		t.Errorf("%v, %v", examined, err)
	}
	if limited, err := b.clusters.LimitCluster(t.Context(), &apiv1.LimitClusterRequest{Name: "kind", MaxRuns: 4}); err != nil || limited.GetCluster().GetMaxRuns() != 4 {
		t.Errorf("%v, %v", limited, err)
	}
	if _, err := b.clusters.LimitCluster(t.Context(), &apiv1.LimitClusterRequest{Name: "kind", MaxRuns: -1}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("a limit below nothing: %v", err)
	}
	long := &apiv1.RevokeClusterRequest{Name: "kind", Reason: strings.Repeat("x", 501)}
	if _, err := b.clusters.RevokeCluster(t.Context(), long); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("an endless reason: %v", err)
	}
}

func TestAPI_CreateToken(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		token  string
		scopes []string
		life   time.Duration
		code   connect.Code
		want   []tenant.Scope
	}{
		"Default":  {"all", nil, 0, 0, []tenant.Scope{"read", "run"}},
		"Given":    {"owner", []string{"admin"}, time.Hour, 0, []tenant.Scope{"admin"}},
		"Unknown":  {"owner", []string{"root"}, 0, connect.CodeInvalidArgument, nil},
		"TooLong":  {"owner", nil, 10_000 * time.Hour, connect.CodeInvalidArgument, nil},
		"Negative": {"owner", nil, -time.Hour, connect.CodeInvalidArgument, nil},
		"Member":   {"member", nil, 0, 0, []tenant.Scope{"read", "run"}},
		"More":     {"member", []string{"admin"}, 0, connect.CodePermissionDenied, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, tc.token, api.Timing{})
			_, err := b.identity.CreateToken(t.Context(), &apiv1.CreateTokenRequest{Name: "ci", Scopes: tc.scopes, Lifetime: durationpb.New(tc.life)})
			if (tc.code == 0) != (err == nil) || (err != nil && connect.CodeOf(err) != tc.code) {
				t.Fatalf("error %v", err)
			}
			if d := cmp.Diff(tc.want, b.world.made); d != "" {
				t.Error(d)
			}
			if tc.life == 0 && err == nil && b.world.life != 90*24*time.Hour {
				t.Errorf("life %s", b.world.life)
			}
		})
	}
}

func TestAPI_SignIn(t *testing.T) {
	t.Parallel()
	b := setup(t, "", api.Timing{})
	res, err := b.identity.SignIn(t.Context(), &apiv1.SignInRequest{Email: "a@b", Password: "right"})
	if err != nil || res.GetToken() != "st_new" || res.GetOrganization() != "acme" {
		t.Fatalf("%v, error %v", res, err)
	}
	if d := cmp.Diff([]tenant.Scope{"read", "run", "catalog", "release"}, b.world.made); d != "" {
		t.Errorf("a maintainer's token: %s", d)
	}
	if _, err := b.identity.SignIn(t.Context(), &apiv1.SignInRequest{Email: "a@b", Password: "wrong"}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("a wrong password: %v", err)
	}
}

func TestAPI_Download(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		token string
		path  string
		want  int
	}{
		"OK":      {"read", "", http.StatusOK},
		"NoToken": {"", "", http.StatusUnauthorized},
		"NoScope": {"none", "", http.StatusForbidden},
		"Foreign": {"foreign", "", http.StatusNotFound},
		"Absent":  {"read", uuid.NewString(), http.StatusNotFound},
		"NoID":    {"read", "x", http.StatusBadRequest},
		"Lost":    {"read", "lost", http.StatusInternalServerError},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, tc.token, api.Timing{})
			f := execution.File{ID: uuid.New(), Path: "out/it's \"a\".html", Blob: "key", ContentType: "text/html", SHA256: "ab"}
			b.world.files, b.world.blobs["key"] = []execution.File{f}, "<script>"
			path := tc.path
			switch path {
			case "":
				path = f.ID.String()
			case "lost":
				path = f.ID.String()
				delete(b.world.blobs, "key")
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/files/"+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			res, err := b.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != tc.want {
				t.Fatalf("status %d with %s, error %v", res.StatusCode, body, err)
			}
			if strings.Contains(string(body), "secret-place") {
				t.Errorf("a defect is shown: %s", body)
			}
			if tc.want != http.StatusOK {
				return
			}
			h := res.Header
			if string(body) != "<script>" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") ||
				!strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("body %q with %v: a browser might run it", body, h)
			}
		})
	}
}
