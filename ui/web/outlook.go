package web

import (
	"net/http"

	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
)

// outlook shows how releases fare over time.
func (s *site) outlook(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	p := pages.OutlookProps{Frame: s.frame(r, "How releases fare", parts.Releases)}
	var err error
	if p.Outlook, err = s.Outlook.Outlook(r.Context()); err != nil {
		return err
	}
	return render(r.Context(), w, http.StatusOK, pages.Outlook, p)
}
