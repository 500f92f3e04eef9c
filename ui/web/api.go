package web

import (
	"net/http"
	"slices"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/ui/web/apidoc"
	"github.com/seatrial/seatrial/ui/web/pages"
)

// apiPage lists the methods of the API. It is the same for everybody.
func (s *site) apiPage(w http.ResponseWriter, r *http.Request) error {
	p := pages.APIProps{Frame: s.frame(r, "API", ""), Services: s.services}
	return render(r.Context(), w, http.StatusOK, pages.API, p)
}

// apiService describes one service.
func (s *site) apiService(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("service")
	at := slices.IndexFunc(s.services, func(x apidoc.Service) bool { return x.Name == name })
	if at < 0 {
		return fault.New(fault.NotFound, "the API has no service %q", name).WithHint("All services are listed at /api.")
	}
	p := pages.APIProps{Frame: s.frame(r, name, ""), Service: &s.services[at]}
	return render(r.Context(), w, http.StatusOK, pages.APIService, p)
}
