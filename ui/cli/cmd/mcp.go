package cmd

import (
	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/ui/cli/mcp"
)

func (a *app) mcp() *cobra.Command {
	var o mcp.Options
	c := &cobra.Command{
		Use: "mcp", Short: "Serve a client of the Model Context Protocol", Args: cobra.NoArgs,
		Long: "Serve a client of the Model Context Protocol on the standard input and output: it reads executions, logs, failures, flakiness and the\n" +
			"verdicts on releases with your permissions. It starts nothing unless you say --allow-run, and then only what your role or token may run.",
		Example: "  In the configuration of the client:\n" +
			`  {"mcpServers": {"seatrial": {"command": "seatrial", "args": ["mcp", "--context", "staging"]}}}`,
	}
	c.Flags().BoolVar(&o.AllowRun, "allow-run", false, "also offer to start, repeat and cancel executions")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		o.Version = programVersion()
		s, err := mcp.New(c.Context(), mcp.Clients{
			Workflows: cl.workflows, Executions: cl.executions, Identity: cl.identity, Releases: cl.releases, Tests: cl.tests, Insights: cl.insights,
			Clusters: cl.clusters,
		}, o)
		if err != nil {
			return err
		}
		return mcp.Serve(c.Context(), s, a.In, a.Out)
	}
	return c
}
