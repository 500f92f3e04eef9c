package e2e_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// TestRuns runs a matrix with shards in two environments at once, and looks at what each of its pods did.
func TestRuns(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	one, other := installAgent(t, p), installAgent(t, p)
	const parallel = 3
	p.apply(t, `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: many}
spec:
  environments: {names: [`+one.cluster+`, `+other.cluster+`]}
  matrix: {browser: [firefox, chromium], locale: [en, de], exclude: [{browser: firefox, locale: de}]}
  shards: {count: 2}
  maxParallel: 3
  container: {image: `+python+`, imagePullPolicy: Never}
  timeout: 5m
  steps:
    - name: test
      run: 'echo "${{ environment.name }}, browser=${{ matrix.browser }}, locale=${{ matrix.locale }}, shard ${{ shard.index }}/${{ shard.count }}"'
`)
	id := p.run(t, "many")
	e := p.ended(t, id)
	if e.GetStatus() != apiv1.Status_STATUS_PASSED || len(e.GetRuns()) != 2*3*2 {
		t.Fatalf("%s with %d runs: %s", e.GetStatus(), len(e.GetRuns()), e.GetMessage())
	}
	for _, r := range e.GetRuns() {
		if got := strings.TrimSpace(p.must(t, "logs", id, "--run", r.GetName())); got != r.GetName() {
			t.Errorf("the pod of %q says %q", r.GetName(), got)
		}
	}
	if n := mostAtOnce(e); n > parallel {
		t.Errorf("%d runs were under way at once, want at most %d", n, parallel)
	}
}

// mostAtOnce returns how many runs overlapped.
func mostAtOnce(e *apiv1.Execution) int {
	type edge struct {
		at   int64
		step int
	}
	var edges []edge
	for _, r := range e.GetRuns() {
		a := r.GetAttempts()[0]
		edges = append(edges, edge{a.GetStartedAt().AsTime().UnixNano(), 1}, edge{a.GetFinishedAt().AsTime().UnixNano(), -1})
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.step, b.step)) })
	most, now := 0, 0
	for _, x := range edges {
		now += x.step
		most = max(most, now)
	}
	return most
}

// failFast ends the siblings of a run that fails: one that is under way, and one that waits for its turn.
func failFast(t *testing.T, p *plane, _ *agent) {
	t.Helper()
	p.apply(t, `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: fast}
spec:
  matrix: {part: [one, two, three]}
  failFast: true
  maxParallel: 2
  container: {image: `+python+`, imagePullPolicy: Never}
  timeout: 5m
  steps:
    - {name: test, run: '[ ${{ matrix.part }} != one ] || exit 3; sleep 250'}
`)
	e := p.ended(t, p.run(t, "fast"))
	if e.GetStatus() != apiv1.Status_STATUS_FAILED || !strings.Contains(e.GetMessage(), "part=one") {
		t.Errorf("%s: %q; want the run that failed to be named", e.GetStatus(), e.GetMessage())
	}
	for i, want := range []apiv1.Status{apiv1.Status_STATUS_FAILED, apiv1.Status_STATUS_CANCELLED, apiv1.Status_STATUS_CANCELLED} {
		if r := e.GetRuns()[i]; r.GetStatus() != want {
			t.Errorf("%s ended as %s, want %s", r.GetName(), r.GetStatus(), want)
		}
	}
	last := e.GetRuns()[2].GetAttempts()[0]
	if last.GetReason() != "FailFast" || last.GetStartedAt() != nil {
		t.Errorf("the run that waited: %v", last)
	}
}

// shardsByDuration shares a pytest suite out among shards: by the names of its files at first, then by how long they took. The last
// shard has no file, and does nothing where pytest would run all.
func shardsByDuration(t *testing.T, p *plane, _ *agent) {
	t.Helper()
	p.apply(t, `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: sharded}
spec:
  params: {shards: {type: integer, default: 2}}
  shards: {count: "${{ params.shards }}", balance: duration, files: ["tests/**/test_*.py"]}
  source:
    files:
      - {path: tests/test_a.py, content: "import time\ndef test_slow():\n    time.sleep(2)\n"}
      - {path: tests/test_b.py, content: "def test_b():\n    pass\n"}
      - {path: tests/test_c.py, content: "def test_c():\n    pass\n"}
      - {path: tests/deep/test_d.py, content: "def test_d():\n    pass\n"}
  container: {image: `+python+`, imagePullPolicy: Never}
  timeout: 5m
  steps:
    - name: test
      workingDir: tests
      run: echo $SEATRIAL_SHARD_FILES; python3 -m pytest -q -p no:cacheprovider --rootdir=/workspace --junitxml=/workspace/out.xml $SEATRIAL_SHARD_FILES
      reports: [{format: junit, paths: [out.xml]}]
`)
	for _, tc := range []struct {
		shards string
		want   []string // what each shard runs
		reason string
	}{
		{"2", []string{"deep/test_d.py test_b.py", "test_a.py test_c.py"}, "nothing is known yet"},
		{"2", []string{"test_a.py", "deep/test_d.py test_b.py test_c.py"}, "the slow one alone"},
		{"5", []string{"test_a.py", "", "", "", ""}, "more shards than files"},
	} {
		id := p.run(t, "sharded", "--param", "shards="+tc.shards)
		e := p.ended(t, id)
		if e.GetStatus() != apiv1.Status_STATUS_PASSED || e.GetTests().GetPassed() != 4 {
			t.Fatalf("%s: %s: %s, tests %v", tc.reason, e.GetStatus(), e.GetMessage(), e.GetTests())
		}
		for i, r := range e.GetRuns() {
			first, _, _ := strings.Cut(p.must(t, "logs", id, "--run", r.GetName()), "\n")
			if tc.want[i] != "" && first != tc.want[i] {
				t.Errorf("%s: shard %d runs %q, want %q", tc.reason, i+1, first, tc.want[i])
			}
		}
		last := e.GetRuns()[len(e.GetRuns())-1]
		if tc.shards == "5" && last.GetStatus() != apiv1.Status_STATUS_SKIPPED {
			t.Errorf("a shard without a file is %s: %s", last.GetStatus(), last.GetAttempts()[0].GetMessage())
		}
	}
}
