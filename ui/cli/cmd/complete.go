package cmd

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/config"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// completing is how long the shell may wait for names: who presses Tab does not want to wait, and an unreachable control plane has none.
const completing = 2 * time.Second

// manyNames is how many names are offered at most.
const manyNames = 500

// names returns what an argument may be, with a word about each after a tab.
type names func(ctx context.Context, a *app, cl clients) []string

// complete offers names for the first argument of a command, and for nothing after it.
func (a *app) complete(of names) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.offer(c, of)
	}
}

// completeFlag offers names for a flag.
func (a *app) completeFlag(of names) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.offer(c, of)
	}
}

// offer asks for names. What fails says nothing: the line that the person types is not the place.
func (a *app) offer(c *cobra.Command, of names) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(c.Context(), completing)
	defer cancel()
	cl, _ := a.connect() // contexts are completed without one
	return of(ctx, a, cl), cobra.ShellCompDirectiveNoFileComp
}

// described is a name with a word about it. Neither may move about in the terminal that shows it.
func described(name, about string) string {
	if about == "" {
		return render.Line(name)
	}
	return cobra.CompletionWithDesc(render.Line(name), render.Line(about))
}

func contextNames(_ context.Context, a *app, _ clients) (out []string) {
	cfg, err := config.Load(config.Path(a.Env))
	if err != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Contexts)) {
		out = append(out, described(name, cfg.Contexts[name].Server))
	}
	return out
}

func workflowNames(ctx context.Context, _ *app, cl clients) (out []string) {
	if cl.workflows == nil {
		return nil
	}
	res, err := cl.workflows.ListWorkflows(ctx, &apiv1.ListWorkflowsRequest{PageSize: manyNames})
	if err != nil {
		return nil
	}
	for _, w := range res.GetWorkflows() {
		out = append(out, described(w.GetName(), w.GetDescription()))
	}
	return out
}

// executionNames offers the newest, with what they are and how they ended.
func executionNames(ctx context.Context, _ *app, cl clients) (out []string) {
	if cl.executions == nil {
		return nil
	}
	res, err := cl.executions.ListExecutions(ctx, &apiv1.ListExecutionsRequest{PageSize: 50})
	if err != nil {
		return nil
	}
	for _, e := range res.GetExecutions() {
		out = append(out, described(e.GetId(), e.GetWorkflow()+" "+render.Status(e.GetStatus())))
	}
	return out
}

func clusterNames(ctx context.Context, _ *app, cl clients) (out []string) {
	if cl.clusters == nil {
		return nil
	}
	res, err := cl.clusters.ListClusters(ctx, &apiv1.ListClustersRequest{})
	if err != nil {
		return nil
	}
	for _, c := range res.GetClusters() {
		out = append(out, described(c.GetName(), standing(c)))
	}
	return out
}

func environmentNames(ctx context.Context, _ *app, cl clients) (out []string) {
	if cl.clusters == nil {
		return nil
	}
	res, err := cl.clusters.ListEnvironments(ctx, &apiv1.ListEnvironmentsRequest{})
	if err != nil {
		return nil
	}
	for _, e := range res.GetEnvironments() {
		out = append(out, described(e.GetName(), "in cluster "+e.GetCluster()))
	}
	return out
}

// completions says which commands take which names, in one place: commands themselves stay as they are.
func (a *app) completions(root *cobra.Command) {
	for path, of := range map[string]names{
		"run": workflowNames, "get workflow": workflowNames, "workflow history": workflowNames, "workflow diff": workflowNames,
		"get execution": executionNames, "get tests": executionNames, "get files": executionNames, "get metrics": executionNames,
		"logs": executionNames, "cancel": executionNames, "resume": executionNames, "compare": executionNames, "download": executionNames,
		"cluster show": clusterNames, "cluster drain": clusterNames, "cluster undrain": clusterNames, "cluster limit": clusterNames,
		"cluster revoke": clusterNames, "cluster rotate-key": clusterNames,
	} {
		if c, _, err := root.Find(strings.Fields(path)); err == nil {
			c.ValidArgsFunction = a.complete(of)
		}
	}
	if c, _, err := root.Find([]string{"run"}); err == nil {
		_ = c.RegisterFlagCompletionFunc("env", a.completeFlag(environmentNames)) // fails for a flag that is not there, which a test would tell
	}
	_ = root.RegisterFlagCompletionFunc("context", a.completeFlag(contextNames))
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
}
