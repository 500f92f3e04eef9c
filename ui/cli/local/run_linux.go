package local

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/seatrial/seatrial/agent/runner/app"
	"github.com/seatrial/seatrial/agent/runner/pin"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1/runnerv1connect"
)

// Supported says why this system cannot run the runner; nil when it can.
func Supported() error { return nil }

// stopWithin is how long the runners have for stopping beside what their steps and the teardown may take.
const stopWithin = time.Minute

// Runner is the runner's own command line, for a process that Options.Program starts.
func Runner(ctx context.Context, args []string, version string) (int, error) {
	return app.Run(ctx, args, version) //nolint:wrapcheck // it is the runner's
}

// run starts the runner of each container and takes in what they report until all have ended.
func (s *session) run(ctx context.Context) (Result, error) {
	asking, over := context.WithCancel(ctx)
	defer over()
	token := rand.Text()
	if err := os.WriteFile(filepath.Join(s.dir, "token"), []byte(token), 0o600); err != nil {
		return Result{}, fmt.Errorf("write the token: %w", err)
	}
	r, err := newReceiver(s, token, func(step *runnerv1.StepState) *runnerv1.Resume { return s.answer(asking, step) })
	if err != nil {
		return Result{}, err
	}
	address, pin, stop, err := serve(ctx, r)
	if err != nil {
		return Result{}, err
	}
	// A reader of the output that goes away must not end the test.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)
	err = s.runners(ctx, r, address, pin)
	over()
	stop()
	r.close()
	result, ended := r.result()
	switch {
	case ended && err != nil:
		return result, fmt.Errorf("not all of it was delivered: %w", err)
	case ended:
		return result, nil
	case err != nil:
		return result, err
	}
	return result, errors.New("the runner ended and did not say how the workflow did")
}

// serve listens for runners of this machine, which know the server by the pin of its key.
func serve(ctx context.Context, r *receiver) (address, key string, stop func(), err error) {
	cert, key, err := pin.SelfSigned()
	if err != nil {
		return "", "", nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", nil, fmt.Errorf("listen for the runner: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle(runnerv1connect.NewRunnerServiceHandler(r))
	server := &http.Server{
		Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}, ReadHeaderTimeout: time.Minute,
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.ServeTLS(listener, "", "") // it is closed
	}()
	return listener.Addr().String(), key, func() {
		_ = server.Close()
		<-ended
	}, nil
}

// runners runs all of them to their ends. When ctx is cancelled they are asked to stop, and killed when they do not.
func (s *session) runners(ctx context.Context, r *receiver, address, pin string) error {
	killing, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	patience := s.plan.GetGrace().AsDuration() + s.plan.GetTeardownAllowance().AsDuration() + stopWithin
	stopAsking := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(patience, kill)
		context.AfterFunc(killing, func() { timer.Stop() })
		r.stop("It was interrupted.")
	})
	defer stopAsking()
	mask := umask()
	var running sync.WaitGroup
	faults := make([]error, len(s.compiled.Containers))
	for i, box := range s.compiled.Containers {
		running.Go(func() { faults[i] = s.runner(killing, box.Name, address, pin, mask) })
	}
	running.Wait()
	return errors.Join(faults...)
}

// runner runs the runner of a container. It is in a process group of its own, so that a key that interrupts does not end it before the
// steps were asked to stop.
func (s *session) runner(ctx context.Context, container, address, pin string, mask int) error {
	args := slices.Concat(s.Program[1:], []string{
		"run", "--container=" + container, "--shared=" + filepath.Join(s.dir, "shared"), "--workspace=" + s.Workspace,
		"--token=" + filepath.Join(s.dir, "token"), "--termination=" + filepath.Join(s.dir, "end-"+container), "--plan=" + s.planFile(),
		fmt.Sprintf("--umask=%o", mask),
	})
	cmd := exec.CommandContext(ctx, s.Program[0], args...) //nolint:gosec // G204: our own program
	for _, kv := range s.Env {
		if name, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(name, "SEATRIAL_") && !s.hidden[name] {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(append(cmd.Env, s.given...), "SEATRIAL_AGENT="+address, "SEATRIAL_AGENT_PIN="+pin, "SEATRIAL_POD=local")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it ends its steps
	cmd.WaitDelay = stopWithin
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the runner of container %s: %w: %s", container, err, lastLine(said.String()))
	}
	return nil
}

// umask is that of the author, which the files of steps have here.
func umask() int {
	const closed = 0o077
	mask := syscall.Umask(closed)
	syscall.Umask(mask)
	return mask
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
