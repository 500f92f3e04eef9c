package collect_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/seatrial/seatrial/agent/workfake"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

func TestServer_Attach(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, welcome := b.attach(t, "c0")
	if len(welcome.GetCommitted()) != 0 || welcome.GetCancel() != nil {
		t.Fatalf("welcome %v of a new attempt", welcome)
	}
	for i, text := range []string{"one", "two", "three"} {
		c := chunk(t, "step/0", int64(strings.Index("onetwothree", text)), text)
		c.ViaKubeApi = true // that is not the runner's to say
		send(t, w, c)
		if ack := receive(t, w).GetLogAck(); ack.GetStream() != "step/0" || ack.GetCommitted() != []int64{3, 6, 11}[i] {
			t.Fatalf("ack %v after %q", ack, text)
		}
	}
	for _, m := range []*runnerv1.AttachRequest{
		{Message: &runnerv1.AttachRequest_Step{Step: &runnerv1.StepState{Index: 0, Name: "x"}}},
		{Message: &runnerv1.AttachRequest_Finished{Finished: &runnerv1.Finished{Reason: "why"}}},
	} {
		if err := w.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	if receive(t, w).GetFinishedAck() == nil {
		t.Fatal("the result was not acknowledged")
	}
	if err := w.Send(&runnerv1.AttachRequest{Message: &runnerv1.AttachRequest_Delivered{Delivered: &runnerv1.Delivered{Notes: []string{"n"}}}}); err != nil {
		t.Fatal(err)
	}
	if receive(t, w).GetDeliveredAck() == nil {
		t.Fatal("the end was not acknowledged")
	}
	v := b.attempts.View()
	if v.Attached["c0"] != 1 || v.Steps[0].GetName() != "x" || v.Finished[0].GetReason() != "why" || !slices.Equal(v.Delivered["c0"], []string{"n"}) {
		t.Errorf("recorded %+v", v)
	}
	_ = w.CloseRequest()
	if err := b.attempts.Wait(call(t, ""), func(v workfake.View) bool { return v.Attached["c0"] == 0 }); err != nil {
		t.Fatal("still attached")
	}
	if _, welcome := b.attach(t, "c0"); welcome.GetCommitted()["step/0"] != 11 {
		t.Errorf("welcome %v, want offset 11", welcome)
	}
	if n := b.reviews.Count(); n != 1 {
		t.Errorf("%d token reviews for one token within a minute", n)
	}
	if err := b.uplink.Fault(); err != nil {
		t.Error(err)
	}
}

func TestServer_Attach_NotLetIn(t *testing.T) {
	t.Parallel()
	good := &runnerv1.Hello{AttemptId: "a", Container: "c0"}
	for name, tc := range map[string]struct {
		token   string
		hello   *runnerv1.Hello
		prepare func(*workfake.Reviews)
		want    connect.Code
		reason  string
	}{
		"NoToken":      {"", good, nil, connect.CodeUnauthenticated, "nobody comes in without a token"},
		"BadToken":     {"junk", good, nil, connect.CodeUnauthenticated, "the API server does not know it"},
		"Audience":     {"good", good, func(r *workfake.Reviews) { r.Audiences = []string{"kube"} }, connect.CodeUnauthenticated, "a token for another service"},
		"Stranger":     {"foreign", good, nil, connect.CodePermissionDenied, "a pod that is none of ours"},
		"OtherAttempt": {"other", good, nil, connect.CodePermissionDenied, "a pod may not speak for another"},
		"NoContainer":  {"good", &runnerv1.Hello{AttemptId: "a"}, nil, connect.CodeInvalidArgument, "sessions are by container"},
		"NoHello":      {"good", nil, nil, connect.CodeInvalidArgument, "the order is part of the contract"},
		"APIServerOut": {"good", good, func(r *workfake.Reviews) { r.Fail(errors.New("down")) }, connect.CodeUnavailable, "the runner shall come back"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			if tc.prepare != nil {
				tc.prepare(b.reviews)
			}
			if got := code(b.dial(t, tc.token, tc.hello)); got != tc.want {
				t.Errorf("got %v, want %v: %s", got, tc.want, tc.reason)
			}
			if len(b.attempts.View().Attached) != 0 {
				t.Error("attached all the same")
			}
		})
	}
}

