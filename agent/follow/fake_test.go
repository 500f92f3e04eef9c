package follow_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/follow"
	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/agent/workfake"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const attempt = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"

// uplink is a control plane that keeps one log; lost bytes are dots.
type uplink struct {
	mu     sync.Mutex
	text   string
	lines  int64
	gap    int64
	last   *timestamppb.Timestamp
	final  *runnerv1.LogTotals
	breaks int // how many chunks are committed and not answered
	fail   error
	odd    error
	away   chan struct{} // answers nothing until it is closed; nil when it is there
	down   error         // of asking
	asked  int
}

func (u *uplink) Streams(ctx context.Context, _ string) (*agentv1.StreamStateResponse, error) {
	if u.away != nil {
		select {
		case <-u.away:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.asked++; u.down != nil {
		return nil, u.down
	}
	out := &agentv1.StreamStateResponse{
		Committed: map[string]int64{"service/db": int64(len(u.text))},
		Cursors:   map[string]*agentv1.StreamCursor{"service/db": {LastTime: u.last, Lines: u.lines, GapBytes: u.gap}},
	}
	if u.final != nil {
		out.Final = []string{"service/db"}
	}
	return out, nil
}

func (u *uplink) Append(_ context.Context, _ string, c *runnerv1.LogChunk, done func(*runnerv1.LogAck, error)) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fail != nil {
		return u.fail
	}
	raw, err := workfake.Decompress(c)
	switch {
	case err != nil:
		u.odd = err
	case c.GetStream() != "service/db" || !c.GetViaKubeApi():
		u.odd = fmt.Errorf("a chunk of %q", c.GetStream())
	case c.GetFirstLine() != u.lines && int(c.GetStartOffset()) == len(u.text):
		u.odd = fmt.Errorf("line %d at line %d", c.GetFirstLine(), u.lines)
	}
	if int(c.GetStartOffset()) == len(u.text) {
		u.text += string(raw) + strings.Repeat(".", int(c.GetGapBytes()))
		u.lines, u.gap = u.lines+int64(c.GetLines()), u.gap+c.GetGapBytes()
		if c.GetLastTime() != nil {
			u.last = timestamppb.New(c.GetLastTime().AsTime().Truncate(time.Microsecond)) // as a database keeps it
		}
		if c.GetFinal() != nil {
			u.final = c.GetFinal()
		}
	}
	if u.breaks > 0 {
		u.breaks--
		done(nil, work.ErrUplinkLost)
		return nil
	}
	done(&runnerv1.LogAck{Stream: c.GetStream(), Committed: int64(len(u.text)), Final: u.final != nil}, nil)
	return nil
}

func (u *uplink) now() string {
	synctest.Wait()
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.text
}

// process is one process of the service: its log, and whether it runs.
type process struct {
	log     string
	running bool
}

// pod is a pod with the service "db". It changes by set.
type pod struct {
	mu        sync.Mutex
	processes []process
	over      bool
	gone      bool
	cut       bool // logs end although the process runs
	changed   chan struct{}
	opened    []follow.Opening
}

func newPod(processes ...process) *pod {
	return &pod{processes: processes, changed: make(chan struct{})}
}

func (p *pod) set(f func(p *pod)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pod) Process(context.Context, work.PodIdentity, string) (follow.Process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.processes) - 1
	return follow.Process{
		Gone: p.gone, Running: p.processes[n].running, Restarts: int32(n), Over: p.over, Started: epoch.Add(time.Duration(n) * time.Hour),
	}, nil
}

func (p *pod) Open(_ context.Context, _ work.PodIdentity, _ string, o follow.Opening) (io.ReadCloser, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened = append(p.opened, o)
	n := len(p.processes) - 1
	if o.Before {
		n--
	}
	return &body{pod: p, process: n, follow: o.Follow, since: o.Since, closed: make(chan struct{})}, nil
}

// body is an open log. It answers what is there, and waits for more when it follows.
type body struct {
	pod     *pod
	process int
	follow  bool
	since   time.Time
	at      int
	once    sync.Once
	closed  chan struct{}
}

func (b *body) Read(out []byte) (int, error) {
	for {
		b.pod.mu.Lock()
		p, cut, changed := b.pod.processes[b.process], b.pod.cut, b.pod.changed
		last := b.process == len(b.pod.processes)-1
		b.pod.mu.Unlock()
		if b.at == 0 && !b.since.IsZero() { // the kubelet leaves out what is older
			for rest := p.log; rest != ""; {
				line, after, _ := strings.Cut(rest, "\n")
				if at, err := time.Parse(time.RFC3339Nano, strings.SplitN(line, " ", 2)[0]); err == nil && !at.Before(b.since) {
					break
				}
				rest = after
				b.at = len(p.log) - len(rest)
			}
			b.since = time.Time{}
		}
		if b.at < len(p.log) {
			n := copy(out, p.log[b.at:])
			b.at += n
			return n, nil
		}
		if !b.follow || !p.running || !last || cut {
			return 0, io.EOF
		}
		select {
		case <-changed:
		case <-b.closed:
			return 0, errors.New("closed")
		}
	}
}

func (b *body) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

var epoch = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// wrote is a log with lines a microsecond and a bit apart.
func wrote(from time.Duration, lines ...string) string {
	var out strings.Builder
	for i, line := range lines {
		at := epoch.Add(from + time.Duration(i)*1234*time.Nanosecond)
		out.WriteString(at.Format("2006-01-02T15:04:05.000000000Z07:00") + " " + line + "\n")
	}
	return out.String()
}

type bench struct {
	*uplink
	pod    *pod
	cancel context.CancelFunc
	over   chan struct{}
	done   chan error
	notes  []string
}

// begin follows the log of the pod's service as an agent does that has just started.
func begin(t *testing.T, u *uplink, p *pod) *bench {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	b := &bench{uplink: u, pod: p, cancel: cancel, over: make(chan struct{}), done: make(chan error, 1)}
	go func() {
		f := follow.Follower{Log: slog.New(slog.DiscardHandler), Uplink: u, Source: p}
		var err error
		b.notes, err = f.Follow(ctx, attempt, work.PodIdentity{Namespace: "tests", Pod: "p", UID: "u"}, "db", b.over)
		b.done <- err
	}()
	return b
}

// kill ends the agent.
func (b *bench) kill() {
	b.cancel()
	<-b.done
}

// end lets the process and the pod end, and returns the whole log.
func (b *bench) end(t *testing.T) string {
	t.Helper()
	b.pod.set(func(p *pod) { p.over, p.processes[len(p.processes)-1].running = true, false })
	if err := <-b.done; err != nil || b.odd != nil {
		t.Fatal(err, b.odd)
	}
	b.cancel()
	if f := b.final; f == nil || int(f.GetBytes()) != len(b.text) || int(f.GetLines()) != strings.Count(b.text, "\n") {
		t.Fatalf("%q ends with %v", b.text, f)
	}
	return b.text
}

// pass lets time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
