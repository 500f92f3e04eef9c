package web

import (
	"net/http"
	"time"

	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/view"
)

// keysCookie remembers that single keys do nothing.
const keysCookie = "seatrial_keys"

// keys reports whether single keys do something in this browser.
func keys(r *http.Request) bool {
	c, err := r.Cookie(keysCookie)
	return err != nil || c.Value != "off"
}

// keyboard lists the keys. People who speak to their computers, or whose hands shake, switch them off here.
func (s *site) keyboard(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	return render(r.Context(), w, http.StatusOK, pages.Keyboard, pages.KeyboardProps{Frame: s.frame(r, "Keyboard", "")})
}

// setKeys switches them.
func (s *site) setKeys(w http.ResponseWriter, r *http.Request) error {
	if err := parse(r); err != nil {
		return err
	}
	if r.PostForm.Get("keys") == "off" {
		s.keep(w, r, keysCookie, "off", 365*24*time.Hour)
	} else {
		s.keep(w, r, keysCookie, "", 0)
	}
	goOn(w, r, r.PostForm.Get("next"))
	return nil
}
