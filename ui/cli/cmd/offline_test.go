package cmd_test

import (
	"testing"

	"github.com/seatrial/seatrial/controlplane/workflow/schema"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

// TestOffline holds what the commands print that need no control plane.
func TestOffline(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"validate-faults":    {"validate", "testdata/validate/faults.yaml"},
		"validate-templates": {"validate", "testdata/validate/templates.yaml"},
		"validate-valid":     {"validate", "-f", "../../../deploy/demo/workflows"},
		"validate-strict":    {"validate", "--strict", "../../../controlplane/workflow/testdata/language/webhook.yaml"},
		"validate-policy":    {"validate", "testdata/validate/policy.yaml"},
		"import-two":         {"import", "testkube", "testdata/import/two.yaml"},
		"import-other":       {"import", "testkube", "testdata/import/other.yaml"},
		"import-strict":      {"import", "testkube", "--strict", "testdata/import/two.yaml"},
		"explain":            {"explain"},
		"explain-retry":      {"explain", "spec.steps.retry"},
		"explain-step":       {"explain", "spec.steps[0]"},
		"explain-enum":       {"explain", "spec.concurrency.onConflict"},
		"explain-number":     {"explain", "spec.priority"},
		"explain-expr":       {"explain", "spec.shards.count"},
		"explain-kind":       {"explain", "Schedule.spec"},
		"explain-policy":     {"explain", "ReadinessPolicy.spec.rules"},
		"explain-typo":       {"explain", "spec.steps.rety"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.env["SEATRIAL_SERVER"], s.env["SEATRIAL_TOKEN"] = "", ""
			golden(t, name, s.run(t, args...))
		})
	}
}

// TestExplain_Schema prints what editors read, and nothing else.
func TestExplain_Schema(t *testing.T) {
	t.Parallel()
	want, err := schema.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if got := setup(t).run(t, "explain", "--json-schema"); got.code != exitcode.Passed || got.out != string(want) || got.err != "" {
		t.Errorf("code %d, %d bytes, %q", got.code, len(got.out), got.err)
	}
	if got := setup(t).run(t, "explain", "--json-schema", "spec"); got.code != exitcode.Usage || got.out != "" {
		t.Errorf("of one field: %+v", got)
	}
}

func TestValidate_Input(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.in = "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: w}\nspec: {steps: [{run: x, image: a}]}\n"
	if got := s.run(t, "validate", "-"); got.code != exitcode.Passed || got.out != "-: TestWorkflow w is valid\n" {
		t.Errorf("%+v", got)
	}
	if got := s.run(t, "validate"); got.code != exitcode.Usage {
		t.Errorf("%+v", got)
	}
}
