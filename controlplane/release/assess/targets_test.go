package assess_test

import (
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
	for name, tc := range map[string]struct {
		targets []string
		policy  string // asked for
		want    string
		kind    fault.Kind
		says    string
		reason  string
	}{
		"Production": {[]string{"production"}, "", "strict", "", "", "the policy that is for the target wins over the one for all"},
		"Second":     {[]string{"lab", "edge"}, "", "strict", "", "", "one target is enough"},
		"Lab":        {[]string{"lab"}, "", "gate", "", "", "nothing is for this target alone"},
		"None":       {nil, "", "gate", "", "", "a release that says nothing goes nowhere in particular"},
		"Named":      {[]string{"production"}, "gate", "gate", "", "", "somebody has chosen, and it applies to all"},
		"Borrowed":   {[]string{"lab"}, "strict", "", fault.Invalid, "strict does not apply to shop for lab", "a policy is for what it says"},
		"Wrong":      {[]string{"Prod 1"}, "", "", fault.Invalid, "no name of a target", "a typing error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.world.policies = append(b.world.policies, workflow.Record{Name: "strict", Source: strict, Revision: 1, Digest: "s"})
			r := asked()
			r.Targets, r.Policy = tc.targets, tc.policy
			got, _, err := b.Create(as(t, "ann", tenant.KindToken), r)
			if tc.kind != "" {
				if !fault.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.says) {
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
			r.Targets = []string{"moon"}
			if _, _, err := b.Create(as(t, "ann", tenant.KindToken), r); !fault.Is(err, fault.Conflict) {
				t.Errorf("the same version for another target: %v", err)
			}
		})
	}
}
