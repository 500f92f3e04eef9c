package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"k8s.io/client-go/util/jsonpath"

	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

// node is a document of any kind.
type node = map[string]any

// at returns what is at a path of a document; numbers are places in a list.
func at(t *testing.T, doc any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, ok := doc.(node)
			if !ok || m[s] == nil {
				t.Fatalf("there is no %v in %v", step, doc)
			}
			doc = m[s]
		case int:
			l, ok := doc.([]any)
			if !ok || len(l) <= s {
				t.Fatalf("there is no %v in %v", step, doc)
			}
			doc = l[s]
		}
	}
	return doc
}

func text(t *testing.T, doc any, path ...any) string {
	t.Helper()
	s, ok := at(t, doc, path...).(string)
	if !ok {
		t.Fatalf("%v is no text", path)
	}
	return s
}

// documents reads a YAML file, all documents of it.
func documents(t *testing.T, path string) (out []node) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	for d := yaml.NewDecoder(bytes.NewReader(raw)); ; {
		var one node
		err := d.Decode(&one)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, one)
	}
}

// shell runs a script as pipelines do, and returns its exit code.
func shell(t *testing.T, dir, script string, env map[string]string) (code int, out string) {
	t.Helper()
	return executed(t, exec.CommandContext(t.Context(), "bash", "-eo", "pipefail", "-c", script), dir, env)
}

func executed(t *testing.T, c *exec.Cmd, dir string, env map[string]string) (int, string) {
	t.Helper()
	c.Dir, c.Env = dir, []string{"HOME=" + dir}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		c.Env = append(c.Env, name+"="+env[name])
	}
	text, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %s", err, text)
	}
	return c.ProcessState.ExitCode(), string(text)
}

// outcome says which exit code a workflow ends with.
func outcomes() map[string]int {
	return map[string]int{"checkout": exitcode.Passed, "broken": exitcode.Failed}
}

func has(t *testing.T, path, says string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), says) {
		t.Errorf("%s does not say %q: %v\n%s", filepath.Base(path), says, err, text)
	}
}

var input = regexp.MustCompile(`\$\{\{ inputs\.(\w+) \}\}`)

// TestGitHub runs the steps of the action, with their inputs as an example gives them.
func TestGitHub(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.release(t)
	_, docker := commands(t)
	action := documents(t, "deploy/ci/github/action.yml")[0]
	for _, tc := range []struct {
		workflow, gate, limit, says string
		codes                       map[string]int
	}{
		{"", "true", "1s", "INCOMPLETE", map[string]int{"Install": 0, "Gate": exitcode.Missing}},
		{"checkout", "true", "1m", "READY", map[string]int{"Install": 0, "Run": exitcode.Passed, "Gate": exitcode.Passed}},
		{"broken", "false", "1m", "41 is not 42", map[string]int{"Install": 0, "Run": exitcode.Failed}},
	} {
		dir, workflow := t.TempDir(), tc.workflow
		given := map[string]string{
			"server": p.url, "token": p.token, "workflow": workflow, "release": "shop@1.42.0", "gate": tc.gate, "timeout": tc.limit, "params": "", "target": "", "organization": "", "image": "x",
		}
		env := map[string]string{
			"PATH": docker + ":" + filepath.Join(dir, "seatrial") + ":/usr/bin:/bin", "RUNNER_TEMP": dir, "GITHUB_PATH": filepath.Join(dir, "path"), "GITHUB_OUTPUT": filepath.Join(dir, "output"),
			"GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary.md"), "GITHUB_SHA": p.commit, "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "smoke", "GITHUB_ACTION": workflow,
		}
		codes := map[string]int{}
		for _, step := range at(t, action, "runs", "steps").([]any) {
			name := text(t, step, "name")
			if runs := map[string]bool{
				"Install": true, "Sign in": false, // by an identity of GitHub, which the tests of federation have
				"Run": workflow != "", "Gate": tc.gate == "true",
			}; !runs[name] {
				continue
			}
			mine := maps.Clone(env)
			for key, value := range at(t, step, "env").(node) {
				mine[key] = input.ReplaceAllStringFunc(value.(string), func(m string) string {
					value, ok := given[input.FindStringSubmatch(m)[1]]
					if !ok {
						t.Errorf("%s: there is no input for %s", name, m)
					}
					return value
				})
				if value == "${{ toJSON(matrix) }}" {
					mine[key] = "null"
				}
			}
			if text(t, step, "shell") != "bash" {
				t.Errorf("%s: which shell?", name)
			}
			code, out := shell(t, dir, text(t, step, "run"), mine)
			codes[name] = code
			t.Logf("%s: %d\n%s", name, code, out)
		}
		if !maps.Equal(codes, tc.codes) {
			t.Errorf("%q: %v", workflow, codes)
		}
		has(t, filepath.Join(dir, "summary.md"), tc.says)
		if workflow != "" {
			has(t, filepath.Join(dir, "seatrial", "junit.xml"), `<testsuites name="`+workflow+`"`)
		}
	}
	inputs := at(t, action, "inputs").(node)
	for name, job := range at(t, documents(t, "deploy/ci/github/example.yml")[0], "jobs").(node) {
		for key := range at(t, job, "steps", 0, "with").(node) {
			if inputs[key] == nil {
				t.Errorf("%s: the action has no input %s", name, key)
			}
		}
	}
}

