package viewfake

import (
	"fmt"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/testcase"
)

// Green is the last execution that passed before the failed one.
const Green = "old-29"

// prodGate is a policy that requires a suite where it has never run.
const prodGate = `apiVersion: seatrial.dev/v1
kind: ReadinessPolicy
metadata: {name: prod-gate}
spec:
  appliesTo: {applications: ["shop/*"]}
  require: [{suites: [checkout-api], environments: ["staging-*"]}]
`

// sampleComparison gives the failed execution and the last green one something to differ in.
func (w *World) sampleComparison() {
	for name, digest := range map[string]string{Green: "shop 1.41", Failed: "shop 1.42"} {
		for i := range w.executions {
			e := &w.executions[i]
			if e.ID != ExecutionID(name) {
				continue
			}
			e.Commit = Digest("commit of " + digest)[:40]
			subject := &execution.Subject{ObservedAt: e.StartedAt, Images: []execution.SubjectImage{
				{Container: "cart", Image: "registry.example.com/shop/cart:1", Digest: "sha256:" + Digest("cart")},
				{Container: "shop", Image: "registry.example.com/shop/shop:1", Digest: "sha256:" + Digest(digest)},
			}}
			at := &e.Runs[0].Attempts[0]
			at.Start, at.End = subject, subject
		}
	}
	for i := range w.executions {
		if w.executions[i].ID == ExecutionID(Green) {
			w.executions[i].Params = map[string]string{"currency": "EUR", "workers": "8"}
			w.executions[i].Revision = 6
		}
	}
	green := func(r execution.TestResult, key string) execution.TestResult {
		r.ID, r.Attempt, r.Key, r.Step = ID("green "+r.Name), AttemptID(Green), key, 1
		return r
	}
	list := []execution.TestResult{
		green(result("test_expired_voucher_is_refused", "tests.test_discount", "passed", 290*time.Millisecond, "", ""), TestKey("api", 2)),
		green(result("test_card_is_charged_once", "tests.test_pay", "failed", 3*time.Second, "AssertionError: charged 3 times", ""), TestKey("api", 4)),
		green(result("test_refund", "tests.test_pay", "passed", 2*time.Second, "", ""), TestKey("api", 5)),
		green(result("test_gift_card", "tests.test_pay", "passed", 40*time.Millisecond, "", ""), TestKey("api", 9)),
	}
	list[1].Fingerprint = "fp1:ffffffffffffffff"
	for i := range 120 {
		outcome := "passed"
		if i == 7 {
			outcome = "failed"
		}
		list = append(list, green(result(fmt.Sprintf("test_total[%d]", i), "tests.test_cart", outcome, time.Duration(3+i%40)*time.Millisecond, "", ""), ""))
	}
	w.Tests[ExecutionID(Green)] = list
}

// Failing returns another test that failed once, with a fingerprint.
func Failing(n int, fingerprint string) (testcase.Case, []testcase.Run) {
	runs := Runs("F", time.Hour)
	runs[0].Fingerprint, runs[0].Message = fingerprint, "assert 200 == 422"
	return testcase.Case{Key: TestKey("alike", n), Workflow: "shell-check", Name: fmt.Sprintf("alike %d", n)}, runs
}
