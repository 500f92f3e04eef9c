package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
	"github.com/seatrial/seatrial/ui/cli/mcp"
)

// plane is a control plane with one execution of two runs, the second of which failed in its step test.
type plane struct {
	apiv1connect.UnimplementedExecutionServiceHandler
	apiv1connect.UnimplementedIdentityServiceHandler
	apiv1connect.UnimplementedReleaseServiceHandler

	scopes []string
	log    []byte
	asked  []string
}

func (p *plane) WhoAmI(context.Context, *apiv1.WhoAmIRequest) (*apiv1.WhoAmIResponse, error) {
	return &apiv1.WhoAmIResponse{Organization: "acme", Scopes: p.scopes}, nil
}

func (p *plane) GetExecution(_ context.Context, r *apiv1.GetExecutionRequest) (*apiv1.GetExecutionResponse, error) {
	if r.GetId() != "e1" {
		fault := connect.NewError(connect.CodeNotFound, fmt.Errorf("there is no execution %q", r.GetId()))
		if d, err := connect.NewErrorDetail(&apiv1.ErrorDetail{Hint: "See `seatrial get executions`."}); err == nil {
			fault.AddDetail(d)
		}
		return nil, fault
	}
	steps := func(status apiv1.Status) []*apiv1.Step {
		return []*apiv1.Step{
			{Name: "source", Status: apiv1.Status_STATUS_PASSED, Log: &apiv1.Log{Bytes: 4, Lines: 1}},
			{Name: "test", Index: 1, Status: status, Log: &apiv1.Log{Bytes: int64(len(p.log)), Lines: int64(strings.Count(string(p.log), "\n"))}},
			{Name: "report", Index: 2, Status: apiv1.Status_STATUS_SKIPPED},
		}
	}
	return &apiv1.GetExecutionResponse{Execution: &apiv1.Execution{
		Id: "e1", Workflow: "checkout", Params: map[string]string{"users": "7"}, Runs: []*apiv1.Run{
			{Name: "browser=chromium", Environment: "staging", Status: apiv1.Status_STATUS_PASSED, Attempts: []*apiv1.Attempt{{Id: "a1", Steps: steps(apiv1.Status_STATUS_PASSED)}}},
			{Name: "browser=firefox", Environment: "staging", Status: apiv1.Status_STATUS_FAILED, Attempts: []*apiv1.Attempt{{Id: "a2"}, {Id: "a3", Steps: steps(apiv1.Status_STATUS_FAILED)}}},
		},
	}}, nil
}

func (p *plane) ListExecutions(_ context.Context, r *apiv1.ListExecutionsRequest) (*apiv1.ListExecutionsResponse, error) {
	p.asked = append(p.asked, fmt.Sprintf("list %s %s %d", r.GetWorkflow(), r.GetStatus(), r.GetPageSize()))
	return &apiv1.ListExecutionsResponse{Executions: []*apiv1.Execution{{Id: "e1", Workflow: "checkout", Status: apiv1.Status_STATUS_FAILED}}}, nil
}

func (p *plane) ListTestResults(_ context.Context, r *apiv1.ListTestResultsRequest) (*apiv1.ListTestResultsResponse, error) {
	p.asked = append(p.asked, fmt.Sprintf("tests %s %v", r.GetExecutionId(), r.GetOutcomes()))
	return &apiv1.ListTestResultsResponse{Results: []*apiv1.TestResult{{Name: "pays", Outcome: "failed", Message: "expected 3"}}}, nil
}

func (p *plane) StreamLog(_ context.Context, r *apiv1.StreamLogRequest, s *connect.ServerStream[apiv1.StreamLogResponse]) error {
	p.asked = append(p.asked, fmt.Sprintf("log %s %d from %d", r.GetAttemptId(), r.GetStepIndex(), r.GetOffset()))
	for chunk := range slices.Chunk(p.log[r.GetOffset():], 64<<10) {
		if err := s.Send(&apiv1.StreamLogResponse{Data: chunk}); err != nil {
			return err
		}
	}
	return nil
}