func TestServer_Attach_Invalid(t *testing.T) {
	t.Parallel()
	log := func(c *runnerv1.LogChunk) *runnerv1.AttachRequest {
		return &runnerv1.AttachRequest{Message: &runnerv1.AttachRequest_Log{Log: c}}
	}
	step := func(s *runnerv1.StepState) *runnerv1.AttachRequest {
		return &runnerv1.AttachRequest{Message: &runnerv1.AttachRequest_Step{Step: s}}
	}
	for name, m := range map[string]*runnerv1.AttachRequest{
		"Stream":    log(&runnerv1.LogChunk{Stream: "step/../1"}),
		"Leading0":  log(&runnerv1.LogChunk{Stream: "step/01"}),
		"Negative":  log(&runnerv1.LogChunk{Stream: "step/0", StartOffset: -1}),
		"TooLarge":  log(&runnerv1.LogChunk{Stream: "step/0", RawLen: 1 << 30}),
		"GapData":   log(&runnerv1.LogChunk{Stream: "step/0", GapBytes: 1, Data: []byte("x")}),
		"Index":     step(&runnerv1.StepState{Index: 1 << 20}),
		"Reason":    step(&runnerv1.StepState{Reason: strings.Repeat("x", 1<<17)}),
		"HelloAnew": {Message: &runnerv1.AttachRequest_Hello{Hello: &runnerv1.Hello{}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			w, _ := b.attach(t, "c0")
			if err := w.Send(m); err != nil {
				t.Fatal(err)
			}
			if got := code(w); got != connect.CodeInvalidArgument {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestServer_Attach_UplinkLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, _ := b.attach(t, "c0")
	release := b.uplink.Hold()
	send(t, w, chunk(t, "step/0", 0, "lost?"))
	if err := b.uplink.WaitTaken(call(t, ""), 1); err != nil {
		t.Fatal(err)
	}
	b.uplink.Lose()
	release()
	if got := code(w); got != connect.CodeUnavailable {
		t.Errorf("got %v: the runner must come back and ask where to go on", got)
	}
}

func TestServer_Attach_Refused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, _ := b.attach(t, "c0")
	b.uplink.Refuse("step/1", "no such step")
	for i := range 3 {
		c := chunk(t, "step/1", int64(4*i), "text")
		if i == 2 {
			c.Final = &runnerv1.LogTotals{Bytes: 12}
		}
		send(t, w, c)
	}
	for i := range 3 {
		if ack := receive(t, w).GetLogAck(); ack.GetCommitted() != int64(4*i+4) || ack.GetFinal() != (i == 2) {
			t.Fatalf("ack %v of chunk %d: what is never taken must not hold the test up", ack, i)
		}
	}
	if err := w.Send(&runnerv1.AttachRequest{Message: &runnerv1.AttachRequest_Delivered{Delivered: &runnerv1.Delivered{}}}); err != nil {
		t.Fatal(err)
	}
	receive(t, w)
	if notes := b.attempts.View().Delivered["c0"]; len(notes) != 1 || !strings.Contains(notes[0], "no such step") {
		t.Errorf("notes %q: a loss is never silent", notes)
	}
}

func TestServer_Attach_Replaced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, _ := b.attach(t, "c0")
	other, _ := b.attach(t, "c1")
	second, _ := b.attach(t, "c0")
	if got := code(first); got != connect.CodeUnavailable {
		t.Errorf("the first connection of the container ended with %v", got)
	}
	for _, w := range []*wire{other, second} {
		send(t, w, chunk(t, "step/0", 0, "x"))
		receive(t, w)
	}
	if v := b.attempts.View(); v.Attached["c0"] != 1 || v.Attached["c1"] != 1 {
		t.Errorf("attached %v", v.Attached)
	}
}

func TestServer_Attach_RecordFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.attempts.Fail(errors.New("no"))
	w, _ := b.attach(t, "c0")
	if err := w.Send(&runnerv1.AttachRequest{Message: &runnerv1.AttachRequest_Finished{Finished: &runnerv1.Finished{}}}); err != nil {
		t.Fatal(err)
	}
	if got := code(w); got != connect.CodeUnavailable {
		t.Errorf("got %v: a result that was not stored must not be acknowledged", got)
	}
}

func TestServer_Attach_LooksWhyARunnerWasStopped(t *testing.T) {
	t.Parallel()
	for status, want := range map[runnerv1.StepStatus]int{
		runnerv1.StepStatus_STEP_STATUS_CANCELLED: 1, // what the cluster does to the pod is known before the runner's word counts
		runnerv1.StepStatus_STEP_STATUS_FAILED:    0, // the runner knows
	} {
		b := setup(t)
		w, _ := b.attach(t, "c0")
		if err := w.Send(&runnerv1.AttachRequest{Message: &runnerv1.AttachRequest_Finished{Finished: &runnerv1.Finished{Status: status}}}); err != nil {
			t.Fatal(err)
		}
		if receive(t, w).GetFinishedAck() == nil {
			t.Fatal("the result was not acknowledged")
		}
		if got := b.pods.looks(); got != want {
			t.Errorf("%s: looked at %d times before, want %d", status, got, want)
		}
	}
}

// TestServer_Attach_WaitsForTheAPIServer holds that an eviction does not become a cancellation because the API server is away.
func TestServer_Attach_WaitsForTheAPIServer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fail        int // looks, below 0 for all
		told, asked bool
		min, max    int // looks before the result is taken
		reason      string
	}{
		"Back":  {2, false, false, 3, 3, "the runner's word waits until the pod was looked at"},
		"Away":  {-1, false, false, 3, 10, "not for ever: a result that is not told is lost"},
		"Asked": {-1, false, true, 1, 1, "the agent knows why"},
		"Told":  {-1, true, false, 1, 1, "the runner came back after it was told"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.pods.fail = tc.fail
			if tc.told {
				b.attempts.Cancel(&runnerv1.Cancel{Reason: "enough"})
			}
			w, _ := b.attach(t, "c0")
			if tc.asked {
				b.server.Cancel("a", "enough", time.Second)
			}
			f := &runnerv1.Finished{Status: runnerv1.StepStatus_STEP_STATUS_CANCELLED}
			if err := w.Send(&runnerv1.AttachRequest{Message: &runnerv1.AttachRequest_Finished{Finished: f}}); err != nil {
				t.Fatal(err)
			}
			for receive(t, w).GetFinishedAck() == nil {
				continue // a cancellation comes first
			}
			if got := b.pods.looks(); got < tc.min || got > tc.max {
				t.Errorf("looked at %d times: %s", got, tc.reason)
			}
		})
	}
}

