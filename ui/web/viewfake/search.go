package viewfake

import (
	"context"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/search"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/ui/web/view"
)

// Search finds what is in memory: by the real service.
func (w *World) Search() view.Search { return search.New(seeker{w}) }

// seeker is the store of that service.
type seeker struct{ *World }

// ListForSearch has nothing to do.
func (seeker) ListForSearch(context.Context, int) (int, error) { return 0, nil }

// Find looks through everything.
func (s seeker) Find(ctx context.Context, kind search.Kind, t search.Terms) ([]search.Hit, error) {
	var out []search.Hit
	all, err := s.all(ctx, kind)
	if err != nil {
		return nil, err
	}
	for _, h := range all {
		has := search.Words(h.Title, h.Description, h.Commit, h.Ref)
		if !slices.ContainsFunc(t.Words, func(word string) bool {
			return !slices.ContainsFunc(has, func(w string) bool { return strings.HasPrefix(w, word) })
		}) {
			out = append(out, h)
		}
	}
	return out[:min(len(out), t.Limit)], s.allowed(ctx)
}

// all lists everything of a kind.
func (s seeker) all(ctx context.Context, kind search.Kind) ([]search.Hit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch kind {
	case search.Workflow:
		var out []search.Hit
		for _, w := range s.Workflows {
			out = append(out, search.Hit{Kind: kind, Title: w.Record.Name, Ref: w.Record.Name, Workflow: w.Record.Name, Description: w.Record.Description, At: w.Record.UpdatedAt})
		}
		return out, nil
	case search.Release:
		return s.releaseHits(ctx)
	case search.Execution:
		var out []search.Hit
		for _, e := range s.executions {
			h := search.Hit{Kind: kind, Title: e.Workflow, Ref: e.ID.String(), Workflow: e.Workflow, Status: e.Status, Commit: e.Commit, At: e.CreatedAt}
			if len(e.Runs) > 0 {
				h.Environment = e.Runs[0].Environment
			}
			out = append(out, h)
		}
		return out, nil
	case search.Test, search.Failure:
		return s.testHits(kind), nil
	}
	return nil, nil
}

func (s seeker) releaseHits(ctx context.Context) ([]search.Hit, error) {
	var out []search.Hit
	for i := range s.released {
		if err := s.released[i].decide(ctx, s.Now()); err != nil {
			return nil, err
		}
		r := s.released[i].release
		out = append(out, search.Hit{
			Kind: search.Release, Title: r.Application + " " + r.Version, Application: r.Application, Version: r.Version, State: r.State, Commit: r.Commit, At: r.CreatedAt,
		})
	}
	return out, nil
}

// testHits lists the tests, or how they fail, each once.
func (s seeker) testHits(kind search.Kind) []search.Hit {
	var out []search.Hit
	for _, e := range s.executions {
		for _, r := range s.Tests[e.ID] {
			h := search.Hit{Kind: kind, Title: r.Title(), Ref: r.Key, Workflow: e.Workflow, At: e.CreatedAt}
			h.Last = testcase.Letters([]byte{testcase.Letter(results.Outcome(r.Outcome), len(r.Earlier) > 0)})
			if len(e.Runs) > 0 {
				h.Environment = e.Runs[0].Environment
			}
			if kind == search.Failure {
				h.Title, h.Ref, h.Last = r.Message, r.Fingerprint, ""
			}
			if h.Ref != "" && !slices.ContainsFunc(out, func(o search.Hit) bool { return o.Ref == h.Ref }) {
				out = append(out, h)
			}
		}
	}
	return out
}
