package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
)

// settings are the pages of account, members, teams and tokens.
func (s *site) settings() map[string]memberPage {
	const home = "/o/{org}/settings"
	return map[string]memberPage{
		"GET " + home:                                  func(w http.ResponseWriter, r *http.Request, m view.Member) error { return back(w, r, m, "account") },
		"GET " + home + "/account":                     s.account,
		"POST " + home + "/account/password":           s.changePassword,
		"POST " + home + "/account/factor":             s.proposeFactor,
		"POST " + home + "/account/factor/on":          s.confirmFactor,
		"POST " + home + "/account/factor/off":         s.dropFactor,
		"POST " + home + "/account/sessions/{id}/end":  s.endSession,
		"GET " + home + "/members":                     s.members,
		"POST " + home + "/members":                    s.invite,
		"POST " + home + "/members/{email}/role":       s.setRole,
		"POST " + home + "/members/{email}/join":       s.joinTeam,
		"POST " + home + "/members/{email}/leave":      s.leaveTeam,
		"POST " + home + "/members/{email}/remove":     s.removeMember,
		"POST " + home + "/invitations/{id}/withdraw":  s.withdraw,
		"GET " + home + "/teams":                       s.teams,
		"POST " + home + "/teams":                      s.createTeam,
		"POST " + home + "/teams/{team}/rename":        s.renameTeam,
		"POST " + home + "/teams/{team}/delete":        s.deleteTeam,
		"GET " + home + "/tokens":                      s.tokens,
		"GET " + home + "/repositories":                s.repositories,
		"POST " + home + "/repositories":               s.addRepository,
		"POST " + home + "/repositories/{name}/sync":   s.syncRepository,
		"POST " + home + "/repositories/{name}/remove": s.removeRepository,
		"GET " + home + "/policies":                    s.policies,
		"POST " + home + "/policies":                   s.tryPolicy,
		"POST " + home + "/policies/save":              s.savePolicy,
		"GET " + home + "/snapshots":                   s.snapshots,
		"POST " + home + "/snapshots/{id}/revoke":      s.revokeSnapshot,
		"GET " + home + "/usage":                       s.quotas,
		"GET " + home + "/retention":                   s.retention,
		"GET " + home + "/access":                      s.access,
		"POST " + home + "/access":                     s.setAccess,
		"POST " + home + "/access/providers":           s.setProvider,
		"POST " + home + "/access/{provider}/delete":   s.deleteProvider,
		"GET " + home + "/pipelines":                   s.pipelines,
		"POST " + home + "/pipelines":                  s.setRule,
		"POST " + home + "/pipelines/{rule}/delete":    s.deleteRule,
		"POST /o/{org}/workflows/{name}/owner":         s.setOwner,
		"POST /o/{org}/workflows/{name}/restricted":    s.restrict,
		"POST " + home + "/tokens":                     s.createToken,
		"POST " + home + "/tokens/{id}/revoke":         s.revokeToken,
	}
}

// back sends the browser to a page of the settings: loading it again then does nothing twice.
func back(w http.ResponseWriter, r *http.Request, m view.Member, part string) error {
	http.Redirect(w, r, "/o/"+m.Organization+"/settings/"+part, http.StatusSeeOther)
	return nil
}

func (s *site) settingsOf(r *http.Request, m view.Member, here, title string) pages.SettingsProps {
	return pages.SettingsProps{
		Frame: s.frame(r, title, parts.Settings), Here: here, Admin: m.Viewer.Allows(tenant.ScopeAdmin), Owner: m.Viewer.Owner(), Email: m.Viewer.Name,
	}
}

// changed does what a form asks for and goes back to its page. What somebody can do something about is shown on that page.
func changed(w http.ResponseWriter, r *http.Request, m view.Member, part string, do func(ctx context.Context) error, again func(wrong pages.Wrong, status int) error) error {
	if err := parse(r); err != nil {
		return err
	}
	err := do(r.Context())
	if err == nil {
		return back(w, r, m, part)
	}
	wrong, ok := correctable(err)
	if !ok {
		return err
	}
	return again(wrong, statusOf(fault.KindOf(err)))
}

// whole makes a message stand above the page: it belongs to none of the inputs of the form that is shown there.
func whole(w pages.Wrong) pages.Wrong {
	w.Field = ""
	return w
}

// pathID reads the id in an address.
func pathID(r *http.Request) (uuid.UUID, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return id, notFound()
	}
	return id, nil
}

// show renders a page of the settings.
func show[P any](w http.ResponseWriter, r *http.Request, status int, page func(P) templ.Component, p P) error {
	return render(r.Context(), w, status, page, p)
}

func (s *site) teams(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.showTeams(w, r, m, http.StatusOK, pages.Wrong{}, "")
}

