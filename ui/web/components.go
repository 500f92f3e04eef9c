package web

import (
	"net/http"

	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/view"
)

// components shows what pages are made of, each piece in every state.
func (s *site) components(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	return render(r.Context(), w, http.StatusOK, pages.Components, pages.ComponentsProps{Frame: s.frame(r, "Components", "")})
}
