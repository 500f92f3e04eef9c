package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// Webhooks keeps webhooks for the viewer of the context.
type Webhooks interface {
	// Webhook returns a webhook, or fault.NotFound.
	Webhook(ctx context.Context, name string) (notify.Webhook, error)
	// ApplyWebhook creates the webhook, or changes it when the digest differs; team is the owner of a new one.
	ApplyWebhook(ctx context.Context, name, digest, team string, change notify.Amend) (rec notify.Webhook, created, changed bool, err error)
}

// applyWebhook checks a webhook with its template and, unless it is a dry run, stores it.
func (c *Catalog) applyWebhook(ctx context.Context, r Request, read parse.Result) (Applied, error) {
	if faults := slices.Concat(read.Faults, c.hookFaults(read, r.Source)); len(faults) > 0 {
		return Applied{}, parse.Error(r.File, fault.Invalid, faults) //nolint:wrapcheck // a fault that speaks for itself
	}
	doc, ok := read.Value.(*document.WebhookDocument)
	if !ok {
		return Applied{}, fault.New(fault.Internal, "a document of kind %s is none", read.Kind)
	}
	name := doc.Metadata.Name
	if r.DryRun {
		next := notify.Said(doc, r.Source)
		known, err := c.store.Webhook(ctx, name)
		switch {
		case fault.Is(err, fault.NotFound):
			return Applied{Record: ofWebhook(next), Outcome: Created}, nil
		case err != nil:
			return Applied{}, fmt.Errorf("read %s: %w", name, err)
		case known.Digest == next.Digest:
			return Applied{Record: ofWebhook(known)}, nil
		case known.Digest != "":
			next.Revision = known.Revision + 1
		}
		next.ID, next.Team = known.ID, known.Team
		return Applied{Record: ofWebhook(next), Outcome: Changed}, nil
	}
	var made, token bool
	bring := notify.Bring(doc, r.Source)
	stored, created, changed, err := c.store.ApplyWebhook(ctx, name, doc.Digest, r.Team, func(w *notify.Webhook, kept *notify.Secrets) error {
		before := slices.Clone(kept.Tokens)
		if err := bring(w, kept); err != nil {
			return err
		}
		made, token = w.Format == notify.Standard && !slices.Equal(before, kept.Tokens), len(kept.Tokens) > 0
		return nil
	})
	if err != nil {
		return Applied{}, fmt.Errorf("apply %s: %w", name, err)
	}
	out := Applied{Record: ofWebhook(stored), Outcome: outcome(created, changed)}
	switch {
	case stored.Address == "":
		out.Missing = "It has no address yet, and tells nothing. Set it once: seatrial webhook set " + name + " --url-stdin."
	case changed && !token && stored.Format.NeedsToken():
		out.Missing = "Its receiver takes nothing without a token. Set it once: seatrial webhook set " + name + " --token-stdin."
	case made:
		out.Missing = "It signs with a new secret, which nobody has seen. Have another one made and shown: seatrial webhook rotate-secret " + name + "."
	}
	return out, nil
}

// hookFaults says what is wrong with a webhook beside what its schema says: the same as when it is set by hand.
func (c *Catalog) hookFaults(read parse.Result, source string) []fault.Place {
	doc, ok := read.Value.(*document.WebhookDocument)
	if !ok || len(read.Faults) > 0 {
		return nil
	}
	if faults := notify.CheckDocument(read); len(faults) > 0 || c.CheckWebhook == nil {
		return faults
	}
	err := c.CheckWebhook(notify.Said(doc, source), doc.Spec.URL)
	if err == nil {
		return nil
	}
	at := read.At("spec")
	if f := new(fault.Error); errors.As(err, &f) && f.Field != "" {
		at = read.At("spec." + f.Field)
	}
	at.Message = fault.Sentence(err)
	return []fault.Place{at}
}

func ofWebhook(w notify.Webhook) workflow.Record {
	return workflow.Record{
		ID: w.ID, Kind: document.WebhookKind, Name: w.Name, Team: w.Team, TeamID: w.TeamID, Revision: w.Revision, Digest: w.Digest, UpdatedAt: w.UpdatedAt,
	}
}
