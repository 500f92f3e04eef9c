package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// scenario is a workflow of testdata/scenarios and what has to come of it.
type scenario struct {
	args   []string // of the command that runs it
	status apiv1.Status
	says   string   // stands in the execution's message
	runs   string   // their names, as far as they have any
	steps  string   // of the first run: each with its status, and the exit code where it is not 0
	tests  string   // passed, failed, errored and skipped ones
	grades []string // "format grade" of each report
	files  []string // artifacts, in order
	log    string   // of the whole execution, every line of it in this order, among others
	reason string
}

const (
	passed   = apiv1.Status_STATUS_PASSED
	failed   = apiv1.Status_STATUS_FAILED
	timedOut = apiv1.Status_STATUS_TIMED_OUT
)

func scenarios() map[string]scenario {
	return map[string]scenario{
		"pytest": {
			args: []string{"--param", "word=ahoy"}, status: failed, steps: "test failed 1", tests: "3 1 0 1",
			grades: []string{"junit consistent"}, files: []string{"out/pytest.xml"}, log: "ratio 0.5", reason: "a report that tells its format by itself, and files that are kept of failures",
		},
		"bats":   {status: failed, steps: "test failed 1", tests: "1 1 0 1", grades: []string{"tap consistent"}, reason: "TAP on the standard output"},
		"jest":   {status: failed, steps: "test failed 1", tests: "2 1 0 1", grades: []string{"jest consistent"}, reason: "a command without a shell"},
		"go":     {status: passed, steps: "test passed", tests: "3 0 0 1", grades: []string{"gotest consistent"}, reason: "subtests are tests, and what holds them is not one more"},
		"mocha":  {status: passed, steps: "test passed", tests: "3 0 0 0", grades: []string{"mocha consistent"}, reason: "the JSON of mocha"},
		"jmeter": {status: passed, steps: "test passed", tests: "1 1 0 0", grades: []string{"jtl consistent"}, reason: "JMeter ends with 0 whatever its samples did; the test that failed is seen"},
		"newman": {
			status: passed, steps: "test passed", tests: "3 0 0 0", grades: []string{"newman consistent"},
			files: []string{"out/junit.xml", "out/newman.json"}, log: "shop\nis taken", reason: "a Postman collection against a service that answers by HTTP",
		},
		"flaky": {status: passed, steps: "test passed", log: "this is try 1\nthis is try 2\nthis is try 3", reason: "the third of three tries passes"},
		"timeout": {
			status: timedOut, says: "5s", steps: "hangs timed_out 143, after skipped, cleanup passed", tests: "1 0 1 0",
			grades: []string{"junit contradictory"}, // it says that all is well
			files:  []string{"out/cleanup.txt", "out/half.txt"}, log: "after timed_out", reason: "the teardown runs after the time is over, and nothing written before is lost",
		},
		"steps": {
			status: failed, log: "ahoy, ***, nothing\nnode says 42\nport 8080 of 2 files\nas JSON {a:[1]}\nversion 4.2\nit is failed\nbuild is passed",
			steps: "build passed, refuses passed 7, three passed 3, whatever passed 9, allowed failed 5, slow timed_out 143, unmet skipped, other-image passed, " +
				"left passed, right passed, functions passed, breaks failed 1, skipped skipped, because passed, anyway passed",
			reason: "conditions, expectations, outputs and functions",
		},
		"pod": {
			status: passed, steps: "greet passed, who passed, words passed, environment passed",
			log:    "ahoy harbour\n1234\n2345\nread-only\nahoy\n***\ntmpfs\n0\nkept\nahoy, ***, api, api",
			reason: "a template, and what a pod is given",
		},
		"matrix": {
			status: passed, runs: "browser=chromium, locale=de|browser=chromium, locale=en|browser=firefox, locale=en|browser=webkit, locale=en",
			log: "in", reason: "one of four combinations is left out, another is added",
		},
		"suite": {status: passed, steps: "parts passed, later passed", reason: "three others side by side, and one that is not waited for"},
	}
}

// TestScenarios runs whole workflows with the tools that teams have, at once as far as the node carries it, and holds what each
// comes to: status, steps, tests, how far reports can be trusted, files and log.
func TestScenarios(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	a := installAgent(t, p)
	for _, args := range [][]string{
		{"create", "configmap", "scenarios", "--from-literal=greeting=ahoy"},
		{"create", "secret", "generic", "scenarios", "--from-literal=token=hunter2-hunter2"},
	} {
		if out, err := a.kube.Kubectl(t.Context(), append([]string{"-n", a.namespace}, args...)...); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	a.claim(t, "harbour")
	for name, s := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.apply(t, strings.ReplaceAll(workflowOf(t, name), "the-environment", a.cluster))
			id := p.run(t, name, s.args...)
			s.holds(t, p, p.ended(t, id))
		})
	}
	t.Run("playwright", func(t *testing.T) {
		t.Parallel()
		pagesByDuration(t, p)
	})
}

