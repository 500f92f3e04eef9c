package agentlink_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/controlplane/agentlink"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

func start(t *testing.T, executionID uuid.UUID, padding int) cluster.Command {
	t.Helper()
	spec, err := proto.MarshalOptions{Deterministic: true}.Marshal(&agentv1.Assignment{
		AttemptId: uuid.NewString(), ExecutionId: executionID.String(), Workflow: strings.Repeat("w", padding),
	})
	if err != nil {
		t.Fatal(err)
	}
	return cluster.Command{ID: uuid.New(), Kind: cluster.Start, Spec: spec, SpecDigest: "digest"}
}

func TestServer_Session_WelcomeTellsTheRules(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{Ping: 3 * time.Second})
	a := b.connect(t)
	if a.welcome.GetEpoch() != 1 || a.welcome.GetPingEvery().AsDuration() != 3*time.Second || a.welcome.GetServerTime() == nil {
		t.Errorf("welcome %v", a.welcome)
	}
	b.store.set(func(s *store) {
		want := []cluster.Hello{{
			AgentVersion: "v1", KubernetesVersion: "v1.37", RunnerDelivery: "init-copy", Namespaces: []string{"tests"}, Gateway: "replica-1",
		}}
		if d := cmp.Diff(want, s.opened); d != "" {
			t.Error(d)
		}
	})
}

func TestServer_Session_WhatAnAgentAllowsIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	endless := hello()
	for range 1000 {
		endless.GetHello().Rules = append(endless.GetHello().Rules, strings.Repeat("x", 500))
	}
	stream, err := b.gateway.Session(as(t.Context(), "good"))
	if err == nil {
		err = stream.Send(endless)
	}
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	b.store.set(func(s *store) {
		if got := s.opened[0].Rules; len(got) != 100 || len(got[0]) != 253 {
			t.Errorf("%d rules are kept, the first of %d bytes", len(got), len(got[0]))
		}
	})
}

func TestServer_Session_StartWaitsForCreditAndCancelDoesNot(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	id := uuid.New()
	b.store.set(func(s *store) { s.effects.Changed = []execution.ID{id} })
	first, second := start(t, id, 1), start(t, id, 1)
	b.store.put(first, second, cluster.Command{ID: uuid.New(), Kind: cluster.Cancel, Attempt: uuid.New(), Reason: "stop"})
	a := b.connect(t)
	if c := a.recv().GetCommand().GetCancel(); c.GetReason() != "stop" {
		t.Fatalf("cancel %v", c)
	}
	a.ping() // nothing else came
	a.credit(1)
	c := a.recv().GetCommand()
	if c.GetId() != first.ID.String() || c.GetStart().GetAssignment().GetExecutionId() != id.String() || c.GetStart().GetSpecDigest() != "digest" {
		t.Fatalf("command %v", c)
	}
	if left := time.Until(c.GetExpiresAt().AsTime()); left <= 0 || left > time.Minute {
		t.Errorf("the command expires in %s", left)
	}
	b.store.put(cluster.Command{ID: uuid.New(), Kind: cluster.Cancel, Attempt: uuid.New(), Reason: "again"})
	b.bus.Publish(t.Context(), cluster.Topic(b.viewer.Organization, b.viewer.Cluster))
	if next := a.recv().GetCommand(); next.GetCancel().GetReason() != "again" { // the credit is spent
		t.Fatalf("command %v", next)
	}
	a.send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_CommandAck{CommandAck: &agentv1.CommandAck{
		CommandId: c.GetId(), Outcome: agentv1.CommandOutcome_COMMAND_OUTCOME_REJECTED, Message: "no such namespace",
	}}})
	if got := <-b.store.acks; got != (ack{first.ID, cluster.Rejected, "no such namespace"}) {
		t.Errorf("answer %+v", got)
	}
	<-b.bus.said // the hint above
	if got := <-b.bus.said; got != execution.Topic(b.viewer.Organization, id) {
		t.Errorf("told %q: who watches the execution must see that it was rejected", got)
	}
}

