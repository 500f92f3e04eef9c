package termination_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/agent/runner/termination"
)

func TestEncode(t *testing.T) {
	t.Parallel()
	code := int32(3)
	want := termination.Message{
		Version: 1, Attempt: "a", Container: "c0", Status: "failed",
		Steps: []termination.Step{{Index: 0, Status: "failed", Exit: &code, Reason: "exit code 3", Bytes: 7, Lines: 1, CRC: 9}},
	}
	b, err := termination.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := termination.Decode(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestEncode_FitsAlways(t *testing.T) {
	t.Parallel()
	m := termination.Message{Attempt: "a", Container: "c0", Reason: strings.Repeat("é", 3000)}
	for i := range 300 {
		s := termination.Step{Index: i, Status: "passed", Reason: strings.Repeat("\"\x00", 300), Bytes: 1 << 40, CRC: 1 << 31}
		if i == 200 {
			s.Status = "failed"
		}
		m.Steps = append(m.Steps, s)
	}
	b, err := termination.Encode(m)
	if err != nil || len(b) > termination.MaxSize {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	got, err := termination.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	failed := false
	for _, s := range got.Steps {
		failed = failed || s.Status == "failed"
	}
	if !failed || got.Left+len(got.Steps) != 300 {
		t.Errorf("%d steps kept, %d left out, failed one kept: %v", len(got.Steps), got.Left, failed)
	}
}

// TestEncode_KeepsReasons holds that why a step failed is told, whatever the steps have used.
func TestEncode_KeepsReasons(t *testing.T) {
	t.Parallel()
	m := termination.Message{Attempt: "a", Container: "c0", Status: "failed", Reason: "step 17 failed"}
	for i := range 30 {
		m.Steps = append(m.Steps, termination.Step{
			Index: i, Status: "passed", Bytes: 1 << 30, CRC: 1 << 31,
			Usage: &termination.Usage{CPU: 1 << 40, Throttled: 1 << 40, Memory: 1 << 40, Read: 1 << 40, Written: 1 << 40},
		})
	}
	why := "exit code 3: " + strings.Repeat("the fixture could not be set up, ", 5)
	m.Steps[17].Status, m.Steps[17].Reason = "failed", why
	b, err := termination.Encode(m)
	if err != nil || len(b) > termination.MaxSize {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	got, err := termination.Decode(b)
	if err != nil || len(got.Steps) != 30 || got.Reason != m.Reason || got.Steps[17].Reason != why {
		t.Errorf("%d steps, reasons %q and %q, %v", len(got.Steps), got.Reason, got.Steps[17].Reason, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"v":1,"attempt":"a","steps":[{"i":1}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := termination.Decode(b)
		if err != nil {
			return
		}
		if out, err := termination.Encode(m); err != nil || len(out) > termination.MaxSize && len(m.Attempt)+len(m.Container)+len(m.Status) < 500 {
			t.Errorf("%d bytes, %v", len(out), err)
		}
	})
}
