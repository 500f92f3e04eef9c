package fleet

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/seatrial/seatrial/integration/harness"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// Plane is one replica of a control plane as it is shipped, in a process of its own that a test may end and start again.
type Plane struct {
	// AgentAddress is host:port for agents.
	AgentAddress string
	// Token is that of the first administrator.
	Token string

	program, data, url string
	flags              []string // given by the test
	calls              *http.Client

	mu   sync.Mutex
	log  bytes.Buffer
	cmd  *exec.Cmd
	done chan struct{}
}

// Program builds the control plane as it is shipped and returns its path.
func Program(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	build := exec.CommandContext(tb.Context(), filepath.Join("..", "..", "deploy", "build.sh"), dir, "seatrial-controlplane")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("build the control plane: %v\n%s", err, out)
	}
	return filepath.Join(dir, "seatrial-controlplane")
}

// Start starts the first replica of a control plane with flags for its database and the like.
func Start(tb testing.TB, program string, flags ...string) *Plane {
	tb.Helper()
	p := newPlane(tb, program, flags)
	p.Begin(tb)
	if p.Token == "" {
		tb.Fatalf("the first start printed no token")
	}
	return p
}

// Another starts one more replica beside p, with its flags and copies of its keys and of the authority that agents trust.
func (p *Plane) Another(tb testing.TB) *Plane {
	tb.Helper()
	other := newPlane(tb, p.program, p.flags)
	other.Token = p.Token
	for _, name := range []string{"encryption.keys", "agent-ca.crt", "agent-ca.key"} {
		text, err := os.ReadFile(filepath.Join(p.data, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(other.data, name), text, 0o600)
		}
		if err != nil {
			tb.Fatalf("give a replica the keys of the first: %v", err)
		}
	}
	other.Begin(tb)
	return other
}

// URL is that of API and pages.
func (p *Plane) URL() string { return p.url }

// Signal sends the process a signal that does not end it.
func (p *Plane) Signal(tb testing.TB, signal syscall.Signal) {
	tb.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		tb.Errorf("signal to the control plane: %v", err)
	}
}

func newPlane(tb testing.TB, program string, flags []string) *Plane {
	tb.Helper()
	port, agents := harness.FreePort(tb), harness.FreePort(tb)
	p := &Plane{
		program: program, data: tb.TempDir(), flags: flags, url: fmt.Sprintf("http://127.0.0.1:%d", port), AgentAddress: fmt.Sprintf("127.0.0.1:%d", agents),
	}
	// As many calls at once as a pipeline wants, over few connections.
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	p.calls = &http.Client{Transport: &http.Transport{Protocols: protocols}}
	tb.Cleanup(func() {
		p.End(tb, syscall.SIGTERM)
		if tb.Failed() {
			p.mu.Lock()
			defer p.mu.Unlock()
			lines := strings.Split(p.log.String(), "\n")
			tb.Logf("the control plane's log ends with:\n%s", strings.Join(lines[max(0, len(lines)-20):], "\n"))
		}
	})
	return p
}

// NewOrganization makes one more organization, as the operator of the control plane does, and returns the token of its owner.
func (p *Plane) NewOrganization(tb testing.TB, name string) (token string) {
	tb.Helper()
	args := append([]string{"org", "create", name, "--owner", name + "@example.test", "--data-dir", p.data}, p.flags...)
	out, err := exec.CommandContext(tb.Context(), p.program, args...).CombinedOutput()
	if err != nil {
		tb.Fatalf("create organization %s: %v\n%s", name, err, out)
	}
	for line := range strings.Lines(string(out)) {
		if token, ok := strings.CutPrefix(strings.TrimSpace(line), "API token "); ok {
			return strings.TrimSpace(token)
		}
	}
	tb.Fatalf("organization %s has no token:\n%s", name, out)
	return ""
}

// Begin starts the process and returns once it is ready.
func (p *Plane) Begin(tb testing.TB) {
	tb.Helper()
	args := append([]string{
		"--data-dir", p.data, "--listen", strings.TrimPrefix(p.url, "http://"), "--agent-listen", p.AgentAddress, "--agent-address", p.AgentAddress, "--log-level", "warn",
	}, p.flags...)
	cmd := exec.Command(p.program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	cmd.Stderr = writer{p}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ready, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			line := strings.TrimSpace(lines.Text())
			if token, ok := strings.CutPrefix(line, "API token "); ok {
				p.Token = strings.TrimSpace(token)
			}
			if strings.HasPrefix(line, "Seatrial is ready") {
				close(ready)
			}
		}
		_ = cmd.Wait() // how it ended does not matter
	}()
	p.cmd, p.done = cmd, done
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ready:
	case <-done:
		tb.Fatal("the control plane ended before it was ready")
	case <-timer.C:
		tb.Fatal("the control plane did not become ready")
	}
}

// End ends the process with a signal and waits for it.
func (p *Plane) End(tb testing.TB, signal syscall.Signal) {
	tb.Helper()
	if p.cmd == nil {
		return
	}
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		tb.Errorf("end the control plane: %v", err)
	}
	<-p.done
}

type writer struct{ p *Plane }

func (w writer) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return w.p.log.Write(b)
}

// API is the control plane's API with a token.
type API struct {
	apiv1connect.WorkflowServiceClient
	apiv1connect.ExecutionServiceClient
	apiv1connect.ClusterServiceClient
}

// API returns the API for the owner of a token.
func (p *Plane) API(token string) API {
	with := connect.WithInterceptors(bearer(token))
	return API{
		apiv1connect.NewWorkflowServiceClient(p.calls, p.url, with), apiv1connect.NewExecutionServiceClient(p.calls, p.url, with),
		apiv1connect.NewClusterServiceClient(p.calls, p.url, with),
	}
}

type bearer string

func (b bearer) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		req.Header().Set("Authorization", "Bearer "+string(b))
		return next(ctx, req)
	}
}

func (b bearer) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		conn.RequestHeader().Set("Authorization", "Bearer "+string(b))
		return conn
	}
}

func (b bearer) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// Used is what the process has used until now.
type Used struct {
	RSS int64         // bytes
	CPU time.Duration // user and system, of all its life
}

// Used reads what the process has used.
func (p *Plane) Used(tb testing.TB) (u Used) {
	tb.Helper()
	folder := filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid))
	status, err := os.ReadFile(filepath.Join(folder, "status"))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				tb.Fatal(err)
			}
			u.RSS = kib << 10
		}
	}
	stat, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		tb.Fatal(err)
	}
	// What follows the name in parentheses has blanks between; utime and stime are the 14th and 15th field, in hundredths of a second.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			tb.Fatal(err)
		}
		u.CPU += time.Duration(ticks) * time.Second / 100
	}
	return u
}