// TestServer_Session_CreditAsksForWhatItHeldBack holds that the store is asked again when credit was what a start waited for, and not otherwise.
func TestServer_Session_CreditAsksForWhatItHeldBack(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	id := uuid.New()
	b.store.put(start(t, id, 1), start(t, id, 1), start(t, id, 1))
	a := b.connect(t)
	for range 2 {
		a.credit(1) // each leaves something that waits for more
		if a.recv().GetCommand().GetStart() == nil {
			t.Fatal("no start for the credit")
		}
	}
	a.credit(2) // one start is left: this credit is more than was needed
	if a.recv().GetCommand().GetStart() == nil {
		t.Fatal("no start for the credit")
	}
	a.ping()
	var before int
	b.store.set(func(s *store) { before = len(s.limits) })
	a.credit(5)
	a.credit(6)
	a.ping() // frames are handled in their order
	b.store.set(func(s *store) {
		if more := s.limits[before:]; len(more) > 0 {
			t.Errorf("the store was asked with credits of %v, though nothing had waited for credit", more)
		}
	})
}

func TestServer_Session_CommandsAreFound(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		hint   bool
		reason string
	}{
		"Hint":     {true, "a hint makes it quick"},
		"LostHint": {false, "the sweep makes up for a lost hint"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, agentlink.Timing{})
			a := b.connect(t)
			a.ping()
			attempt := uuid.New()
			b.store.put(cluster.Command{ID: uuid.New(), Kind: cluster.Release, Attempt: attempt})
			if tc.hint {
				b.bus.Publish(t.Context(), cluster.Topic(b.viewer.Organization, b.viewer.Cluster))
			} else if err := b.server.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if c := a.recv().GetCommand(); c.GetRelease().GetAttemptId() != attempt.String() {
				t.Errorf("command %v: %s", c, tc.reason)
			}
		})
	}
}

func TestServer_Session_LargeAssignmentIsFetched(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	c := start(t, uuid.New(), 200<<10)
	b.store.put(c)
	b.store.set(func(s *store) { s.spec, s.digest = c.Spec, c.SpecDigest })
	a := b.connect(t)
	a.credit(1)
	got := a.recv().GetCommand().GetStart()
	if a := got.GetAssignment(); a.GetAttemptId() == "" || a.GetWorkflow() != "" || got.GetSpecDigest() != "digest" {
		t.Fatalf("start %.80v, want id and digest alone", got)
	}
	fetched, err := b.gateway.FetchAttempt(as(t.Context(), "good"), &agentv1.FetchAttemptRequest{AttemptId: uuid.NewString()})
	if err != nil || len(fetched.GetAssignment().GetWorkflow()) != 200<<10 || fetched.GetSpecDigest() != "digest" {
		t.Errorf("fetched %.80v, error %v", fetched, err)
	}
}

func TestServer_Session_UnreadableAssignmentIsRejected(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	c := start(t, uuid.New(), 1)
	c.Spec = []byte{0xFF}
	b.store.put(c)
	b.connect(t).credit(1)
	if got := <-b.store.acks; got.id != c.ID || got.outcome != cluster.Rejected {
		t.Errorf("answer %+v: it would be taken again for ever", got)
	}
}

func TestServer_Session_Inventory(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	ids := make([]execution.AttemptID, 2500)
	for i := range ids {
		ids[i] = uuid.New()
	}
	b.store.set(func(s *store) { s.answer = [3][]execution.AttemptID{ids[:1], ids[1:2], ids[2:]} })
	a := b.connect(t)
	for i, item := range []string{ids[0].String(), "strange", ids[2].String()} {
		a.send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Inventory{Inventory: &agentv1.Inventory{
			Attempts: []*agentv1.InventoryItem{{AttemptId: item}}, Last: i == 2,
		}}})
	}
	var cancel, unknown, release []string
	for len(release) < len(ids)-2 {
		r := a.recv().GetInventoryReply()
		if r == nil || len(r.GetRelease()) > 1000 {
			t.Fatalf("reply with %d ids in one frame", len(r.GetRelease()))
		}
		cancel, unknown, release = append(cancel, r.GetCancel()...), append(unknown, r.GetUnknown()...), append(release, r.GetRelease()...)
	}
	if d := cmp.Diff([][]string{{ids[0].String()}, {ids[1].String(), "strange"}}, [][]string{cancel, unknown}); d != "" {
		t.Error(d)
	}
	b.store.set(func(s *store) {
		if d := cmp.Diff([]execution.AttemptID{ids[0], ids[2]}, s.present); d != "" {
			t.Error(d)
		}
	})
}