var gitlabInput = regexp.MustCompile(`\$\[\[ inputs\.(\w+) \]\]`)

func TestGitLab(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.release(t)
	bin, _ := commands(t)
	both := documents(t, "deploy/ci/gitlab/templates/seatrial.yml")
	declared := at(t, both[0], "spec", "inputs").(node)
	for workflow, want := range outcomes() {
		given := map[string]string{"server": p.url, "organization": "default", "workflow": workflow, "release": "shop@1.42.0", "timeout": "1m"}
		job := both[1]["seatrial $[[ inputs.workflow ]]"]
		env := map[string]string{"PATH": bin + ":/usr/bin:/bin", "CI_COMMIT_SHA": p.commit, "CI_JOB_ID": workflow, "SEATRIAL_TOKEN": p.token}
		for key, value := range at(t, job, "variables").(node) {
			env[key] = gitlabInput.ReplaceAllStringFunc(value.(string), func(m string) string { return given[gitlabInput.FindStringSubmatch(m)[1]] })
		}
		var script []string
		for _, line := range at(t, job, "script").([]any) {
			script = append(script, line.(string))
		}
		dir := t.TempDir()
		if code, out := shell(t, dir, strings.Join(script, "\n"), env); code != want {
			t.Errorf("%s: %d\n%s", workflow, code, out)
		}
		has(t, filepath.Join(dir, text(t, job, "artifacts", "reports", "junit")), "<testsuites")
		has(t, filepath.Join(dir, text(t, job, "artifacts", "paths", 0)), workflow)
	}
	for key := range at(t, documents(t, "deploy/ci/gitlab/example.yml")[0], "include", 0, "inputs").(node) {
		if declared[key] == nil {
			t.Errorf("the component has no input %s", key)
		}
	}
}

func TestJenkins(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.release(t)
	bin, _ := commands(t)
	raw, err := os.ReadFile(filepath.Join(root, "deploy/ci/jenkins/vars/seatrialRun.groovy"))
	if err != nil {
		t.Fatal(err)
	}
	// In ''' Groovy takes a backslash before the end of a line away with the line's end, as the shell would.
	script := strings.Split(string(raw), "'''")[1]
	for workflow, want := range outcomes() {
		dir := t.TempDir()
		code, out := shell(t, dir, script, map[string]string{
			"PATH": bin + ":/usr/bin:/bin", "SEATRIAL_SERVER": p.url, "SEATRIAL_TOKEN": p.token, "WORKFLOW": workflow, "RELEASE": "", "LIMIT": "1m", "BUILD_TAG": "b-1", "GIT_COMMIT": p.commit,
		})
		if code != want {
			t.Errorf("%s: %d\n%s", workflow, code, out)
		}
		has(t, filepath.Join(dir, "seatrial.xml"), "<testsuites")
	}
	// Names of builds grow with folders and branches.
	var ids []string
	for range 2 {
		_, out := shell(t, t.TempDir(), script, map[string]string{
			"PATH": bin + ":/usr/bin:/bin", "SEATRIAL_SERVER": p.url, "SEATRIAL_TOKEN": p.token, "WORKFLOW": "checkout", "RELEASE": "", "LIMIT": "1m",
			"BUILD_TAG": "jenkins-" + strings.Repeat("folder-", 40) + "1", "GIT_COMMIT": p.commit,
		})
		ids = append(ids, executionID.FindString(out))
	}
	if ids[0] == "" || ids[0] != ids[1] {
		t.Errorf("a build of a long name that is run again starts another execution: %q", ids)
	}
}

// executionID is that of an execution, as a command prints it.
var executionID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)