func (p *plane) RunWorkflow(_ context.Context, r *apiv1.RunWorkflowRequest) (*apiv1.RunWorkflowResponse, error) {
	p.asked = append(p.asked, fmt.Sprintf("run %s %v in %v once %q", r.GetWorkflow(), r.GetParams(), r.GetEnvironments(), r.GetIdempotencyKey()))
	return &apiv1.RunWorkflowResponse{Execution: &apiv1.Execution{Id: "e2"}}, nil
}

func (p *plane) GetRelease(_ context.Context, r *apiv1.GetReleaseRequest) (*apiv1.GetReleaseResponse, error) {
	return &apiv1.GetReleaseResponse{Release: &apiv1.Release{Application: r.GetApplication(), Version: r.GetVersion()}}, nil
}

// clients serves the plane and returns clients of it.
func (p *plane) clients(t *testing.T) mcp.Clients {
	t.Helper()
	return p.clientsWith(t, p)
}

// clientsWith serves the plane with other executions.
func (p *plane) clientsWith(t *testing.T, e apiv1connect.ExecutionServiceHandler) mcp.Clients {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(apiv1connect.NewExecutionServiceHandler(e))
	mux.Handle(apiv1connect.NewIdentityServiceHandler(p))
	mux.Handle(apiv1connect.NewReleaseServiceHandler(p))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c := server.Client()
	return mcp.Clients{
		Workflows: apiv1connect.NewWorkflowServiceClient(c, server.URL), Executions: apiv1connect.NewExecutionServiceClient(c, server.URL),
		Identity: apiv1connect.NewIdentityServiceClient(c, server.URL), Releases: apiv1connect.NewReleaseServiceClient(c, server.URL),
		Tests: apiv1connect.NewTestServiceClient(c, server.URL), Insights: apiv1connect.NewInsightServiceClient(c, server.URL),
		Clusters: apiv1connect.NewClusterServiceClient(c, server.URL),
	}
}

// connected returns the session of a client that talks to a server of the plane over a pair of pipes, as it does over its standard streams.
func (p *plane) connected(t *testing.T, o mcp.Options) *sdk.ClientSession {
	t.Helper()
	return connected(t, p.clients(t), o)
}

func connected(t *testing.T, cl mcp.Clients, o mcp.Options) *sdk.ClientSession {
	t.Helper()
	s, err := mcp.New(t.Context(), cl, o)
	if err != nil {
		t.Fatal(err)
	}
	in, toServer := io.Pipe()
	fromServer, out := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- mcp.Serve(context.WithoutCancel(t.Context()), s, in, out) }()
	client := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &sdk.IOTransport{Reader: fromServer, Writer: toServer}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = session.Close()
		_ = toServer.Close()
		if err := <-served; err != nil {
			t.Errorf("served: %v", err)
		}
	})
	return session
}

// call returns the text of an answer, and whether it is an error.
func call(t *testing.T, s *sdk.ClientSession, tool string, args any) (string, bool) {
	t.Helper()
	res, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	var all strings.Builder
	for _, c := range res.Content {
		if text, ok := c.(*sdk.TextContent); ok {
			all.WriteString(text.Text)
		}
	}
	return all.String(), res.IsError
}

