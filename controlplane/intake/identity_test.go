package intake_test

import (
	"bytes"
	"testing"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/intake"
)

// TestIntake_File_Identity holds what a result is known by over time.
func TestIntake_File_Identity(t *testing.T) {
	t.Parallel()
	const report = `<testsuite name="pytest">
<testcase classname="test_cart" name="test_total"/>
<testcase classname="test_order" name="test_total"><failure message="expected 3 to equal 4">test_order.py:7: AssertionError</failure></testcase>
<testcase classname="test_order" name="test_total"/>
</testsuite>`
	b := setup(t, intake.Limits{})
	read := func(text string) []execution.TestResult {
		b.store.results = nil
		f := file(b, execution.FileReport, text)
		f.Format = "auto"
		if err := b.intake.File(b.ctx, f, bytes.NewReader([]byte(text))); err != nil {
			t.Fatal(err)
		}
		return b.store.results
	}
	first := read(report)
	if len(first) != 3 {
		t.Fatalf("%d results", len(first))
	}
	cart, order, again := first[0], first[1], first[2]
	if cart.Suite != "pytest › test_cart" || order.Suite != "pytest › test_order" {
		t.Errorf("suites %q and %q: two tests of one name must not look alike", cart.Suite, order.Suite)
	}
	if len(cart.Key) != 32 || cart.Key == order.Key || order.Key == again.Key {
		t.Errorf("keys %q, %q, %q: each test has its own", cart.Key, order.Key, again.Key)
	}
	if order.Flags.Has(execution.DuplicateName) || !again.Flags.Has(execution.DuplicateName) {
		t.Errorf("flags %d and %d: the second of a name is a duplicate", order.Flags, again.Flags)
	}
	if cart.Fingerprint != "" || order.Fingerprint == "" {
		t.Errorf("fingerprints %q and %q: failures have one", cart.Fingerprint, order.Fingerprint)
	}
	later := read(`<testsuite name="pytest"><testcase classname="test_order" name="test_total"><failure message="expected 17 to equal 4">test_order.py:7: AssertionError</failure></testcase></testsuite>`)
	if later[0].Key != order.Key || later[0].Fingerprint != order.Fingerprint {
		t.Errorf("%s %s, want %s %s: the same test and the same failure in another execution", later[0].Key, later[0].Fingerprint, order.Key, order.Fingerprint)
	}
}
