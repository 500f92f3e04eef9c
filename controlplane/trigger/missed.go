package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/forge"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const (
	// foundType is the type of a push that no forge has told of.
	foundType = "push, found by reading"
	// A forge tells of the same push within this time before it was seen, or this time after it was found.
	toldBefore = time.Hour
	toldAfter  = 3 * 24 * time.Hour
)

// Missed makes events of changes of a repository, but for those that a forge has told of. It implements mirror.Pushes.
func (s *Service) Missed(ctx context.Context, r origin.Repository, changes []origin.Change) (wanted bool, err error) {
	names, err := s.named(ctx, r)
	if err != nil || len(names) == 0 || len(changes) == 0 {
		return len(names) > 0, err
	}
	inside := tenant.WithViewer(ctx, tenant.Viewer{Kind: tenant.KindMember, Organization: r.Organization, Team: r.TeamID, Name: "repository " + r.Name})
	var list []Event
	for _, name := range names {
		for _, c := range changes {
			e, err := found(r, name, c)
			if err != nil {
				return true, err
			}
			told, err := s.told(inside, e, "", c.At.Add(-toldBefore))
			if err != nil {
				return true, err
			}
			if !told {
				list = append(list, e)
			}
		}
	}
	added, err := s.store.AddEvents(inside, list)
	if err != nil {
		return true, fmt.Errorf("store events: %w", err)
	}
	if added > 0 {
		s.bus.Publish(ctx, Topic)
		s.log.InfoContext(ctx, "pushes found that nobody told of", "repository", r.Name, "organization", r.Organization, "pushes", added)
	}
	return true, nil
}

// named returns by which names the triggers of the organization know a repository, in lower case.
func (s *Service) named(ctx context.Context, r origin.Repository) (out []string, err error) {
	triggers, err := s.store.TriggersOfKind(tenant.System(ctx), r.Organization, Git)
	if err != nil {
		return nil, fmt.Errorf("find triggers: %w", err)
	}
	whole := r
	whole.Branch = "" // triggers may be for other branches than the documents are on
	for _, t := range triggers {
		name := strings.ToLower(t.Spec.Git.Repository)
		if !t.Spec.Suspend && whole.Concerns(name, "") && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}

// found is the event of a change.
func found(r origin.Repository, name string, c origin.Change) (Event, error) {
	p := forge.Push{Event: forge.PushEvent, Repository: name, Ref: c.Ref, Commit: c.Commit, Before: c.Before}
	if tag, ok := strings.CutPrefix(c.Ref, "refs/tags/"); ok {
		p.Event, p.Tag = forge.TagEvent, tag
	} else {
		p.Branch = strings.TrimPrefix(c.Ref, "refs/heads/")
	}
	data, err := json.Marshal(p)
	if err != nil {
		return Event{}, fmt.Errorf("encode push: %w", err)
	}
	return Event{
		Organization: r.Organization, Kind: Git, Source: "repository " + r.Name, Type: foundType, Subject: name, Data: data,
		Key: strings.Join([]string{"found", name, c.Ref, c.Before, c.Commit, c.At.UTC().Format(time.RFC3339)}, " "),
	}, nil
}

// told reports whether there is an event of the same push since a time; with a type only of that.
func (s *Service) told(ctx context.Context, e Event, kind string, since time.Time) (bool, error) {
	var want forge.Push
	if err := json.Unmarshal(e.Data, &want); err != nil {
		return false, fmt.Errorf("read push: %w", err)
	}
	known, err := s.store.PushesSince(ctx, e.Subject, kind, since)
	if err != nil {
		return false, fmt.Errorf("find pushes: %w", err)
	}
	return slices.ContainsFunc(known, func(other Event) bool {
		var p forge.Push
		return json.Unmarshal(other.Data, &p) == nil && p.Event == want.Event && p.Ref == want.Ref && p.Commit == want.Commit
	}), nil
}

// unfound leaves out the pushes that were found by reading before their forge told of them.
func (s *Service) unfound(ctx context.Context, list []Event) ([]Event, error) {
	out := make([]Event, 0, len(list))
	for _, e := range list {
		if e.Kind == Git {
			told, err := s.told(ctx, e, foundType, s.now().Add(-toldAfter))
			if err != nil {
				return nil, err
			}
			if told {
				continue
			}
		}
		out = append(out, e)
	}
	return out, nil
}
