package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/view"
)

// access shows how people get in. A provider that the address names fills the form.
func (s *site) access(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.showAccess(w, r, m, http.StatusOK, pages.AccessProps{})
}

func (s *site) showAccess(w http.ResponseWriter, r *http.Request, m view.Member, status int, p pages.AccessProps) (err error) {
	if err := may(m, tenant.ScopeAdmin, "see how people sign in"); err != nil {
		return err
	}
	wrong := p.Wrong
	p.SettingsProps = s.settingsOf(r, m, "access", "Sign-in")
	p.Wrong, p.Base = wrong, s.address(r)
	if p.Access, err = s.Access.Access(r.Context()); err != nil {
		return err
	}
	if p.Providers, err = s.Access.IdentityProviders(r.Context()); err != nil {
		return err
	}
	if p.Teams, err = s.People.Teams(r.Context()); err != nil {
		return err
	}
	for _, one := range p.Providers {
		if p.Asked.Name == "" && one.Name == r.URL.Query().Get("provider") {
			p.Asked = one
		}
	}
	return show(w, r, status, pages.Access, p)
}

func (s *site) setAccess(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return changed(w, r, m, "access", func(ctx context.Context) error {
		a := tenant.Access{
			SSORequired: r.PostForm.Get("sso_required") != "", BreakGlass: r.PostForm.Get("break_glass") != "",
			Visibility: tenant.Visibility(r.PostForm.Get("visibility")),
		}
		if !m.Viewer.Owner() { // the box is not theirs to change
			old, err := s.Access.Access(ctx)
			if err != nil {
				return err
			}
			a.BreakGlass = old.BreakGlass
		}
		return s.Access.SetAccess(ctx, a)
	}, func(wrong pages.Wrong, status int) error {
		p := pages.AccessProps{}
		p.Wrong = whole(wrong)
		return s.showAccess(w, r, m, status, p)
	})
}

func (s *site) setProvider(w http.ResponseWriter, r *http.Request, m view.Member) error {
	var asked tenant.IdentityProvider
	return changed(w, r, m, "access", func(ctx context.Context) (err error) {
		text := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
		asked = tenant.IdentityProvider{
			Name: text("name"), Issuer: text("issuer"), ClientID: text("client_id"), Domains: listed(text("domains")), Scopes: listed(text("scopes")),
			GroupsClaim: text("groups_claim"), DefaultRole: tenant.Role(text("default_role")), DefaultTeam: text("default_team"),
			TrustEmail: text("trust_email") != "", Owners: text("owners") != "",
		}
		if asked.Teams, err = mappings("teams", text("teams")); err != nil {
			return err
		}
		if asked.Roles, err = mappings("roles", text("roles")); err != nil {
			return err
		}
		with := asked
		with.ClientSecret = text("client_secret")
		return s.Access.SetIdentityProvider(ctx, with)
	}, func(wrong pages.Wrong, status int) error {
		p := pages.AccessProps{Asked: asked}
		p.Wrong = wrong
		return s.showAccess(w, r, m, status, p)
	})
}

// mappings reads lines of the form group=something. The last sign counts: names of groups may have some.
func mappings(field, text string) (out []tenant.Mapping, err error) {
	for row := range strings.Lines(text) {
		if row = strings.TrimSpace(row); row == "" {
			continue
		}
		i := strings.LastIndex(row, "=")
		if i < 1 || i == len(row)-1 {
			return nil, fault.New(fault.Invalid, "%q is not of the form group=something", row).WithField(field)
		}
		out = append(out, tenant.Mapping{Group: strings.TrimSpace(row[:i]), To: strings.TrimSpace(row[i+1:])})
	}
	return out, nil
}

func (s *site) deleteProvider(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return changed(w, r, m, "access", func(ctx context.Context) error { return s.Access.DeleteIdentityProvider(ctx, r.PathValue("provider")) },
		func(wrong pages.Wrong, status int) error {
			p := pages.AccessProps{}
			p.Wrong = whole(wrong)
			return s.showAccess(w, r, m, status, p)
		})
}

func (s *site) pipelines(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.showPipelines(w, r, m, http.StatusOK, pages.PipelinesProps{})
}

func (s *site) showPipelines(w http.ResponseWriter, r *http.Request, m view.Member, status int, p pages.PipelinesProps) (err error) {
	if err := may(m, tenant.ScopeAdmin, "see which pipelines are trusted"); err != nil {
		return err
	}
	wrong := p.Wrong
	p.SettingsProps = s.settingsOf(r, m, "pipelines", "Pipelines")
	p.Wrong, p.Base = wrong, s.address(r)
	if p.Rules, err = s.Access.TrustRules(r.Context()); err != nil {
		return err
	}
	if p.Teams, err = s.People.Teams(r.Context()); err != nil {
		return err
	}
	return show(w, r, status, pages.Pipelines, p)
}

func (s *site) setRule(w http.ResponseWriter, r *http.Request, m view.Member) error {
	var asked tenant.TrustRule
	return changed(w, r, m, "pipelines", func(ctx context.Context) (err error) {
		text := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
		asked = tenant.TrustRule{
			Name: text("name"), Issuer: text("issuer"), Audience: text("audience"), Team: tenant.TeamRef{Name: text("team")},
			Limits: tenant.Limits{Workflows: listed(text("workflows")), Environments: listed(text("environments"))},
		}
		for _, scope := range r.PostForm["scope"] {
			asked.Scopes = append(asked.Scopes, tenant.Scope(scope))
		}
		n, err := strconv.Atoi(text("minutes"))
		if err != nil || n < 1 || n > 60 {
			return fault.New(fault.Invalid, "its tokens are valid for 1 to 60 minutes").WithField("lifetime")
		}
		asked.Lifetime = time.Duration(n) * time.Minute
		if asked.Conditions, err = conditions(text("claims")); err != nil {
			return err
		}
		if len(asked.Scopes) == 0 {
			return fault.New(fault.Invalid, "choose what its tokens may do").WithField("scopes")
		}
		return s.Access.SetTrustRule(ctx, asked)
	}, func(wrong pages.Wrong, status int) error {
		p := pages.PipelinesProps{Asked: asked}
		p.Wrong = wrong
		return s.showPipelines(w, r, m, status, p)
	})
}

// conditions reads lines of the form claim=value|other.
func conditions(text string) (out []tenant.Condition, err error) {
	for row := range strings.Lines(text) {
		if row = strings.TrimSpace(row); row == "" {
			continue
		}
		claim, values, ok := strings.Cut(row, "=")
		if !ok || claim == "" || values == "" {
			return nil, fault.New(fault.Invalid, "%q is not of the form claim=value", row).WithField("claims")
		}
		out = append(out, tenant.Condition{Claim: strings.TrimSpace(claim), Patterns: strings.Split(strings.TrimSpace(values), "|")})
	}
	return out, nil
}

func (s *site) deleteRule(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return changed(w, r, m, "pipelines", func(ctx context.Context) error { return s.Access.DeleteTrustRule(ctx, r.PathValue("rule")) },
		func(wrong pages.Wrong, status int) error {
			p := pages.PipelinesProps{}
			p.Wrong = whole(wrong)
			return s.showPipelines(w, r, m, status, p)
		})
}
