package mcp

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// How many things an answer holds, unless the client asks for another number.
const (
	fewOf  = 20
	mostOf = 200
)

// size is how many things to return.
func size(asked int) int32 { return int32(min(cmp.Or(max(asked, 0), fewOf), mostOf)) } //nolint:gosec // at most mostOf

type listExecutions struct {
	Workflow string `json:"workflow,omitempty" jsonschema:"name of a workflow; all of them when empty"`
	Status   string `json:"status,omitempty" jsonschema:"queued, assigned, pending, running, paused, passed, failed, errored, timed_out, cancelled or skipped; all when empty"`
	Limit    int    `json:"limit,omitempty" jsonschema:"how many to return, newest first; 20 when empty, at most 200"`
	Page     string `json:"page,omitempty" jsonschema:"nextPageToken of an earlier answer, to go on after it"`
}

type oneExecution struct {
	Execution string `json:"execution" jsonschema:"id of the execution"`
}

type listTests struct {
	Execution string   `json:"execution" jsonschema:"id of the execution"`
	Outcomes  []string `json:"outcomes,omitempty" jsonschema:"only these: passed, failed, errored, timed_out, skipped, blocked, infra_error, cancelled; those that did not pass when empty"`
	Limit     int      `json:"limit,omitempty" jsonschema:"how many to return; 20 when empty, at most 200"`
	Page      string   `json:"page,omitempty" jsonschema:"nextPageToken of an earlier answer, to go on after it"`
}

func (t tools) executions(s *sdk.Server) {
	add(s, reading("list_workflows", "List workflows", "The workflows of the catalog: what tests there are."),
		func(ctx context.Context, in struct {
			Limit int    `json:"limit,omitempty" jsonschema:"how many to return; 20 when empty, at most 200"`
			Page  string `json:"page,omitempty" jsonschema:"nextPageToken of an earlier answer, to go on after it"`
		},
		) (proto.Message, error) {
			return t.Workflows.ListWorkflows(ctx, &apiv1.ListWorkflowsRequest{PageSize: size(in.Limit), PageToken: in.Page})
		})
	add(s, reading("get_workflow", "Get a workflow", "A workflow with its source and parameters."),
		func(ctx context.Context, in struct {
			Workflow string `json:"workflow" jsonschema:"name of the workflow"`
		},
		) (proto.Message, error) {
			return t.Workflows.GetWorkflow(ctx, &apiv1.GetWorkflowRequest{Name: in.Workflow})
		})
	add(s, reading("list_environments", "List environments", "The environments where tests run, with the cluster and whether its agent is connected."),
		func(ctx context.Context, _ struct{}) (proto.Message, error) {
			return t.Clusters.ListEnvironments(ctx, &apiv1.ListEnvironmentsRequest{})
		})
	add(s, reading("list_executions", "List executions", "Executions of workflows, newest first, with how they ended."),
		func(ctx context.Context, in listExecutions) (proto.Message, error) {
			status, err := statusOf(in.Status)
			if err != nil {
				return nil, err
			}
			return t.Executions.ListExecutions(ctx, &apiv1.ListExecutionsRequest{Workflow: in.Workflow, Status: status, PageSize: size(in.Limit), PageToken: in.Page})
		})
	add(s, reading("get_execution", "Get an execution", "An execution with its runs, attempts and steps: how each ended and why, where it ran, and what waits for what."),
		func(ctx context.Context, in oneExecution) (proto.Message, error) {
			found, err := t.Executions.GetExecution(ctx, &apiv1.GetExecutionRequest{Id: in.Execution})
			if err == nil && len(found.GetExecution().GetRuns()) > fewOf {
				worstFirst(found.GetExecution())
			}
			return found, err
		})
	add(s, reading("list_tests", "List test results", "The single tests of an execution that did not pass, with their messages; or those with other outcomes."),
		func(ctx context.Context, in listTests) (proto.Message, error) {
			if len(in.Outcomes) == 0 {
				in.Outcomes = []string{"failed", "errored", "timed_out", "blocked", "infra_error"}
			}
			return t.Executions.ListTestResults(ctx, &apiv1.ListTestResultsRequest{ExecutionId: in.Execution, Outcomes: in.Outcomes, PageSize: size(in.Limit), PageToken: in.Page})
		})
	t.log(s)
}

// statusOf reads the name of a status.
func statusOf(name string) (apiv1.Status, error) {
	if name == "" {
		return apiv1.Status_STATUS_UNSPECIFIED, nil
	}
	if n, ok := apiv1.Status_value["STATUS_"+strings.ToUpper(name)]; ok && n != 0 {
		return apiv1.Status(n), nil
	}
	var known []string
	for n, text := range apiv1.Status_name {
		if n != 0 {
			known = append(known, strings.ToLower(strings.TrimPrefix(text, "STATUS_")))
		}
	}
	slices.Sort(known)
	return 0, fmt.Errorf("there is no status %q: use one of %s", name, strings.Join(known, ", "))
}

