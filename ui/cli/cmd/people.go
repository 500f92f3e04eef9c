package cmd

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// doer makes a command that changes something and says what it did.
func (a *app) doer(use, short string, args int, do func(ctx context.Context, cl clients, args []string) (string, error)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(args), RunE: func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		done, err := do(c.Context(), cl, args)
		if err != nil {
			return err
		}
		return a.print("%s", done)
	}}
}

func (a *app) team() *cobra.Command {
	c := &cobra.Command{Use: "team", Short: "Teams, which own workflows, environments, releases and tokens"}
	list := a.getter("list", nil, 0, a.getTeams)
	list.Short = "Show the teams and how much each has"
	c.AddCommand(list,
		a.doer("create NAME", "Make a team", 1, func(ctx context.Context, cl clients, args []string) (string, error) {
			_, err := cl.people.CreateTeam(ctx, &apiv1.CreateTeamRequest{Name: args[0]})
			return fmt.Sprintf("Team %s is made.", args[0]), err
		}),
		a.doer("rename NAME NEW-NAME", "Give a team another name", 2, func(ctx context.Context, cl clients, args []string) (string, error) {
			_, err := cl.people.RenameTeam(ctx, &apiv1.RenameTeamRequest{Name: args[0], NewName: args[1]})
			return fmt.Sprintf("Team %s is now %s.", args[0], args[1]), err
		}),
		a.doer("delete NAME", "Delete a team that owns nothing and has nobody", 1, func(ctx context.Context, cl clients, args []string) (string, error) {
			_, err := cl.people.DeleteTeam(ctx, &apiv1.DeleteTeamRequest{Name: args[0]})
			return fmt.Sprintf("Team %s is deleted.", args[0]), err
		}), a.own(), a.restrict("restrict", "Keep a workflow to its team: nobody else may run it", true),
		a.restrict("share", "Let every team run a workflow again", false))
	return c
}

func (a *app) own() *cobra.Command {
	var version string
	c := a.doer("own TEAM KIND NAME", "Hand a workflow, template, policy, environment, release, schedule, trigger, webhook or receiver to a team", 3, func(ctx context.Context, cl clients, args []string) (string, error) {
		_, err := cl.people.SetOwner(ctx, &apiv1.SetOwnerRequest{Team: args[0], Kind: args[1], Name: args[2], Version: version})
		return fmt.Sprintf("The %s %s belongs to the team %s.", args[1], args[2], args[0]), err
	})
	c.Flags().StringVar(&version, "version", "", "of a release, whose name is that of the application")
	return c
}

func (a *app) restrict(verb, short string, restricted bool) *cobra.Command {
	return a.doer(verb+" WORKFLOW", short, 1, func(ctx context.Context, cl clients, args []string) (string, error) {
		_, err := cl.people.RestrictWorkflow(ctx, &apiv1.RestrictWorkflowRequest{Workflow: args[0], Restricted: restricted})
		if restricted {
			return fmt.Sprintf("Only its team may run %s.", args[0]), err
		}
		return fmt.Sprintf("Every team may run %s.", args[0]), err
	})
}

func (a *app) getUsage(ctx context.Context, cl clients, _ string) (table, error) {
	res, err := cl.people.GetUsage(ctx, &apiv1.GetUsageRequest{})
	if err != nil {
		return table{}, err
	}
	t := table{message: res, header: []string{"QUOTA", "USED", "LIMIT", "OF"}}
	for _, u := range res.GetUsage() {
		limit := "none"
		if u.GetLimit() > 0 {
			limit = strconv.FormatInt(u.GetLimit(), 10)
		}
		t.rows = append(t.rows, []string{u.GetName(), strconv.FormatInt(u.GetUsed(), 10), limit, u.GetDescription()})
	}
	return t, nil
}

func (a *app) getTeams(ctx context.Context, cl clients, _ string) (table, error) {
	res, err := cl.people.ListTeams(ctx, &apiv1.ListTeamsRequest{})
	if err != nil {
		return table{}, err
	}
	t := table{message: res, header: []string{"NAME", "MEMBERS", "OWNS", "TOKENS", "MADE"}}
	for _, g := range res.GetTeams() {
		t.rows = append(t.rows, []string{
			g.GetName(), strconv.Itoa(int(g.GetMembers())), strconv.Itoa(int(g.GetOwns())), strconv.Itoa(int(g.GetTokens())), render.Time(g.GetCreatedAt()),
		})
	}
	return t, nil
}

