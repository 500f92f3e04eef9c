package results_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/results"
)

// listed is a summary of one suite that declares and lists so much.
func listed(declared, got results.Counts, errs int) results.Summary {
	l := results.NewListing(func(results.Case) error { return nil })
	for i := range got.Tests {
		c := results.Case{Outcome: results.Passed}
		if i < got.Bad {
			c.Outcome = results.Failed
		}
		_ = l.Add(c)
	}
	l.Declare(results.Suite{Name: "s", Declared: declared, Errors: errs, Listed: got, SystemErr: "refused\nat line 3"})
	return l.Summary()
}

func counts(tests, bad int) results.Counts { return results.Counts{Tests: tests, Bad: bad} }

// TestJudgeIn_Rules holds each rule of grading by itself.
func TestJudgeIn_Rules(t *testing.T) {
	t.Parallel()
	zero, one := 0, 1
	contradicting, losing := listed(counts(1, 0), counts(1, 0), 0), listed(counts(1, 0), counts(1, 0), 0)
	contradicting.Contradictions = []string{"The plan is 5 tests, but 3 came."}
	losing.Losses = []string{"The tests bailed out."}
	tests := map[string]struct {
		in        results.Summary
		at        results.Circumstances
		grade     results.Grade
		synthetic []string
		reason    string
	}{
		"Rule0 Green":         {listed(counts(2, 1), counts(2, 1), 0), results.Circumstances{Exit: &one}, results.Consistent, nil, "all agrees"},
		"Rule1 Exit":          {listed(counts(2, 0), counts(2, 0), 0), results.Circumstances{Exit: &one}, results.Contradictory, []string{"«runner exit code»"}, "a failure that is not listed"},
		"Rule2 Hidden":        {listed(counts(2, 2), counts(2, 1), 0), results.Circumstances{Exit: &one}, results.Contradictory, []string{"«failures not listed»"}, "one of two"},
		"Rule2 WithoutExit":   {listed(counts(2, 2), counts(2, 1), 0), results.Circumstances{}, results.Contradictory, []string{"«failures not listed»"}, "the report alone is enough"},
		"Rule3 SuiteError":    {listed(counts(0, 1), counts(0, 0), 1), results.Circumstances{Exit: &one}, results.Contradictory, []string{"«suite error»"}, "an error without a case"},
		"Rule4 Lossy":         {listed(counts(3, 0), counts(2, 0), 0), results.Circumstances{Exit: &zero}, results.Lossy, nil, "declared, not listed"},
		"Rule5 More":          {listed(counts(1, 0), counts(2, 0), 0), results.Circumstances{Exit: &zero}, results.Consistent, nil, "todo tests"},
		"Rule7 Empty":         {listed(counts(0, 0), counts(0, 0), 0), results.Circumstances{Exit: &zero, Before: true}, results.Contradictory, []string{"«empty report»"}, "there were tests before"},
		"Rule7 First":         {listed(counts(0, 0), counts(0, 0), 0), results.Circumstances{Exit: &zero}, results.Consistent, nil, "nothing is known of it"},
		"Contradiction":       {contradicting, results.Circumstances{Exit: &zero}, results.Contradictory, []string{"«contradiction»"}, "the parser saw it"},
		"Loss":                {losing, results.Circumstances{Exit: &zero}, results.Lossy, nil, "the parser saw it"},
		"Contradictory stays": {func() results.Summary { s := contradicting; s.Losses = []string{"x"}; return s }(), results.Circumstances{}, results.Contradictory, []string{"«contradiction»"}, "the worst one"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := results.JudgeIn(tc.in, tc.at)
			var names []string
			for _, c := range v.Synthetic {
				names = append(names, c.Name)
				if c.Outcome != results.Errored || !c.Synthetic || c.Message == "" {
					t.Errorf("%+v can be taken for a test", c)
				}
			}
			if v.Grade != tc.grade || !slices.Equal(names, tc.synthetic) {
				t.Errorf("%s with %q, want %s with %q: %s", v.Grade, names, tc.grade, tc.synthetic, tc.reason)
			}
			if (v.Grade == results.Consistent) != (len(v.Reasons) == 0) {
				t.Errorf("%s with reasons %q", v.Grade, v.Reasons)
			}
		})
	}
}

func TestJudgeShards(t *testing.T) {
	t.Parallel()
	if v := results.JudgeShards(4, 3); v.Grade != results.Lossy || len(v.Reasons) != 1 {
		t.Errorf("%+v: a shard is missing", v)
	}
	if v := results.JudgeShards(4, 4); v.Grade != results.Consistent || len(v.Reasons) != 0 {
		t.Errorf("%+v: all are there", v)
	}
}

func TestUnreadIn(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("%w: line 3", results.ErrUnreadable)
	if v := results.UnreadIn(err, results.Circumstances{}); v.Grade != results.Unreadable || len(v.Synthetic) != 1 {
		t.Errorf("%+v", v)
	}
	if v := results.UnreadIn(err, results.Circumstances{Before: true}); v.Grade != results.Contradictory || len(v.Synthetic) != 1 || len(v.Reasons) != 1 {
		t.Errorf("%+v: the step produced one before", v)
	}
}

func TestListing_Limits(t *testing.T) {
	t.Parallel()
	var got results.Case
	l := results.NewListing(func(c results.Case) error { got = c; return nil })
	long := strings.Repeat("€", 100_000)
	if err := l.Add(results.Case{Name: long, Message: "\x1b[31m" + long, Detail: long, Earlier: make([]results.Outcome, 1_000)}); err != nil {
		t.Fatal(err)
	}
	if len(got.Name) > results.MaxName || len(got.Message) > results.MaxName || len(got.Detail) > results.MaxDetail || len(got.Earlier) > 100 {
		t.Errorf("%d, %d, %d bytes, %d tries", len(got.Name), len(got.Message), len(got.Detail), len(got.Earlier))
	}
	if strings.Contains(got.Message, "\x1b") || got.Outcome != results.Errored {
		t.Errorf("%q of %s: no colours, and no outcome is no pass", got.Message[:10], got.Outcome)
	}
}

func TestListing_EmitError(t *testing.T) {
	t.Parallel()
	want := errors.New("disk full")
	l := results.NewListing(func(results.Case) error { return want })
	if err := l.Add(results.Case{}); !errors.Is(err, want) {
		t.Errorf("%v", err)
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	var tally results.Tally
	for _, o := range []results.Outcome{
		results.Passed, results.Failed, results.TimedOut, results.Errored, results.Skipped, results.Blocked, results.InfraError, results.Cancelled,
	} {
		tally.Add(o)
	}
	if tally != (results.Tally{Total: 8, Passed: 1, Failed: 2, Errored: 1, Skipped: 4}) || tally.Bad() != 3 {
		t.Errorf("%+v", tally)
	}
}

func TestStripEscapes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain": "plain", "\x1b[1;31mred\x1b[0m": "red", "\x1b]8;;http://x\x07link\x1b]8;;\x07": "link", "\x1b[2Kline\x1b[1A": "line", "a\x1b": "a\x1b",
	} {
		if got := results.StripEscapes(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

func TestListing_TooMany(t *testing.T) {
	t.Parallel()
	l := results.NewListing(func(results.Case) error { return nil })
	for range results.MaxCases {
		if err := l.Add(results.Case{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Add(results.Case{}); !errors.Is(err, results.ErrUnreadable) {
		t.Errorf("%v: more cases than anybody has", err)
	}
}
