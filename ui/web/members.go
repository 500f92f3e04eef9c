package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/view"
)

func (s *site) members(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.showMembers(w, r, m, http.StatusOK, pages.MembersProps{})
}

func (s *site) showMembers(w http.ResponseWriter, r *http.Request, m view.Member, status int, p pages.MembersProps) (err error) {
	wrong := p.Wrong
	p.SettingsProps = s.settingsOf(r, m, "members", "Members")
	p.Wrong = wrong
	if p.Asked.Role == "" {
		p.Asked.Role = tenant.RoleMaintainer
	}
	all, err := s.People.Members(r.Context())
	if err != nil {
		return err
	}
	p.Members, p.Next = part(r, p.Path(), all, pageSize, func(m tenant.Member) string { return m.Email })
	if p.Teams, err = s.People.Teams(r.Context()); err != nil {
		return err
	}
	if p.Admin {
		if p.Invitations, err = s.People.Invitations(r.Context()); err != nil {
			return err
		}
	}
	return show(w, r, status, pages.Members, p)
}

// invite answers with the page that shows the link once, and not with a redirection.
func (s *site) invite(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := parse(r); err != nil {
		return err
	}
	n := tenant.NewInvitation{
		Email: strings.TrimSpace(r.PostForm.Get("email")), Role: tenant.Role(r.PostForm.Get("role")), Team: r.PostForm.Get("team"),
	}
	made, secret, err := s.People.Invite(r.Context(), n)
	if err == nil {
		return s.showMembers(w, r, m, http.StatusOK, pages.MembersProps{Invited: made, Link: s.address(r) + "/invitations/" + secret})
	}
	p := pages.MembersProps{Asked: n}
	var ok bool
	if p.Wrong, ok = correctable(err); !ok {
		return err
	}
	return s.showMembers(w, r, m, statusOf(fault.KindOf(err)), p)
}

func (s *site) setRole(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeMember(w, r, m, func(ctx context.Context, email string) error {
		return s.People.SetRole(ctx, email, tenant.Role(r.PostForm.Get("role")))
	})
}

func (s *site) joinTeam(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeMember(w, r, m, func(ctx context.Context, email string) error {
		return s.People.JoinTeam(ctx, email, r.PostForm.Get("team"))
	})
}

func (s *site) leaveTeam(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeMember(w, r, m, func(ctx context.Context, email string) error {
		return s.People.LeaveTeam(ctx, email, r.PostForm.Get("team"))
	})
}

func (s *site) removeMember(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeMember(w, r, m, func(ctx context.Context, email string) error {
		_, err := s.People.Remove(ctx, email, r.PostForm.Get("tokens") != "")
		return err
	})
}

func (s *site) withdraw(w http.ResponseWriter, r *http.Request, m view.Member) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	return s.changeMember(w, r, m, func(ctx context.Context, _ string) error { return s.People.Withdraw(ctx, id) })
}

func (s *site) changeMember(w http.ResponseWriter, r *http.Request, m view.Member, do func(ctx context.Context, email string) error) error {
	return changed(w, r, m, "members", func(ctx context.Context) error { return do(ctx, r.PathValue("email")) },
		func(wrong pages.Wrong, status int) error {
			p := pages.MembersProps{}
			p.Wrong = whole(wrong)
			return s.showMembers(w, r, m, status, p)
		})
}

// invitation is where somebody who was invited comes to. The link is the credential.
func (s *site) invitation(w http.ResponseWriter, r *http.Request) error {
	return s.showInvitation(w, r, http.StatusOK, pages.InvitationProps{})
}

func (s *site) showInvitation(w http.ResponseWriter, r *http.Request, status int, p pages.InvitationProps) (err error) {
	if p.Invitation, err = s.Door.Invitation(r.Context(), r.PathValue("secret")); err != nil {
		return err
	}
	p.Frame, p.Action = s.frame(r, "Join "+p.Invitation.OrganizationName, ""), r.URL.EscapedPath()
	p.Frame.Path = "/" // the theme's button must not carry the secret
	return render(r.Context(), w, status, pages.Invitation, p)
}

func (s *site) accept(w http.ResponseWriter, r *http.Request) error {
	if err := parse(r); err != nil {
		return err
	}
	name := strings.TrimSpace(r.PostForm.Get("name"))
	t, err := s.Door.Accept(r.Context(), r.PathValue("secret"), name, tenant.Entry{
		Password: r.PostForm.Get("password"), Remote: remoteOf(r), Browser: r.UserAgent(),
	})
	if err == nil {
		s.keep(w, r, view.SessionCookie, t.Cookie, t.ExpiresAt.Sub(s.Now()))
		goOn(w, r, "/")
		return nil
	}
	wrong, ok := correctable(err)
	if !ok {
		return err
	}
	return s.showInvitation(w, r, statusOf(fault.KindOf(err)), pages.InvitationProps{Name: name, Wrong: wrong})
}