func (a *app) member() *cobra.Command {
	c := &cobra.Command{Use: "member", Short: "Members, their roles and teams"}
	list := a.getter("list", nil, 0, a.getMembers)
	list.Short = "Show the members, their roles and teams"
	change := func(r *apiv1.ChangeMemberRequest, done string) func(ctx context.Context, cl clients) (string, error) {
		return func(ctx context.Context, cl clients) (string, error) {
			_, err := cl.people.ChangeMember(ctx, r)
			return done, err
		}
	}
	c.AddCommand(list,
		a.doer("role EMAIL ROLE", "Set what a member may do: owner, admin, maintainer or viewer", 2, func(ctx context.Context, cl clients, args []string) (string, error) {
			return change(&apiv1.ChangeMemberRequest{Email: args[0], Role: args[1]}, fmt.Sprintf("%s is now %s.", args[0], args[1]))(ctx, cl)
		}),
		a.doer("join EMAIL TEAM", "Put a member into a team", 2, func(ctx context.Context, cl clients, args []string) (string, error) {
			return change(&apiv1.ChangeMemberRequest{Email: args[0], JoinTeams: args[1:]}, fmt.Sprintf("%s is in the team %s.", args[0], args[1]))(ctx, cl)
		}),
		a.doer("leave EMAIL TEAM", "Take a member out of a team", 2, func(ctx context.Context, cl clients, args []string) (string, error) {
			return change(&apiv1.ChangeMemberRequest{Email: args[0], LeaveTeams: args[1:]}, fmt.Sprintf("%s has left the team %s.", args[0], args[1]))(ctx, cl)
		}),
		a.removeMember())
	return c
}

func (a *app) removeMember() *cobra.Command {
	var tokens bool
	c := a.doer("remove EMAIL", "End a membership, with all its sessions and personal tokens", 1, func(ctx context.Context, cl clients, args []string) (string, error) {
		res, err := cl.people.RemoveMember(ctx, &apiv1.RemoveMemberRequest{Email: args[0], RevokeTokens: tokens})
		if err != nil {
			return "", err
		}
		done := fmt.Sprintf("%s is removed.", args[0])
		if tokens {
			done += fmt.Sprintf(" Tokens revoked: %d.", res.GetRevokedTokens())
		}
		return done, nil
	})
	c.Flags().BoolVar(&tokens, "revoke-tokens", false, "revoke the tokens that the member made for teams, too")
	return c
}

func (a *app) getMembers(ctx context.Context, cl clients, _ string) (table, error) {
	res, err := cl.people.ListMembers(ctx, &apiv1.ListMembersRequest{})
	if err != nil {
		return table{}, err
	}
	t := table{message: res, header: []string{"E-MAIL", "NAME", "ROLE", "TEAMS", "SECOND FACTOR", "SINCE"}}
	for _, m := range res.GetMembers() {
		factor := "off"
		if m.GetSecondFactor() {
			factor = "on"
		}
		t.rows = append(t.rows, []string{m.GetEmail(), m.GetName(), m.GetRole(), strings.Join(m.GetTeams(), ","), factor, render.Time(m.GetCreatedAt())})
	}
	return t, nil
}

func (a *app) invite() *cobra.Command {
	r := &apiv1.InviteMemberRequest{}
	var lifetime time.Duration
	create := &cobra.Command{Use: "create EMAIL", Short: "Make a link by which somebody becomes a member; it is shown once", Args: cobra.ExactArgs(1)}
	create.Flags().StringVar(&r.Role, "role", "maintainer", "owner, admin, maintainer or viewer")
	create.Flags().StringVar(&r.Team, "team", "", "team to put the member into; yours when not given")
	create.Flags().DurationVar(&lifetime, "lifetime", 0, "how long the link is good; a week when not given")
	create.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		r.Email, r.Lifetime = args[0], durationpb.New(lifetime)
		res, err := cl.people.InviteMember(c.Context(), r)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		a.say("Send this link to %s. It works once, until %s, and is not shown again.", args[0], render.Time(res.GetInvitation().GetExpiresAt()))
		return a.print("%s", res.GetUrl())
	}
	list := a.getter("list", nil, 0, a.getInvitations)
	list.Short = "Show the invitations that can be accepted"
	c := &cobra.Command{Use: "invite", Short: "Invitations to the organization"}
	c.AddCommand(create, list, a.doer("withdraw EMAIL", "Make the link of an invitation useless", 1, a.withdraw))
	return c
}