// What an agent was told is stored, and is not: the records are those of an earlier time, and it reports anew.
func TestServer_Session_Inventory_OfAnEarlierTime(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	open, partial := [3]execution.AttemptID{uuid.New(), uuid.New(), uuid.New()}, [2]execution.AttemptID{uuid.New(), uuid.New()}
	b.store.set(func(s *store) { s.behind = [2][]execution.AttemptID{open[:], partial[:]} })
	a := b.connect(t)
	a.send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Inventory{Inventory: &agentv1.Inventory{Last: true, Attempts: []*agentv1.InventoryItem{
		{AttemptId: open[0].String()},
		{AttemptId: open[1].String(), Ended: true},
		{AttemptId: open[2].String(), Ended: true, Delivered: true},
		{AttemptId: partial[0].String(), Ended: true},
		{AttemptId: partial[1].String(), Ended: true, Delivered: true},
	}}}})
	want := []string{open[1].String(), open[2].String(), partial[1].String()}
	if d := cmp.Diff(want, a.recv().GetInventoryReply().GetWantReport()); d != "" {
		t.Errorf("to be reported anew (-want +got):\n%s", d)
	}
	// What was said in one inventory is not taken for the word of the next.
	a.send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Inventory{Inventory: &agentv1.Inventory{Last: true}}})
	if again := a.recv().GetInventoryReply().GetWantReport(); len(again) > 0 {
		t.Errorf("reported anew without a word: %v", again)
	}
}

func TestServer_Session_Ends(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		timing agentlink.Timing
		cause  func(*testing.T, *bench)
		away   string // in the reason of GoAway; empty for none
		code   codes.Code
	}{
		"NewerHere":      {agentlink.Timing{}, func(t *testing.T, b *bench) { t.Helper(); b.connect(t) }, "superseded", codes.Aborted},
		"NewerElsewhere": {agentlink.Timing{Touch: time.Millisecond}, func(_ *testing.T, b *bench) { b.store.set(func(s *store) { s.old = true }) }, "superseded", codes.Aborted},
		"Revoked":        {agentlink.Timing{Touch: time.Millisecond}, func(_ *testing.T, b *bench) { b.store.set(func(s *store) { s.revoked = true }) }, "revoked", codes.Unauthenticated},
		"Silent":         {agentlink.Timing{Silence: 10 * time.Millisecond}, func(*testing.T, *bench) {}, "", codes.DeadlineExceeded},
		"Stop":           {agentlink.Timing{}, func(t *testing.T, b *bench) { t.Helper(); b.server.Stop(t.Context()) }, "restarts", codes.Unavailable},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, tc.timing)
			a := b.connect(t)
			tc.cause(t, b)
			reasons, err := a.end()
			if status.Code(err) != tc.code {
				t.Errorf("error %v, want %s", err, tc.code)
			}
			if (tc.away == "") != (len(reasons) == 0) || !strings.Contains(strings.Join(reasons, ""), tc.away) {
				t.Errorf("told %q, want %q", reasons, tc.away)
			}
			if epoch := <-b.store.closed; epoch != a.welcome.GetEpoch() {
				t.Errorf("closed epoch %d, want %d", epoch, a.welcome.GetEpoch())
			}
		})
	}
}

