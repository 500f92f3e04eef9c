package e2e_test

import (
	"strings"
	"syscall"
	"testing"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

const part = `---
apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: NAME, labels: {suite: SUITE}}
spec:
  params: {version: {type: string, default: none}}
  container: {image: ` + python + `, imagePullPolicy: Never}
  timeout: 5m
  steps:
    - {name: test, run: 'echo "version ${{ params.version }}"; RUN'}
`

const calling = `---
apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: suite}
spec:
  container: {image: ` + python + `, imagePullPolicy: Never}
  timeout: 5m
  steps:
    - name: build
      run: echo "version=42" >> "$SEATRIAL_OUTPUT"
      outputs: [version]
    - name: others
      execute: {workflows: [{selector: {suite: parts}}], params: {version: "v${{ steps.build.outputs.version }}"}}
`

// TestExecute has a suite execute other workflows side by side, in spite of a control plane that is killed meanwhile, and end as they do.
func TestExecute(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	a := installAgent(t, p)
	g := newGate(t)
	var docs strings.Builder
	for _, name := range []string{"one", "two", "three"} {
		docs.WriteString(strings.NewReplacer("NAME", name, "SUITE", "parts", "RUN", strings.ReplaceAll(g.wait(name), "'", "''")).Replace(part))
	}
	docs.WriteString(strings.NewReplacer("NAME", "bad", "SUITE", "bad", "RUN", "exit 3").Replace(part))
	docs.WriteString(calling)
	docs.WriteString(strings.NewReplacer("suite}", "twice}", "{selector: {suite: parts}}", "{name: bad}, {name: absent}, {name: twice}").Replace(calling))
	p.apply(t, docs.String())

	id := p.run(t, "suite")
	for _, name := range []string{"one", "two", "three"} {
		g.await(t, name) // all three at once
	}
	p.stop(t, syscall.SIGKILL)
	p.start(t)
	a.connected(t)
	for _, name := range []string{"one", "two", "three"} {
		g.open(name)
	}
	e := p.ended(t, id)
	step := e.GetRuns()[0].GetAttempts()[0].GetSteps()[1]
	if e.GetStatus() != apiv1.Status_STATUS_PASSED || step.GetReason() != "3 executions passed" || len(step.GetCalls()) != 3 {
		t.Fatalf("%s: %s; the step says %q of %v", e.GetStatus(), e.GetMessage(), step.GetReason(), step.GetCalls())
	}
	for _, c := range step.GetCalls() {
		if got := p.must(t, "logs", c.GetExecutionId()); !strings.Contains(got, "version v42") {
			t.Errorf("%s was not given the version: %q", c.GetWorkflow(), got)
		}
		if got := p.must(t, "get", "execution", c.GetExecutionId()); !strings.Contains(got, "Started by step others of suite") {
			t.Errorf("%s does not say who started it:\n%s", c.GetWorkflow(), got)
		}
	}

	id = p.run(t, "twice")
	e = p.ended(t, id)
	step = e.GetRuns()[0].GetAttempts()[0].GetSteps()[1]
	if e.GetStatus() != apiv1.Status_STATUS_FAILED || !strings.Contains(step.GetReason(), `no workflow "absent"`) ||
		!strings.Contains(step.GetReason(), "bad is failed") || !strings.Contains(step.GetReason(), "executes itself") {
		t.Errorf("%s: the step says %q", e.GetStatus(), step.GetReason())
	}
	if got := p.must(t, "get", "execution", id); !strings.Contains(got, "EXECUTES") || !strings.Contains(got, "absent") {
		t.Errorf("the command does not list them:\n%s", got)
	}
}

// cancelledSuite has the end of a suite end what it waits for.
func cancelledSuite(t *testing.T, p *plane, _ *agent) {
	t.Helper()
	g := newGate(t)
	p.apply(t, strings.NewReplacer("NAME", "one", "SUITE", "parts", "RUN", strings.ReplaceAll(g.wait("one"), "'", "''")).Replace(part)+calling)
	id := p.run(t, "suite")
	g.await(t, "one")
	p.must(t, "cancel", id)
	e := p.ended(t, id)
	calls := e.GetRuns()[0].GetAttempts()[0].GetSteps()[1].GetCalls()
	if e.GetStatus() != apiv1.Status_STATUS_CANCELLED || len(calls) != 1 {
		t.Fatalf("%s with %v", e.GetStatus(), calls)
	}
	if child := p.ended(t, calls[0].GetExecutionId()); child.GetStatus() != apiv1.Status_STATUS_CANCELLED || !strings.Contains(child.GetMessage(), "has ended") {
		t.Errorf("the child is %s: %s", child.GetStatus(), child.GetMessage())
	}
}