func (t tools) insights(s *sdk.Server) {
	add(s, reading("compare_executions", "Compare executions", "What is different between an execution and an earlier one: newly failing, mended, gone, new and slower tests. Without another one it is compared with the last green execution of the same workflow."),
		func(ctx context.Context, in struct {
			Execution   string `json:"execution" jsonschema:"id of the execution"`
			With        string `json:"with,omitempty" jsonschema:"id of the earlier execution; the last green one when empty"`
			Environment string `json:"environment,omitempty" jsonschema:"only what ran there"`
		},
		) (proto.Message, error) {
			return t.Insights.CompareExecutions(ctx, &apiv1.CompareExecutionsRequest{ExecutionId: in.Execution, BaseId: in.With, Environment: in.Environment})
		})
	add(s, reading("list_failures", "List causes of failure", "Failures grouped by their cause (fingerprint), those that hurt most first."),
		func(ctx context.Context, in struct {
			Workflow    string `json:"workflow,omitempty" jsonschema:"only of this workflow"`
			Environment string `json:"environment,omitempty" jsonschema:"only of this environment"`
			Days        int    `json:"days,omitempty" jsonschema:"how far to look back, at most 90; 14 when empty"`
		},
		) (proto.Message, error) {
			return t.Insights.ListFailures(ctx, &apiv1.ListFailuresRequest{
				Workflow: in.Workflow, Environment: in.Environment, Days: int32(max(0, min(in.Days, 90))),
			})
		})
	add(s, reading("list_unreliable_tests", "List unreliable tests", "Tests that pass and fail without a change, with how flaky each is, since when, and whether it is quarantined."),
		func(ctx context.Context, in struct {
			Workflow string `json:"workflow,omitempty" jsonschema:"only of this workflow"`
		},
		) (proto.Message, error) {
			return t.Tests.ListUnreliableTests(ctx, &apiv1.ListUnreliableTestsRequest{Workflow: in.Workflow})
		})
	add(s, reading("get_test", "Get a test", "The history of one test: its last runs, how flaky it is and when it began to fail."),
		func(ctx context.Context, in struct {
			Key string `json:"key" jsonschema:"key of the test, as the other tools give it"`
		},
		) (proto.Message, error) {
			return t.Tests.GetTest(ctx, &apiv1.GetTestRequest{Key: in.Key})
		})
}

func (t tools) releases(s *sdk.Server) {
	add(s, reading("list_releases", "List releases", "Releases with their verdicts, newest first."),
		func(ctx context.Context, in struct {
			Application string `json:"application,omitempty" jsonschema:"only of this application"`
			Limit       int    `json:"limit,omitempty" jsonschema:"how many to return; 20 when empty, at most 200"`
			Page        string `json:"page,omitempty" jsonschema:"nextPageToken of an earlier answer, to go on after it"`
		},
		) (proto.Message, error) {
			return t.Releases.ListReleases(ctx, &apiv1.ListReleasesRequest{Application: in.Application, PageSize: size(in.Limit), PageToken: in.Page})
		})
	add(s, reading("get_release", "Get a release", "Whether a release is ready: its verdict, each rule with what fails or is missing, its evidence, waivers, and how the verdict came about."),
		func(ctx context.Context, in struct {
			Application string `json:"application" jsonschema:"name of the application"`
			Version     string `json:"version" jsonschema:"version of the release"`
		},
		) (proto.Message, error) {
			return t.Releases.GetRelease(ctx, &apiv1.GetReleaseRequest{Application: in.Application, Version: in.Version})
		})
}

// acting describes a tool that changes something.
func acting(name, title, description string, destructive bool) *sdk.Tool {
	return &sdk.Tool{Name: name, Title: title, Description: description, Annotations: &sdk.ToolAnnotations{DestructiveHint: &destructive}}
}

func (t tools) running(s *sdk.Server) {
	add(s, acting("run_workflow", "Run a workflow", "Start a workflow. It runs inside the cluster of the environment; look at it with get_execution.", false),
		func(ctx context.Context, in struct {
			Workflow     string            `json:"workflow" jsonschema:"name of the workflow"`
			Params       map[string]string `json:"params,omitempty" jsonschema:"parameters, as get_workflow lists them"`
			Environments []string          `json:"environments,omitempty" jsonschema:"where to run; what the workflow names, or the only environment there is, when empty"`
			Once         string            `json:"once,omitempty" jsonschema:"a key of your own: a second call with the same key starts nothing"`
		},
		) (proto.Message, error) {
			return t.Executions.RunWorkflow(ctx, &apiv1.RunWorkflowRequest{
				Workflow: in.Workflow, Params: in.Params, Environments: in.Environments, IdempotencyKey: in.Once,
			})
		})
	add(s, acting("rerun", "Run an execution again", "Start the workflow of an execution again, as it is in the catalog now, with the same parameters in the same environments. It is evidence for no release.", false),
		func(ctx context.Context, in struct {
			Execution string `json:"execution" jsonschema:"id of the execution"`
			Once      string `json:"once,omitempty" jsonschema:"a key of your own: a second call with the same key starts nothing"`
		},
		) (proto.Message, error) {
			found, err := t.Executions.GetExecution(ctx, &apiv1.GetExecutionRequest{Id: in.Execution})
			if err != nil {
				return nil, err
			}
			e := found.GetExecution()
			var where []string
			for _, r := range e.GetRuns() {
				if !slices.Contains(where, r.GetEnvironment()) {
					where = append(where, r.GetEnvironment())
				}
			}
			return t.Executions.RunWorkflow(ctx, &apiv1.RunWorkflowRequest{
				Workflow: e.GetWorkflow(), Params: e.GetParams(), Environments: where, IdempotencyKey: in.Once,
			})
		})
	add(s, acting("cancel_execution", "Cancel an execution", "Stop an execution that has not ended.", true),
		func(ctx context.Context, in struct {
			Execution string `json:"execution" jsonschema:"id of the execution"`
			Reason    string `json:"reason" jsonschema:"why, which is shown with the execution"`
		},
		) (proto.Message, error) {
			return t.Executions.CancelExecution(ctx, &apiv1.CancelExecutionRequest{Id: in.Execution, Reason: in.Reason})
		})
}
