package cmd

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) webhook() *cobra.Command {
	c := &cobra.Command{
		Use: "webhook", Short: "Who hears of what happens: chat, commit statuses, alerts and servers of your own",
		Long: "A webhook is told when executions end, tests become flaky or the verdict on a release changes. Each delivery is tried for a day, and " +
			"sent with the same id until the receiver has taken it. Formats are standard (Standard Webhooks, signed), slack, teams, alertmanager, " +
			"github, github-check, gitlab and email; the address of the forges is that of the repository in the API, such as " +
			"https://api.github.com/repos/OWNER/NAME, and that of e-mail is mailto:qa@example.com.",
	}
	c.AddCommand(a.webhookSet(), a.webhookList(), a.webhookShow(), a.webhookTest(), a.webhookDeliveries(), a.webhookRedeliver(), a.webhookRotate(),
		a.webhookPause("pause", "Send nothing to a webhook; what happens meanwhile is not told later", true),
		a.webhookPause("resume", "Let a paused webhook go on", false), a.webhookRemove())
	return c
}

func (a *app) webhookSet() *cobra.Command {
	r := &apiv1.SetWebhookRequest{}
	token, secret, labels := false, false, []string(nil)
	c := &cobra.Command{
		Use: "set NAME", Short: "Make a webhook, or change of that of the name what is given", Args: cobra.ExactArgs(1),
		Long: "Makes a webhook, or changes that of the name. What is left out stays as it is; an empty value, such as --workflow '', lifts what was set.",
		Example: "  seatrial webhook set chat --format slack --url https://hooks.slack.com/services/T/B/X --workflow 'checkout-*'\n" +
			"  seatrial webhook set ours --url https://ci.example/hook --event execution.finished\n" +
			"  seatrial webhook set statuses --format github --url https://api.github.com/repos/acme/shop --event execution.finished --token-stdin <token\n" +
			"  seatrial webhook set chat --environment 'production-*'   # the rest stays",
	}
	f := c.Flags()
	f.StringVar(&r.Url, "url", "", "address of the receiver; of an existing webhook it stays when it is left out")
	f.StringVar(&r.Format, "format", "", "standard (of a new one, when it is left out), slack, teams, alertmanager, github, github-check, gitlab or email")
	f.StringVar(&r.Team, "team", "", "that owns a new one; your own when it is left out")
	f.StringArrayVar(&r.Events, "event", nil, "execution.finished, execution.failed, execution.fixed, tests.flaky or release.verdict; a new one hears of all but the first when none is given")
	f.StringArrayVar(&r.Workflows, "workflow", nil, "pattern of workflows, such as checkout-*; may be repeated")
	f.StringArrayVar(&labels, "label", nil, "label that the workflow must have, as name=value; may be repeated")
	f.StringArrayVar(&r.Environments, "environment", nil, "pattern of environments; may be repeated")
	f.StringVar(&r.Template, "template", "", "of the text: '${{ execution.workflow }} is ${{ execution.status }}'")
	f.BoolVar(&secret, "url-stdin", false, "read the address from standard input: that of a channel is a secret")
	f.BoolVar(&token, "token-stdin", false, "read the receiver's token, or the secret of standard, from standard input")
	c.RunE = func(c *cobra.Command, args []string) error {
		r.Name = args[0]
		if err := webhookGiven(r, f, labels); err != nil {
			return err
		}
		for _, from := range []struct {
			stdin bool
			into  *string
		}{{token, &r.Token}, {secret, &r.Url}} {
			if !from.stdin {
				continue
			}
			text, err := io.ReadAll(io.LimitReader(c.InOrStdin(), 4<<10))
			if err != nil {
				return fmt.Errorf("read standard input: %w", err)
			}
			*from.into = strings.TrimSpace(string(text))
		}
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.webhooks.SetWebhook(c.Context(), r)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		word := "changed"
		if res.GetCreated() {
			word = "created"
		}
		if err := a.print("webhook %s %s; try it: seatrial webhook test %s", render.Line(args[0]), word, render.Line(args[0])); err != nil {
			return err
		}
		return a.showSecret(res.GetSecret())
	}
	c.MarkFlagsMutuallyExclusive("token-stdin", "url-stdin")
	c.MarkFlagsMutuallyExclusive("url", "url-stdin")
	return c
}

