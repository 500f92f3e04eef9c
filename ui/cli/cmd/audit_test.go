package cmd_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/tenant"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// audits is the record of a control plane, in pages of two.
type audits struct {
	apiv1connect.UnimplementedAuditServiceHandler

	entries []audit.Entry
	asked   *apiv1.ListAuditEntriesRequest
}

func newAudits(n int) *audits {
	a := &audits{}
	previous := audit.Start()
	for i := range n {
		e := audit.Entry{
			Organization: uuid.UUID{1}, Number: int64(i + 1), At: time.Date(2026, 3, 1, 12, i, 0, 0, time.UTC),
			Actor:  audit.Actor{Kind: tenant.KindToken, ID: uuid.UUID{2}, Name: "ci\x1b[31m", Person: "ada@acme.example", Credential: uuid.UUID{2}},
			Action: "RunWorkflow", Object: audit.Object{Kind: "execution", ID: "7", Name: "smoke"}, From: "192.0.2.1", Outcome: audit.Done,
			Details: map[string]string{"workflow": "smoke"}, Previous: previous,
		}
		e.Hash = e.Sum(previous)
		previous = e.Hash
		a.entries = append(a.entries, e)
	}
	return a
}

func (a *audits) ListAuditEntries(_ context.Context, r *apiv1.ListAuditEntriesRequest) (*apiv1.ListAuditEntriesResponse, error) {
	a.asked = r
	out := &apiv1.ListAuditEntriesResponse{}
	if n := len(a.entries); n > 0 {
		out.HeadNumber, out.HeadHash = a.entries[n-1].Number, a.entries[n-1].Hash
	}
	first := 0
	_, _ = fmt.Sscan(r.GetPageToken(), &first)
	last := min(first+2, len(a.entries))
	for _, e := range a.entries[first:last] {
		out.Entries = append(out.Entries, &apiv1.AuditEntry{
			OrganizationId: e.Organization.String(), Number: e.Number, At: timestamppb.New(e.At), ActorKind: string(e.Actor.Kind), ActorId: e.Actor.ID.String(),
			ActorName: e.Actor.Name, ActorPerson: e.Actor.Person, CredentialId: e.Actor.Credential.String(), Action: e.Action, ObjectKind: e.Object.Kind,
			ObjectId: e.Object.ID, ObjectName: e.Object.Name, From: e.From, Outcome: string(e.Outcome), Details: e.Details, Previous: e.Previous, Hash: e.Hash,
		})
	}
	if last < len(a.entries) {
		out.NextPageToken = fmt.Sprint(last)
	}
	return out, nil
}

// auditing returns what runs a command line against a record.
func auditing(t *testing.T, record *audits) func(args ...string) said {
	t.Helper()
	s := setup(t)
	s.audits.entries = record.entries
	return func(args ...string) said {
		got := s.run(t, args...)
		record.asked = s.audits.asked
		return got
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	record := newAudits(5)
	bench := auditing(t, record)
	list := bench("audit", "list", "--actor", "ada@acme.example", "--since", "24h", "--until", "2026-03-02")
	if list.code != 0 || !strings.Contains(list.out, "ada@acme.example") || !strings.Contains(list.out, "execution smoke") || strings.Contains(list.out, "\x1b") {
		t.Errorf("list: %+v", list)
	}
	if r := record.asked; r.GetActor() != "ada@acme.example" || !r.GetNewestFirst() || r.GetSince() == nil || r.GetUntil().AsTime().Day() != 2 {
		t.Errorf("asked %v", r)
	}
	head := fmt.Sprintf("5:%x", record.entries[4].Hash)
	if got := bench("audit", "verify"); got.code != 0 || !strings.Contains(got.out, "5 entries") || !strings.Contains(got.out, head) {
		t.Errorf("verify: %+v", got)
	}
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	if got := bench("audit", "export", "--out", file); got.code != 0 {
		t.Fatalf("export: %+v", got)
	}
	if got := bench("audit", "verify", file, "--head", head); got.code != 0 {
		t.Errorf("verify of a file: %+v", got)
	}
	earlier := fmt.Sprintf("3:%s", hex.EncodeToString(record.entries[2].Hash))
	if got := bench("audit", "verify", "--head", earlier); got.code != 0 {
		t.Errorf("verify against an earlier end: %+v", got)
	}
}

// TestAudit_Broken proves that a change shows, with an exit code of its own.
func TestAudit_Broken(t *testing.T) {
	t.Parallel()
	whole := newAudits(5)
	for name, tc := range map[string]struct {
		change func(*audits)
		args   []string
		code   int
		says   string
	}{
		"Changed":   {func(a *audits) { a.entries[2].Actor.Name = "nobody" }, nil, 1, "entry 3 has been changed"},
		"Removed":   {func(a *audits) { a.entries = append(a.entries[:1], a.entries[2:]...) }, nil, 1, "removed"},
		"NotedElse": {nil, []string{"--head", "3:" + strings.Repeat("00", 32)}, 1, "written anew"},
		"NotedMore": {nil, []string{"--head", "9:" + strings.Repeat("00", 32)}, 1, "removed"},
		"NoHead":    {nil, []string{"--head", "3"}, 2, "NUMBER:HASH"},
		"NoFile":    {nil, []string{"/does/not/exist"}, 2, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			record := newAudits(len(whole.entries))
			if tc.change != nil {
				tc.change(record)
			}
			got := auditing(t, record)(append([]string{"audit", "verify"}, tc.args...)...)
			if got.code != tc.code || !strings.Contains(got.err, tc.says) {
				t.Errorf("%+v, want %d and %q", got, tc.code, tc.says)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "x.jsonl")
	if err := os.WriteFile(file, []byte("{}\nx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := auditing(t, whole)("audit", "verify", file); got.code != 1 {
		t.Errorf("a file of something else: %+v", got)
	}
}
