package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

const (
	mebi = 1 << 20
	// torrent is the speed at which the last log is written, for a minute.
	torrent        = 50 // MB a second
	torrentSeconds = 60
	// What runner and agent may hold while logs of any shape pass through them.
	maxRunnerKiB    = 96 << 10
	maxBusyAgentKiB = 96 << 10
)

// torture is a log that no terminal would like.
type torture struct {
	name  string
	write string                        // python that writes it to out, a binary stream
	want  func(w io.Writer) (err error) // the same bytes
	// happens meanwhile; at is when the last of it began, which has to be while the step ran
	while func(t *testing.T, a *agent) (at time.Time)
}

func tortures() []torture {
	line := bytes.Repeat([]byte("0123456789abcdef"), mebi/16)
	all := make([]byte, 0, 64<<10)
	for i := range cap(all) {
		all = append(all, byte(i*i>>3))
	}
	return []torture{
		{
			name: "OneLineOfOneGiB",
			write: `
block = b"0123456789abcdef" * 65536
for i in range(1024):
    out.write(b"%016d" % i + block[16:])
`,
			want: func(w io.Writer) error {
				for i := range 1024 {
					if _, err := fmt.Fprintf(w, "%016d%s", i, line[16:]); err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			name:  "TenMillionEmptyLines",
			write: `out.write(b"\n" * 10000000)`,
			want: func(w io.Writer) error {
				_, err := w.Write(bytes.Repeat([]byte("\n"), 10_000_000))
				return err
			},
		},
		{
			name: "NulAndBrokenUTF8",
			write: `
out.write(b"\x00\x00\r\n\xff\xfe\xc3\x28\xe2\x82\xed\xa0\x80\x1b[31m\x1b]0;title\x07\r")
out.write(bytes((i * i >> 3) & 255 for i in range(65536)) * 256)
`,
			want: func(w io.Writer) error {
				if _, err := io.WriteString(w, "\x00\x00\r\n\xff\xfe\xc3\x28\xe2\x82\xed\xa0\x80\x1b[31m\x1b]0;title\x07\r"); err != nil {
					return err
				}
				_, err := w.Write(bytes.Repeat(all, 256))
				return err
			},
		},
		{
			name: "TorrentWithKilledAgent",
			write: fmt.Sprintf(`
import time
line = b"x" * 99 + b"\n"
rest = line * 9999
begin = time.monotonic()
for i in range(%d):
    out.write(b"%%099d\n" %% i + rest)
    time.sleep(max(0, begin + (i + 1) / %d - time.monotonic()))
`, torrent*torrentSeconds, torrent),
			want: func(w io.Writer) error {
				rest := bytes.Repeat(append(bytes.Repeat([]byte("x"), 99), '\n'), 9999)
				for i := range torrent * torrentSeconds {
					if _, err := fmt.Fprintf(w, "%099d\n%s", i, rest); err != nil {
						return err
					}
				}
				return nil
			},
			while: func(t *testing.T, a *agent) (at time.Time) {
				t.Helper()
				for range 3 {
					at = time.Now()
					a.killAndAwait(t)
				}
				return at
			},
		},
	}
}

// TestTorture sends logs of hard shapes through runner, agent and control plane: what is stored is what was written, or the gap says
// exactly how much is missing, and nobody holds more memory for it.
func TestTorture(t *testing.T) { //nolint:tparallel // one log after the other: memory is measured
	t.Parallel()
	p := startPlane(t, t.TempDir())
	a := installAgent(t, p)
	for _, tc := range tortures() { //nolint:paralleltest // as said
		t.Run(tc.name, func(t *testing.T) {
			tc.run(t, p, a)
		})
	}
}

func (tc torture) run(t *testing.T, p *plane, a *agent) {
	t.Helper()
	g := newGate(t)
	name := strings.ToLower(tc.name)
	p.apply(t, tortureDocument(name, tc.write, g))
	id := p.run(t, name)
	g.await(t, "write")
	peak := a.watchMemory(t, a.pod(t, id))
	begin := time.Now()
	g.open("write")
	var last time.Time
	if tc.while != nil {
		last = tc.while(t, a)
	}
	e := p.complete(t, id)
	took := time.Since(begin)
	runner, agent := peak()
	if e.GetStatus() != apiv1.Status_STATUS_PASSED {
		t.Fatalf("status %s: %s", e.GetStatus(), e.GetMessage())
	}
	step := e.GetRuns()[0].GetAttempts()[0].GetSteps()[0]
	log, writing := step.GetLog(), step.GetFinishedAt().AsTime().Sub(begin)
	if over := step.GetFinishedAt().AsTime(); last.After(over) {
		t.Errorf("the agent was killed for the last time %s after the step had ended: nothing of it was under way", last.Sub(over))
	}
	want, got := newSum(), newSum()
	if err := tc.want(want); err != nil {
		t.Fatal(err)
	}
	p.stream(t, got, "logs", id, "--step", "write")
	if log.GetBytes() != want.n || !log.GetComplete() {
		t.Errorf("%d bytes were written, the step's log says %v", want.n, log)
	}
	if gap := log.GetGapBytes(); tc.while == nil && gap != 0 {
		t.Errorf("%d bytes are missing, and nobody was killed", gap)
	}
	if gap := log.GetGapBytes(); got.n+gap != want.n || gap == 0 && *got != *want {
		t.Errorf("%s arrived and %d are said to be missing, %s was written", got, gap, want)
	}
	t.Logf("figures: %s: %d bytes written in %s (%.0f MB/s) and stored in %s, %d missing as stated; at most %d MiB in the runner, %d MiB in the agent",
		tc.name, want.n, writing.Round(100*time.Millisecond), float64(want.n)/1e6/writing.Seconds(), took.Round(100*time.Millisecond), log.GetGapBytes(), runner>>10, agent>>10)
	if runner > maxRunnerKiB || agent > maxBusyAgentKiB {
		t.Errorf("runner %d KiB, agent %d KiB, the limits are %d and %d", runner, agent, maxRunnerKiB, maxBusyAgentKiB)
	}
}

// complete waits until an execution has ended and all of its log is stored, without reading the log.
func (p *plane) complete(t *testing.T, id string) *apiv1.Execution {
	t.Helper()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for deadline := time.Now().Add(3 * patience); ; {
		var e apiv1.Execution
		if err := protojson.Unmarshal([]byte(p.must(t, "get", "execution", id, "-o", "json")), &e); err != nil {
			t.Fatal(err)
		}
		if attempts := e.GetRuns()[0].GetAttempts(); e.GetFinishedAt() != nil && len(attempts) > 0 && attempts[0].GetSteps()[0].GetLog().GetComplete() {
			return &e
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log was not complete in time: %v", &e)
		}
		<-again.C
	}
}

func tortureDocument(name, write string, g *gate) string {
	var run strings.Builder
	for line := range strings.Lines(g.wait("write") + "\nexec python3 -c '\nimport sys\nout = sys.stdout.buffer\n" + write + "\nout.flush()\n'\n") {
		run.WriteString("        " + line)
	}
	return `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: ` + name + `}
spec:
  container: {image: ` + python + `, imagePullPolicy: Never}
  timeout: 15m
  steps:
    - name: write
      run: |
` + run.String()
}

// sum is a stream that is only counted and summed up.
type sum struct {
	n   int64
	crc uint32
}

func newSum() *sum { return &sum{} }

// Write implements io.Writer.
func (s *sum) Write(b []byte) (int, error) {
	s.n += int64(len(b))
	s.crc = crc32.Update(s.crc, crc32.MakeTable(crc32.Castagnoli), b)
	return len(b), nil
}

// String returns the length and the checksum.
func (s *sum) String() string { return fmt.Sprintf("%d bytes with checksum %08x", s.n, s.crc) }

// stream runs the command, which has to succeed, and sends what it prints to w.
func (p *plane) stream(t *testing.T, w io.Writer, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	cmd := p.command(ctx, p.token, args...)
	var wrong bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &wrong
	if err := cmd.Run(); err != nil {
		t.Fatalf("seatrial %s: %v: %s", strings.Join(args, " "), err, wrong.String())
	}
}