// TestServer_Revoked: a right that is taken away ends all streams of the agent on each replica, whether the hint comes or not.
func TestServer_Revoked(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		timing agentlink.Timing
		hint   bool
		reason string
	}{
		"Hint":     {agentlink.Timing{Revoked: time.Hour, Touch: time.Hour}, true, "the replica that took the revocation tells the others"},
		"LostHint": {agentlink.Timing{Revoked: time.Millisecond, Touch: time.Hour}, false, "the store is asked from time to time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, tc.timing)
			a := b.connect(t)
			a.ping()
			logs, err := b.gateway.AppendLogs(as(t.Context(), "good"))
			if err != nil {
				t.Fatal(err)
			}
			file, err := b.gateway.PutFile(as(t.Context(), "good"))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(
				logs.Send(&agentv1.AppendLogsRequest{AttemptId: uuid.NewString(), Chunk: &runnerv1.LogChunk{Stream: "unit"}}),
				file.Send(&agentv1.PutFileRequest{Message: &agentv1.PutFileRequest_Header{Header: &runnerv1.FileHeader{AttemptId: uuid.NewString(), Size: 9}}}),
			); err != nil {
				t.Fatal(err)
			}
			if _, err := logs.Recv(); err != nil { // its stream is open
				t.Fatal(err)
			}
			<-b.intake.opened
			b.store.set(func(s *store) { s.lost = []cluster.ID{uuid.New(), b.viewer.Cluster} })
			if tc.hint {
				b.bus.await(cluster.TopicRevoked)
				b.bus.Publish(t.Context(), cluster.TopicRevoked)
			}
			if reasons, err := a.end(); status.Code(err) != codes.Unauthenticated || !strings.Contains(strings.Join(reasons, ""), "revoked") {
				t.Errorf("session told %q and ended with %v: %s", reasons, err, tc.reason)
			}
			if _, err := logs.Recv(); status.Code(err) != codes.Unauthenticated {
				t.Errorf("logs ended with %v: %s", err, tc.reason)
			}
			if _, err := file.CloseAndRecv(); status.Code(err) != codes.Unauthenticated {
				t.Errorf("file ended with %v: %s", err, tc.reason)
			}
		})
	}
}

func TestServer_Session_AgentGone(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	a := b.connect(t)
	a.cancel()
	if epoch := <-b.store.closed; epoch != 1 {
		t.Errorf("closed epoch %d", epoch)
	}
}

func TestServer_Session_Refused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		first   *agentv1.AgentFrame
		prepare func(*store)
		code    codes.Code
		shown   string
	}{
		"NoHello":  {&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Ping{Ping: &agentv1.Ping{}}}, nil, codes.InvalidArgument, "Hello"},
		"TooNew":   {&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Hello{Hello: &agentv1.Hello{ProtocolMin: 2, ProtocolMax: 3}}}, nil, codes.FailedPrecondition, "chart"},
		"Revoked":  {hello(), func(s *store) { s.revoked = true }, codes.Unauthenticated, "revoked"},
		"Database": {hello(), func(s *store) { s.fail = errors.New("password=hunter2") }, codes.Internal, "log says why"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, agentlink.Timing{})
			if tc.prepare != nil {
				b.store.set(tc.prepare)
			}
			ctx, cancel := context.WithTimeout(as(t.Context(), "good"), time.Minute)
			defer cancel()
			stream, err := b.gateway.Session(ctx)
			if err == nil {
				err = stream.Send(tc.first)
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = stream.Recv()
			if status.Code(err) != tc.code || !strings.Contains(status.Convert(err).Message(), tc.shown) {
				t.Errorf("error %v, want %s with %q", err, tc.code, tc.shown)
			}
		})
	}
}

func TestServer_Session_InventoryWithAnEndlessID(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	a := b.connect(t)
	a.send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Inventory{Inventory: &agentv1.Inventory{
		Attempts: []*agentv1.InventoryItem{{AttemptId: strings.Repeat("x", 65)}}, Last: true,
	}}})
	if _, err := a.stream.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("err = %v: it would be kept and sent back", err)
	}
}
