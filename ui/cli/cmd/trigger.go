package cmd

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) trigger() *cobra.Command {
	c := &cobra.Command{
		Use: "trigger", Short: "What starts workflows when something happens: list, look at and test triggers",
		Long: "A trigger is a document of kind Trigger, which seatrial apply takes, or an entry of spec.triggers of a workflow; the second of those of " +
			"the workflow smoke is called smoke.2. Forges and other systems send what happens to a receiver; seatrial events shows what became of it.",
	}
	c.AddCommand(a.triggerList(), a.triggerShow(), a.triggerTest(), a.triggerRemove(), a.receiver())
	return c
}

func (a *app) triggerList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List all triggers", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			all := &apiv1.ListTriggersResponse{}
			for token := ""; ; {
				res, err := cl.triggers.ListTriggers(c.Context(), &apiv1.ListTriggersRequest{PageSize: 1000, PageToken: token})
				if err != nil {
					return err
				}
				all.Triggers = append(all.Triggers, res.GetTriggers()...)
				if token = res.GetNextPageToken(); token == "" {
					break
				}
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, all)
			}
			if len(all.GetTriggers()) == 0 {
				a.say("There is no trigger. Apply a document of kind Trigger, or write spec.triggers into a workflow: seatrial explain Trigger.")
				return nil
			}
			rows := make([][]string, len(all.GetTriggers()))
			for i, t := range all.GetTriggers() {
				state := "active"
				if t.GetSuspended() {
					state = "suspended"
				}
				for _, w := range t.GetWatches() {
					if w.GetState() != "watching" { // the first that is not as it should be
						state = render.Line(strings.TrimSpace(w.GetCluster() + " " + w.GetState()))
						break
					}
				}
				rows[i] = []string{render.Line(t.GetName()), render.Line(t.GetTeam()), t.GetKind(), render.Line(t.GetAbout()), render.Line(strings.Join(t.GetStarts(), ", ")), state}
			}
			return render.Rows(a.Out, []string{"NAME", "TEAM", "ON", "ABOUT", "STARTS", "STATE"}, rows)
		},
	}
}

func (a *app) triggerShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a trigger and the last events that it has done something about", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.triggers.GetTrigger(c.Context(), &apiv1.GetTriggerRequest{Name: args[0]})
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			t := res.GetTrigger()
			for _, f := range [][2]string{
				{"Trigger", t.GetName()}, {"Team", t.GetTeam()}, {"On", t.GetKind() + " " + t.GetAbout()}, {"Starts", strings.Join(t.GetStarts(), ", ")},
			} {
				if err := a.print("%-8s %s", f[0], render.Line(f[1])); err != nil {
					return err
				}
			}
			if err := a.showWatches(t.GetWatches()); err != nil {
				return err
			}
			if t.GetSource() != "" {
				for line := range strings.Lines("\n" + t.GetSource()) {
					if line = strings.TrimSuffix(line, "\n"); line != "" {
						line = render.Line(line)
					}
					if err := a.print("%s", line); err != nil {
						return err
					}
				}
			}
			if err := a.print(""); err != nil {
				return err
			}
			return a.showEvents(res.GetEvents(), "It has done nothing yet; seatrial events shows what was not for it.")
		},
	}
}

// showWatches says where a trigger is watched for, and why not elsewhere.
func (a *app) showWatches(list []*apiv1.TriggerWatch) error {
	for _, w := range list {
		text := strings.TrimSpace(w.GetCluster() + " " + w.GetState())
		if w.GetState() == "watching" {
			text += " since " + render.Time(w.GetSince())
		}
		if w.GetMessage() != "" {
			text += ": " + w.GetMessage()
		}
		if err := a.print("%-8s %s", "Cluster", render.Line(text)); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) triggerTest() *cobra.Command {
	var file, kind string
	var headers []string
	c := &cobra.Command{
		Use: "test NAME -f FILE", Short: "Say whether a trigger would match a message; nothing is started", Args: cobra.ExactArgs(1),
		Example: "  seatrial trigger test on-push -f push.json --from github -H X-GitHub-Event:push",
	}
	c.Flags().StringVarP(&file, "file", "f", "", "file with the body of the message, - for standard input")
	c.Flags().StringVar(&kind, "from", "webhook", "who sends it: github, gitlab, gitea, bitbucket, webhook, cloudevents, or kubernetes for the data of an event of a cluster")
	c.Flags().StringArrayVarP(&headers, "header", "H", nil, "header of the message, as NAME:VALUE")
	c.RunE = func(c *cobra.Command, args []string) error {
		if file == "" {
			return errors.New("-f: name the file with the message")
		}
		body, err := a.read(file)
		if err != nil {
			return err
		}
		r := &apiv1.DryRunTriggerRequest{Name: args[0], Kind: kind, Headers: map[string]string{}, Body: body}
		for _, h := range headers {
			name, value, ok := strings.Cut(h, ":")
			if !ok {
				return fmt.Errorf("-H %s: write it as NAME:VALUE", h)
			}
			r.Headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.triggers.DryRunTrigger(c.Context(), r)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		if !res.GetMatches() {
			return a.print("does not match: %s", render.Line(res.GetReason()))
		}
		return a.print("matches%s", render.Line(givenOf(res)))
	}
	return c
}

func givenOf(res *apiv1.DryRunTriggerResponse) string {
	text := ""
	if res.GetCommit() != "" {
		text += ", commit " + res.GetCommit()
	}
	for _, name := range slices.Sorted(maps.Keys(res.GetParams())) {
		text += ", " + name + "=" + res.GetParams()[name]
	}
	return text
}

func (a *app) triggerRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Remove a trigger; what it has started stays on record", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			if _, err := cl.triggers.RemoveTrigger(c.Context(), &apiv1.RemoveTriggerRequest{Name: args[0]}); err != nil {
				return err
			}
			return a.print("trigger %s removed", render.Line(args[0]))
		},
	}
}

