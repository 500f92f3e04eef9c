// Package step runs one command of a test as a process group of its own and brings it to an end with everything it started.
package step

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// What a command leaves running is first given time to end by itself (a logger that drains its pipe), then asked, then killed.
const (
	lingerFor = 500 * time.Millisecond
	askFor    = 2 * time.Second
	killFor   = 5 * time.Second
	killEvery = 50 * time.Millisecond
)

// Command is what to run.
type Command struct {
	Path   string // absolute
	Args   []string
	Env    []string
	Dir    string
	Output *os.File // both stdout and stderr, so that their order is exact
}

// Unknown is the code of a command whose end was not seen. It must never pass for a success.
const Unknown = -1

// Exit is how a command ended.
type Exit struct {
	Code    int            // exit code, or 128 + signal as shells say it
	Signal  syscall.Signal // 0 unless a signal ended it
	OOM     bool           // the kernel killed a process of the container for memory meanwhile
	Stopped bool           // it was asked to end before it ended
}

// Stop is the cause with which the context of Run is cancelled.
type Stop interface {
	error
	// Grace is the time between SIGTERM and SIGKILL.
	Grace() time.Duration
}

// Run runs a command to its end. When ctx is done the process group gets SIGTERM, after the grace SIGKILL. Run reaps every child of
// this process: nothing else may wait for one meanwhile. It calls started once the command holds its output, which the caller may
// then close. The error is that of starting.
func Run(ctx context.Context, c Command, started func()) (Exit, error) {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	defer signal.Stop(children)

	before := oomKills(cgroupRoot)
	//nolint:gosec,noctx // G204: running commands is the purpose; ctx ends the whole group below, not only the process
	cmd := exec.Command(c.Path)
	cmd.Args, cmd.Env, cmd.Dir = c.Args, c.Env, c.Dir
	cmd.Stdout, cmd.Stderr = c.Output, c.Output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return Exit{}, err //nolint:wrapcheck // the caller tells the causes apart
	}
	p := &process{pid: cmd.Process.Pid, children: children, exit: Exit{Code: Unknown}}
	_ = cmd.Process.Release() // p reaps; os/exec must not
	started()
	p.wait(ctx)
	p.end()
	p.exit.OOM = oomKills(cgroupRoot) > before
	return p.exit, nil
}

type process struct {
	pid      int
	children <-chan os.Signal
	exit     Exit
	exited   bool
	alone    bool // no child is left
}

// wait returns when the command itself has ended.
func (p *process) wait(ctx context.Context) {
	done := ctx.Done()
	var kill <-chan time.Time
	for p.reap(); !p.exited; p.reap() {
		select {
		case <-p.children:
		case <-done:
			done = nil
			p.exit.Stopped = true
			p.signal(syscall.SIGTERM)
			timer := time.NewTimer(grace(ctx))
			defer timer.Stop()
			kill = timer.C
		case <-kill:
			kill = nil
			p.signal(syscall.SIGKILL)
		}
	}
}

func grace(ctx context.Context) time.Duration {
	var s Stop
	if errors.As(context.Cause(ctx), &s) {
		return s.Grace()
	}
	return 0
}

// end brings what the command has left behind to an end.
func (p *process) end() {
	if !p.exit.Stopped {
		p.waitAlone(lingerFor, 0)
	}
	if !p.alone {
		p.signalAll(syscall.SIGTERM)
		p.waitAlone(askFor, 0)
	}
	if !p.alone {
		p.waitAlone(killFor, syscall.SIGKILL)
	}
}

// waitAlone waits until no child is left, at most for d. Orphans come to this process one generation after the other, so a
// signal is repeated.
func (p *process) waitAlone(d time.Duration, sig syscall.Signal) {
	limit := time.NewTimer(d)
	defer limit.Stop()
	tick := time.NewTicker(killEvery)
	defer tick.Stop()
	for p.reap(); !p.alone; p.reap() {
		if sig != 0 {
			p.signalAll(sig)
		}
		select {
		case <-p.children:
		case <-tick.C:
		case <-limit.C:
			return
		}
	}
}

// reap takes the status of every child that has ended.
func (p *process) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil: // ECHILD; a command whose end nobody saw keeps the code Unknown
			p.alone, p.exited = true, true
			return
		case pid == 0:
			return
		case pid == p.pid && (status.Exited() || status.Signaled()):
			p.exited = true
			p.exit.Code = status.ExitStatus()
			if status.Signaled() {
				p.exit.Signal = status.Signal()
				p.exit.Code = 128 + int(status.Signal())
			}
		}
	}
}

// signal reaches the group and the command itself, which may have left it. Gone is fine.
func (p *process) signal(sig syscall.Signal) {
	_ = syscall.Kill(-p.pid, sig)
	if !p.exited { // a number that was reaped may be another process's by now
		_ = syscall.Kill(p.pid, sig)
	}
}

// signalAll also reaches children that have left the group.
func (p *process) signalAll(sig syscall.Signal) {
	p.signal(sig)
	for _, pid := range childrenOf(os.Getpid()) {
		_ = syscall.Kill(pid, sig)
	}
}
