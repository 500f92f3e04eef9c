package api_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/workflow"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// mutates reports whether a call may change something: it answers once, and nobody says that it has no side effects.
func mutates(t *testing.T, name string) bool {
	t.Helper()
	m, ok := methods()[name]
	if !ok {
		t.Fatalf("there is no method %s", name)
	}
	options, ok := m.Options().(*descriptorpb.MethodOptions)
	if !ok {
		t.Fatalf("options of %s: %T", name, m.Options())
	}
	return !m.IsStreamingServer() && options.GetIdempotencyLevel() != descriptorpb.MethodOptions_NO_SIDE_EFFECTS
}

// TestAPI_EveryChangeIsRecorded makes every call, allowed, refused and failing, and counts entries. The calls come from the descriptors:
// one that is added is either recorded or says that it has no side effects.
func TestAPI_EveryChangeIsRecorded(t *testing.T) {
	t.Parallel()
	recorded := 0
	for name, c := range calls() {
		change := mutates(t, name)
		if change {
			recorded++
		}
		for _, tc := range []struct {
			token string
			fail  error
			want  audit.Outcome
		}{
			{token: "all", want: audit.Done}, {token: "all", fail: errors.New("broken"), want: audit.Failed}, {token: "none", want: audit.Refused},
		} {
			want := 1
			if !change || (tc.token == "none" && c.scope == "") {
				want = 0
			}
			b := setup(t, tc.token, api.Timing{})
			b.world.workflows["checkout"], b.world.templates["base"] = parsed(t), workflow.Record{Name: "base"}
			b.world.fail = tc.fail
			_ = c.do(t.Context(), b) // what it answers is tested elsewhere
			if got := b.world.recorded; len(got) != want {
				t.Errorf("%s as %s: %d entries, want %d: %+v", name, tc.want, len(got), want, got)
			} else if want == 1 && (got[0].Action != name || got[0].Outcome != tc.want || got[0].Organization != b.world.org || got[0].From == "") {
				t.Errorf("%s as %s: entry %+v", name, tc.want, got[0])
			}
		}
	}
	if recorded < 10 {
		t.Errorf("%d calls change something: the descriptors were not read", recorded)
	}
}

func TestAPI_PanicIsRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	b.world.panics = true
	err := calls()["CancelExecution"].do(t.Context(), b)
	if connect.CodeOf(err) != connect.CodeInternal || len(b.world.recorded) != 1 || b.world.recorded[0].Outcome != audit.Failed {
		t.Errorf("error %v, entries %+v", err, b.world.recorded)
	}
}

// TestAPI_SignInIsRecorded proves that a password never gets into the record, and that a try is nobody's when nobody is known.
func TestAPI_SignInIsRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t, "", api.Timing{})
	ask := &apiv1.SignInRequest{Email: "ann@acme.example", Password: "wrong and secret"}
	if _, err := b.identity.SignIn(t.Context(), ask); connect.CodeOf(err) != connect.CodeUnauthenticated || len(b.world.recorded) != 0 {
		t.Errorf("error %v, entries %+v", err, b.world.recorded)
	}
}

func TestAPI_ListAuditEntries(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	if err := calls()["CreateToken"].do(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	res, err := b.audits.ListAuditEntries(t.Context(), &apiv1.ListAuditEntriesRequest{
		Actor: "ann", Action: "CreateToken", Kind: "token", Object: "ci", Outcome: "done", From: "127.0.0.1", Since: timestamppb.New(at),
		Until: timestamppb.New(at.Add(time.Hour)), NewestFirst: true, PageSize: 5, PageToken: "p",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := audit.Filter{
		Actor: "ann", Action: "CreateToken", Kind: "token", Object: "ci", Outcome: audit.Done, From: "127.0.0.1", Since: at, Until: at.Add(time.Hour),
		NewestFirst: true, Size: 5, After: "p",
	}
	if b.world.filter != want {
		t.Errorf("filter %+v, want %+v", b.world.filter, want)
	}
	entry := res.GetEntries()[0]
	if res.GetHeadNumber() != 7 || res.GetNextPageToken() != "next" || entry.GetAction() != "CreateToken" || entry.GetObjectName() != "ci" ||
		entry.GetActorName() != "ann" || entry.GetFrom() != "127.0.0.1" {
		t.Errorf("answer %s", prototext.Format(res))
	}
	if _, err := b.audits.ListAuditEntries(context.WithoutCancel(t.Context()), &apiv1.ListAuditEntriesRequest{Outcome: "so-so"}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("an outcome that there is not: %v", err)
	}
}
