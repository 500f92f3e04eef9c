package e2e_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// python is an image with python3 and pytest, which the test command has loaded into the cluster.
const python = "docker.io/seatrial-demo/pytest:local"

const suite = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: suite}
spec:
  source:
    files:
      - path: test_it.py
        content: |
          import pytest
          def test_good(): pass
          @pytest.mark.parametrize("n", [1, 2])
          def test_even(n):
              assert n % 2 == 0, "the number is odd"
          @pytest.mark.skip(reason="later")
          def test_later(): pass
  container: {image: ` + python + `, imagePullPolicy: Never}
  timeout: 5m
  steps:
    - name: talk
      run: |
        echo "the first line"
        GATE
        echo "the last line"
    - name: test
      run: python3 -m pytest -p no:cacheprovider --junitxml=out/junit.xml
      reports: [{format: junit, paths: ["out/*.xml"]}]
      artifacts: {paths: ["out/**"]}
`

// TestChain goes from a trigger to the page that shows which test failed.
func TestChain(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	a := installAgent(t, p)
	g := newGate(t)
	b := signIn(t, p)
	p.apply(t, strings.ReplaceAll(suite, "GATE", g.wait("talk")))

	// A pipeline starts it with a token that may do no more than that.
	token := strings.TrimSpace(p.must(t, "token", "create", "pipeline"))
	started := p.as(t, token, "", "run", "suite", "-o", "json")
	var run apiv1.RunWorkflowResponse
	if err := protojson.Unmarshal([]byte(started.out), &run); err != nil {
		t.Fatalf("%v: exit %d %s%s", err, started.code, started.out, started.err)
	}
	id := run.GetExecution().GetId()

	// The log is in the browser while the step still runs.
	g.await(t, "talk")
	b.open(t, run.GetUrl())
	b.until(t, `document.body.innerText.includes("the first line")`)
	if strings.Contains(b.text(t), "the last line") {
		t.Error("the step was not to go on yet")
	}
	if n := a.jobs(t, id); n != 1 {
		t.Errorf("%d Jobs", n)
	}
	g.open("talk")
	b.until(t, `document.querySelector("#sentence")?.innerText.includes("failed")`)

	// The page shows which test failed and why.
	b.open(t, run.GetUrl())
	for _, want := range []string{"test_even", "the number is odd", "out/junit.xml"} {
		b.until(t, `document.body.innerText.includes("`+want+`")`)
	}

	// So do API and command: the exit code is the outcome.
	if got := p.as(t, token, "", "get", "tests", id); !strings.Contains(got.out, "the number is odd") {
		t.Errorf("tests: %s%s", got.out, got.err)
	}
	var e apiv1.Execution
	if err := protojson.Unmarshal([]byte(p.must(t, "get", "execution", id, "-o", "json")), &e); err != nil {
		t.Fatal(err)
	}
	if c := e.GetTests(); e.GetStatus() != apiv1.Status_STATUS_FAILED || c.GetTotal() != 4 || c.GetFailed() != 1 || c.GetSkipped() != 1 || c.GetPassed() != 2 {
		t.Errorf("status %s, tests %v", e.GetStatus(), c)
	}
	if got := p.must(t, "logs", id, "--step", "talk"); got != "the first line\nthe last line\n" {
		t.Errorf("log %q", got)
	}
	if got := p.as(t, token, "", "run", "suite", "--wait"); got.code != 1 || !strings.Contains(got.out+got.err, "the number is odd") {
		t.Errorf("exit %d: %s%s", got.code, got.out, got.err)
	}
}
