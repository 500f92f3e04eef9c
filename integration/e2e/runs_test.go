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

// TestRuns_FailFast ends the siblings of a run that fails: one that is under way, and one that waits for its turn.
func TestRuns_FailFast(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	installAgent(t, p)
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