// webhookGiven says in a request what a webhook is changed in: the parts whose flags are there.
func webhookGiven(r *apiv1.SetWebhookRequest, f *pflag.FlagSet, labels []string) error {
	r.UpdateMask = &fieldmaskpb.FieldMask{}
	for _, part := range [][2]string{
		{"format", "format"}, {"event", "events"}, {"workflow", "workflows"}, {"label", "labels"}, {"environment", "environments"}, {"template", "template"},
	} {
		if f.Changed(part[0]) {
			r.UpdateMask.Paths = append(r.UpdateMask.Paths, part[1])
		}
	}
	empty := func(s string) bool { return s == "" }
	r.Events, r.Workflows = slices.DeleteFunc(r.GetEvents(), empty), slices.DeleteFunc(r.GetWorkflows(), empty)
	r.Environments = slices.DeleteFunc(r.GetEnvironments(), empty)
	for _, label := range slices.DeleteFunc(labels, empty) {
		name, value, ok := strings.Cut(label, "=")
		if !ok || name == "" {
			return coded(exitcode.Usage, fmt.Errorf("--label %s is not name=value", render.Line(label)))
		}
		if r.Labels == nil {
			r.Labels = map[string]string{}
		}
		r.Labels[name] = value
	}
	return nil
}

// showSecret prints a secret that was made just now.
func (a *app) showSecret(secret string) error {
	if secret == "" {
		return nil
	}
	a.say("The receiver checks signatures with this secret, which is not shown again:")
	return a.print("%s", secret)
}

func (a *app) webhookList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List all webhooks and how their last deliveries went", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.webhooks.ListWebhooks(c.Context(), &apiv1.ListWebhooksRequest{})
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			if len(res.GetWebhooks()) == 0 {
				a.say("There is no webhook. Make one with: seatrial webhook set NAME --url https://…")
				return nil
			}
			var rows [][]string
			for _, w := range res.GetWebhooks() {
				rows = append(rows, []string{
					render.Line(w.GetName()), render.Line(w.GetTeam()), w.GetFormat(), cmp.Or(render.Line(w.GetAddress()), "-"), strings.Join(w.GetEvents(), ","),
					render.Line(webhookState(w)), lastSent(w.GetLast()),
				})
			}
			return render.Rows(a.Out, []string{"NAME", "TEAM", "FORMAT", "TO", "EVENTS", "STATE", "LAST"}, rows)
		},
	}
}

// webhookState says whether a webhook is told of what happens.
func webhookState(w *apiv1.Webhook) string {
	switch {
	case w.GetPausedBy() != "":
		return "paused by " + w.GetPausedBy()
	case w.GetSuspended():
		return "suspended by its document"
	case w.GetAddress() == "":
		return "needs its address"
	}
	return "active"
}

func lastSent(d *apiv1.Delivery) string {
	if d == nil {
		return "-"
	}
	return render.Time(d.GetTriedAt()) + " " + render.Line(strings.TrimSpace(d.GetState()+" "+d.GetError()))
}

