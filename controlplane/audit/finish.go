package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Appender adds entries to the record.
type Appender interface {
	AppendAudit(ctx context.Context, e Entry) error
}

// Finish ends an action that returned err, and returns what its caller is told. An entry that was stored with the change stays as it is.
// Any other action gets its entry here. When that cannot be written, an action that is said to have been done has failed; one that was
// refused stays refused, and the log says what is missing.
func Finish(ctx context.Context, n *Note, to Appender, log *slog.Logger, err error) error {
	if n == nil || n.Kept() {
		return err
	}
	e := n.Entry(err)
	if e.Organization == uuid.Nil { // nobody knows whose record it belongs to
		log.WarnContext(ctx, "refused without a credential that holds", "action", e.Action, "from", e.From)
		return err
	}
	var f *fault.Error
	if errors.As(err, &f) && f.Kind != fault.Internal {
		if e.Details == nil {
			e.Details = map[string]string{}
		}
		e.Details["reason"] = Short(f.Message)
	}
	// The caller may be gone; the entry is made all the same.
	failed := to.AppendAudit(tenant.System(context.WithoutCancel(ctx)), e)
	if failed == nil {
		n.Keep()
		return err
	}
	log.ErrorContext(ctx, "audit entry not written", "action", e.Action, "actor", e.Actor.Name, "outcome", string(e.Outcome), "error", failed)
	if err == nil {
		return fmt.Errorf("write the audit entry: %w", failed)
	}
	return err
}

// maxText is how many bytes of a text an entry keeps.
const maxText = 500

// Short cuts a text to what an entry keeps.
func Short(s string) string {
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for cut > 0 && s[cut]&0xC0 == 0x80 { // not within a letter
		cut--
	}
	return s[:cut] + "…"
}