// claim makes a claim with a volume that is a folder of this machine: the cluster has no provisioner.
func (a *agent) claim(t *testing.T, name string) {
	t.Helper()
	volume := a.namespace + "-" + name
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil { // for whoever the pod runs as
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "claim.yaml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer("VOLUME", volume, "NAMESPACE", a.namespace, "NAME", name, "FOLDER", dir).Replace(`apiVersion: v1
kind: PersistentVolume
metadata: {name: VOLUME}
spec:
  capacity: {storage: 1Mi}
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  hostPath: {path: FOLDER}
  claimRef: {namespace: NAMESPACE, name: NAME}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: NAME, namespace: NAMESPACE}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  volumeName: VOLUME
  resources: {requests: {storage: 1Mi}}
`)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := a.kube.Kubectl(context.WithoutCancel(t.Context()), "delete", "pv", volume, "--wait=false"); err != nil {
			t.Error(err)
		}
	})
	if out, err := a.kube.Kubectl(t.Context(), "apply", "-f", file); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// workflowFile returns the path of a scenario's workflow.
func workflowFile(name string) string { return filepath.Join("testdata", "scenarios", name+".yaml") }

// workflowOf returns a scenario's workflow.
func workflowOf(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(workflowFile(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (s scenario) holds(t *testing.T, p *plane, e *apiv1.Execution) {
	t.Helper()
	id := e.GetId()
	log := p.cli(t, "logs", id).out
	same := func(what, got, want string) {
		t.Helper()
		if want != "" && got != want {
			t.Errorf("%s: %s %q, want %q; the log:\n%.3000s", s.reason, what, got, want, log)
		}
	}
	same("status", e.GetStatus().String(), s.status.String())
	if !strings.Contains(e.GetMessage(), s.says) {
		t.Errorf("it says %q, want %q", e.GetMessage(), s.says)
	}
	var runs []string
	for _, r := range e.GetRuns() {
		runs = append(runs, r.GetName())
	}
	slices.Sort(runs)
	same("runs", strings.Join(runs, "|"), s.runs)
	same("steps", stepsOf(e.GetRuns()[0]), s.steps)
	c := e.GetTests()
	same("tests", fmt.Sprint(c.GetPassed(), c.GetFailed(), c.GetErrored(), c.GetSkipped()), s.tests)
	grades, files := filesOf(t, p, id)
	if s.grades != nil {
		same("grades", strings.Join(grades, ", "), strings.Join(s.grades, ", "))
	}
	if s.files != nil {
		same("files", strings.Join(files, ", "), strings.Join(s.files, ", "))
	}
	rest := log
	for line := range strings.Lines(s.log) {
		_, after, found := strings.Cut(rest, strings.TrimSuffix(line, "\n"))
		if !found {
			t.Errorf("the log lacks %q, or has it earlier:\n%s", line, log)
		}
		rest = after
	}
}

// stepsOf lists the steps of a run's first attempt, each with its status and its exit code.
func stepsOf(r *apiv1.Run) string {
	var out []string
	for _, s := range r.GetAttempts()[0].GetSteps() {
		text := s.GetName() + " " + strings.ToLower(strings.TrimPrefix(s.GetStatus().String(), "STATUS_"))
		if s.GetExitCode() > 0 {
			text += fmt.Sprint(" ", s.GetExitCode())
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// filesOf returns how far the reports of an execution can be trusted, and the paths of its artifacts.
func filesOf(t *testing.T, p *plane, id string) (grades, artifacts []string) {
	t.Helper()
	var list apiv1.ListFilesResponse
	if err := protojson.Unmarshal([]byte(p.must(t, "get", "files", id, "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, f := range list.GetFiles() {
		switch f.GetKind() {
		case "report":
			grades = append(grades, f.GetFormat()+" "+f.GetGrade())
		case "artifact": // every step has metrics, too
			artifacts = append(artifacts, f.GetPath())
		}
	}
	slices.Sort(grades)
	slices.Sort(artifacts)
	return grades, artifacts
}

// pagesByDuration shares a Playwright suite out among four shards, by how long its files took in Chromium when they ran in one.
func pagesByDuration(t *testing.T, p *plane) {
	t.Helper()
	p.apply(t, workflowOf(t, "playwright"))
	for _, shards := range []int{1, 4} {
		id := p.run(t, "playwright", "--param", fmt.Sprint("shards=", shards))
		e := p.ended(t, id)
		grades, pictures := filesOf(t, p, id)
		if e.GetStatus() != passed || len(e.GetRuns()) != shards || e.GetTests().GetPassed() != 5 || len(grades) != shards || len(pictures) != 5 {
			t.Fatalf("%s: %s; %d runs, tests %v, reports %v, pictures %v\n%s",
				e.GetStatus(), e.GetMessage(), len(e.GetRuns()), e.GetTests(), grades, pictures, p.cli(t, "logs", id).out)
		}
		if shards == 1 {
			continue // nothing is known of the durations yet
		}
		files := map[string]bool{}
		for _, r := range e.GetRuns() {
			first, _, _ := strings.Cut(p.must(t, "logs", id, "--run", r.GetName()), "\n")
			files[strings.TrimPrefix(first, "files ")] = true
		}
		if !files["a.spec.js"] {
			t.Errorf("the slow file is not alone in its shard: %v", slices.Sorted(maps.Keys(files)))
		}
	}
}

// TestScenarios_Documents holds that no document lies about unused.
func TestScenarios_Documents(t *testing.T) {
	t.Parallel()
	found, err := os.ReadDir(filepath.Join("testdata", "scenarios"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		name := strings.TrimSuffix(f.Name(), ".yaml")
		if _, ok := scenarios()[name]; !ok && name != "playwright" {
			t.Errorf("no scenario runs %s", f.Name())
		}
	}
}
