package e2e_test

import (
	"strings"
	"testing"
)

const gateOf = `apiVersion: seatrial.dev/v1
kind: ReadinessPolicy
metadata: {name: NAME-gate}
spec:
  appliesTo: {applications: [NAME]}
  require: [{suites: [NAME], environments: ["*"]}]
`

// TestDeceit holds that no release becomes ready by reports that hide what happened: real tools write them, on a real cluster.
func TestDeceit(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	installAgent(t, p)
	for name, tc := range map[string]struct {
		sound, deceives []string // arguments with which all is well, and with which it is not
		tests           string   // passed, failed, errored and skipped ones
		grade           string
		says            []string // of the gate
		reason          string
	}{
		"newman": {
			sound: []string{"--param", "format=junit"}, deceives: []string{"--param", "format=junit", "--param", "breaks=true", "--param", "iterations=3"},
			tests: "3 0 1 0", grade: "junit contradictory",
			says:   []string{"evidence-complete", "order › is taken infra error", "no-unwaived-failures", "«failures not listed» failed"},
			reason: "newman's JUnit report has the last iteration only, and the first one failed",
		},
		"go": {
			deceives: []string{"--param", "exits=true"}, tests: "2 0 1 0", grade: "gotest lossy",
			says:   []string{"evidence-complete", "TestShip never ran", "no-unwaived-failures", "TestPay failed"},
			reason: "a test that ends the process takes the results of its package along",
		},
		"mocha": {
			deceives: []string{"--param", "hook=true"}, tests: "1 0 1 0", grade: "mocha lossy",
			says:   []string{"evidence-complete", "cart › adds never ran", "no-unwaived-failures", `"before all" hook for "is empty" failed`},
			reason: "tests behind a hook that fails are in no report",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.apply(t, workflowOf(t, name))
			p.apply(t, strings.ReplaceAll(gateOf, "NAME", name))
			if e := p.ended(t, p.run(t, name, tc.sound...)); e.GetStatus() != passed { // from which it is known what there is to test
				t.Fatalf("%s: %s\n%s", e.GetStatus(), e.GetMessage(), p.cli(t, "logs", e.GetId()).out)
			}
			p.must(t, "release", "create", name, "1.0", "--commit", "0123abc")
			e := p.ended(t, p.run(t, name, append(tc.deceives, "--commit", "0123abc", "--release", name+"@1.0")...))
			scenario{status: failed, tests: tc.tests, reason: tc.reason}.holds(t, p, e)
			if grades, _ := filesOf(t, p, e.GetId()); len(grades) != 1 || grades[0] != tc.grade {
				t.Errorf("%s: reports %q, want %q", tc.reason, grades, tc.grade)
			}
			p.gated(t, name, "1.0", 1, append(tc.says, "NOT_READY")...)
		})
	}
}
