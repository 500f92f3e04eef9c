package ship_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/agent/runner/gather"
	"github.com/seatrial/seatrial/agent/runner/pin"
	"github.com/seatrial/seatrial/agent/runner/spool"
	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/agent/workfake"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// text is a log of some frames' length in which every line is another.
func text(lines int) []byte {
	var b bytes.Buffer
	for i := range lines {
		b.WriteString(strings.Repeat("x", i%200))
		b.WriteString(time.Duration(i).String())
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// TestShipper_Interruptions ships the same log through everything that may happen to a connection.
func TestShipper_Interruptions(t *testing.T) {
	t.Parallel()
	want := text(30_000) // about 3 MB, a dozen frames
	half := len(want) / 2
	for name, tc := range map[string]struct {
		reason    string
		interrupt func(*testing.T, *bundle)
	}{
		"None": {"in one go", func(*testing.T, *bundle) {}},
		"AgentAway": {"what is written meanwhile waits", func(t *testing.T, b *bundle) {
			t.Helper()
			b.stop()
			b.start(t)
		}},
		"Backwards": {"a database that was restored has less than it had", func(t *testing.T, b *bundle) {
			t.Helper()
			b.uplink.Rewind(attempt, stream)
		}},
		"BackwardsAway": {"the same, seen by the next connection", func(t *testing.T, b *bundle) {
			t.Helper()
			b.stop()
			b.uplink.Rewind(attempt, stream)
			b.start(t)
		}},
		"TokenRotates": {"the token is read anew for each connection", func(t *testing.T, b *bundle) {
			t.Helper()
			b.reviews = &workfake.Reviews{Tokens: map[string]work.PodIdentity{"better": {Namespace: "ns", Pod: "p", UID: "u"}}}
			if err := os.WriteFile(b.token, []byte("better"), 0o600); err != nil {
				t.Fatal(err)
			}
			b.stop()
			b.start(t)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			s := b.spool(t, spool.Options{})
			b.run(t)
			s.Write(want[:half])
			b.committed(t, int64(half))
			tc.interrupt(t, b)
			for rest := want[half:]; len(rest) > 0; {
				n := min(len(rest), 4321)
				s.Write(rest[:n])
				rest = rest[n:]
			}
			s.Seal()
			b.ship.Complete()
			b.delivered(t)
			l := b.uplink.Log(attempt, stream)
			if l.Bytes != int64(len(want)) || l.Sum != sha256.Sum256(want) || l.Gap != 0 || l.Final == nil {
				t.Errorf("%s: %d bytes with %d missing arrived, want %d; the same: %v", tc.reason, l.Bytes, l.Gap, len(want), l.Sum == sha256.Sum256(want))
			}
			if notes, ok := b.attempts.View().Delivered["c0"]; !ok || len(notes) > 0 {
				t.Errorf("%s: delivered: %v, with notes %q", tc.reason, ok, notes)
			}
		})
	}
}

// TestShipper_AckLost breaks the connection between commit and answer: nothing may be doubled.
func TestShipper_AckLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := text(10_000)
	release := b.uplink.Hold()
	s := b.spool(t, spool.Options{})
	s.Write(want)
	s.Seal()
	b.ship.Complete()
	b.run(t)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := b.uplink.WaitTaken(ctx, 3); err != nil {
		t.Fatal(err)
	}
	b.uplink.Lose()
	release()
	b.delivered(t)
	if l := b.uplink.Log(attempt, stream); l.Sum != sha256.Sum256(want) {
		t.Errorf("%d bytes arrived, want %d", l.Bytes, len(want))
	}
	if !strings.Contains(b.log.String(), "connection to the agent lost") {
		t.Error("the test has lost nothing")
	}
}

// TestShipper_Small proves that a line is not held back until there are more.
func TestShipper_Small(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.spool(t, spool.Options{})
	b.run(t)
	for i := range 20 {
		s.Write([]byte("one line\n"))
		b.committed(t, int64(i+1)*9)
	}
	s.Seal()
	b.ship.Complete()
	b.delivered(t)
}

// TestShipper_Gap fills the spool while the agent is away: what finds no room is left out, and said.
func TestShipper_Gap(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stop()
	s := b.spool(t, spool.Options{Limit: 100, Patience: time.Millisecond})
	b.run(t)
	kept, lost := bytes.Repeat([]byte("kept\n"), 25), bytes.Repeat([]byte("lost\n"), 30)
	s.Write(kept)
	s.Write(lost[:75])
	s.Write(lost[75:])
	b.start(t)
	b.committed(t, int64(len(kept)+len(lost)))
	missing := int64(len(lost))
	for tick := time.NewTicker(time.Millisecond); ; <-tick.C { // until the answer has come and made room
		s.Write([]byte("after\n"))
		if now, _ := s.State(); now.GapBytes == missing {
			tick.Stop()
			break
		}
		missing += int64(len("after\n"))
	}
	totals := s.Seal()
	b.ship.Complete()
	b.delivered(t)
	l := b.uplink.Log(attempt, stream)
	if string(l.Head) != string(kept)+"after\n" || l.Gap != missing || l.Final.GetGapBytes() != l.Gap || l.Bytes != totals.Bytes {
		t.Errorf("%d bytes with %d missing arrived: %q", l.Bytes, l.Gap, l.Head)
	}
}

func TestShipper_StepsAndResult(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.attempts.Fail(errors.New("no database"))
	b.run(t)
	running, ended := runnerv1.StepStatus_STEP_STATUS_RUNNING, runnerv1.StepStatus_STEP_STATUS_FAILED
	b.ship.Step(&runnerv1.StepState{Index: 0, Status: running})
	b.recorded(t, func(v workfake.View) bool { return v.Steps[0].GetStatus() == running })
	b.ship.Step(&runnerv1.StepState{Index: 0, Status: ended})
	b.ship.Finish(&runnerv1.Finished{Status: ended, Reason: "why"})
	b.ship.Complete()
	b.recorded(t, func(v workfake.View) bool { return v.Attached["c0"] >= 1 && v.Steps[0].GetStatus() == ended })
	select {
	case err := <-b.done:
		t.Fatalf("it ended with %v although nobody has stored the result", err)
	default:
	}
	b.attempts.Fail(nil)
	b.delivered(t)
	v := b.attempts.View()
	if len(v.Finished) == 0 || v.Finished[len(v.Finished)-1].GetReason() != "why" {
		t.Errorf("finished %v", v.Finished)
	}
	if got := b.ship.Result().GetReason(); got != "why" {
		t.Errorf("the result is remembered as %q", got)
	}
}

func TestShipper_Files(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.uplink.Refuse("refused", "too large")
	b.run(t)
	large := strings.Repeat("0123456789", 100_000)
	b.ship.Files([]gather.File{b.file(t, "small", "x"), b.file(t, "refused", "y"), b.file(t, "large", large), b.file(t, "empty", "")})
	missing := b.file(t, "missing", "z")
	if err := os.Remove(missing.Copy); err != nil {
		t.Fatal(err)
	}
	b.ship.Files([]gather.File{missing})
	b.ship.Note("something for people", "something for people")
	b.ship.Complete()
	b.delivered(t)
	got := map[string]string{}
	for _, f := range b.uplink.Files() {
		got[f.Header.GetPath()] = string(f.Body)
	}
	if len(got) != 3 || got["small"] != "x" || got["large"] != large || got["empty"] != "" {
		t.Errorf("%d files arrived", len(got))
	}
	notes := strings.Join(b.attempts.View().Delivered["c0"], "\n")
	for _, want := range []string{"refused was not stored", "too large", "missing was not stored"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes lack %q: %q", want, notes)
		}
	}
	if n := strings.Count(notes, "something for people"); n != 1 {
		t.Errorf("a note is told %d times", n)
	}
}

