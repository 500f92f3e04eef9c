package step_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seatrial/seatrial/agent/runner/step"
)

type halt struct{ grace time.Duration }

func (halt) Error() string          { return "halt" }
func (h halt) Grace() time.Duration { return h.grace }

// perl is a command that leaves its process group, so that a signal to the group does not reach it.
const perl = `my $c = fork; if (!$c) { setpgrp(0, 0); sleep 600; exit } select(undef, undef, undef, 0.2); setpgrp(0, $c) or die; ` +
	`$| = 1; print "left\n"; sleep 600`

// TestRun runs one command after the other: Run reaps every child of the process.
//
//nolint:paralleltest // see above
func TestRun(t *testing.T) {
	if err := step.Adopt(); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		reason string
		args   []string
		stop   string // ends it once this was written
		want   step.Exit
		out    string
	}{
		"OK":       {"both outputs are one", []string{"/bin/sh", "-c", "echo a; echo b >&2"}, "", step.Exit{}, "a\nb\n"},
		"Code":     {"the command's own code", []string{"/bin/sh", "-c", "exit 7"}, "", step.Exit{Code: 7}, ""},
		"Signal":   {"as shells say it", []string{"/bin/sh", "-c", "kill -ABRT $$"}, "", step.Exit{Code: 134, Signal: syscall.SIGABRT}, ""},
		"Children": {"a child that stays does not hold it up", []string{"/bin/sh", "-c", "sleep 600 & echo a"}, "", step.Exit{}, "a\n"},
		"Stopped": {
			"asked to end",
			[]string{"/usr/bin/perl", "-e", `$| = 1; $SIG{TERM} = sub { print "bye\n"; exit 3 }; print "a\n"; sleep 600`},
			"a",
			step.Exit{Code: 3, Stopped: true},
			"a\nbye\n",
		},
		"Left": {
			"who has left its group is reached",
			[]string{"/usr/bin/perl", "-e", perl},
			"left",
			step.Exit{Code: 143, Signal: syscall.SIGTERM, Stopped: true},
			"left\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat(tc.args[0]); err != nil {
				t.Skipf("the test needs a program of every Debian: %v", err)
			}
			exit, out := run(t, tc.args, tc.stop)
			if exit != tc.want || out != tc.out {
				t.Errorf("%s: %+v and %q, want %+v and %q", tc.reason, exit, out, tc.want, tc.out)
			}
		})
	}
}

// run runs a command and stops it once it has written a text.
func run(t *testing.T, args []string, stop string) (step.Exit, string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var out bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 1024)
		for {
			n, err := r.Read(buf)
			out.Write(buf[:n])
			if stop != "" && strings.Contains(out.String(), stop) {
				cancel(halt{time.Minute})
			}
			if err != nil {
				return
			}
		}
	}()
	exit, err := step.Run(ctx, step.Command{Path: args[0], Args: args, Env: os.Environ(), Output: w}, func() { _ = w.Close() })
	if err != nil {
		t.Fatal(err)
	}
	_ = r.SetReadDeadline(time.Now().Add(time.Second)) // nobody is left who could write
	<-read
	_ = r.Close()
	return exit, out.String()
}

//nolint:paralleltest // starts processes, too
func TestRun_ErrStart(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode fs.FileMode) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for name, tc := range map[string]struct {
		reason string
		path   string
		want   string
	}{
		"Format":      {"a script needs its first line", write("format", "echo\n", 0o755), "without a #! line"},
		"Interpreter": {"the file is there, what runs it is not", write("interpreter", "#!/no/such/shell\n", 0o755), "interpreter or loader is missing"},
		"Gone":        {"removed in between", filepath.Join(dir, "absent"), "is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			c := step.Command{Path: tc.path, Args: []string{tc.path}}
			_, err := step.Run(t.Context(), c, func() {})
			if err == nil || !strings.Contains(step.Explain(c, err), tc.want) {
				t.Errorf("%s: %v is explained as %q, want %q", tc.reason, err, step.Explain(c, err), tc.want)
			}
		})
	}
}
