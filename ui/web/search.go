package web

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/search"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/words"
)

const (
	quickHits = 5  // of each kind in the list below the field
	pageHits  = 10 // on the page
	allHits   = 50 // on the page of one kind
)

// search shows what a question finds; asked for JSON, it answers with what the list below the field of every page shows.
func (s *site) search(w http.ResponseWriter, r *http.Request, m view.Member) error {
	q := r.URL.Query()
	w.Header().Add("Vary", "Accept")
	quick := r.Header.Get("Accept") == "application/json"
	ask := search.Question{Text: strings.TrimSpace(q.Get("q")), Each: pageHits}
	p := pages.SearchProps{Kind: search.Kind(q.Get("kind"))}
	if p.Kind != "" {
		ask.Kinds, ask.Each = []search.Kind{p.Kind}, allHits
	}
	if quick {
		ask.Each = quickHits
	}
	title, status := "Search", http.StatusOK
	var err error
	if p.Found, err = s.Search.Search(r.Context(), ask); err != nil {
		wrong, ok := correctable(err)
		if !ok {
			return err
		}
		p.Found.Text, p.Wrong, status = ask.Text, wrong, statusOf(fault.KindOf(err))
	}
	if quick {
		return sendHits(w, status, m.Organization, p.Found)
	}
	if p.Found.Text != "" {
		title = "Search for " + p.Found.Text
	}
	p.Frame = s.frame(r, title, "")
	return render(r.Context(), w, status, pages.Search, p)
}

// hit is a line of the list below the field.
type hit struct {
	Title string `json:"title"`
	Note  string `json:"note,omitempty"`
	Kind  string `json:"kind,omitempty"` // class of its state
	State string `json:"state,omitempty"`
	Path  string `json:"path"`
}

// hits are those of one kind.
type hits struct {
	Kind string `json:"kind"`
	Hits []hit  `json:"hits"`
}

func sendHits(w http.ResponseWriter, status int, org string, found search.Found) error {
	out := []hits{}
	for _, g := range found.Groups {
		group := hits{Kind: words.Found(g.Kind)}
		for _, h := range g.Hits {
			one := hit{Title: h.Title, Note: words.HitNote(h), Path: pages.HitPath(org, h)}
			one.Kind, one.State = words.HitState(h)
			group.Hits = append(group.Hits, one)
		}
		out = append(out, group)
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err //nolint:wrapcheck // texts can be encoded
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
	return nil
}
