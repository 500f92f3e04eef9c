package viewfake

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/seatrial/seatrial/ui/web/view"
)

// API answers with what it was asked, and by whom.
type API struct{}

// ServeHTTP implements http.Handler.
func (API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked any
	raw, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(raw, &asked)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ticket := ""
	if c, err := r.Cookie(view.SessionCookie); err == nil {
		ticket = c.Value
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Set-Cookie", "of=the API")
	_ = json.NewEncoder(w).Encode(map[string]any{"method": r.URL.Path, "asked": asked, "as": ticket})
}
