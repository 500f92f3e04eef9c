package web

import (
	"context"
	"net/http"
	"net/url"

	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
)

const (
	scheduleRows = 100
	firingRows   = 25
	nextTimes    = 10
)

func (s *site) schedules(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	p := pages.SchedulesProps{Frame: s.frame(r, "Schedules", parts.Catalog), Paged: r.URL.Query().Has("after")}
	list, next, err := s.Schedules.List(r.Context(), scheduleRows, r.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	p.List, p.Next = list, following(r.URL, "after", next)
	return render(r.Context(), w, http.StatusOK, pages.Schedules, p)
}

func (s *site) schedule(w http.ResponseWriter, r *http.Request, m view.Member) error {
	q := r.URL.Query()
	record, err := s.Schedules.Get(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	p := pages.ScheduleProps{
		Frame: s.frame(r, record.Name, parts.Catalog), Schedule: record, Missed: q.Has("missed"), Paged: q.Has("after"),
		MayChange: m.Viewer.Allows(tenant.ScopeCatalog) && m.Viewer.Acts(record.TeamID), MayRun: m.Viewer.Allows(tenant.ScopeRun) && m.Viewer.Acts(record.TeamID),
	}
	if p.Coming, err = s.Schedules.Preview(record, nextTimes); err != nil {
		return err
	}
	var next string
	if p.Firings, next, err = s.Schedules.Firings(r.Context(), record, p.Missed, firingRows, q.Get("after")); err != nil {
		return err
	}
	p.Next = following(r.URL, "after", next)
	return render(r.Context(), w, http.StatusOK, pages.Schedule, p)
}

func (s *site) suspendSchedule(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeSchedule(w, r, m, tenant.ScopeCatalog, "suspend schedules", func(ctx context.Context, name string) error {
		_, err := s.Schedules.Suspend(ctx, name, true)
		return err
	})
}

func (s *site) resumeSchedule(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeSchedule(w, r, m, tenant.ScopeCatalog, "resume schedules", func(ctx context.Context, name string) error {
		_, err := s.Schedules.Suspend(ctx, name, false)
		return err
	})
}

func (s *site) runSchedule(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.changeSchedule(w, r, m, tenant.ScopeRun, "start executions", func(ctx context.Context, name string) error {
		_, err := s.Schedules.Run(ctx, name)
		return err
	})
}

// changeSchedule does something to a schedule and shows it again.
func (s *site) changeSchedule(w http.ResponseWriter, r *http.Request, m view.Member, scope tenant.Scope, what string, do func(context.Context, string) error) error {
	if err := may(m, scope, what); err != nil {
		return err
	}
	name := r.PathValue("name")
	if err := do(r.Context(), name); err != nil {
		return err
	}
	http.Redirect(w, r, "/o/"+url.PathEscape(r.PathValue("org"))+"/schedules/"+url.PathEscape(name), http.StatusSeeOther)
	return nil
}
