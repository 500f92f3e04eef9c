package viewfake

import (
	"fmt"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// The names of the executions in the sample; ExecutionID gives their ids.
const (
	Live     = "live"
	Failed   = "failed"
	Passed   = "passed"
	Errored  = "errored"
	TimedOut = "timedout"
	Stopped  = "stopped"
	Queued   = "queued"
	BadStep  = "badstep"
	Paused   = "paused"
)

// ExecutionID returns the id of an execution of the sample.
func ExecutionID(name string) execution.ID { return ID("execution " + name) }

// AttemptID returns the id of the one attempt of an execution of the sample.
func AttemptID(name string) execution.AttemptID { return ID("attempt " + name) }

// sampleExecutions adds them oldest first.
func (w *World) sampleExecutions() {
	for i := range 30 {
		start := ago(time.Duration(30-i)*11*time.Hour + 40*time.Hour)
		e := attempt(fmt.Sprintf("old-%02d", i), "checkout-api", execution.Passed, start,
			step(0, "install", execution.Passed, start, 11*time.Second, code(0)),
			step(1, "test", execution.Passed, start.Add(11*time.Second), 95*time.Second, code(0)))
		e.Tests = execution.Counts{Total: 126, Passed: 126}
		w.Put(e)
	}
	w.Put(w.stopped())
	w.Put(w.errored())
	w.Put(w.timedOut())
	w.Put(w.badStep())
	w.Put(w.passed())
	w.Put(w.failed())
	w.Put(w.paused())
	w.Put(w.queued())
	w.Put(w.matrix())
	w.Put(w.suite())
	w.Put(w.live())
}

func (w *World) stopped() execution.Execution {
	start := ago(26 * time.Hour)
	e := attempt(Stopped, "nightly-load", execution.Cancelled, start, step(0, "load", execution.Cancelled, start, 4*time.Minute, nil))
	e.Message = "grace@acme.example: the shop is being deployed"
	return e
}

func (w *World) errored() execution.Execution {
	start := ago(5 * time.Hour)
	e := attempt(Errored, "shell-check", execution.Errored, start, step(0, "check", execution.Skipped, start, 0, nil))
	e.Reason = "ImagePullBackOff"
	e.Message = `The image "registry.example.com/shop/tools:9" could not be pulled: not found. Check its name and tag, and whether the cluster may pull from that registry.`
	e.Runs[0].Attempts[0].Reason, e.Runs[0].Attempts[0].Message = e.Reason, e.Message
	e.Runs[0].Attempts[0].StartedAt = time.Time{}
	return e
}

func (w *World) timedOut() execution.Execution {
	start := ago(4 * time.Hour)
	e := attempt(TimedOut, "nightly-load", execution.TimedOut, start,
		step(0, "warm-up", execution.Passed, start, 30*time.Second, code(0)),
		step(1, "load", execution.TimedOut, start.Add(30*time.Second), 14*time.Minute+30*time.Second, code(143)))
	e.Reason, e.Message = "Timeout", "The timeout of 15m was reached while step load ran. Raise spec.timeout, or make the step faster."
	w.Write(AttemptID(TimedOut), 1, strings.Repeat("requests=1200 errors=0 p99=81ms\n", 300), true)
	w.Lose(AttemptID(TimedOut), 1, 4096)
	w.Write(AttemptID(TimedOut), 1, "requests=1200 errors=7 p99=1.9s\nterminated\n", true)
	e.Runs[0].Attempts[0].Steps[1].Log = execution.Log{Bytes: 9647 + 4096, Lines: 302, GapBytes: 4096, Complete: true, ViaKubeAPI: true}
	return e
}

func (w *World) badStep() execution.Execution {
	start := ago(100 * time.Minute)
	e := attempt(BadStep, "shell-check", execution.Failed, start,
		step(0, "check", execution.Failed, start, 1300*time.Millisecond, code(2)), step(1, "report", execution.Skipped, start, 0, nil))
	text := "+ curl -fsS http://shop.shop-tests.svc/healthz\nok\n+ test \"$(curl -fsS http://shop.shop-tests.svc/version)\" = 1.8\n" +
		"\x1b[31mversion is 1.7, not 1.8\x1b[0m\nsee https://wiki.example.com/shop/versions.\n"
	w.Write(AttemptID(BadStep), 0, text, true)
	e.Runs[0].Attempts[0].Steps[0].Log = logOf(text, true)
	return e
}

func (w *World) passed() execution.Execution {
	start := ago(75 * time.Minute)
	e := attempt(Passed, "shop-browser", execution.Passed, start, step(0, "buy", execution.Passed, start, 41*time.Second, code(0)))
	e.Tests = execution.Counts{Total: 9, Passed: 8, Skipped: 1}
	text := "Running 9 tests using 2 workers\n\x1b[32m  ✓\x1b[0m 8 passed (38.2s)\n  - 1 skipped\n"
	w.Write(AttemptID(Passed), 0, text, true)
	e.Runs[0].Attempts[0].Steps[0].Log = logOf(text, true)
	w.Tests[e.ID] = append(w.Tests[e.ID], result("buy a boat with a voucher", "shop.spec", "skipped", 0, "voucher service is not deployed here", ""))
	for i := range 8 {
		w.Tests[e.ID] = append(w.Tests[e.ID], result(fmt.Sprintf("buy boat %d", i+1), "shop.spec", "passed", time.Duration(i+2)*time.Second, "", ""))
	}
	return e
}

func (w *World) paused() execution.Execution {
	start := ago(22 * time.Minute)
	e := attempt(Paused, "shop-browser", execution.Paused, start,
		step(0, "buy", execution.Passed, start, 41*time.Second, code(0)),
		step(1, "approve", execution.Paused, start.Add(41*time.Second), 0, nil),
		step(2, "promote", execution.Waiting, start, 0, nil))
	a := &e.Runs[0].Attempts[0]
	a.Reason, a.Message, a.Steps[1].Reason = "Paused", "Does staging look right?", "Does staging look right?"
	text := "seatrial: paused for at most 2h0m0s: Does staging look right?\n"
	w.Write(AttemptID(Paused), 1, text, false)
	a.Steps[1].Log = logOf(text, false)
	return e
}

func (w *World) queued() execution.Execution {
	e := attempt(Queued, "nightly-load", execution.Queued, ago(6*time.Minute), step(0, "load", execution.Waiting, Now(), 0, nil))
	e.StartedAt, e.CreatedAt, e.Trigger, e.Actor = time.Time{}, ago(6*time.Minute), "web", "ada@acme.example"
	r := &e.Runs[0]
	r.Environment, r.Cluster, r.Namespace = "staging-us", "us-2", "seatrial-tests"
	r.Attempts[0].StartedAt, r.Attempts[0].Pod, r.Attempts[0].Node = time.Time{}, "", ""
	r.Attempts[0].Message = "Waiting for the agent of cluster us-2, which was last seen 17 min ago."
	return e
}

func (w *World) live() execution.Execution {
	start := ago(48 * time.Second)
	e := attempt(Live, "checkout-api", execution.Running, start,
		step(0, "install", execution.Passed, start, 9*time.Second, code(0)),
		step(1, "test", execution.Running, start.Add(9*time.Second), 0, nil),
		step(2, "publish", execution.Waiting, start, 0, nil))
	e.Params = map[string]string{"currency": "EUR", "workers": "4"}
	w.Write(AttemptID(Live), 0, "Processing ./wheels/pytest\nSuccessfully installed pytest-8.3\n", true)
	text := "\x1b[1m================ test session starts ================\x1b[0m\nplatform linux -- Python 3.13.1, pytest-8.3.4\ncollected 128 items\n\n"
	for i := range 24 {
		text += fmt.Sprintf("tests/test_cart.py::test_total[%d] \x1b[32mPASSED\x1b[0m\n", i)
	}
	text += "tests/test_discount.py::test_expired \x1b[31mFAILED\x1b[0m\ntests/test_discount.py::test_nested \x1b[33mSKIPPED\x1b[0m (needs vouchers)\ntests/test_pay.py::test_card "
	w.Write(AttemptID(Live), 1, text, false)
	steps := e.Runs[0].Attempts[0].Steps
	steps[0].Log, steps[1].Log = execution.Log{Bytes: 62, Lines: 2, Complete: true}, logOf(text, false)
	return e
}

func logOf(text string, complete bool) execution.Log {
	return execution.Log{Bytes: int64(len(text)), Lines: int64(strings.Count(text, "\n")), Complete: complete}
}

func result(name, suite, outcome string, took time.Duration, message, detail string) execution.TestResult {
	return execution.TestResult{
		ID: ID(suite + name), Environment: "staging-eu", Suite: suite, Name: name, Outcome: outcome, Duration: took, Message: message, Detail: detail,
	}
}
