package step_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/agent/runner/step"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

func TestNewEnv(t *testing.T) {
	t.Parallel()
	vars := []*runnerv1.EnvVar{
		{Name: "TOKEN", From: "SEATRIAL_ENV_0_TOKEN", Secret: true},
		{Name: "ABSENT", From: "SEATRIAL_ENV_0_ABSENT", Secret: true},
		{Name: "GREETING", Value: "hello ${{ env.IMAGE }} ${{ env.TOKEN }}"},
		{Name: "IMAGE", Value: "own"},
	}
	e := step.NewEnv([]string{"IMAGE=i", "PATH=/image/bin", "SEATRIAL_AGENT=hidden", "SEATRIAL_ENV_0_TOKEN=s3cret", "odd"}, vars)
	if err := e.Resolve(vars, expand(e)); err != nil {
		t.Fatal(err)
	}
	got := e.List()
	want := []string{"CI=true", "GREETING=hello i s3cret", "IMAGE=own", "PATH=/image/bin", "SEATRIAL=true", "TOKEN=s3cret"}
	if !slices.Equal(got, want) {
		t.Errorf("the environment is %q, want %q", got, want)
	}
	if !slices.Equal(e.Secrets, []string{"s3cret"}) {
		t.Errorf("secrets are %q", e.Secrets)
	}
	bare := step.NewEnv(nil, nil)
	if err := bare.Resolve([]*runnerv1.EnvVar{{Name: "X", Value: "${{ env.NOPE }}"}}, expand(bare)); err == nil || !strings.Contains(err.Error(), "X") {
		t.Errorf("a variable that is not there: %v", err)
	}
	if e := bare; !strings.Contains(strings.Join(e.List(), " "), "PATH=/usr/local/sbin") {
		t.Error("an image without PATH gets none")
	}
}

func expand(e *step.Env) step.Expand {
	return (&expr.Pod{Env: e.Lookup}).Expand
}

func TestEnv_Default(t *testing.T) {
	t.Parallel()
	writable, shared := t.TempDir(), filepath.Join(t.TempDir(), "home")
	for name, tc := range map[string]struct {
		reason       string
		set, builtin string
		want         string
	}{
		"Set":     {"what can be written stays", writable, "", writable},
		"Unset":   {"nothing is there to write to", "", "", shared},
		"Root":    {"a user without an entry gets / from the runtime", "/", "", shared},
		"Absent":  {"a directory that is not there", "/no/such/dir", "", shared},
		"Builtin": {"programs know this place without being told", "", writable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := step.NewEnv([]string{"HOME=" + tc.set}, nil)
			e.Default("HOME", tc.builtin, shared)
			if got, _ := e.Lookup("HOME"); got != tc.want {
				t.Errorf("%s: HOME is %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	for _, d := range []string{bin, filepath.Join(dir, "sub", "inner")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"tool": 0o755, "data": 0o644} {
		if err := os.WriteFile(filepath.Join(bin, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		reason string
		step   *runnerv1.Step
		path   string
		args   []string
		dir    string
		err    string
	}{
		"InPath":     {"as a shell finds it", &runnerv1.Step{Command: []string{"tool", "x"}}, filepath.Join(bin, "tool"), []string{"tool", "x"}, dir, ""},
		"Relative":   {"from the working directory", &runnerv1.Step{Command: []string{"../bin/tool"}, WorkingDir: "sub"}, filepath.Join(bin, "tool"), []string{"../bin/tool"}, filepath.Join(dir, "sub"), ""},
		"Absolute":   {"a directory outside of the workspace", &runnerv1.Step{Command: []string{"tool"}, WorkingDir: "/"}, filepath.Join(bin, "tool"), []string{"tool"}, "/", ""},
		"Expression": {"words are resolved one by one", &runnerv1.Step{Command: []string{"tool", "${{ env.WORDS }}"}}, filepath.Join(bin, "tool"), []string{"tool", "two words"}, dir, ""},
		"Script":     {"by the shell", &runnerv1.Step{Index: 3, Script: "echo ${{ env.WORDS }}"}, "/bin/sh", []string{"/bin/sh", "-e", filepath.Join(dir, "step-3.sh")}, dir, ""},
		"Source":     {"the companion is where the runner is", &runnerv1.Step{Command: []string{"/seatrial/bin/seatrial-source", "git", "--url=u"}}, "/companions/seatrial-source", []string{"/seatrial/bin/seatrial-source", "git", "--url=u"}, dir, ""},
		"Missing":    {"the message shows where was looked", &runnerv1.Step{Command: []string{"nothing"}}, "", nil, "", `"nothing" was not found in the image: PATH is ` + bin},
		"NotThere":   {"a path", &runnerv1.Step{Command: []string{"/no/thing"}}, "", nil, "", "does not exist in the image"},
		"Denied":     {"it is there and may not be run", &runnerv1.Step{Command: []string{"data"}}, "", nil, "", "is not executable"},
		"Directory":  {"a directory is no program", &runnerv1.Step{Command: []string{"./sub"}}, "", nil, "", "is a directory"},
		"NoDir":      {"where to run", &runnerv1.Step{Command: []string{"tool"}, WorkingDir: "absent"}, "", nil, "", "working directory " + filepath.Join(dir, "absent") + " does not exist"},
		"BadWord":    {"an expression that nothing resolves", &runnerv1.Step{Command: []string{"tool", "${{ env.NOPE }}"}}, "", nil, "", "NOPE"},
		"Empty":      {"an empty word is no program", &runnerv1.Step{Command: []string{"${{ env.EMPTY }}"}}, "", nil, "", "the command is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := step.NewEnv([]string{"PATH=" + bin, "WORDS=two words", "EMPTY="}, nil)
			c, err := step.Prepare(tc.step, e, expand(e), step.Places{Workspace: dir, Scripts: dir, Binaries: "/companions"})
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%s: got %v, want %q", tc.reason, err, tc.err)
				}
				return
			}
			if err != nil || c.Path != tc.path || !slices.Equal(c.Args, tc.args) || c.Dir != tc.dir {
				t.Errorf("%s: %q %q in %q (%v), want %q %q in %q", tc.reason, c.Path, c.Args, c.Dir, err, tc.path, tc.args, tc.dir)
			}
		})
	}
	if got, err := os.ReadFile(filepath.Join(dir, "step-3.sh")); err == nil && string(got) != "echo two words" {
		t.Errorf("the script is %q", got)
	}
}
