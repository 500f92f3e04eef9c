package intake_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/intake"
)

func TestIntake_Report_TellsWatchersAndTheAgent(t *testing.T) {
	t.Parallel()
	b := setup(t, intake.Limits{})
	running := execution.Report{Attempt: b.store.own, Status: execution.Running}
	status, err := b.intake.Report(b.ctx, running)
	if err != nil || status != execution.Running {
		t.Fatalf("status %q, error %v", status, err)
	}
	if !b.heard(execution.Topic(b.viewer.Organization, b.store.execution)) {
		t.Error("nobody was told of the change")
	}
	wake := cluster.Topic(b.viewer.Organization, b.viewer.Cluster)
	if b.heard(wake) {
		t.Error("woke the agent although nothing is released")
	}
	running.Status, running.Delivered = execution.Passed, true
	if _, err := b.intake.Report(b.ctx, running); err != nil {
		t.Fatal(err)
	}
	if !b.heard(wake) {
		t.Error("the release waits for the sweep")
	}
}

func TestIntake_Report_Refuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*execution.Report)
		kind   fault.Kind
		reason string
	}{
		"Foreign":       {func(r *execution.Report) { r.Attempt = uuid.New() }, fault.NotFound, "another cluster's attempt"},
		"UnknownStatus": {func(r *execution.Report) { r.Status = "fine" }, fault.Invalid, "no such status"},
		"StepStatus":    {func(r *execution.Report) { r.Status = execution.Waiting }, fault.Invalid, "only steps wait"},
		"ManyServices":  {func(r *execution.Report) { r.Services = make([]execution.Service, 2000) }, fault.Invalid, "no workflow has so many"},
		"ManySteps":     {func(r *execution.Report) { r.Steps = make([]execution.Step, 2000) }, fault.Invalid, "no plan has so many"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, intake.Limits{})
			r := execution.Report{Attempt: b.store.own, Status: execution.Running}
			tc.change(&r)
			if _, err := b.intake.Report(b.ctx, r); !fault.Is(err, tc.kind) {
				t.Errorf("error %v, want %s: %s", err, tc.kind, tc.reason)
			}
		})
	}
}

func TestIntake_Report_BoundsTexts(t *testing.T) {
	t.Parallel()
	b := setup(t, intake.Limits{})
	long := strings.Repeat("é", 1<<20)
	notes := make([]string, 5000)
	notes[0] = long
	r := execution.Report{
		Attempt: b.store.own, Status: execution.Running, Message: "x" + long, Notes: notes, Steps: []execution.Step{{Reason: long}},
	}
	if _, err := b.intake.Report(b.ctx, r); err != nil {
		t.Fatal(err)
	}
	got := b.store.reports[0]
	for _, text := range []string{got.Message, got.Notes[0], got.Steps[0].Reason} {
		if len(text) > 4<<10 || !utf8.ValidString(text) {
			t.Errorf("a text of %d bytes reached the store, or a broken one", len(text))
		}
	}
	if len(got.Notes) > 100 {
		t.Errorf("%d notes reached the store", len(got.Notes))
	}
}