func (s *site) showTeams(w http.ResponseWriter, r *http.Request, m view.Member, status int, wrong pages.Wrong, asked string) (err error) {
	p := pages.TeamsProps{SettingsProps: s.settingsOf(r, m, "teams", "Teams"), Asked: asked}
	p.Wrong = wrong
	if p.Teams, err = s.People.Teams(r.Context()); err != nil {
		return err
	}
	return show(w, r, status, pages.Teams, p)
}

func (s *site) createTeam(w http.ResponseWriter, r *http.Request, m view.Member) error {
	name := func() string { return strings.TrimSpace(r.PostForm.Get("name")) }
	return changed(w, r, m, "teams", func(ctx context.Context) error {
		_, err := s.People.CreateTeam(ctx, name())
		return err
	}, func(wrong pages.Wrong, status int) error { return s.showTeams(w, r, m, status, wrong, name()) })
}

func (s *site) renameTeam(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeTeam(w, r, m, func(ctx context.Context, team string) error {
		return s.People.RenameTeam(ctx, team, strings.TrimSpace(r.PostForm.Get("name")))
	})
}

func (s *site) deleteTeam(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeTeam(w, r, m, s.People.DeleteTeam)
}

func (s *site) changeTeam(w http.ResponseWriter, r *http.Request, m view.Member, do func(ctx context.Context, team string) error) error {
	return changed(w, r, m, "teams", func(ctx context.Context) error { return do(ctx, r.PathValue("team")) },
		func(wrong pages.Wrong, status int) error { return s.showTeams(w, r, m, status, whole(wrong), "") })
}

func (s *site) tokens(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.showTokens(w, r, m, http.StatusOK, pages.TokensProps{})
}

func (s *site) showTokens(w http.ResponseWriter, r *http.Request, m view.Member, status int, p pages.TokensProps) (err error) {
	wrong := p.Wrong
	p.SettingsProps = s.settingsOf(r, m, "tokens", "API tokens")
	p.Wrong = wrong
	tokens, err := s.Tokens.Tokens(r.Context())
	if err != nil {
		return err
	}
	p.Tokens, p.Next = part(r, p.Path(), tokens, tokenRows, func(t tenant.Token) string { return t.ID.String() })
	all, err := s.People.Teams(r.Context())
	if err != nil {
		return err
	}
	for _, t := range all {
		if m.Viewer.Acts(t.ID) {
			p.Teams = append(p.Teams, t.TeamRef)
		}
	}
	p.Scopes = slices.DeleteFunc(tenant.Scopes(), func(s tenant.Scope) bool { return !m.Viewer.Allows(s) })
	return show(w, r, status, pages.Tokens, p)
}

// createToken answers with the page that shows the token once, and not with a redirection.
func (s *site) createToken(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := parse(r); err != nil {
		return err
	}
	f := pages.TokenForm{
		Name: strings.TrimSpace(r.PostForm.Get("name")), Team: r.PostForm.Get("team"), Days: r.PostForm.Get("days"),
		Workflows: r.PostForm.Get("workflows"), Environments: r.PostForm.Get("environments"), Scopes: r.PostForm["scope"],
	}
	secret, made, err := s.makeToken(r.Context(), f)
	if err == nil {
		return s.showTokens(w, r, m, http.StatusOK, pages.TokensProps{Secret: secret, Made: made})
	}
	p := pages.TokensProps{Asked: f}
	var ok bool
	if p.Wrong, ok = correctable(err); !ok {
		return err
	}
	return s.showTokens(w, r, m, statusOf(fault.KindOf(err)), p)
}

func (s *site) makeToken(ctx context.Context, f pages.TokenForm) (string, tenant.Token, error) {
	days, err := strconv.Atoi(f.Days)
	if err != nil || days < 1 || days > 366 {
		return "", tenant.Token{}, fault.New(fault.Invalid, "a token is valid for 1 to 366 days").WithField("lifetime")
	}
	if len(f.Scopes) == 0 {
		return "", tenant.Token{}, fault.New(fault.Invalid, "choose what the token may do").WithField("scopes")
	}
	n := tenant.NewToken{
		Name: f.Name, Team: f.Team, Lifetime: time.Duration(days) * 24 * time.Hour,
		Limits: tenant.Limits{Workflows: listed(f.Workflows), Environments: listed(f.Environments)},
	}
	for _, scope := range f.Scopes {
		n.Scopes = append(n.Scopes, tenant.Scope(scope))
	}
	return s.Tokens.CreateToken(ctx, n)
}

// listed splits what somebody wrote with commas between.
func listed(text string) []string {
	var out []string
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func (s *site) revokeToken(w http.ResponseWriter, r *http.Request, m view.Member) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	return changed(w, r, m, "tokens", func(ctx context.Context) error { return s.Tokens.RevokeToken(ctx, id) },
		func(wrong pages.Wrong, status int) error {
			p := pages.TokensProps{}
			p.Wrong = whole(wrong)
			return s.showTokens(w, r, m, status, p)
		})
}
