package catalog

import (
	"context"
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
	if faults := slices.Concat(read.Faults, notify.CheckDocument(read)); len(faults) > 0 {
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
	stored, created, changed, err := c.store.ApplyWebhook(ctx, name, doc.Digest, r.Team, notify.Bring(doc, r.Source))
	if err != nil {
		return Applied{}, fmt.Errorf("apply %s: %w", name, err)
	}
	out := Applied{Record: ofWebhook(stored), Outcome: outcome(created, changed)}
	if stored.Address == "" {
		out.Missing = "It has no address yet, and tells nothing. Set it once: seatrial webhook set " + name + " --url-stdin."
	}
	return out, nil
}

func ofWebhook(w notify.Webhook) workflow.Record {
	return workflow.Record{
		ID: w.ID, Kind: document.WebhookKind, Name: w.Name, Team: w.Team, TeamID: w.TeamID, Revision: w.Revision, Digest: w.Digest, UpdatedAt: w.UpdatedAt,
	}
}
