package api

import (
	"context"
	"fmt"
	"net/url"

	"github.com/seatrial/seatrial/controlplane/search"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// Search implements InsightServiceHandler.
func (s *server) Search(ctx context.Context, r *apiv1.SearchRequest) (*apiv1.SearchResponse, error) {
	q := search.Question{Text: r.GetText(), Each: int(r.GetLimit())}
	for _, k := range r.GetKinds() {
		q.Kinds = append(q.Kinds, search.Kind(k))
	}
	found, err := s.Searcher.Search(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	organization := s.organization(ctx)
	out := &apiv1.SearchResponse{Url: s.page(organization, "search?"+url.Values{"q": {found.Text}}.Encode())}
	for _, g := range found.Groups {
		group := &apiv1.SearchGroup{Kind: string(g.Kind), More: g.More}
		for _, h := range g.Hits {
			group.Hits = append(group.Hits, s.hitOf(organization, h))
		}
		out.Groups = append(out.Groups, group)
	}
	return out, nil
}

func (s *server) hitOf(organization string, h search.Hit) *apiv1.SearchHit {
	out := &apiv1.SearchHit{
		Title: h.Title, Ref: h.Ref, Workflow: h.Workflow, Description: h.Description, Application: h.Application, Version: h.Version, State: stateOf(h.State),
		Status: statusOf(h.Status), Environment: h.Environment, Commit: h.Commit, At: timeOf(h.At),
	}
	if len(h.Last) > 0 {
		out.Outcome = string(h.Last.Mark(0).Outcome)
	}
	switch h.Kind {
	case search.Workflow:
		out.Url = s.page(organization, "workflows", url.PathEscape(h.Ref))
	case search.Release:
		out.Url = s.page(organization, "releases", url.PathEscape(h.Application), url.PathEscape(h.Version))
	case search.Execution:
		out.Url = s.page(organization, "executions", h.Ref)
	case search.Test:
		out.Url = s.page(organization, "tests", url.PathEscape(h.Ref))
	case search.Failure:
		out.Url = s.page(organization, "failures", url.PathEscape(h.Ref))
	}
	return out
}
