package breakpoint_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/results/breakpoint"
)

func outcomes(letters string) (failed []bool) {
	for _, l := range letters {
		failed = append(failed, l == 'F')
	}
	return failed
}

func TestBest_Golden(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		passes, fails int
		score         float64
		accept        bool
	}{
		"P10F10": {10, 10, 3.4879, true}, "P5F5": {5, 5, -3.1373, false}, "P20F2": {20, 2, -3.1125, false}, "P10F5": {10, 5, -0.6452, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ok := breakpoint.Best(outcomes(strings.Repeat("P", tc.passes) + strings.Repeat("F", tc.fails)))
			if s.At != tc.passes || math.Abs(s.Score-tc.score) > 5e-5 || ok != tc.accept {
				t.Errorf("%+v, %t", s, ok)
			}
		})
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in     string
		want   []int
		reason string
	}{
		"Broke and repaired": {strings.Repeat("P", 30) + strings.Repeat("F", 30) + strings.Repeat("P", 30), []int{30, 60}, "both are seen"},
		"Steady":             {strings.Repeat("P", 50), nil, "nothing changed"},
		"Flaky":              {strings.Repeat("PF", 30), nil, "the rate is the same"},
		"Empty":              {"", nil, "no history"},
		"One":                {"F", nil, "no history"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []int
			for _, s := range breakpoint.Find(outcomes(tc.in)) {
				got = append(got, s.At)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%v, want %v: %s", got, tc.want, tc.reason)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]breakpoint.Facts{
		"PPFF": {LastPass: 1, FirstFail: 2, InARow: 2}, "PP": {LastPass: 1, FirstFail: -1}, "FF": {LastPass: -1, FirstFail: 0, InARow: 2}, "": {LastPass: -1, FirstFail: -1},
	} {
		if diff := cmp.Diff(want, breakpoint.Plain(outcomes(in))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
	}
}
