package cmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// access is how people get into the organization and what they see.
func (a *app) access() *cobra.Command {
	c := &cobra.Command{Use: "access", Short: "What the organization asks for at sign-in, and what members see"}
	show := a.getter("show", nil, 0, a.getAccess)
	show.Short = "Show it"
	c.AddCommand(show, a.setAccess())
	return c
}

func (a *app) getAccess(ctx context.Context, cl clients, _ string) (table, error) {
	res, err := cl.access.GetAccess(ctx, &apiv1.GetAccessRequest{})
	if err != nil {
		return table{}, err
	}
	x := res.GetAccess()
	return table{message: res, header: []string{"SETTING", "VALUE", "MEANING"}, rows: [][]string{
		{"sso-required", fmt.Sprint(x.GetSsoRequired()), "passwords do not sign in"},
		{"break-glass", fmt.Sprint(x.GetBreakGlass()), "but those of owners do"},
		{"visibility", x.GetVisibility(), "members see all, or what their teams have (teams)"},
	}}, nil
}

func (a *app) setAccess() *cobra.Command {
	var required, glass bool
	var visibility string
	var c *cobra.Command
	c = a.doer("set", "Change it; what no flag says stays as it is", 0, func(ctx context.Context, cl clients, _ []string) (string, error) {
		r := &apiv1.SetAccessRequest{}
		if c.Flags().Changed("sso-required") {
			r.SsoRequired = &required
		}
		if c.Flags().Changed("break-glass") {
			r.BreakGlass = &glass
		}
		if c.Flags().Changed("visibility") {
			r.Visibility = &visibility
		}
		res, err := cl.access.SetAccess(ctx, r)
		x := res.GetAccess()
		return fmt.Sprintf("Single sign-on required: %t. Passwords of owners still sign in: %t. Members see: %s.", x.GetSsoRequired(), x.GetBreakGlass(), x.GetVisibility()), err
	})
	c.Flags().BoolVar(&required, "sso-required", false, "passwords do not sign in")
	c.Flags().BoolVar(&glass, "break-glass", true, "passwords of owners do all the same; owners decide")
	c.Flags().StringVar(&visibility, "visibility", "all", "what members see: all, or teams for what their teams have")
	return c
}

// sso is the identity providers of the organization.
func (a *app) sso() *cobra.Command {
	c := &cobra.Command{Use: "sso", Short: "Identity providers, by which people sign in (OpenID Connect)"}
	list := a.getter("list", nil, 0, a.getProviders)
	list.Short = "Show the identity providers and where each has to send people back to"
	c.AddCommand(list, a.setProvider(),
		a.doer("delete NAME", "Remove an identity provider; who came by it stays a member", 1, func(ctx context.Context, cl clients, args []string) (string, error) {
			_, err := cl.access.DeleteIdentityProvider(ctx, &apiv1.DeleteIdentityProviderRequest{Name: args[0]})
			return fmt.Sprintf("The identity provider %s is removed.", args[0]), err
		}))
	return c
}

func (a *app) getProviders(ctx context.Context, cl clients, _ string) (table, error) {
	res, err := cl.access.ListIdentityProviders(ctx, &apiv1.ListIdentityProvidersRequest{})
	if err != nil {
		return table{}, err
	}
	t := table{message: res, header: []string{"NAME", "ISSUER", "CLIENT", "DOMAINS", "DEFAULT ROLE", "GROUPS", "SENDS BACK TO"}}
	for _, p := range res.GetProviders() {
		var groups []string
		for _, m := range append(p.GetTeams(), p.GetRoles()...) {
			groups = append(groups, m.GetGroup()+"="+m.GetTo())
		}
		role := p.GetDefaultRole()
		if role == "" {
			role = "(invited only)"
		}
		t.rows = append(t.rows, []string{
			p.GetName(), p.GetIssuer(), p.GetClientId(), strings.Join(p.GetDomains(), ","), role, strings.Join(groups, " "), p.GetRedirectUrl(),
		})
	}
	return t, nil
}

func (a *app) setProvider() *cobra.Command {
	p := &apiv1.IdentityProvider{}
	var teams, roles []string
	var secretVar string
	c := a.doer("set NAME", "Make an identity provider, or replace that of the name", 1, func(ctx context.Context, cl clients, args []string) (_ string, err error) {
		p.Name = args[0]
		if p.Teams, err = mappings(teams); err != nil {
			return "", err
		}
		if p.Roles, err = mappings(roles); err != nil {
			return "", err
		}
		r := &apiv1.SetIdentityProviderRequest{Provider: p}
		if secretVar != "" {
			if r.ClientSecret = a.Env(secretVar); r.GetClientSecret() == "" {
				return "", fmt.Errorf("--client-secret-env %s: the variable is empty", secretVar)
			}
		}
		res, err := cl.access.SetIdentityProvider(ctx, r)
		return fmt.Sprintf("People sign in by %s. Tell the provider to send them back to %s", args[0], res.GetProvider().GetRedirectUrl()), err
	})
	f := c.Flags()
	f.StringVar(&p.Issuer, "issuer", "", "its address, such as https://login.example.com")
	f.StringVar(&p.ClientId, "client-id", "", "by which it knows this control plane")
	f.StringVar(&secretVar, "client-secret-env", "", "environment variable with the client secret; without it the one that is kept stays")
	f.StringSliceVar(&p.Domains, "domain", nil, "domain of e-mail addresses that it speaks for (default: all)")
	f.StringSliceVar(&p.Scopes, "scope", nil, "scope to ask for beside openid, profile and email")
	f.StringVar(&p.GroupsClaim, "groups-claim", "", "claim that holds the groups (default: groups)")
	f.StringArrayVar(&teams, "team", nil, "GROUP=TEAM: members of the group are in the team, and nobody else by this provider")
	f.StringArrayVar(&roles, "role", nil, "GROUP=ROLE: members of the group have the role")
	f.StringVar(&p.DefaultRole, "default-role", "", "role of whoever has no such group (default: only who was invited gets in)")
	f.StringVar(&p.DefaultTeam, "default-team", "", "team of whoever has none (default: the first)")
	f.BoolVar(&p.TrustEmail, "trust-email", false, "its e-mail addresses count though it does not say that they are verified")
	f.BoolVar(&p.Owners, "owners", false, "it may say who is an owner; owners decide")
	_ = c.MarkFlagRequired("issuer")
	_ = c.MarkFlagRequired("client-id")
	return c
}

