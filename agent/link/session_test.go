package link_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/link"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const attempt = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"

func assignment() *agentv1.Assignment {
	return &agentv1.Assignment{AttemptId: attempt, Containers: []*agentv1.Container{{Name: "main"}}}
}

func away(reason string, after, before time.Duration) *agentv1.ServerFrame {
	return &agentv1.ServerFrame{Frame: &agentv1.ServerFrame_GoAway{GoAway: &agentv1.GoAway{
		Reason: reason, ReconnectAfterMin: durationpb.New(after), ReconnectAfterMax: durationpb.New(before),
	}}}
}

func TestLink_SaysWhoItIsAndWhatThereIs(t *testing.T) {
	t.Parallel()
	b, begin := prepare(t)
	for i := range 1200 {
		b.items = append(b.items, &agentv1.InventoryItem{AttemptId: fmt.Sprint(i)})
	}
	begin()
	s := b.plane.NextSession(t)
	h := s.Hello
	if h.GetAgentVersion() != "v1" || h.GetKubernetesVersion() != "v1.34.4" || h.GetRunnerDelivery() != "init-copy" ||
		!slices.Equal(h.GetNamespaces(), []string{"tests"}) || h.GetProtocolMin() != 1 {
		t.Errorf("hello %v", h)
	}
	var got []string
	for last := false; !last; {
		page := s.Next(t, func(f *agentv1.AgentFrame) bool { return f.GetInventory() != nil }).GetInventory()
		if len(page.GetAttempts()) > 500 {
			t.Errorf("%d attempts in a frame", len(page.GetAttempts()))
		}
		for _, item := range page.GetAttempts() {
			got = append(got, item.GetAttemptId())
		}
		last = page.GetLast()
	}
	if len(got) != 1200 || got[1199] != "1199" {
		t.Errorf("%d attempts listed", len(got))
	}
	if err := b.reach(t, link.StateConnected); err != nil {
		t.Errorf("connected with %v", err)
	}
}

func TestLink_AnswersStarts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason  string
		err     error
		want    agentv1.CommandOutcome
		message string
	}{
		"created":   {"the Job exists", nil, agentv1.CommandOutcome_COMMAND_OUTCOME_DONE, ""},
		"duplicate": {"the Job existed before", work.ErrDuplicate, agentv1.CommandOutcome_COMMAND_OUTCOME_EXISTS, ""},
		"rejected":  {"it never can exist", &work.RejectedError{Message: "do this"}, agentv1.CommandOutcome_COMMAND_OUTCOME_REJECTED, "do this"},
		"stale":     {"its time is over", work.ErrStale, agentv1.CommandOutcome_COMMAND_OUTCOME_EXPIRED, ""},
		"busy":      {"it shall come again", errors.New("etcd"), agentv1.CommandOutcome_COMMAND_OUTCOME_DEFERRED, "etcd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, s := setup(t)
			for range 2 { // an answer may be lost: a duplicate is answered again
				s.Start("c1", assignment(), time.Minute)
				call := next(t, "a start", b.starts)
				if call.work.GetAttemptId() != attempt || call.work.Digest != "digest-"+attempt {
					t.Errorf("started %v", call.work)
				}
				call.answer <- c.err
				if ack := s.Ack(t, "c1"); ack.GetOutcome() != c.want || ack.GetMessage() != c.message {
					t.Errorf("%s: answered %v", c.reason, ack)
				}
			}
		})
	}
}

func TestLink_TellsHowManyStartsItTakes(t *testing.T) {
	t.Parallel()
	b, s := setup(t)
	credit := func(want int32) {
		t.Helper()
		s.Next(t, func(f *agentv1.AgentFrame) bool { return f.GetCredit() != nil && f.GetCredit().GetStarts() == want })
	}
	credit(3)
	var calls []start
	for i := range 3 {
		s.Start(fmt.Sprint(i), assignment(), time.Minute)
		calls = append(calls, next(t, "a start", b.starts))
	}
	s.Cancel("c", attempt, "x")
	credit(0)
	calls[0].answer <- nil
	credit(1)
	calls[1].answer <- nil
	calls[2].answer <- nil
	credit(3)
}