func (a *app) webhookShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a webhook", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.webhooks.GetWebhook(c.Context(), &apiv1.GetWebhookRequest{Name: args[0]})
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			w := res.GetWebhook()
			state := webhookState(w)
			if w.GetPausedBecause() != "" {
				state += ". " + w.GetPausedBecause()
			}
			for _, f := range [][2]string{
				{"Webhook", w.GetName()},
				{"Team", w.GetTeam()},
				{"Format", w.GetFormat()},
				{"To", w.GetAddress()},
				{"Events", strings.Join(w.GetEvents(), ", ")},
				{"Labels", cmp.Or(joined(w.GetLabels()), "any")},
				{"Workflows", cmp.Or(strings.Join(w.GetWorkflows(), ", "), "all")},
				{"Environments", cmp.Or(strings.Join(w.GetEnvironments(), ", "), "all")},
				{"Template", cmp.Or(w.GetTemplate(), "-")},
				{"State", state},
				{"Last", lastSent(w.GetLast())},
			} {
				if err := a.print("%-12s %s", f[0], render.Line(f[1])); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (a *app) webhookTest() *cobra.Command {
	return &cobra.Command{
		Use: "test NAME", Short: "Send a message to a webhook now and say what became of it", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.webhooks.TestWebhook(c.Context(), &apiv1.TestWebhookRequest{Name: args[0]})
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			d := res.GetDelivery()
			if d.GetState() == "delivered" {
				return a.print("delivered: it answered %d after %d ms", d.GetCode(), d.GetTookMillis())
			}
			return coded(exitcode.Failed, fmt.Errorf("it has not arrived: %s", render.Line(d.GetError())))
		},
	}
}

func (a *app) webhookDeliveries() *cobra.Command {
	r := &apiv1.ListDeliveriesRequest{PageSize: 50}
	c := &cobra.Command{Use: "deliveries NAME", Short: "List what was sent to a webhook in the last 30 days, the newest first", Args: cobra.ExactArgs(1)}
	c.Flags().StringVar(&r.State, "state", "", "only those that are pending, delivered or failed")
	c.Flags().Int32Var(&r.PageSize, "limit", r.GetPageSize(), "how many")
	c.RunE = func(c *cobra.Command, args []string) error {
		r.Name = args[0]
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.webhooks.ListDeliveries(c.Context(), r)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		var rows [][]string
		for _, d := range res.GetDeliveries() {
			rows = append(rows, []string{
				d.GetId(), render.Time(d.GetCreatedAt()), d.GetEvent(), d.GetState(), fmt.Sprint(d.GetAttempts()), fmt.Sprint(d.GetCode()),
				fmt.Sprintf("%d ms", d.GetTookMillis()), render.Line(cmp.Or(d.GetError(), d.GetAbout())),
			})
		}
		return render.Rows(a.Out, []string{"ID", "AT", "EVENT", "STATE", "TRIES", "CODE", "TOOK", "WHAT"}, rows)
	}
	return c
}

func (a *app) webhookRedeliver() *cobra.Command {
	return &cobra.Command{
		Use: "redeliver NAME ID", Short: "Send a delivery again, with the same id and body", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.webhooks.Redeliver(c.Context(), &apiv1.RedeliverRequest{Name: args[0], Id: args[1]})
			if err != nil {
				return err
			}
			return a.print("delivery %s is on its way again", res.GetDelivery().GetId())
		},
	}
}

func (a *app) webhookRotate() *cobra.Command {
	return &cobra.Command{
		Use: "rotate-secret NAME", Short: "Make a new secret; the one before signs as well for a day", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.webhooks.RotateSecret(c.Context(), &apiv1.RotateSecretRequest{Name: args[0]})
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			return a.showSecret(res.GetSecret())
		},
	}
}

func (a *app) webhookPause(word, short string, paused bool) *cobra.Command {
	return &cobra.Command{
		Use: word + " NAME", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			if _, err := cl.webhooks.PauseWebhook(c.Context(), &apiv1.PauseWebhookRequest{Name: args[0], Paused: paused}); err != nil {
				return err
			}
			return a.print("webhook %s: %sd", render.Line(args[0]), word)
		},
	}
}

func (a *app) webhookRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Remove a webhook with its deliveries", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			if _, err := cl.webhooks.RemoveWebhook(c.Context(), &apiv1.RemoveWebhookRequest{Name: args[0]}); err != nil {
				return err
			}
			return a.print("webhook %s removed", render.Line(args[0]))
		},
	}
}
