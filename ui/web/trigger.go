package web

import (
	"net/http"
	"strings"

	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
)

const (
	triggerRows = 100
	eventRows   = 50
)

func (s *site) triggers(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	p := pages.TriggersProps{Frame: s.frame(r, "Triggers", parts.Catalog), Paged: r.URL.Query().Has("after")}
	list, next, err := s.Triggers.List(r.Context(), triggerRows, r.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	p.List, p.Next = list, following(r.URL, "after", next)
	if p.Watched, err = s.Triggers.Watched(r.Context(), list); err != nil {
		return err
	}
	if p.Receivers, err = s.Triggers.Receivers(r.Context()); err != nil {
		return err
	}
	return render(r.Context(), w, http.StatusOK, pages.Triggers, p)
}

func (s *site) happened(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	q := r.URL.Query()
	p := pages.EventsProps{
		Frame: s.frame(r, "Events", parts.Catalog), Trigger: strings.TrimSpace(q.Get("trigger")), Subject: strings.TrimSpace(q.Get("subject")), Paged: q.Has("after"),
	}
	list, next, err := s.Triggers.Events(r.Context(), trigger.Filter{Trigger: p.Trigger, Subject: p.Subject, Size: eventRows, After: q.Get("after")})
	if err != nil {
		return err
	}
	p.List, p.Next = list, following(r.URL, "after", next)
	return render(r.Context(), w, http.StatusOK, pages.Events, p)
}