func TestServer_Cancel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if b.server.Cancel("a", "r", time.Second) {
		t.Error("told a runner that is not there")
	}
	w, _ := b.attach(t, "c0")
	if !b.server.Cancel("a", "not needed", 7*time.Second) || b.server.Cancel("b", "", 0) {
		t.Error("one attempt has a runner, the other has none")
	}
	if c := receive(t, w).GetCancel(); c.GetReason() != "not needed" || c.GetGrace().AsDuration() != 7*time.Second {
		t.Errorf("got %v", c)
	}
	b.attempts.Cancel(&runnerv1.Cancel{Reason: "before"})
	if _, welcome := b.attach(t, "c1"); welcome.GetCancel().GetReason() != "before" {
		t.Errorf("welcome %v: the cancellation came before the runner", welcome)
	}
}

func TestServer_Stop(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, _ := b.attach(t, "c0")
	release := b.uplink.Hold()
	defer release()
	send(t, w, chunk(t, "step/0", 0, "in flight"))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		b.server.Stop()
	}()
	if got := code(w); got != connect.CodeUnavailable {
		t.Errorf("got %v: runners resume with the next agent", got)
	}
	<-stopped
	if v := b.attempts.View(); v.Attached["c0"] != 0 {
		t.Error("stopped with a session left")
	}
}
