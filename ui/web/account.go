package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/view"
)

func (s *site) account(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.showAccount(w, r, m, http.StatusOK, pages.AccountProps{Changed: r.URL.Query().Has("changed")})
}

func (s *site) showAccount(w http.ResponseWriter, r *http.Request, m view.Member, status int, p pages.AccountProps) (err error) {
	wrong := p.Wrong
	p.SettingsProps = s.settingsOf(r, m, "account", "Your account")
	p.Wrong, p.Current = wrong, m.Viewer.Credential
	if p.Member, err = s.Account.Self(r.Context()); err != nil {
		return err
	}
	if p.Sessions, err = s.Account.Sessions(r.Context()); err != nil {
		return err
	}
	return show(w, r, status, pages.Account, p)
}

// accountAgain shows the page with what is wrong in one of its forms.
func (s *site) accountAgain(w http.ResponseWriter, r *http.Request, m view.Member, p pages.AccountProps) func(wrong pages.Wrong, status int) error {
	return func(wrong pages.Wrong, status int) error {
		p.Wrong = wrong
		return s.showAccount(w, r, m, status, p)
	}
}

func (s *site) changePassword(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return changed(w, r, m, "account?changed", func(ctx context.Context) error {
		return s.Account.ChangePassword(ctx, r.PostForm.Get("password"), r.PostForm.Get("new"))
	}, s.accountAgain(w, r, m, pages.AccountProps{}))
}

// proposeFactor answers with the page that shows the secret, and not with a redirection.
func (s *site) proposeFactor(w http.ResponseWriter, r *http.Request, m view.Member) error {
	address, err := s.Account.ProposeFactor(r.Context(), m.Organization)
	if err == nil {
		return s.showAccount(w, r, m, http.StatusOK, pages.AccountProps{Address: address})
	}
	wrong, ok := correctable(err)
	if !ok {
		return err
	}
	return s.accountAgain(w, r, m, pages.AccountProps{})(whole(wrong), statusOf(fault.KindOf(err)))
}

// confirmFactor answers with the page that shows the recovery codes once.
func (s *site) confirmFactor(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := parse(r); err != nil {
		return err
	}
	codes, err := s.Account.ConfirmFactor(r.Context(), strings.TrimSpace(r.PostForm.Get("code")))
	if err == nil {
		return s.showAccount(w, r, m, http.StatusOK, pages.AccountProps{Recovery: codes})
	}
	wrong, ok := correctable(err)
	if !ok {
		return err
	}
	p := pages.AccountProps{}
	if address := r.PostForm.Get("address"); strings.HasPrefix(address, "otpauth://totp/") {
		p.Address = address // the same secret again: what was scanned stays good
	} else {
		wrong = whole(wrong)
	}
	return s.accountAgain(w, r, m, p)(wrong, statusOf(fault.KindOf(err)))
}

func (s *site) dropFactor(w http.ResponseWriter, r *http.Request, m view.Member) error {
	again := s.accountAgain(w, r, m, pages.AccountProps{})
	return changed(w, r, m, "account", func(ctx context.Context) error { return s.Account.DropFactor(ctx, r.PostForm.Get("password")) },
		func(wrong pages.Wrong, status int) error {
			if wrong.Field == "password" {
				wrong.Field = "factor-password"
			}
			return again(wrong, status)
		})
}

func (s *site) endSession(w http.ResponseWriter, r *http.Request, m view.Member) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	return changed(w, r, m, "account", func(ctx context.Context) error { return s.Account.EndSession(ctx, id) },
		s.accountAgain(w, r, m, pages.AccountProps{}))
}
