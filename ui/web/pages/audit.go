package pages

import (
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/words"
)

// AuditProps are what the audit log shows.
type AuditProps struct {
	SettingsProps

	List    audit.Page
	Actor   string
	Action  string
	Object  string
	Outcome string
	Since   string // day, as it was asked for
	Until   string
	Next    string // address of the entries before these; empty at the first
}

// Filtered reports whether the list leaves any out.
func (p AuditProps) Filtered() bool {
	return p.Actor+p.Action+p.Object+p.Outcome+p.Since+p.Until != ""
}

func auditPath(f parts.Frame) string { return "/o/" + f.Org + "/settings/audit" }

func outcomes() []audit.Outcome { return []audit.Outcome{audit.Done, audit.Refused, audit.Failed} }

// outcomeKind is the look of an outcome.
func outcomeKind(o audit.Outcome) string {
	switch o {
	case audit.Done:
		return "passed"
	case audit.Refused:
		return "failed"
	case audit.Failed:
	}
	return "errored"
}

// credential says with what somebody acted.
func credential(a audit.Actor) string {
	switch a.Kind {
	case tenant.KindMember:
		if a.Credential == uuid.Nil {
			return "with a password"
		}
		return "in session " + a.Credential.String()
	case tenant.KindToken:
		if a.Person != "" {
			return "token of " + a.Person + ", " + a.Credential.String()
		}
		return "token " + a.Credential.String()
	case tenant.KindAgent:
		return "agent, with token " + a.Credential.String()
	case tenant.KindOrigin:
		return "by a document that is kept there"
	case tenant.KindSystem:
	}
	return "on the machine of the control plane"
}

func detailsOf(e audit.Entry) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(e.Details)) {
		all = append(all, key+": "+e.Details[key])
	}
	return strings.Join(all, " · ")
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func auditLength(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return words.Number(n) + " entries"
}
