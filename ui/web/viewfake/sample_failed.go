package viewfake

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/usage"
)

const traceback = `def test_expired_voucher_is_refused(shop):
        cart = shop.cart("sloop")
        answer = cart.apply("SUMMER-2019")
>       assert answer.status == 422
E       assert 200 == 422
E        +  where 200 = <Answer 200 {"total": "31.50"}>.status

tests/test_discount.py:48: AssertionError`

// failed is an execution with two failing tests, reports of every grade and files of several types.
func (w *World) failed() execution.Execution {
	start := ago(22 * time.Minute)
	e := attempt(Failed, "checkout-api", execution.Failed, start,
		step(0, "install", execution.Passed, start, 9*time.Second, code(0)),
		step(1, "test", execution.Failed, start.Add(9*time.Second), 107*time.Second+240*time.Millisecond, code(1)),
		step(2, "publish", execution.Skipped, start, 0, nil))
	e.Tests = execution.Counts{Total: 128, Passed: 121, Failed: 2, Errored: 1, Skipped: 4}
	e.Params = map[string]string{"currency": "EUR", "workers": "4"}
	e.Runs[0].Attempts[0].Notes = []string{"The node had less memory than the step asked for; the pod waited 14 s."}
	var text strings.Builder
	text.WriteString("\x1b[1m================ test session starts ================\x1b[0m\ncollected 128 items\n")
	for i := range 2600 {
		fmt.Fprintf(&text, "tests/test_cart.py::test_total[%d] \x1b[32mPASSED\x1b[0m\n", i)
	}
	text.WriteString("\x1b[31m" + traceback + "\x1b[0m\n\x1b[31m=========== 2 failed, 121 passed, 4 skipped, 1 error in 104.18s ===========\x1b[0m\n")
	w.Write(AttemptID(Failed), 1, text.String(), true)
	steps := e.Runs[0].Attempts[0].Steps
	w.Write(AttemptID(Failed), 0, "Successfully installed pytest-8.3\n", true)
	steps[0].Log, steps[1].Log = execution.Log{Bytes: 34, Lines: 1, Complete: true}, logOf(text.String(), true)
	steps[0].Usage = &execution.Usage{CPU: 6200 * time.Millisecond, MemoryPeak: 188 << 20, Read: 3 << 20, Written: 41 << 20}
	steps[1].Usage = &execution.Usage{
		CPU: 131 * time.Second, Throttled: 4300 * time.Millisecond, MemoryPeak: 512 << 20, Written: 9 << 20, Note: "the kernel does not say of this container: I/O",
	}
	w.Tests[e.ID] = failedTests()
	w.attach(e.ID)
	return e
}

// record is what a step used, once a second: more and more memory until it is given back at once.
func record(seconds int) string {
	var b strings.Builder
	b.WriteString(usage.Header + "\n")
	cpu := 0.0
	for i := range seconds {
		cpu += float64(i%7) / 5
		fmt.Fprintf(&b, "%d.000,%.3f,%d,0,%d\n", i+1, cpu, (i*i)%(400<<10)<<10, i<<16)
	}
	return b.String()
}

func failedTests() []execution.TestResult {
	list := []execution.TestResult{
		result("test_expired_voucher_is_refused", "tests.test_discount", "failed", 312*time.Millisecond, "assert 200 == 422", traceback),
		result("test_card_is_charged_once", "tests.test_pay", "failed", 4*time.Second+80*time.Millisecond,
			"AssertionError: charged 2 times", "tests/test_pay.py:91: AssertionError"),
		result("test_refund", "tests.test_pay", "errored", 30*time.Second, "fixture 'ledger' could not be set up: connection refused", ""),
	}
	for i := range list {
		list[i].Step, list[i].Attempt, list[i].Key = 1, AttemptID(Failed), TestKey("api", []int{2, 4, 5}[i])
		list[i].Fingerprint = Print(list[i].Message)
		list[i].File = strings.ReplaceAll(list[i].Suite, ".", "/") + ".py"
	}
	for i, outcome := range []string{"blocked", "infra_error", "cancelled", "skipped"} {
		list = append(list, result(fmt.Sprintf("test_voucher[%d]", i), "tests.test_discount", outcome, 0, "needs vouchers", ""))
	}
	for i := range 121 {
		list = append(list, result(fmt.Sprintf("test_total[%d]", i), "tests.test_cart", "passed", time.Duration(3+i%40)*time.Millisecond, "", ""))
	}
	for i := range list {
		list[i].Attempt = AttemptID(Failed)
	}
	return list
}

func (w *World) attach(id execution.ID) {
	add := func(f execution.File, content string) {
		f.ID, f.Attempt, f.Environment, f.Step, f.CreatedAt = ID("file "+f.Path), AttemptID(Failed), "staging-eu", 1, ago(20*time.Minute)
		f.Size, f.SHA256 = int64(len(content)), Digest(f.Path)
		w.Attached[id] = append(w.Attached[id], f)
		w.Contents[f.ID] = []byte(content)
	}
	add(execution.File{Kind: execution.FileReport, Path: "out/junit.xml", ContentType: "application/xml", Format: "junit", Grade: "consistent"}, "<testsuites/>")
	add(execution.File{
		Kind: execution.FileReport, Path: "out/pay.xml", ContentType: "application/xml", Format: "junit", Grade: "contradictory",
		GradeReason: `Suite "pay" declared 3 failures, listed 2.`,
	}, "<testsuites failures='3'/>")
	add(execution.File{
		Kind: execution.FileReport, Path: "out/broken.xml", ContentType: "application/xml", Format: "junit", Grade: "unreadable",
		GradeReason: "Line 1, column 11: the document ends within an element.",
	}, "<testsuite")
	add(execution.File{Kind: execution.FileArtifact, Path: "out/checkout.png", ContentType: "image/png"}, pixel)
	add(execution.File{Kind: execution.FileArtifact, Path: "out/trace.html", ContentType: "text/html"}, "<script>alert(1)</script>")
	add(execution.File{
		Kind: execution.FileArtifact, Path: "out/server.log", ContentType: "text/plain", Encoding: execution.Zstandard, StoredSize: 812,
	}, strings.Repeat("GET /cart 200\n", 9000))
	add(execution.File{Kind: execution.FileMetrics, Path: "1-test.csv", ContentType: "text/csv; charset=utf-8"}, record(107))
}

// pixel is the smallest picture there is.
const pixel = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89" +
	"\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82"

// FileID returns the id of a file of the failed execution.
func FileID(path string) uuid.UUID { return ID("file " + path) }
