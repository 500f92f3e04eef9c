package app_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/agent/runner/app"
)

// TestMain lets the test binary be the program, whose outputs, environment and exit code are what counts.
func TestMain(m *testing.M) {
	if os.Getenv("SEATRIAL_TEST_RUNNER") == "" {
		os.Exit(m.Run())
	}
	code, err := app.Run(context.Background(), os.Args[1:], "v1.2.3")
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
	}
	os.Exit(code)
}

func run(t *testing.T, program string, env []string, args ...string) (code int, output string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append([]string{"SEATRIAL_TEST_RUNNER=1"}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func TestRun(t *testing.T) {
	t.Parallel()
	agent := []string{"SEATRIAL_AGENT=127.0.0.1:1", "SEATRIAL_AGENT_PIN=" + strings.Repeat("00", 32)}
	for name, tc := range map[string]struct {
		reason string
		env    []string
		args   []string
		code   int
		says   string
	}{
		"Version":     {"the agent's probe asks", nil, []string{"--version"}, 0, "v1.2.3"},
		"None":        {"no command", nil, nil, 2, "usage:"},
		"Unknown":     {"no such command", nil, []string{"fly"}, 2, "usage:"},
		"Flag":        {"no such flag", agent, []string{"run", "--fly"}, 2, "-fly"},
		"NoContainer": {"which container", agent, []string{"run"}, 2, "--container is not set"},
		"NoAgent":     {"where to", agent[1:], []string{"run", "--container=c0"}, 2, "SEATRIAL_AGENT is not set"},
		"NoPin":       {"to whom", agent[:1], []string{"run", "--container=c0"}, 2, "SEATRIAL_AGENT_PIN is not set"},
		"NoPlan":      {"the plan is not mounted", agent, []string{"run", "--container=c0", "--plan=/no/plan"}, 1, "read plan"},
		"InstallArgs": {"where to install", nil, []string{"install"}, 2, "usage:"},
		"InstallDir":  {"a directory that is not there", nil, []string{"install", "/no/such/dir"}, 1, "install the runner"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out := run(t, os.Args[0], tc.env, tc.args...)
			if code != tc.code || !strings.Contains(out, tc.says) {
				t.Errorf("%s: exit %d, %q; want %d, %q", tc.reason, code, out, tc.code, tc.says)
			}
		})
	}
}

// TestRun_Install copies the program and its companion over what is there, and runs the copy.
func TestRun_Install(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	b, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(from, "seatrial-runner")
	for file, content := range map[string][]byte{
		program: b, filepath.Join(from, "seatrial-source"): []byte("companion"), filepath.Join(to, "seatrial-source"): []byte("old"),
	} {
		if err := os.WriteFile(file, content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if code, out := run(t, program, nil, "install", to); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	if code, out := run(t, filepath.Join(to, "seatrial-runner"), nil, "--version"); code != 0 || out != "v1.2.3\n" {
		t.Errorf("the copy: exit %d, %q", code, out)
	}
	if got, err := os.ReadFile(filepath.Join(to, "seatrial-source")); err != nil || string(got) != "companion" {
		t.Errorf("the companion is %q, %v", got, err)
	}
	if left, err := filepath.Glob(filepath.Join(to, "*")); err != nil || len(left) != 2 {
		t.Errorf("the directory holds %q, %v", left, err)
	}
}
