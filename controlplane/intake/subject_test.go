package intake_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/intake"
)

func TestIntake_Report_TrustsNoSubject(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	image := func(container, image, hex string) execution.SubjectImage {
		return execution.SubjectImage{Container: container, Image: image, Digest: "sha256:" + strings.Repeat(hex, 64)}
	}
	good := image("web", "shop:1", "1")
	observed := func(images ...execution.SubjectImage) *execution.Subject {
		return &execution.Subject{ObservedAt: now, Images: images}
	}
	distrusted := &execution.Subject{Message: "What the agent said of the images under test cannot be trusted: a name or digest among them is none."}
	broken := func(change func(*execution.SubjectImage)) *execution.Subject {
		bad := image("web", "shop:1", "2")
		change(&bad)
		return observed(good, bad)
	}
	many := make([]execution.SubjectImage, 600)
	for n := range many {
		many[n] = image("web", fmt.Sprintf("shop:%03d", n), "1")
	}
	long := strings.Repeat("x", 1<<20)
	tests := map[string]struct {
		told, want *execution.Subject
		reason     string
	}{
		"Absent":    {nil, nil, "nothing was said yet"},
		"Good":      {observed(good), observed(good), "as agents send it"},
		"Nothing":   {observed(), observed(), "that nothing ran is an observation"},
		"Order":     {observed(image("web", "b", "2"), good, image("a", "z", "3"), good), observed(image("a", "z", "3"), image("web", "b", "2"), good), "in order, each once"},
		"Remark":    {&execution.Subject{ObservedAt: now, Message: "x" + long}, &execution.Subject{ObservedAt: now, Message: ("x" + long)[:4<<10]}, "texts are bounded"},
		"Denied":    {&execution.Subject{Message: "no Role"}, &execution.Subject{Message: "no Role"}, "why is kept"},
		"NoReason":  {&execution.Subject{}, &execution.Subject{Message: "The agent did not say what was under test."}, "there is always a sentence"},
		"NoTime":    {&execution.Subject{Message: "m", Images: []execution.SubjectImage{good}, Cut: true}, &execution.Subject{Message: "m"}, "not observed, so no images"},
		"Many":      {observed(many...), &execution.Subject{ObservedAt: now, Images: many[:500], Cut: true}, "a row stays small, and says so"},
		"Upper":     {broken(func(i *execution.SubjectImage) { i.Digest = strings.Repeat("A", 64) }), distrusted, "no digest"},
		"Algorithm": {broken(func(i *execution.SubjectImage) { i.Digest = "md5:" + i.Digest[7:] }), distrusted, "not one that is compared"},
		"Short":     {broken(func(i *execution.SubjectImage) { i.Digest = i.Digest[:70] }), distrusted, "cut off"},
		"Letters":   {broken(func(i *execution.SubjectImage) { i.Digest = "sha256:" + strings.Repeat("g", 64) }), distrusted, "no hex digits"},
		"Image":     {broken(func(i *execution.SubjectImage) { i.Image = long }), distrusted, "no image has so long a name"},
		"Blank":     {broken(func(i *execution.SubjectImage) { i.Image = "shop 1" }), distrusted, "no image has a blank in its name"},
		"Control":   {broken(func(i *execution.SubjectImage) { i.Image = "shop\x1b[2J" }), distrusted, "somebody's terminal would obey"},
		"Invalid":   {broken(func(i *execution.SubjectImage) { i.Image = "shop\xff" }), distrusted, "no character"},
		"Unnamed":   {broken(func(i *execution.SubjectImage) { i.Container = "" }), distrusted, "every container has a name"},
		"Container": {broken(func(i *execution.SubjectImage) { i.Container = long }), distrusted, "a DNS label"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, intake.Limits{})
			var before []execution.SubjectImage
			if tc.told != nil {
				before = slices.Clone(tc.told.Images)
			}
			r := execution.Report{Attempt: b.store.own, Status: execution.Passed, SubjectStart: tc.told, SubjectEnd: tc.told}
			if _, err := b.intake.Report(b.ctx, r); err != nil {
				t.Fatalf("%v: the result counts whatever is said of the subject", err)
			}
			got := b.store.reports[0]
			if d := cmp.Diff(tc.want, got.SubjectStart); d != "" {
				t.Errorf("%s: %s", tc.reason, d)
			}
			if d := cmp.Diff(tc.want, got.SubjectEnd); d != "" {
				t.Errorf("end: %s: %s", tc.reason, d)
			}
			if tc.told != nil && !cmp.Equal(before, tc.told.Images) {
				t.Error("the caller's list was changed")
			}
		})
	}
}
