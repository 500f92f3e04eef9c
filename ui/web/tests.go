package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/words"
)

func (s *site) tests(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	p := pages.BoardProps{
		Frame: s.frame(r, "Tests that cannot be relied on", parts.Tests), Workflow: strings.TrimSpace(r.URL.Query().Get("workflow")),
	}
	var err error
	if p.List, err = s.Tests.Unreliable(r.Context(), p.Workflow); err != nil {
		return err
	}
	return render(r.Context(), w, http.StatusOK, pages.Board, p)
}

func (s *site) test(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.showTest(w, r, m, http.StatusOK, pages.TestProps{All: r.URL.Query().Has("all")})
}

// showTest writes the page of the test in the address.
func (s *site) showTest(w http.ResponseWriter, r *http.Request, m view.Member, status int, p pages.TestProps) error {
	var err error
	if p.History, err = s.Tests.Test(r.Context(), r.PathValue("key")); err != nil {
		return err
	}
	p.Frame = s.frame(r, p.History.Name+" is "+words.Behaves(p.History.Score.Class), parts.Tests)
	p.MayQuarantine, p.Role = m.Viewer.Allows(tenant.ScopeRelease), string(m.Viewer.Role)
	return render(r.Context(), w, status, pages.Test, p)
}

// quarantine puts a test into quarantine. A form with a fault is shown again as it was filled in.
func (s *site) quarantine(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := parse(r); err != nil {
		return err
	}
	if err := may(m, tenant.ScopeRelease, "put tests into quarantine"); err != nil {
		return err
	}
	said := func(field string) string { return strings.TrimSpace(r.PostForm.Get(field)) }
	form := pages.QuarantineForm{Reason: said("reason"), Owner: said("owner"), Ticket: said("ticket"), Days: said("days")}
	ask := testcase.Ask{Test: r.PathValue("key"), Reason: form.Reason, Owner: form.Owner, Ticket: form.Ticket}
	var err error
	if ask.For, err = days(form.Days); err == nil {
		_, err = s.Tests.Quarantine(r.Context(), ask)
	}
	if err == nil {
		http.Redirect(w, r, pages.TestPath(m.Organization, ask.Test)+"#quarantine", http.StatusSeeOther)
		return nil
	}
	wrong, ok := correctable(err)
	if !ok {
		return err
	}
	if form.Wrong = wrong; wrong.Field == "for" {
		form.Wrong.Field = "days"
	}
	return s.showTest(w, r, m, statusOf(fault.KindOf(err)), pages.TestProps{Form: form})
}

// days reads how many days a quarantine is to last; none is as long as one may.
func days(text string) (time.Duration, error) {
	if text == "" {
		return testcase.MaxQuarantine, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fault.New(fault.Invalid, "%q is no number of days", text).WithField("days").WithHint("Give a whole number, such as 7.")
	}
	// One that is far too long stays too long, instead of passing what a duration can hold.
	return time.Duration(min(n, 1000)) * 24 * time.Hour, nil
}

// endQuarantine has the failures of a test count again. Somebody else may have been quicker: it has ended then, as was asked for.
func (s *site) endQuarantine(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := may(m, tenant.ScopeRelease, "end quarantines"); err != nil {
		return err
	}
	key := r.PathValue("key")
	err := s.Tests.Release(r.Context(), key)
	if err == nil || fault.Is(err, fault.NotFound) {
		http.Redirect(w, r, pages.TestPath(m.Organization, key)+"#quarantine", http.StatusSeeOther)
		return nil
	}
	wrong, ok := correctable(err)
	if !ok {
		return err
	}
	return s.showTest(w, r, m, statusOf(fault.KindOf(err)), pages.TestProps{Wrong: wrong})
}
