package api_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/uuid"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

func asWire(err error, target **connect.Error) bool { return errors.As(err, target) }

type call struct {
	scope string // needed; empty for any credential
	do    func(context.Context, *bench) error
}

const document = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: checkout}
spec:
  params: {browser: {type: string, default: firefox, enum: [firefox, chromium]}, count: {type: integer}}
  container: {image: debian}
  steps: [{name: test, run: "true"}]
`

// calls makes every call that needs a credential once.
func calls() map[string]call {
	id := uuid.NewString
	all := releaseCalls()
	maps.Copy(all, testCalls())
	maps.Copy(all, insightCalls())
	maps.Copy(all, peopleCalls())
	maps.Copy(all, doorCalls())
	maps.Copy(all, scheduleCalls())
	maps.Copy(all, triggerCalls())
	maps.Copy(all, catalogCalls())
	maps.Copy(all, webhookCalls())
	maps.Copy(all, map[string]call{
		"ApplyWorkflow": {"catalog", func(ctx context.Context, b *bench) error {
			_, err := b.workflows.ApplyWorkflow(ctx, &apiv1.ApplyWorkflowRequest{Source: document})
			return err
		}},
		"GetWorkflow": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.workflows.GetWorkflow(ctx, &apiv1.GetWorkflowRequest{Name: "checkout"})
			return err
		}},
		"ListWorkflows": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.workflows.ListWorkflows(ctx, &apiv1.ListWorkflowsRequest{})
			return err
		}},
		"RunWorkflow": {"run", func(ctx context.Context, b *bench) error {
			_, err := b.executions.RunWorkflow(ctx, &apiv1.RunWorkflowRequest{Workflow: "checkout"})
			return err
		}},
		"GetExecution": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.executions.GetExecution(ctx, &apiv1.GetExecutionRequest{Id: b.world.execution.ID.String()})
			return err
		}},
		"ListExecutions": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.executions.ListExecutions(ctx, &apiv1.ListExecutionsRequest{})
			return err
		}},
		"WatchExecution": {"read", func(ctx context.Context, b *bench) error {
			s, err := b.executions.WatchExecution(ctx, &apiv1.WatchExecutionRequest{Id: b.world.execution.ID.String()})
			if err == nil {
				s.Receive()
				err = s.Err()
			}
			return err
		}},
		"CancelExecution": {"run", func(ctx context.Context, b *bench) error {
			_, err := b.executions.CancelExecution(ctx, &apiv1.CancelExecutionRequest{Id: b.world.execution.ID.String()})
			return err
		}},
		"ResumeExecution": {"run", func(ctx context.Context, b *bench) error {
			_, err := b.executions.ResumeExecution(ctx, &apiv1.ResumeExecutionRequest{Id: b.world.execution.ID.String()})
			return err
		}},
		"RerunExecution": {"run", func(ctx context.Context, b *bench) error {
			_, err := b.executions.RerunExecution(ctx, &apiv1.RerunExecutionRequest{Id: b.world.execution.ID.String()})
			return err
		}},
		"StreamLog": {"read", func(ctx context.Context, b *bench) error {
			s, err := b.executions.StreamLog(ctx, &apiv1.StreamLogRequest{AttemptId: b.attempt().ID.String()})
			if err == nil {
				s.Receive()
				err = s.Err()
			}
			return err
		}},
		"ListTestResults": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.executions.ListTestResults(ctx, &apiv1.ListTestResultsRequest{ExecutionId: id()})
			return err
		}},
		"ListFiles": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.executions.ListFiles(ctx, &apiv1.ListFilesRequest{ExecutionId: b.world.execution.ID.String()})
			return err
		}},
		"ListMetrics": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.executions.ListMetrics(ctx, &apiv1.ListMetricsRequest{ExecutionId: b.world.execution.ID.String()})
			return err
		}},
		"GetTemplate": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.workflows.GetTemplate(ctx, &apiv1.GetTemplateRequest{Name: "base"})
			return err
		}},
		"ListTemplates": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.workflows.ListTemplates(ctx, &apiv1.ListTemplatesRequest{})
			return err
		}},
		"EnrollCluster": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.clusters.EnrollCluster(ctx, &apiv1.EnrollClusterRequest{Name: "kind"})
			return err
		}},
		"RevokeCluster": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.clusters.RevokeCluster(ctx, &apiv1.RevokeClusterRequest{Name: "kind"})
			return err
		}},
		"RotateClusterKey": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.clusters.RotateClusterKey(ctx, &apiv1.RotateClusterKeyRequest{Name: "kind"})
			return err
		}},
		"DrainCluster": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.clusters.DrainCluster(ctx, &apiv1.DrainClusterRequest{Name: "kind"})
			return err
		}},
		"UndrainCluster": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.clusters.UndrainCluster(ctx, &apiv1.UndrainClusterRequest{Name: "kind"})
			return err
		}},
		"ExamineCluster": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.clusters.ExamineCluster(ctx, &apiv1.ExamineClusterRequest{Name: "kind"})
			return err
		}},
		"LimitCluster": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.clusters.LimitCluster(ctx, &apiv1.LimitClusterRequest{Name: "kind", MaxRuns: 4})
			return err
		}},
		"ListClusters": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.clusters.ListClusters(ctx, &apiv1.ListClustersRequest{})
			return err
		}},
		"ListEnvironments": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.clusters.ListEnvironments(ctx, &apiv1.ListEnvironmentsRequest{})
			return err
		}},
		"WhoAmI": {"", func(ctx context.Context, b *bench) error {
			_, err := b.identity.WhoAmI(ctx, &apiv1.WhoAmIRequest{})
			return err
		}},
		"CreateToken": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.identity.CreateToken(ctx, &apiv1.CreateTokenRequest{Name: "ci", Scopes: []string{"read"}})
			return err
		}},
		"ListTokens": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.identity.ListTokens(ctx, &apiv1.ListTokensRequest{})
			return err
		}},
		"RevokeToken": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.identity.RevokeToken(ctx, &apiv1.RevokeTokenRequest{Id: id()})
			return err
		}},
		"ListAuditEntries": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.audits.ListAuditEntries(ctx, &apiv1.ListAuditEntriesRequest{})
			return err
		}},
	})
	return all
}

// methods returns all methods of the API by their names, which no two of them share.
func methods() map[string]protoreflect.MethodDescriptor {
	out := map[string]protoreflect.MethodDescriptor{}
	protoregistry.GlobalFiles.RangeFilesByPackage("seatrial.api.v1", func(file protoreflect.FileDescriptor) bool {
		for services, i := file.Services(), 0; i < services.Len(); i++ {
			for all, j := services.Get(i).Methods(), 0; j < all.Len(); j++ {
				out[string(all.Get(j).Name())] = all.Get(j)
			}
		}
		return true
	})
	return out
}

func TestAPI_EveryCallIsGuarded(t *testing.T) {
	t.Parallel()
	if got, want := len(calls())+2, len(methods()); got != want { // SignIn and ExchangeToken need none
		t.Fatalf("%d calls are tried, there are %d", got, want)
	}
	for name, c := range calls() {
		wantNone := connect.CodePermissionDenied
		if c.scope == "" {
			wantNone = 0
		}
		wantRead := connect.CodePermissionDenied
		if c.scope == "read" || c.scope == "" {
			wantRead = 0
		}
		for token, want := range map[string]connect.Code{
			"": connect.CodeUnauthenticated, "old": connect.CodeUnauthenticated, "agent": connect.CodeUnauthenticated,
			"none": wantNone, "read": wantRead, "foreign": connect.CodeNotFound, "all": 0,
		} {
			t.Run(name+"/"+token, func(t *testing.T) {
				t.Parallel()
				b := setup(t, token, api.Timing{})
				b.world.workflows["checkout"], b.world.templates["base"] = parsed(t), workflow.Record{Name: "base"}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := c.do(ctx, b)
				if (want == 0) != (err == nil) || (err != nil && connect.CodeOf(err) != want) {
					t.Errorf("error %v, want %s", err, want)
				}
			})
		}
	}
}

func TestAPI_Errors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err    error
		panics bool
		code   connect.Code
		kind   string
		shown  string
		hint   string
	}{
		"Fault":       {fault.New(fault.Conflict, "it has ended").WithHint("Look at it.").WithField("id"), false, connect.CodeFailedPrecondition, "conflict", "it has ended", "Look at it."},
		"Wrapped":     {errors.Join(fault.New(fault.Exhausted, "quota reached")), false, connect.CodeResourceExhausted, "exhausted", "quota reached", ""},
		"Away":        {fault.New(fault.Unavailable, "the database is away"), false, connect.CodeUnavailable, "unavailable", "the database is away", ""},
		"Unsupported": {fault.New(fault.Unsupported, "not built yet"), false, connect.CodeUnimplemented, "unsupported", "not built yet", ""},
		"Defect":      {errors.New("dial postgres://u:hunter2@db"), false, connect.CodeInternal, "internal", "the control plane failed", "reference"},
		"Panic":       {nil, true, connect.CodeInternal, "internal", "the control plane failed", "reference"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, "all", api.Timing{})
			b.world.change(func(w *world) { w.fail, w.panics = tc.err, tc.panics })
			for _, of := range []string{"GetExecution", "WatchExecution"} {
				err := calls()[of].do(t.Context(), b)
				d := detail(t, err)
				if connect.CodeOf(err) != tc.code || d.GetKind() != tc.kind || !strings.Contains(d.GetHint(), tc.hint) {
					t.Errorf("%s: error %v with %v", of, err, d)
				}
				if !strings.HasSuffix(err.Error(), tc.shown) {
					t.Errorf("%s: shown %q, want %q", of, err, tc.shown)
				}
			}
		})
	}
}

func TestAPI_RequestsAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	_, unary := b.executions.RunWorkflow(t.Context(), &apiv1.RunWorkflowRequest{})
	stream, err := b.executions.StreamLog(t.Context(), &apiv1.StreamLogRequest{AttemptId: uuid.NewString(), Offset: -1})
	if err != nil {
		t.Fatal(err)
	}
	stream.Receive()
	_, strange := b.executions.GetExecution(t.Context(), &apiv1.GetExecutionRequest{Id: "7"})
	for field, err := range map[string]error{"workflow": unary, "offset": stream.Err(), "id": strange} {
		if connect.CodeOf(err) != connect.CodeInvalidArgument || detail(t, err).GetField() != field {
			t.Errorf("%s: error %v", field, err)
		}
	}
}

func TestAPI_Cookie(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		site string
		want int
	}{
		"OwnPage":      {"same-origin", http.StatusOK},
		"NoBrowser":    {"", http.StatusOK},
		"OtherWebsite": {"cross-site", http.StatusForbidden},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, "", api.Timing{})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/seatrial.api.v1.IdentityService/WhoAmI", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.AddCookie(&http.Cookie{Name: "session", Value: "owner"})
			if tc.site != "" {
				req.Header.Set("Sec-Fetch-Site", tc.site)
			}
			res, err := b.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != tc.want {
				t.Errorf("status %d, want %d", res.StatusCode, tc.want)
			}
		})
	}
}
