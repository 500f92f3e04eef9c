package board_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/testcase/board"
)

func TestBoard_Standing(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("P", board.Lately) + "F"
	shown, w := setup(t, "PPP", "PFP", "FPP", "FFF", long)
	w.beside = []testcase.Strip{
		{Key: "PPP", Environment: "production", Letters: "fp"},
		{Key: "gone", Environment: "staging", Letters: "pPp"},
	}
	got, err := shown.Standing(t.Context(), "smoke")
	if err != nil {
		t.Fatal(err)
	}
	if got.Tests != 6 || got.Healthy != 3 {
		t.Errorf("%d tests, %d healthy: one fails in production only, two more fail everywhere", got.Tests, got.Healthy)
	}
	var lines []string
	for _, one := range got.Worst {
		lines = append(lines, one.Name+" "+one.Environment+" "+string(one.Letters))
	}
	want := []string{
		"test FFF staging fff", "test FPP staging fpp", "test PPP production fp", // those that fail now
		"test PFP staging pfp", "gone staging pPp", // the name of one is not known any more
	} // the failure of the long strip is too long ago
	if d := cmp.Diff(want, lines); d != "" {
		t.Error(d)
	}
}

func TestBoard_StandingIsBounded(t *testing.T) {
	t.Parallel()
	var keys []string
	for i := range 50 {
		keys = append(keys, strings.Repeat("F", i+1))
	}
	shown, _ := setup(t, keys...)
	got, err := shown.Standing(t.Context(), "smoke")
	if err != nil || len(got.Worst) != 20 || got.Tests != 50 || len(got.Worst[0].Letters) != board.Lately {
		t.Errorf("%d strips of %d tests, the first of %d: %v", len(got.Worst), got.Tests, len(got.Worst[0].Letters), err)
	}
}