func TestServer_Tools(t *testing.T) {
	t.Parallel()
	names := func(o mcp.Options) (reads, acts []string) {
		p := &plane{scopes: []string{"read", "run"}}
		list, err := p.connected(t, o).ListTools(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range list.Tools {
			if tool.Annotations.ReadOnlyHint {
				reads = append(reads, tool.Name)
			} else {
				acts = append(acts, tool.Name)
			}
			if tool.Description == "" || tool.Title == "" {
				t.Errorf("%s says nothing of itself", tool.Name)
			}
		}
		return reads, acts
	}
	reads, acts := names(mcp.Options{})
	want := "compare_executions get_execution get_release get_test get_workflow list_environments list_executions list_failures list_releases list_tests list_unreliable_tests list_workflows read_log"
	if strings.Join(reads, " ") != want || len(acts) != 0 {
		t.Errorf("tools that read: %q, that act: %q; nothing acts unless the person says so", reads, acts)
	}
	if _, acts = names(mcp.Options{AllowRun: true}); strings.Join(acts, " ") != "cancel_execution rerun run_workflow" {
		t.Errorf("tools that act: %q", acts)
	}
}

// TestNew_WithoutScope: a credential that may not run is told so at once, not when a model tries.
func TestNew_WithoutScope(t *testing.T) {
	t.Parallel()
	p := &plane{scopes: []string{"read"}}
	if _, err := mcp.New(t.Context(), p.clients(t), mcp.Options{AllowRun: true}); err == nil || !strings.Contains(err.Error(), "--allow-run") {
		t.Errorf("%v", err)
	}
}

func TestServer_Reads(t *testing.T) {
	t.Parallel()
	p := &plane{scopes: []string{"read"}, log: []byte("one\ntwo\n")}
	s := p.connected(t, mcp.Options{})
	tests := []struct {
		tool   string
		args   any
		says   string
		failed bool
	}{
		{"list_executions", map[string]any{"workflow": "checkout", "status": "failed", "limit": 5}, `"STATUS_FAILED"`, false},
		{"list_executions", map[string]any{"status": "green"}, `there is no status "green": use one of assigned, cancelled`, true},
		{"list_executions", map[string]any{"limit": 100000}, `"e1"`, false},
		{"get_execution", map[string]any{"execution": "e1"}, `"browser=firefox"`, false},
		{"get_execution", map[string]any{"execution": "none"}, "there is no execution \"none\". See `seatrial get executions`.", true},
		{"list_tests", map[string]any{"execution": "e1"}, `"expected 3"`, false},
		{"get_release", map[string]any{"application": "shop", "version": "1.42.0"}, `"1.42.0"`, false},
	}
	for _, tc := range tests {
		got, failed := call(t, s, tc.tool, tc.args)
		if failed != tc.failed || !strings.Contains(got, tc.says) {
			t.Errorf("%s %v: error %t, %s; want %q", tc.tool, tc.args, failed, got, tc.says)
		}
	}
	want := []string{"list checkout STATUS_FAILED 5", "list  STATUS_UNSPECIFIED 200", "tests e1 [failed errored timed_out blocked infra_error]"}
	if !slices.Equal(p.asked, want) {
		t.Errorf("asked for %q, want %q", p.asked, want)
	}
	if _, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "run_workflow", Arguments: map[string]any{"workflow": "checkout"}}); err == nil {
		t.Error("a tool that is not offered was run")
	}
}

func TestServer_Runs(t *testing.T) {
	t.Parallel()
	p := &plane{scopes: []string{"read", "run"}}
	s := p.connected(t, mcp.Options{AllowRun: true})
	call(t, s, "run_workflow", map[string]any{"workflow": "checkout", "params": map[string]string{"users": "3"}, "environments": []string{"lab"}, "once": "k"})
	if got, failed := call(t, s, "rerun", map[string]any{"execution": "e1"}); failed || !strings.Contains(got, `"e2"`) {
		t.Errorf("rerun: %s", got)
	}
	want := []string{`run checkout map[users:3] in [lab] once "k"`, `run checkout map[users:7] in [staging] once ""`}
	if !slices.Equal(p.asked, want) {
		t.Errorf("asked for %q, want %q", p.asked, want)
	}
}

