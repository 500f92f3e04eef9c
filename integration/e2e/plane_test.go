package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seatrial/seatrial/integration/harness"
)

// patience bounds everything that a test waits for; no test relies on how long something takes.
const patience = 3 * time.Minute

// plane is a control plane as a process of its own, which a test may kill and start again.
type plane struct {
	bin, dir string
	args     []string
	url      string
	agents   string // host:port for agents

	token    string // of the first start
	email    string
	password string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
	log  bytes.Buffer
}

// startPlane starts a control plane over an empty folder.
func startPlane(tb testing.TB, dir string) *plane {
	tb.Helper()
	return startPlaneWith(tb, dir)
}

// startPlaneWith starts a control plane with more flags.
func startPlaneWith(tb testing.TB, dir string, flags ...string) *plane {
	tb.Helper()
	bin := harness.Programs(tb)
	port, agents := harness.FreePort(tb), harness.FreePort(tb)
	p := &plane{
		bin: bin, dir: dir, url: fmt.Sprintf("http://127.0.0.1:%d", port), agents: fmt.Sprintf("%s:%d", harness.Address(tb), agents),
	}
	p.args = []string{
		"--data-dir", filepath.Join(dir, "data"), "--listen", fmt.Sprintf("127.0.0.1:%d", port),
		"--agent-listen", fmt.Sprintf("0.0.0.0:%d", agents), "--agent-address", p.agents, "--agent-chart", chart(tb), "--log-level", "debug",
	}
	p.args = append(p.args, flags...)
	p.start(tb)
	tb.Cleanup(func() {
		p.stop(tb, syscall.SIGTERM)
		if tb.Failed() {
			p.mu.Lock()
			defer p.mu.Unlock()
			tb.Logf("the control plane's log ends with:\n%s", tail(p.log.String(), 40))
		}
	})
	return p
}

func chart(tb testing.TB) string {
	tb.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "charts", "agent"))
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// start starts the process and returns when it is ready.
func (p *plane) start(tb testing.TB) {
	tb.Helper()
	cmd := exec.Command(filepath.Join(p.bin, "seatrial-controlplane"), p.args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	cmd.Stderr = writer{p}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ready := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.read(out, ready)
		_ = cmd.Wait()
	}()
	p.cmd, p.done = cmd, done
	select {
	case <-ready:
	case <-done:
		tb.Fatalf("the control plane ended: %s", tail(p.log.String(), 20))
	case <-time.After(patience):
		tb.Fatal("the control plane did not become ready")
	}
}

// read takes the credentials from what the first start prints.
func (p *plane) read(out io.Reader, ready chan<- struct{}) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		for prefix, into := range map[string]*string{"E-mail": &p.email, "Password": &p.password, "API token": &p.token} {
			if rest, ok := strings.CutPrefix(line, prefix+" "); ok {
				*into = strings.TrimSpace(rest)
			}
		}
		if strings.HasPrefix(line, "Seatrial is ready") {
			close(ready)
		}
	}
}

// stop ends the process with a signal and waits for it.
func (p *plane) stop(tb testing.TB, signal syscall.Signal) {
	tb.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		tb.Errorf("stop the control plane: %v", err)
	}
	<-p.done
}

// writer keeps the log of a control plane.
type writer struct{ p *plane }

func (w writer) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return w.p.log.Write(b)
}

// said is what a command printed and how it ended.
type said struct {
	code     int
	out, err string
}

// cli runs the command of people and pipelines, with the token of the first start.
func (p *plane) cli(tb testing.TB, args ...string) said {
	tb.Helper()
	return p.as(tb, p.token, "", args...)
}

// as runs the command with a token and an input.
func (p *plane) as(tb testing.TB, token, in string, args ...string) said {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	cmd := p.command(ctx, token, args...)
	cmd.Stdin = strings.NewReader(in)
	var out, wrong bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &wrong
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tb.Fatalf("seatrial %s: %v", strings.Join(args, " "), err)
	}
	return said{code: cmd.ProcessState.ExitCode(), out: out.String(), err: wrong.String()}
}

func (p *plane) command(ctx context.Context, token string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, "seatrial"), args...)
	cmd.Env = append(os.Environ(), "SEATRIAL_SERVER="+p.url, "SEATRIAL_TOKEN="+token, "XDG_CONFIG_HOME="+p.dir)
	return cmd
}

// must runs the command, which has to succeed, and returns what it printed.
func (p *plane) must(tb testing.TB, args ...string) string {
	tb.Helper()
	got := p.cli(tb, args...)
	if got.code != 0 {
		tb.Fatalf("seatrial %s: exit %d\n%s%s", strings.Join(args, " "), got.code, got.out, got.err)
	}
	return got.out
}

// apply stores documents.
func (p *plane) apply(tb testing.TB, yaml string) {
	tb.Helper()
	if got := p.as(tb, p.token, yaml, "apply", "-f", "-"); got.code != 0 {
		tb.Fatalf("apply: exit %d\n%s%s", got.code, got.out, got.err)
	}
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
