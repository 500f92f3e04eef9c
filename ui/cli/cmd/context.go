package cmd

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/ui/cli/config"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// contexts are the control planes that the configuration file knows.
func (a *app) contexts() *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "List the control planes that you have logged in to", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		cfg, err := config.Load(config.Path(a.Env))
		if err != nil {
			return err
		}
		return a.listContexts(cfg)
	}}
	use := a.contextCommand("use NAME", "Talk to this control plane from now on", func(cfg *config.Config, name string) string {
		cfg.Current = name
		return "Commands talk to " + cfg.Contexts[name].Server + " now."
	})
	remove := a.contextCommand("remove NAME", "Forget a control plane and the token for it, which stays good: see `seatrial token revoke`", func(cfg *config.Config, name string) string {
		delete(cfg.Contexts, name)
		return "Forgot " + name + "."
	})
	c := &cobra.Command{Use: "context", Short: "Which control plane commands talk to", Long: "Which control plane commands talk to: `seatrial login --context NAME` adds one, and --context NAME\n" +
		"uses one for a single command. SEATRIAL_SERVER and SEATRIAL_TOKEN win over both."}
	c.AddCommand(list, use, remove)
	return c
}

// listContexts prints no tokens.
func (a *app) listContexts(cfg config.Config) error {
	type one struct {
		Name         string `json:"name"`
		Current      bool   `json:"current"`
		Server       string `json:"server"`
		Organization string `json:"organization,omitempty"`
	}
	all, rows := []one{}, [][]string{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Contexts)) {
		c, mark := cfg.Contexts[name], ""
		if name == cfg.Current {
			mark = "*"
		}
		all = append(all, one{name, name == cfg.Current, c.Server, c.Organization})
		rows = append(rows, []string{mark, name, c.Server, c.Organization})
	}
	switch {
	case a.format != render.Table:
		return render.Value(a.Out, a.format, all)
	case len(rows) == 0:
		a.say("None yet. Run: seatrial login --server URL")
		return nil
	}
	return render.Rows(a.Out, []string{"", "NAME", "SERVER", "ORGANIZATION"}, rows)
}

// contextCommand changes the configuration for a context that it knows.
func (a *app) contextCommand(use, short string, change func(cfg *config.Config, name string) (said string)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: a.complete(contextNames), RunE: func(_ *cobra.Command, args []string) error {
		path := config.Path(a.Env)
		cfg, err := config.Load(path)
		if err != nil {
			return err
		}
		if _, ok := cfg.Contexts[args[0]]; !ok {
			return fmt.Errorf("there is no context %q; there are: %s", args[0], strings.Join(slices.Sorted(maps.Keys(cfg.Contexts)), ", "))
		}
		said := change(&cfg, args[0])
		if err := config.Save(path, cfg); err != nil {
			return err
		}
		a.say("%s", said)
		return nil
	}}
}
