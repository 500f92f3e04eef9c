package pages

import (
	"net/url"

	"github.com/seatrial/seatrial/controlplane/search"
	"github.com/seatrial/seatrial/ui/web/parts"
)

// SearchProps are what the page of the search shows.
type SearchProps struct {
	Frame parts.Frame
	Kind  search.Kind // that was asked for alone; empty for all
	Found search.Found
	Wrong Wrong
}

// HitPath is the address of something that was found.
func HitPath(org string, h search.Hit) string {
	home := "/o/" + org
	switch h.Kind {
	case search.Workflow:
		return home + "/workflows/" + url.PathEscape(h.Ref)
	case search.Release:
		return ReleasePath(org, h.Application, h.Version)
	case search.Execution:
		return home + "/executions/" + h.Ref
	case search.Test:
		return TestPath(org, h.Ref)
	case search.Failure:
		return home + "/failures/" + url.PathEscape(h.Ref)
	}
	return home
}

// searchPath is the address of a question, for things of one kind or of all.
func searchPath(f parts.Frame, text string, kind search.Kind) string {
	q := url.Values{"q": {text}}
	if kind != "" {
		q.Set("kind", string(kind))
	}
	return home(f) + "/search?" + q.Encode()
}