func TestLink_CountsTheTimeOfTheControlPlane(t *testing.T) {
	t.Parallel()
	b, begin := prepare(t)
	b.plane.Welcome.ServerTime = timestamppb.New(time.Now().Add(time.Hour)) // this machine's clock is an hour late
	begin()
	s := b.plane.NextSession(t)
	s.Start("c1", assignment(), time.Hour+30*time.Second)
	call := next(t, "a start", b.starts)
	if deadline, ok := call.ctx.Deadline(); !ok || time.Until(deadline) > time.Minute || time.Until(deadline) < 10*time.Second {
		t.Errorf("the start expires in %s", time.Until(deadline))
	}
	call.answer <- nil
	s.Start("c2", assignment(), time.Hour-time.Second)
	next(t, "the late start", b.starts)
	if got := s.Ack(t, "c2").GetOutcome(); got != agentv1.CommandOutcome_COMMAND_OUTCOME_DEFERRED {
		t.Errorf("answered %s: its context has ended", got)
	}
}

func TestLink_FetchesWhatIsTooLargeForAFrame(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason string
		digest string // of what is stored; empty for nothing
		want   agentv1.CommandOutcome
	}{
		"stored":  {"the command names it", "digest-" + attempt, agentv1.CommandOutcome_COMMAND_OUTCOME_DONE},
		"another": {"it would run something else", "other", agentv1.CommandOutcome_COMMAND_OUTCOME_REJECTED},
		"none":    {"it was deleted meanwhile", "", agentv1.CommandOutcome_COMMAND_OUTCOME_REJECTED},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, s := setup(t)
			if c.digest != "" {
				b.plane.Store(assignment(), c.digest)
			}
			s.Start("c1", &agentv1.Assignment{AttemptId: attempt}, time.Minute)
			if c.want == agentv1.CommandOutcome_COMMAND_OUTCOME_DONE {
				call := next(t, "a start", b.starts)
				if len(call.work.GetContainers()) != 1 {
					t.Errorf("started %v", call.work)
				}
				call.answer <- nil
			}
			if got := s.Ack(t, "c1"); got.GetOutcome() != c.want {
				t.Errorf("%s: answered %v", c.reason, got)
			}
		})
	}
}

func TestLink_PassesOnCancelAndRelease(t *testing.T) {
	t.Parallel()
	b, s := setup(t)
	s.Cancel("c1", "a", "enough")
	s.Release("c2", "b")
	s.Resume("c4", &agentv1.Resume{AttemptId: "a", StepIndex: 3, Reason: "api-smoke failed.", Status: runnerv1.StepStatus_STEP_STATUS_FAILED})
	s.Send(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_Command{Command: &agentv1.Command{Id: "c3"}}}) // of a newer protocol
	done, rejected := agentv1.CommandOutcome_COMMAND_OUTCOME_DONE, agentv1.CommandOutcome_COMMAND_OUTCOME_REJECTED
	for id, want := range map[string]agentv1.CommandOutcome{"c1": done} {
		if got := s.Ack(t, id); got.GetOutcome() != want {
			t.Errorf("%s: %v", id, got)
		}
	}
	if got := s.Ack(t, "c2"); got.GetOutcome() != done {
		t.Errorf("release: %v", got)
	}
	if got := s.Ack(t, "c4"); got.GetOutcome() != done {
		t.Errorf("resume: %v", got)
	}
	if got := next(t, "a word to go on", b.resumed); got != "a/3: api-smoke failed. STEP_STATUS_FAILED" {
		t.Errorf("resumed %q", got)
	}
	if got := s.Ack(t, "c3"); got.GetOutcome() != rejected || !strings.Contains(got.GetMessage(), "upgrade") {
		t.Errorf("unknown command: %v", got)
	}
	s.Send(&agentv1.ServerFrame{})
	s.Send(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_InventoryReply{InventoryReply: &agentv1.InventoryReply{
		Cancel: []string{"c"}, Release: []string{"d"}, Unknown: []string{"e"}, WantReport: []string{"f"},
	}}})
	for _, want := range []string{"a: enough", "c: cancelled while the agent was away"} {
		if got := next(t, "a cancellation", b.cancelled); got != want {
			t.Errorf("cancelled %q, want %q", got, want)
		}
	}
	for _, want := range []string{"b", "d"} {
		if got := next(t, "a release", b.released); got != want {
			t.Errorf("released %q, want %q", got, want)
		}
	}
	if got := next(t, "a report anew", b.again); got != "f" {
		t.Errorf("reported %q anew", got)
	}
}