// TestShipper_Files_Shared uploads a report that is an artifact, too: both are of one copy, which has to last for both.
func TestShipper_Files_Shared(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run(t)
	var files []gather.File
	for range 50 {
		report := b.file(t, fmt.Sprintf("r%d.xml", len(files)), "x")
		artifact := report
		artifact.Header = proto.CloneOf(report.Header)
		artifact.Header.Kind = runnerv1.FileKind_FILE_KIND_ARTIFACT
		files = append(files, report, artifact)
	}
	b.ship.Files(files)
	b.ship.Complete()
	b.delivered(t)
	if n := len(b.uplink.Files()); n != len(files) {
		t.Errorf("%d of %d files arrived; notes %q", n, len(files), b.attempts.View().Delivered["c0"])
	}
	for _, f := range files {
		if _, err := os.Stat(f.Copy); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", f.Copy, err)
		}
	}
}

func TestShipper_Cancel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.attempts.Cancel(&runnerv1.Cancel{Reason: "before"})
	b.run(t)
	if c := <-b.cancels; c.GetReason() != "before" {
		t.Errorf("with the welcome: %v", c)
	}
	// The agent's answer must not wait behind a log that nobody takes.
	release := b.uplink.Hold()
	s := b.spool(t, spool.Options{})
	s.Write(text(60_000))
	b.server.Cancel(attempt, "while held", time.Second)
	if c := <-b.cancels; c.GetReason() != "while held" {
		t.Errorf("while the log is held: %v", c)
	}
	release()
	s.Seal()
	b.ship.Complete()
	b.delivered(t)
}

// TestShipper_Stranger meets somebody who is not the agent: nothing may be told to him.
func TestShipper_Stranger(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, other, err := pin.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	b.shipper(t, other)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := b.ship.Run(ctx); err == nil || !strings.Contains(err.Error(), "certificate is not the one") {
		t.Errorf("got %v, want a fault of the certificate", err)
	}
	if n := b.reviews.Count(); n != 0 {
		t.Errorf("the token was shown %d times", n)
	}
}

// TestShipper_GivesUp proves that the end of its time ends it, whatever the agent does.
func TestShipper_GivesUp(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reason  string
		prepare func(*testing.T, *bundle)
	}{
		"Away":    {"nobody listens", func(_ *testing.T, b *bundle) { b.stop() }},
		"Holding": {"nothing is committed", func(t *testing.T, b *bundle) { t.Helper(); t.Cleanup(b.uplink.Hold()) }},
		"Failing": {"the control plane cannot store the end", func(_ *testing.T, b *bundle) { b.attempts.Fail(errors.New("no database")) }},
		"NoToken": {"the token is not there", func(t *testing.T, b *bundle) {
			t.Helper()
			if err := os.Remove(b.token); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			tc.prepare(t, b)
			s := b.spool(t, spool.Options{})
			s.Write(text(60_000))
			s.Seal()
			b.ship.Files([]gather.File{b.file(t, "f", "x")})
			b.ship.Finish(&runnerv1.Finished{Status: runnerv1.StepStatus_STEP_STATUS_PASSED})
			b.ship.Complete()
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("the time is over"))
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- b.ship.Run(ctx) }()
			select {
			case err := <-ended:
				if err == nil || !strings.Contains(err.Error(), "the time is over") {
					t.Errorf("%s: got %v", tc.reason, err)
				}
			case <-time.After(within):
				t.Fatalf("%s: it hangs", tc.reason)
			}
		})
	}
}