// TestContainers runs what the containers of Argo CD, Kargo and Tekton run, with arguments as those systems write them in.
func TestContainers(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.release(t)
	bin, _ := commands(t)
	for name, tc := range map[string]struct {
		file      string
		document  int
		kind      string
		container []any
	}{
		"ArgoCD": {"argocd/post-sync.yaml", 0, "Job", []any{"spec", "template", "spec", "containers", 0}},
		"Kargo":  {"kargo/verification.yaml", 1, "AnalysisTemplate", []any{"spec", "metrics", 0, "provider", "job", "spec", "template", "spec", "containers", 0}},
		"Tekton": {"tekton/task.yaml", 0, "Task", []any{"spec", "steps", 0}},
	} {
		doc := documents(t, "deploy/ci/"+tc.file)[tc.document]
		if doc["kind"] != tc.kind {
			t.Errorf("%s: a %v", name, doc["kind"])
		}
		c := at(t, doc, tc.container...).(node)
		var line []string
		for _, key := range []string{"command", "args"} {
			if list, ok := c[key].([]any); ok {
				for _, word := range list {
					line = append(line, word.(string))
				}
			}
		}
		if line[0] != "/seatrial" {
			t.Fatalf("%s runs %s", name, line[0])
		}
		for workflow, want := range outcomes() {
			dir := t.TempDir()
			fill := strings.NewReplacer(
				"{{args.workflow}}", workflow, "{{args.release}}", "shop@1.42.0", "$(params.workflow)", workflow, "$(params.release)", "shop@1.42.0", "$(params.commit)", p.commit,
				"$(params.timeout)", "1m", "$(context.taskRun.uid)", workflow, "$(workspaces.reports.path)", dir, "checkout", workflow,
			)
			words := make([]string, len(line)-1)
			for i, word := range line[1:] {
				if words[i] = fill.Replace(word); strings.Contains(words[i], "$(") || strings.Contains(words[i], "{{") {
					t.Errorf("%s: nobody fills in %s", name, word)
				}
			}
			code, out := executed(t, exec.CommandContext(t.Context(), filepath.Join(bin, "seatrial"), words...), dir, map[string]string{"PATH": "/usr/bin:/bin", "SEATRIAL_SERVER": p.url, "SEATRIAL_TOKEN": p.token})
			if code != want {
				t.Errorf("%s, %s: %d\n%s", name, workflow, code, out)
			}
		}
		var secrets []string
		for _, e := range at(t, c, "env").([]any) {
			secrets = append(secrets, text(t, e, "name"))
		}
		if !slices.Equal(secrets, []string{"SEATRIAL_SERVER", "SEATRIAL_TOKEN"}) {
			t.Errorf("%s: %v", name, secrets)
		}
	}
}

// TestArgoRollouts asks as the analysis does, before and after there is evidence.
func TestArgoRollouts(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.release(t)
	metric := at(t, documents(t, "deploy/ci/argo-rollouts/analysis.yaml")[0], "spec", "metrics", 0)
	web := at(t, metric, "provider", "web")
	ask := func() string {
		fill := strings.NewReplacer("{{args.server}}", p.url, "{{args.application}}", "shop", "{{args.version}}", "1.42.0", "{{args.authorization}}", "Bearer "+p.token)
		body, err := json.Marshal(at(t, web, "jsonBody"))
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), text(t, web, "method"), fill.Replace(text(t, web, "url")), strings.NewReader(fill.Replace(string(body))))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range at(t, web, "headers").([]any) {
			req.Header.Set(text(t, h, "key"), fill.Replace(text(t, h, "value")))
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var answer any
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v, %v", res.Status, answer, err)
		}
		path := jsonpath.New("result")
		if err := path.Parse(text(t, web, "jsonPath")); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := path.Execute(&out, answer); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	good, bad := text(t, metric, "successCondition"), text(t, metric, "failureCondition")
	if state := ask(); strings.Contains(good, `"`+state+`"`) || strings.Contains(bad, `"`+state+`"`) {
		t.Errorf("%s is taken for an end", state)
	}
	bin, _ := commands(t)
	env := map[string]string{"PATH": bin + ":/usr/bin:/bin", "SEATRIAL_SERVER": p.url, "SEATRIAL_TOKEN": p.token}
	if code, out := shell(t, t.TempDir(), "seatrial run checkout --release shop@1.42.0 --commit "+p.commit+" --wait\nseatrial release gate shop 1.42.0 --wait --timeout 1m", env); code != 0 {
		t.Fatalf("%d\n%s", code, out)
	}
	if state := ask(); !strings.Contains(good, `"`+state+`"`) {
		t.Errorf("%s is not taken for ready by %s", state, good)
	}
}
