//go:build linux

package cmd_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/local"
)

// asRunner is the argument with which the binary of this test is the runner.
const asRunner = "seatrial-local-runner"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asRunner {
		code, err := local.Runner(context.Background(), os.Args[2:], "v0")
		if err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
		}
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// trial runs a workflow on this machine.
func trial(t *testing.T, spec string, args ...string) said {
	t.Helper()
	return trialIn(t.Context(), t, spec, args...)
}

func trialIn(ctx context.Context, t *testing.T, spec string, args ...string) said {
	t.Helper()
	s := setup(t)
	s.runner, s.steps = []string{os.Args[0], asRunner}, append(os.Environ(), "TOKEN=hunter2-hunter2")
	file := filepath.Join(t.TempDir(), "w.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: w}\nspec:\n  container: {image: example.test/tests:1}\n"+spec), 0o600); err != nil {
		t.Fatal(err)
	}
	return s.runIn(ctx, append([]string{"local", "run", file}, args...)...)
}

const report = `<testsuite name='cart' tests='2' failures='1'><testcase name='adds'/><testcase name='removes'><failure message='expected 1'/></testcase></testsuite>`

func TestLocal(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reason string
		spec   string
		args   []string
		code   int
		out    []string // in this order
		err    []string // the same
	}{
		"Passes": {
			"params, files, secrets, outputs and reports as in a cluster", `
  params: {who: {type: string}}
  source: {files: [{path: hello.txt, content: "hello\n"}]}
  services: {db: {image: postgres}}
  steps:
    - {name: read, run: 'cat hello.txt; echo "to ${{ params.who }}: $TOKEN"; echo "v=7" >> "$SEATRIAL_OUTPUT"', outputs: [v], env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: shop, key: token}}}]}
    - {name: again, run: 'echo "version ${{ steps.read.outputs.v }} in ${{ environment.name }}"; printf x', artifacts: {paths: [hello.txt]}}
`,
			[]string{"-p", "who=ada"},
			exitcode.Passed,
			[]string{"hello\nto ada: ***\n", "version 7 in local\nx\n"},
			[]string{"images are not used", "example.test/tests:1", "services are not started", "── 1/2 read", "passed in", "── 2/2 again", "1 artifact is not kept"},
		},
		"Fails": {
			"the outcome is the exit code, and the teardown runs", `
  steps:
    - {name: test, run: "echo \"` + report + `\" > r.xml; exit 1", reports: [{format: auto, paths: [r.xml]}]}
    - {name: never, run: echo never}
  teardown: [{name: clean, run: echo cleaned}]
`,
			nil, exitcode.Failed,
			[]string{"cleaned\n", "r.xml", "consistent", "cart", "removes", "expected 1"},
			[]string{"── 1/3 test", "failed in", "exit code 1", "skipped: step \"test\" did not pass", "── 3/3 clean", "failed: step \"test\": exit code 1"},
		},
		"NoSecret": {
			"it says what to do", "  steps: [{run: x, env: [{name: ABSENT_KEY, valueFrom: {secretKeyRef: {name: shop, key: api}}}]}]\n",
			nil, exitcode.Usage, nil,
			[]string{"ABSENT_KEY comes from key api of secret shop: set it in your environment, or give it with --secret"},
		},
		"NoFetcher": {
			"it says what to do before anything runs", "  source: {git: {url: \"https://git.example.test/shop.git\"}}\n  steps: [{run: x}]\n",
			nil, exitcode.Usage, nil,
			[]string{"seatrial-source", "--workspace"},
		},
		"ConfigMap": {
			"it is in a cluster only, and said once", "  matrix: {n: [1, 2]}\n  source: {configMap: {name: words}}\n  steps: [{run: x}]\n",
			nil, exitcode.Usage, nil,
			[]string{"=== n=1", "its source is a config map"},
		},
		"Secret": {
			"given, and hidden", "  steps: [{run: 'echo $ABSENT_KEY', env: [{name: ABSENT_KEY, valueFrom: {secretKeyRef: {name: shop, key: api}}}]}]\n",
			[]string{"--secret", "shop/api=swordfish"},
			exitcode.Passed,
			[]string{"***\n"},
			nil,
		},
		"Pause": {"somebody said beforehand that it may go on", "  steps: [{name: ask, pause: {message: look at it}}, {run: echo on}]\n", []string{"--resume"}, exitcode.Passed, []string{"on\n"}, []string{"resumed by --resume"}},
		"NobodyThere": {
			"a pipeline cannot be asked", "  steps: [{name: ask, pause: {message: look at it}}, {run: echo on}]\n",
			nil, exitcode.Stopped, nil,
			[]string{"use --resume", "cancelled"},
		},
		"Execute": {"what another workflow would do is not known here", "  steps: [{name: others, execute: {workflows: [{name: smoke}]}}, {run: echo on}]\n", nil, exitcode.Passed, []string{"on\n"}, []string{"not executed on this machine"}},
		"Matrix": {
			"all runs, one after the other", "  matrix: {browser: [firefox, chromium]}\n  steps: [{run: 'echo in ${{ matrix.browser }}; [ ${{ matrix.browser }} = chromium ]'}]\n",
			nil, exitcode.Failed,
			[]string{"in firefox\n", "in chromium\n"},
			[]string{"=== browser=firefox", "=== browser=chromium"},
		},
		"OneRun":  {"only one of them", "  matrix: {browser: [firefox, chromium]}\n  steps: [{run: 'echo in ${{ matrix.browser }}'}]\n", []string{"--run", "browser=chromium"}, exitcode.Passed, []string{"in chromium\n"}, nil},
		"NoRun":   {"the names are told", "  matrix: {browser: [firefox, chromium]}\n  steps: [{run: x}]\n", []string{"--run", "x"}, exitcode.Usage, nil, []string{`there are "browser=firefox", "browser=chromium"`}},
		"Group":   {"steps that run at once are told apart", "  steps: [{name: both, parallel: [{name: left, run: echo one}, {name: right, run: printf two}]}]\n", nil, exitcode.Passed, []string{"right | two\n"}, []string{"left | passed"}},
		"Fault":   {"as validate says it", "  stepz: []\n", nil, exitcode.Usage, nil, []string{`spec.stepz`, `did you mean "steps"?`}},
		"Timeout": {"its own exit code", "  timeout: 1s\n  steps: [{run: sleep 60}]\n", nil, exitcode.Stopped, nil, []string{"timed out"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := trial(t, tc.spec, tc.args...)
			if got.code != tc.code {
				t.Errorf("%s: exit code %d, want %d", tc.reason, got.code, tc.code)
			}
			inOrder(t, "output", got.out, tc.out)
			inOrder(t, "messages", got.err, tc.err)
			if strings.Contains(got.out+got.err, "hunter2") || strings.Contains(got.out+got.err, "swordfish") {
				t.Error("a secret is shown")
			}
			if t.Failed() {
				t.Logf("output:\n%s\nmessages:\n%s", got.out, got.err)
			}
		})
	}
}

