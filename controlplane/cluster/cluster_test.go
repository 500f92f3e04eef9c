package cluster_test

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/cluster"
)

func TestSelected(t *testing.T) {
	t.Parallel()
	all := []cluster.Environment{
		{Name: "a", Labels: map[string]string{"region": "eu"}, Tier: "staging"},
		{Name: "b", Labels: map[string]string{"region": "us", "tier": "staging"}},
		{Name: "c", Labels: map[string]string{"region": "eu"}},
		{Name: "d"},
	}
	for name, tc := range map[string]struct {
		labels map[string]string
		want   string
		reason string
	}{
		"Tier":   {map[string]string{"tier": "staging"}, "a b", "as a label or as the tier"},
		"Label":  {map[string]string{"region": "eu"}, "a c", "in their order"},
		"Both":   {map[string]string{"region": "eu", "tier": "staging"}, "a", "all of them"},
		"Other":  {map[string]string{"region": "ap"}, "", "another value"},
		"Absent": {map[string]string{"zone": ""}, "", "a label that is not there is not empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, e := range cluster.Selected(all, tc.labels) {
				got = append(got, e.Name)
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}