func (a *app) events() *cobra.Command {
	r := &apiv1.ListEventsRequest{}
	limit := 30
	c := &cobra.Command{
		Use: "events", Short: "What has happened: which triggers matched, what was started, or why not", Args: cobra.NoArgs,
		Example: "  seatrial events --subject acme/shop\n  seatrial events --trigger on-push -o json",
	}
	c.Flags().StringVar(&r.Trigger, "trigger", "", "only what this trigger has done something about")
	c.Flags().StringVar(&r.Kind, "kind", "", "only of a kind: git, workflow, webhook, event or kubernetes")
	c.Flags().StringVar(&r.Subject, "subject", "", "only about this repository, workflow or object (deployments shop/checkout)")
	c.Flags().IntVar(&limit, "limit", limit, "how many at most, up to 1000")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if limit < 1 || limit > 1000 {
			return fmt.Errorf("--limit %d: give 1 to 1000", limit)
		}
		r.PageSize = int32(limit)
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.triggers.ListEvents(c.Context(), r)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		return a.showEvents(res.GetEvents(), "No event matches.")
	}
	return c
}

func (a *app) showEvents(list []*apiv1.Event, none string) error {
	if len(list) == 0 {
		a.say("%s", none)
		return nil
	}
	rows := make([][]string, len(list))
	for i, e := range list {
		rows[i] = []string{render.Time(e.GetAt()), render.Line(e.GetSource()), render.Line(e.GetType()), render.Line(e.GetSubject()), became(e)}
	}
	return render.Rows(a.Out, []string{"WHEN", "FROM", "TYPE", "ABOUT", "WHAT BECAME OF IT"}, rows)
}

// became says what triggers have done about an event, or why nothing.
func became(e *apiv1.Event) string {
	var parts []string
	for _, r := range e.GetReactions() {
		var started []string
		for _, s := range r.GetStarted() {
			text := s.GetWorkflow() + " " + s.GetExecutionId()
			if s.GetProblem() != "" {
				text = strings.TrimPrefix(s.GetWorkflow()+": "+s.GetProblem(), ": ")
			}
			started = append(started, text)
		}
		text := r.GetTrigger() + " " + r.GetState()
		switch {
		case len(started) > 0:
			text += ": " + strings.Join(started, ", ")
		case r.GetReason() != "":
			text += ": " + r.GetReason()
		case r.GetState() == "waiting" && r.GetDue().IsValid():
			text += " until " + render.Time(r.GetDue())
		}
		parts = append(parts, text)
	}
	for _, p := range e.GetPassed() {
		parts = append(parts, p.GetTrigger()+" not: "+p.GetWhy())
	}
	switch {
	case !e.GetJudged():
		return "not looked at yet"
	case len(parts) == 0:
		return render.Line(e.GetReason())
	}
	return render.Line(strings.Join(parts, "; "))
}

func (a *app) receiver() *cobra.Command {
	c := &cobra.Command{Use: "receiver", Short: "Addresses to which forges and other systems send events"}
	c.AddCommand(a.receiverList(), a.receiverCreate(), a.receiverRotate(), a.receiverApp(), a.receiverRemove())
	return c
}

func (a *app) receiverList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List receivers, and when something came last", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.triggers.ListReceivers(c.Context(), &apiv1.ListReceiversRequest{})
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			rows := make([][]string, len(res.GetReceivers()))
			for i, r := range res.GetReceivers() {
				refused := "-"
				if r.GetRefused() != "" {
					refused = render.Time(r.GetRefusedAt()) + " " + r.GetRefused()
				}
				rows[i] = []string{render.Line(r.GetName()), r.GetKind(), render.Line(r.GetTeam()), render.Line(r.GetUrl()), render.Time(r.GetHeardAt()), render.Line(refused)}
			}
			return render.Rows(a.Out, []string{"NAME", "KIND", "TEAM", "ADDRESS", "LAST HEARD", "LAST REFUSED"}, rows)
		},
	}
}

func (a *app) receiverCreate() *cobra.Command {
	r := &apiv1.CreateReceiverRequest{}
	c := &cobra.Command{
		Use: "create NAME --from KIND", Short: "Make an address with a secret, which is shown once", Args: cobra.ExactArgs(1),
		Example: "  seatrial trigger receiver create acme-github --from github",
	}
	c.Flags().StringVar(&r.Kind, "from", "", "who sends: github, gitlab, gitea, bitbucket, webhook or cloudevents")
	c.Flags().StringVar(&r.Team, "team", "", "team that owns it (default: your own)")
	c.RunE = func(c *cobra.Command, args []string) error {
		r.Name = args[0]
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.triggers.CreateReceiver(c.Context(), r)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		return a.print("Address  %s\nSecret   %s\n\nEnter both at the sender, with content type application/json. The secret is shown this once.",
			render.Line(res.GetReceiver().GetUrl()), render.Line(res.GetSecret()))
	}
	return c
}

func (a *app) receiverRotate() *cobra.Command {
	return &cobra.Command{
		Use: "rotate NAME", Short: "Give a receiver a new secret, which is shown once", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.triggers.RotateReceiver(c.Context(), &apiv1.RotateReceiverRequest{Name: args[0]})
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			return a.print("Secret   %s\n\nThe old one is refused from now on.", render.Line(res.GetSecret()))
		},
	}
}

func (a *app) receiverRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Close an address", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			if _, err := cl.triggers.RemoveReceiver(c.Context(), &apiv1.RemoveReceiverRequest{Name: args[0]}); err != nil {
				return err
			}
			return a.print("receiver %s removed", render.Line(args[0]))
		},
	}
}