func inOrder(t *testing.T, what, text string, parts []string) {
	t.Helper()
	for _, p := range parts {
		at := strings.Index(text, p)
		if at < 0 {
			t.Errorf("the %s lack %q after what came before", what, p)
			return
		}
		text = text[at+len(p):]
	}
}

// TestLocal_Interrupt stops what runs as a cluster does: politely, with the teardown.
func TestLocal_Interrupt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	started := filepath.Join(dir, "started")
	if err := syscall.Mkfifo(started, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		_, _ = os.ReadFile(started) // until the step has written
		interrupt()
	}()
	got := trialIn(ctx, t, `
  steps: [{name: long, run: "trap 'echo told; exit 7' TERM; echo x > `+started+`; while :; do sleep 0.1; done"}]
  teardown: [{name: clean, run: echo cleaned}]
`)
	if got.code != exitcode.Stopped {
		t.Errorf("exit code %d", got.code)
	}
	inOrder(t, "output", got.out, []string{"told\n", "cleaned\n"})
	if !strings.Contains(got.err, "cancelled") || !strings.Contains(got.err, "It was interrupted.") {
		t.Errorf("messages:\n%s", got.err)
	}
}

// TestLocal_Files keeps apart what steps call alike, and judges each report by its own step.
func TestLocal_Files(t *testing.T) {
	t.Parallel()
	files := filepath.Join(t.TempDir(), "files")
	got := trial(t, `
  steps:
    - {name: bad, run: "echo \"`+report+`\" > r.xml; exit 1", continueOnError: true, reports: [{format: junit, paths: [r.xml]}], artifacts: {paths: ["*.xml"]}}
    - {name: good, run: "echo \"<testsuite name='x' tests='1'><testcase name='y'/></testsuite>\" > r.xml", reports: [{format: junit, paths: [r.xml]}]}
`, "--files", files)
	if got.code != exitcode.Passed || strings.Count(got.out, "consistent") != 2 || strings.Count(got.out, "expected 1") != 1 {
		t.Errorf("exit code %d, output:\n%s", got.code, got.out)
	}
	for name, want := range map[string]string{"bad/reports/r.xml": "removes", "bad/artifacts/r.xml": "removes", "good/reports/r.xml": "name='y'"} {
		if b, err := os.ReadFile(filepath.Join(files, name)); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s is %q, %v; the run said:\n%s%s", name, b, err, got.out, got.err)
		}
	}
	if got := trial(t, "  steps: [{run: x}]\n", "--files", filepath.Join(files, "bad/reports/r.xml")); got.code != exitcode.Usage || !strings.Contains(got.err, "the folder for files") {
		t.Errorf("a folder that is none: %+v", got)
	}
}

// TestLocal_Workspace runs in the folder of the author and leaves what is there.
func TestLocal_Workspace(t *testing.T) {
	t.Parallel()
	dir, files := t.TempDir(), filepath.Join(t.TempDir(), "files")
	if err := os.WriteFile(filepath.Join(dir, "mine.txt"), []byte("mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := trial(t, `
  source: {git: {url: "https://git.example.test/shop.git"}, files: [{path: mine.txt, content: theirs}, {path: more.txt, content: "more\n"}]}
  steps: [{run: "cat mine.txt more.txt; echo made > made.txt", artifacts: {paths: ["*.txt"]}}]
`, "--workspace", dir, "--files", files)
	if got.code != exitcode.Passed || got.out != "mine\nmore\n" {
		t.Errorf("exit code %d, output %q, messages:\n%s", got.code, got.out, got.err)
	}
	inOrder(t, "messages", got.err, []string{"Runs on this machine, in " + dir, "the source is not fetched", "mine.txt of your workspace is used", "── 1/1 step-1"})
	for name, want := range map[string]string{"mine.txt": "mine\n", "made.txt": "made\n", "more.txt": "more\n"} {
		if b, err := os.ReadFile(filepath.Join(files, "step-1/artifacts", name)); err != nil || string(b) != want {
			t.Errorf("%s is %q, %v; the run said:\n%s%s", name, b, err, got.out, got.err)
		}
	}
}
