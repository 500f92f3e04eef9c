package assess_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// TestService_Create_Targets holds that a release is held to the policy of where it is to go, and that it says so ever after.
func TestService_Create_Targets(t *testing.T) {
	t.Parallel()
	strict := strings.Replace(strings.Replace(gate, "name: gate", "name: strict", 1), "[shop]", "[shop], targets: [production, edge]", 1)
	lab := strings.Replace(strings.Replace(gate, "name: gate", "name: lenient", 1), "[shop]", "[shop], targets: [bench, lab]", 1)
	both := strings.Replace(strings.Replace(gate, "name: gate", "name: both", 1), "[shop]", "[shop], targets: [canary, edge]", 1)
	for name, tc := range map[string]struct {
		targets []string
		policy  string // asked for
		want    string
		kind    fault.Kind
		says    string
		reason  string
	}{
		"Production": {[]string{"production"}, "", "strict", "", "", "the policy that is for the target wins over the one for all"},
		"Both":       {[]string{"production", "edge"}, "strict", "strict", "", "", "it is for both"},
		"Mixed":      {[]string{"bench", "production"}, "", "", fault.Invalid, "no policy is for all", "the lenient policy of the bench asks nothing for production"},
		"Half":       {[]string{"moon", "production"}, "", "", fault.Invalid, "no policy is for all", "nobody has said what is asked for the moon together with production"},
		"Elsewhere":  {[]string{"moon"}, "", "gate", "", "", "nothing is for this target alone"},
		"None":       {nil, "", "gate", "", "", "a release that says nothing goes nowhere in particular"},
		"Named":      {[]string{"production"}, "gate", "", fault.Invalid, "has one of its own: strict", "naming the lenient one is no way around the other"},
		"General":    {[]string{"moon"}, "gate", "gate", "", "", "nothing else is for it"},
		"Several":    {[]string{"edge"}, "", "", fault.Invalid, "both, strict all have a say", "somebody has to choose"},
		"Chosen":     {[]string{"edge"}, "strict", "strict", "", "", "both are for it, and somebody has chosen"},
		"Wider":      {[]string{"production", "edge"}, "", "", fault.Invalid, "--policy strict", "one has a say about a part alone"},
		"Narrow":     {[]string{"production", "edge"}, "both", "", fault.Invalid, "both does not apply to shop for production, edge", "it asks nothing for production"},
		"Borrowed":   {[]string{"lab"}, "strict", "", fault.Invalid, "strict does not apply to shop for lab", "a policy is for what it says"},
		"Unknown":    {[]string{"lab"}, "strct", "", fault.NotFound, "no readiness policy", "a typing error"},
		"Wrong":      {[]string{"Prod 1"}, "", "", fault.Invalid, "no name of a target", "a typing error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.world.policies = append(b.world.policies, workflow.Record{Name: "lenient", Source: lab, Revision: 1, Digest: "l"},
				workflow.Record{Name: "both", Source: both, Revision: 1, Digest: "b"}, workflow.Record{Name: "strict", Source: strict, Revision: 1, Digest: "s"})
			r := asked()
			r.Targets, r.Policy = tc.targets, tc.policy
			got, _, err := b.Create(as(t, "ann", tenant.KindToken), r)
			if tc.kind != "" {
				if !fault.Is(err, tc.kind) || !strings.Contains(read(err), tc.says) {
					t.Errorf("%s: %v", tc.reason, err)
				}
				return
			}
			if err != nil || got.Policy.Name != tc.want {
				t.Fatalf("%s: held to %s, %v", tc.reason, got.Policy.Name, err)
			}
			want := slices.Sorted(slices.Values(tc.targets))
			if in, err := b.Input(as(t, "ann", tenant.KindToken), "shop", "1.0"); err != nil || !slices.Equal(in.Release.Targets, want) {
				t.Errorf("the verdict rests upon %v, %v", in.Release.Targets, err)
			}
			r.Targets = []string{"mars"}
			if _, _, err := b.Create(as(t, "ann", tenant.KindToken), r); !fault.Is(err, fault.Conflict) {
				t.Errorf("the same version for another target: %v", err)
			}
		})
	}
}

// read is all that somebody reads of an error.
func read(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return fmt.Sprint(err)
	}
	return err.Error() + " " + f.Hint
}
