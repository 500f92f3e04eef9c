package words

import (
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution/compare"
	"github.com/seatrial/seatrial/controlplane/insight"
	"github.com/seatrial/seatrial/controlplane/insight/coverage"
	"github.com/seatrial/seatrial/controlplane/results/verdict"
)

// Kind is the title of the tests of a kind in a comparison.
func Kind(k compare.Kind) string {
	switch k {
	case compare.NewlyFailing:
		return "Newly failing"
	case compare.StillFailing:
		return "Still failing"
	case compare.NewlyFlaky:
		return "Newly flaky"
	case compare.NewlyPassing:
		return "Newly passing"
	case compare.NewlyAbsent:
		return "Newly absent"
	case compare.NewlyPresent:
		return "New"
	case compare.Slower:
		return "Slower"
	}
	return string(k)
}

// KindMeans says what the kind means.
func KindMeans(k compare.Kind) string {
	switch k {
	case compare.NewlyFailing:
		return "They fail, and did not before."
	case compare.StillFailing:
		return "They failed before as well; those that fail for another cause come first."
	case compare.NewlyFlaky:
		return "They failed and passed in the same execution."
	case compare.NewlyPassing:
		return "They pass, and did not before."
	case compare.NewlyAbsent:
		return "They said something before and say nothing now: nobody knows whether they would pass."
	case compare.NewlyPresent:
		return "They were not there before, and do not fail."
	case compare.Slower:
		return "They take longer on what is under test now than on what was before, beyond doubt: medians of several runs."
	}
	return ""
}

// KindClass is the class of the style sheet for a kind.
func KindClass(k compare.Kind) string {
	switch k {
	case compare.NewlyFailing, compare.StillFailing:
		return "failed"
	case compare.NewlyFlaky:
		return "flaky"
	case compare.NewlyPassing:
		return "passed"
	case compare.NewlyAbsent:
		return "absent"
	case compare.NewlyPresent, compare.Slower:
	}
	return "plain"
}

// Compared says in one sentence what the tests of a comparison amount to.
func Compared(t compare.Tests) string {
	var said []string
	for _, g := range t.Groups {
		if g.Count > 0 {
			said = append(said, Number(int64(g.Count))+" "+strings.ToLower(Kind(g.Kind)))
		}
	}
	if len(said) == 0 {
		return "No test fares differently: " + Number(int64(t.Same)) + " the same."
	}
	return Join(said) + "; " + Number(int64(t.Same)) + " the same."
}

// Fared is a verdict on a side of a comparison.
func Fared(v verdict.Verdict) string {
	if v == "" {
		return "not there"
	}
	return Outcome(string(v))
}

// FaredClass is its class of the style sheet.
func FaredClass(v verdict.Verdict) string {
	if v == "" {
		return "absent"
	}
	return string(v)
}

// Failures says in one sentence how many failures there are.
func Failures(c insight.Clusters) string {
	text := Count(int64(c.Failures), "failure") + " of " + Count(int64(c.Total), "kind")
	if c.Unclustered > 0 {
		text += "; " + Number(int64(c.Unclustered)) + " more without a fingerprint, such as those that stand for an exit code"
	}
	return text + "."
}

// Counted says that not all failures are counted, when that is so.
func Counted(since time.Time) string {
	if since.IsZero() {
		return ""
	}
	return "Only the last " + Number(insight.MaxCounted) + " are counted: those since " + Instant(since) + "."
}

// Excerpt is the beginning of a text that a list shows.
func Excerpt(text string) string {
	const most = 300 // bytes
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// OthersAlike says how many other tests fail like one; nothing when none does.
func OthersAlike(tests int) string {
	switch tests {
	case 0, 1:
		return ""
	case 2:
		return "1 other test fails alike"
	}
	return Number(int64(tests-1)) + " other tests fail alike"
}

// Cover is the word for what is known of a workflow in an environment.
func Cover(k coverage.Known) string {
	switch k.State {
	case coverage.Never:
		return "never ran"
	case coverage.Red:
		return "only red"
	case coverage.Stale:
		return "stale"
	case coverage.Elsewhere:
		return "runs elsewhere"
	case coverage.Covered:
	}
	return Status(k.Status)
}

// CoverClass is its class of the style sheet.
func CoverClass(k coverage.Known) string {
	switch k.State {
	case coverage.Never:
		return "never_ran"
	case coverage.Red:
		return "failed"
	case coverage.Stale:
		return "incomplete"
	case coverage.Elsewhere:
		return "skipped"
	case coverage.Covered:
	}
	return string(k.Status)
}

// Gaps says in one sentence how much is lacking.
func Gaps(c insight.Coverage) string {
	if c.Gaps == 0 {
		return "Nothing is lacking: every workflow has a recent result wherever it runs."
	}
	text := Count(int64(c.Gaps), "gap") + " in " + Count(int64(len(c.GapsOnly().Rows)), "workflow")
	if c.Required > 0 {
		text += ", " + Number(int64(c.Required)) + " of them required by a readiness policy"
	}
	return text + "."
}