// TestServer_ReadLog: what is returned is bounded, whatever the log is like.
func TestServer_ReadLog(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := range 300_000 {
		fmt.Fprintf(&many, "line %d of a log\n", i+1)
	}
	tests := map[string]struct {
		log     string
		args    map[string]any
		first   string
		last    string
		lines   int
		omitted string
		asked   string
	}{
		"FailedStep":  {"a\nb\n", nil, "1: a", "2: b", 2, "", "log a3 1 from 0"},
		"OtherRun":    {"a\n", map[string]any{"run": "browser=chromium", "step": "test"}, "1: a", "1: a", 1, "", "log a1 1 from 0"},
		"StepByIndex": {"a\n", map[string]any{"step": "0"}, "1: a", "1: a", 1, "", "log a3 0 from 0"},
		"Last":        {"a\nb\nc\n", map[string]any{"lines": 2}, "2: b", "3: c", 2, "earlier lines", "log a3 1 from 0"},
		"NoEnd":       {"a\nb", nil, "1: a", "2: b", 2, "", "log a3 1 from 0"},
		"Empty":       {"", nil, "", "", 0, "", "log a3 1 from 0"},
		"Large":       {many.String(), nil, "299901: line 299901 of a log", "300000: line 300000 of a log", 100, "earlier lines", fmt.Sprintf("log a3 1 from %d", many.Len()-1<<20)},
		"Contains":    {many.String(), map[string]any{"contains": "line 150000 "}, "149997: line 149997 of a log", "150003: line 150003 of a log", 7, "", "log a3 1 from 0"},
		"TooMany":     {strings.Repeat("x\n", 5000), map[string]any{"contains": "x", "lines": 50}, "1: x", "50: x", 50, "more lines that contain", "log a3 1 from 0"},
		"EndlessLine": {strings.Repeat("x", 100_000), nil, "1: " + strings.Repeat("x", 2000) + " … (the line goes on)", "1: " + strings.Repeat("x", 2000) + " … (the line goes on)", 1, "", "log a3 1 from 0"},
		"Binary":      {"a\xff\xfe\n", nil, "1: a�", "1: a�", 1, "", "log a3 1 from 0"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &plane{scopes: []string{"read"}, log: []byte(tc.log)}
			args := map[string]any{"execution": "e1"}
			for k, v := range tc.args {
				args[k] = v
			}
			text, failed := call(t, p.connected(t, mcp.Options{}), "read_log", args)
			var got struct {
				Lines   []string `json:"lines"`
				Omitted string   `json:"omitted"`
			}
			if err := json.Unmarshal([]byte(text), &got); failed || err != nil {
				t.Fatalf("%s, %v", text, err)
			}
			if len(got.Lines) != tc.lines || !strings.Contains(got.Omitted, tc.omitted) || (tc.omitted == "") != (got.Omitted == "") {
				t.Errorf("%d lines, omitted %q; want %d, %q", len(got.Lines), got.Omitted, tc.lines, tc.omitted)
			}
			if tc.lines > 0 && (got.Lines[0] != tc.first || got.Lines[len(got.Lines)-1] != tc.last) {
				t.Errorf("from %q to %q; want from %q to %q", got.Lines[0], got.Lines[len(got.Lines)-1], tc.first, tc.last)
			}
			if !slices.Equal(p.asked, []string{tc.asked}) {
				t.Errorf("asked for %q, want %q", p.asked, tc.asked)
			}
		})
	}
}

func TestServer_ReadLog_Refused(t *testing.T) {
	t.Parallel()
	s := (&plane{scopes: []string{"read"}}).connected(t, mcp.Options{})
	for says, args := range map[string]map[string]any{
		"there are: browser=chromium, browser=firefox": {"execution": "e1", "run": "browser=safari"},
		"there are: source, test, report":              {"execution": "e1", "step": "deploy"},
		"there is no execution":                        {"execution": "none"},
	} {
		if got, failed := call(t, s, "read_log", args); !failed || !strings.Contains(got, says) {
			t.Errorf("%v: %s; want %q", args, got, says)
		}
	}
}

// TestNew_Unreachable: a control plane that is not there is said at the start.
func TestNew_Unreachable(t *testing.T) {
	t.Parallel()
	p := &plane{}
	cl := p.clients(t)
	cl.Identity = apiv1connect.NewIdentityServiceClient(http.DefaultClient, "http://127.0.0.1:1")
	_, err := mcp.New(t.Context(), cl, mcp.Options{})
	var wire *connect.Error
	if !errors.As(err, &wire) || wire.Code() != connect.CodeUnavailable {
		t.Errorf("%v", err)
	}
}