// withdraw takes the address, as that is what people know; there is one open invitation for each.
func (a *app) withdraw(ctx context.Context, cl clients, args []string) (string, error) {
	res, err := cl.people.ListInvitations(ctx, &apiv1.ListInvitationsRequest{})
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(res.GetInvitations(), func(i *apiv1.Invitation) bool {
		return strings.EqualFold(i.GetEmail(), args[0]) || i.GetId() == args[0]
	})
	if i < 0 {
		return "", fmt.Errorf("there is no open invitation of %s; list what there is with: seatrial invite list", args[0])
	}
	_, err = cl.people.WithdrawInvitation(ctx, &apiv1.WithdrawInvitationRequest{Id: res.GetInvitations()[i].GetId()})
	return fmt.Sprintf("The invitation of %s is withdrawn.", args[0]), err
}

func (a *app) getInvitations(ctx context.Context, cl clients, _ string) (table, error) {
	res, err := cl.people.ListInvitations(ctx, &apiv1.ListInvitationsRequest{})
	if err != nil {
		return table{}, err
	}
	t := table{message: res, header: []string{"E-MAIL", "ROLE", "TEAM", "BY", "GOOD UNTIL"}}
	for _, i := range res.GetInvitations() {
		t.rows = append(t.rows, []string{i.GetEmail(), i.GetRole(), i.GetTeam(), i.GetMaker(), render.Time(i.GetExpiresAt())})
	}
	return t, nil
}

func (a *app) token() *cobra.Command {
	r := &apiv1.CreateTokenRequest{}
	var lifetime time.Duration
	create := &cobra.Command{Use: "create NAME", Short: "Make an API token; it is shown once", Args: cobra.ExactArgs(1)}
	create.Flags().StringVar(&r.Team, "team", "", "team that owns it")
	create.Flags().StringSliceVar(&r.Scopes, "scope", nil, "read, run, catalog, release or admin; read and run when not given")
	create.Flags().StringSliceVar(&r.Workflows, "workflow", nil, "name or pattern, such as 'payments-*', of workflows that it is limited to")
	create.Flags().StringSliceVar(&r.Environments, "environment", nil, "name or pattern of environments that it is limited to")
	create.Flags().DurationVar(&lifetime, "lifetime", 0, "how long it is valid; 90 days when not given")
	create.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		r.Name, r.Lifetime = args[0], durationpb.New(lifetime)
		res, err := cl.identity.CreateToken(c.Context(), r)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		a.say("Valid until %s. It is not shown again.", render.Time(res.GetExpiresAt()))
		return a.print("%s", res.GetToken())
	}
	list := a.getter("list", nil, 0, a.getTokens)
	list.Short = "Show the API tokens, what each may, and when it was used"
	c := &cobra.Command{Use: "token", Short: "API tokens"}
	c.AddCommand(create, list, a.exchangeToken(), a.doer("revoke ID", "Make a token useless at once", 1, func(ctx context.Context, cl clients, args []string) (string, error) {
		_, err := cl.identity.RevokeToken(ctx, &apiv1.RevokeTokenRequest{Id: args[0]})
		return "The token is revoked.", err
	}))
	return c
}

func (a *app) getTokens(ctx context.Context, cl clients, _ string) (table, error) {
	res, err := cl.identity.ListTokens(ctx, &apiv1.ListTokensRequest{})
	if err != nil {
		return table{}, err
	}
	t := table{message: res, header: []string{"ID", "NAME", "TEAM", "BEGINS", "SCOPES", "LIMITED TO", "OF", "LAST USED", "EXPIRES"}}
	for _, k := range res.GetTokens() {
		of := k.GetMember()
		if of == "" && k.GetMaker() != "" {
			of = "by " + k.GetMaker()
		}
		t.rows = append(t.rows, []string{
			k.GetId(), k.GetName(), k.GetTeam(), k.GetHint(), strings.Join(k.GetScopes(), ","),
			strings.Join(append(slices.Clone(k.GetWorkflows()), k.GetEnvironments()...), ","), of, render.Time(k.GetLastUsedAt()), render.Time(k.GetExpiresAt()),
		})
	}
	return t, nil
}