// TestLink_ComparesAfterACancellation: the start of what is cancelled may have been lost on a connection that was half open. Nothing but an
// inventory tells that it never ran, and the next one that is due anyway may be minutes away.
func TestLink_ComparesAfterACancellation(t *testing.T) {
	t.Parallel()
	_, s := setup(t)
	inventory := func(f *agentv1.AgentFrame) bool { return f.GetInventory().GetLast() }
	s.Next(t, inventory) // the session's first
	s.Cancel("c1", "a", "enough")
	s.Ack(t, "c1")
	s.Next(t, inventory)
	s.Cancel("c2", "b", "enough")
	s.Next(t, inventory)
}

func TestLink_LooksAtItself(t *testing.T) {
	t.Parallel()
	b, s := setup(t)
	if !slices.Contains(s.Hello.GetCapabilities(), "examine") {
		t.Errorf("it does not say that it can: %v", s.Hello.GetCapabilities())
	}
	s.Send(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_Examine{Examine: &agentv1.Examine{Id: "e1"}}})
	f := s.Next(t, func(f *agentv1.AgentFrame) bool { return f.GetExamination() != nil })
	if e := f.GetExamination(); e.GetId() != "e1" || len(e.GetChecks()) != 1 || e.GetChecks()[0].GetName() != "clock" {
		t.Errorf("answered %v", e)
	}
	if ahead, known := b.Offset(); !known || ahead.Abs() > patience {
		t.Errorf("the other clock is %s ahead, known: %t", ahead, known)
	}
}

// TestLink_ComparesAfterACancellation_OnTheNextSession: the session of the cancellation may not live as long as that inventory takes.
func TestLink_ComparesAfterACancellation_OnTheNextSession(t *testing.T) {
	t.Parallel()
	b, first := setup(t)
	inventory := func(f *agentv1.AgentFrame) bool { return f.GetInventory().GetLast() }
	first.Next(t, inventory)
	first.Cancel("c1", "a", "enough")
	first.Ack(t, "c1")
	first.Drop()
	second := b.plane.NextSession(t)
	second.Next(t, inventory) // each session begins with one
	second.Next(t, inventory)
}

func TestLink_ComesBack(t *testing.T) {
	t.Parallel()
	b, first := setup(t)
	first.Start("c1", assignment(), time.Minute)
	call := next(t, "a start", b.starts)
	first.Drop()
	if err := b.reach(t, link.StateDisconnected); err != nil {
		t.Errorf("before the first session: %v", err)
	}
	if err := b.reach(t, link.StateDisconnected); err == nil {
		t.Error("nothing says why the connection was lost")
	}
	second := b.plane.NextSession(t)
	second.Next(t, func(f *agentv1.AgentFrame) bool { return f.GetInventory().GetLast() })
	call.answer <- nil
	if got := second.Ack(t, "c1"); got.GetOutcome() != agentv1.CommandOutcome_COMMAND_OUTCOME_DONE {
		t.Errorf("answered %v: the answer goes to the session of the day", got)
	}
	if err := b.Report(limited(t), &agentv1.AttemptReport{AttemptId: attempt}); err != nil {
		t.Error(err)
	}
}

func TestLink_ComesBackFromAKilledControlPlane(t *testing.T) {
	t.Parallel()
	b, first := setup(t)
	b.plane.Down()
	<-first.Ended
	reported := make(chan error, 1)
	go func() { reported <- b.Report(limited(t), &agentv1.AttemptReport{AttemptId: attempt}) }()
	b.plane.Up(t)
	b.plane.NextSession(t)
	if err := next(t, "the report", reported); err != nil && !errors.Is(err, work.ErrUplinkLost) {
		t.Errorf("a report that came in between ended with %v", err)
	}
}

func TestLink_GoAway_MakesBeforeItBreaks(t *testing.T) {
	t.Parallel()
	b, first := setup(t)
	b.plane.Fail("Session", status.Error(codes.Unavailable, "full"))
	tries := b.plane.Calls("Session")
	first.Send(away("the control plane restarts", 0, 0))
	for b.plane.Calls("Session") == tries {
		next(t, "a state", b.states)
	}
	first.Cancel("c1", attempt, "while the other end is not ready")
	first.Ack(t, "c1")
	if err := b.Report(limited(t), &agentv1.AttemptReport{AttemptId: attempt}); err != nil {
		t.Errorf("report while the session moves: %v", err)
	}
	b.plane.Fail("Session", nil)
	second := b.plane.NextSession(t)
	<-first.Ended
	second.Cancel("c2", attempt, "on the new session")
	second.Ack(t, "c2")
}