// mappings reads GROUP=SOMETHING. The last sign counts: names of groups may have some.
func mappings(list []string) (out []*apiv1.GroupMapping, err error) {
	for _, text := range list {
		i := strings.LastIndex(text, "=")
		if i < 1 || i == len(text)-1 {
			return nil, fmt.Errorf("%q is not of the form GROUP=NAME", text)
		}
		out = append(out, &apiv1.GroupMapping{Group: text[:i], To: text[i+1:]})
	}
	return out, nil
}

// trust is the rules by which pipelines get tokens.
func (a *app) trust() *cobra.Command {
	c := &cobra.Command{Use: "trust", Short: "Trust rules, by which pipelines get short-lived tokens without a stored secret"}
	list := a.getter("list", nil, 0, a.getRules)
	list.Short = "Show the trust rules and when each was used"
	c.AddCommand(list, a.setRule(),
		a.doer("delete NAME", "Remove a trust rule with the tokens that it made", 1, func(ctx context.Context, cl clients, args []string) (string, error) {
			_, err := cl.access.DeleteTrustRule(ctx, &apiv1.DeleteTrustRuleRequest{Name: args[0]})
			return fmt.Sprintf("The trust rule %s is removed.", args[0]), err
		}))
	return c
}

func (a *app) getRules(ctx context.Context, cl clients, _ string) (table, error) {
	res, err := cl.access.ListTrustRules(ctx, &apiv1.ListTrustRulesRequest{})
	if err != nil {
		return table{}, err
	}
	t := table{message: res, header: []string{"NAME", "TEAM", "ISSUER", "AUDIENCE", "CLAIMS", "SCOPES", "LIFETIME", "LAST USED"}}
	for _, r := range res.GetRules() {
		var claims []string
		for _, x := range r.GetClaims() {
			claims = append(claims, x.GetClaim()+"="+strings.Join(x.GetValues(), "|"))
		}
		t.rows = append(t.rows, []string{
			r.GetName(), r.GetTeam(), r.GetIssuer(), r.GetAudience(), strings.Join(claims, " "), strings.Join(r.GetScopes(), ","), r.GetLifetime().AsDuration().String(),
			render.Time(r.GetUsedAt()),
		})
	}
	return t, nil
}

// issuers are those of the pipelines that most have.
const (
	githubIssuer = "https://token.actions.githubusercontent.com"
	gitlabIssuer = "https://gitlab.com"
)

func (a *app) setRule() *cobra.Command {
	r := &apiv1.TrustRule{}
	var claims []string
	var life time.Duration
	c := a.doer("set NAME", "Make a trust rule, or replace that of the name", 1, func(ctx context.Context, cl clients, args []string) (string, error) {
		r.Name, r.Lifetime = args[0], durationpb.New(life)
		switch r.GetIssuer() {
		case "github":
			r.Issuer = githubIssuer
		case "gitlab":
			r.Issuer = gitlabIssuer
		}
		for _, text := range claims {
			claim, values, ok := strings.Cut(text, "=")
			if !ok || claim == "" || values == "" {
				return "", fmt.Errorf("--claim %q is not of the form CLAIM=VALUE", text)
			}
			r.Claims = append(r.Claims, &apiv1.ClaimCondition{Claim: claim, Values: strings.Split(values, "|")})
		}
		_, err := cl.access.SetTrustRule(ctx, &apiv1.SetTrustRuleRequest{Rule: r})
		return fmt.Sprintf("Pipelines that the rule %s fits get a token with: seatrial login --ci", args[0]), err
	})
	f := c.Flags()
	f.StringVar(&r.Issuer, "issuer", "", "github, gitlab, or the address of another issuer")
	f.StringVar(&r.Audience, "audience", "", "audience of the tokens (default: the address of the control plane)")
	f.StringArrayVar(&claims, "claim", nil, "CLAIM=VALUE, or VALUE|OTHER; * stands for anything without a slash, ** for anything; all have to hold")
	f.StringVar(&r.Team, "team", "", "team whose tokens it makes (default: your own)")
	f.StringSliceVar(&r.Scopes, "scope", nil, "read, run, catalog or release (default: read and run)")
	f.StringSliceVar(&r.Workflows, "workflow", nil, "name or pattern of the workflows that its tokens are for (default: all)")
	f.StringSliceVar(&r.Environments, "environment", nil, "the same of environments")
	f.DurationVar(&life, "lifetime", time.Hour, "of its tokens, at most an hour")
	_ = c.MarkFlagRequired("issuer")
	_ = c.MarkFlagRequired("claim")
	return c
}