func TestLink_GoAway_TheLoserOfTwoAgentsStaysAway(t *testing.T) {
	t.Parallel()
	const wait = 1500 * time.Millisecond // longer than the first window of the backoff
	for i := range 4 {                   // the end comes together with the wish: either may be seen first
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			b, first := setup(t)
			begun := time.Now()
			first.Send(away("superseded", wait, wait+time.Millisecond))
			first.Cancel("c1", attempt, "flushes")
			first.Ack(t, "c1")
			first.Drop()
			b.plane.NextSession(t)
			if took := time.Since(begun); took < wait {
				t.Errorf("came back after %s and would win the session back", took)
			}
		})
	}
}

func TestLink_NoticesSilence(t *testing.T) {
	t.Parallel()
	b, begin := prepare(t)
	b.plane.Welcome.PingEvery = durationpb.New(30 * time.Millisecond)
	begin()
	first := b.plane.NextSession(t)
	first.Next(t, func(f *agentv1.AgentFrame) bool { return f.GetPing() != nil })
	_ = b.reach(t, link.StateConnected)
	if err := b.reach(t, link.StateDisconnected); err == nil || !strings.Contains(err.Error(), "silent") {
		t.Errorf("lost with %v", err)
	}
	b.plane.NextSession(t)
}

func TestLink_RenewsARefusedToken(t *testing.T) {
	t.Parallel()
	b, first := setup(t)
	renewals := b.plane.Calls("Renew")
	b.plane.ExpireTokens()
	if err := b.Report(limited(t), &agentv1.AttemptReport{AttemptId: attempt}); !errors.Is(err, work.ErrUplinkLost) {
		t.Errorf("reported with an expired token: %v", err)
	}
	if err := b.Report(limited(t), &agentv1.AttemptReport{AttemptId: attempt}); err != nil {
		t.Errorf("the next try: %v", err)
	}
	b.plane.ExpireTokens()
	first.Drop()
	b.plane.NextSession(t)
	if got := b.plane.Calls("Renew") - renewals; got != 2 {
		t.Errorf("renewed %d times for two refusals", got)
	}
}

func TestLink_ARevokedAgentStaysAndSaysSo(t *testing.T) {
	t.Parallel()
	b, first := setup(t)
	b.plane.Revoke(true)
	first.Drop()
	if err := b.reach(t, link.StateRevoked); !errors.Is(err, link.ErrRevoked) || !strings.Contains(err.Error(), "enrol the cluster again") {
		t.Errorf("told %v", err)
	}
	if n := b.plane.Calls("Challenge"); n > 4 {
		t.Errorf("asked %d times for a challenge", n)
	}
}

func TestLink_ARevocationIsToldAtOnce(t *testing.T) {
	t.Parallel()
	b, first := setup(t)
	b.plane.Revoke(true)
	first.Refuse()
	if err := b.reach(t, link.StateRevoked); !errors.Is(err, link.ErrRevoked) || !strings.Contains(err.Error(), "credential was revoked") {
		t.Errorf("told %v", err)
	}
}

func TestLink_Stop(t *testing.T) {
	t.Parallel()
	b, s := setup(t)
	s.Start("c1", assignment(), time.Minute)
	next(t, "a start", b.starts)
	b.Stop()
	s.Next(t, func(f *agentv1.AgentFrame) bool { return f.GetDraining() != nil })
	<-s.Ended
	if err := b.reach(t, link.StateConnected); err != nil {
		t.Error(err)
	}
	select {
	case got := <-b.states:
		t.Errorf("told %q, %v of a stop", got.state, got.err)
	default:
	}
}

func TestLink_Stop_WithoutControlPlane(t *testing.T) {
	t.Parallel()
	b, begin := prepare(t)
	b.plane.Down()
	begin()
	if err := b.reach(t, link.StateDisconnected); err != nil {
		t.Errorf("first told %v", err)
	}
	if err := b.reach(t, link.StateDisconnected); err == nil || !strings.Contains(err.Error(), "controlPlane.address") {
		t.Errorf("told %v", err)
	}
	waiting := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { waiting <- b.Report(ctx, &agentv1.AttemptReport{}) }()
	b.Stop()
	cancel()
	if err := next(t, "the report", waiting); err == nil {
		t.Error("reported to nobody")
	}
}

var _ work.Uplink = (*link.Link)(nil)
