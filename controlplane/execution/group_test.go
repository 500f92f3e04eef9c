package execution_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// members reads a group: one word for each, oldest first. A letter names the execution; "!" behind it says that it holds a place, "-"
// that it is about to end; then come the policy (q, c or s) and the limit, and last the execution above it, if there is one.
func members(t *testing.T, text string) []execution.Member {
	t.Helper()
	policies := map[byte]execution.OnConflict{'q': execution.QueueUp, 'c': execution.CancelOlder, 's': execution.SkipNewer}
	var out []execution.Member
	for word := range strings.FieldsSeq(text) {
		m := execution.Member{Execution: execution.ID{word[0]}}
		word = word[1:]
		if word[0] == '!' || word[0] == '-' {
			m.Holds, m.Ending = true, word[0] == '-'
			word = word[1:]
		}
		m.Group = execution.Group{Name: "g", OnConflict: policies[word[0]], Limit: int(word[1] - '0')}
		if len(word) > 2 {
			m.Above = []execution.ID{{word[2]}}
		}
		out = append(out, m)
	}
	return out
}

func TestDecide(t *testing.T) {
	t.Parallel()
	words := map[execution.Fate]string{execution.Stay: "stay", execution.Begin: "begin", execution.Skip: "skip", execution.End: "end"}
	tests := map[string]struct {
		group  string
		room   map[execution.ID]int
		want   string
		reason string
	}{
		"Alone":             {"aq1", nil, "begin", "the group is empty"},
		"Full":              {"a!q1 bq1", nil, "stay stay", "it waits"},
		"Oldest":            {"aq1 bq1", nil, "begin stay", "a free place goes to the oldest"},
		"Limit":             {"a!q2 bq2 cq2", nil, "stay begin stay", "two at a time"},
		"NobodyPasses":      {"a!q1 bq1 cq3", nil, "stay stay stay", "a higher limit does not pass one that waits"},
		"EndingHolds":       {"a-q1 bq1", nil, "stay stay", "its place is free when it is over"},
		"OwnLimit":          {"a!q2 aq2 bq2", map[execution.ID]int{{'a'}: 0}, "stay stay begin", "who waits for a sibling waits for no place"},
		"OwnLimitCounts":    {"aq3 aq3 bq3", map[execution.ID]int{{'a'}: 1}, "begin stay begin", "both limits hold"},
		"Cancel":            {"a!q1 bc1", nil, "end stay", "the newer waits until the older is over"},
		"CancelOnce":        {"a-q1 bc1", nil, "stay stay", "it was asked already"},
		"CancelWaiting":     {"a-q1 bc1 cc1", nil, "stay end stay", "the newest wins over one that waits"},
		"CancelFreesAtOnce": {"ac1 bc1", nil, "end begin", "the older never began"},
		"CancelOldest":      {"a!q2 b!q2 cc2", nil, "end stay stay", "as many as have to go"},
		"CancelNeedsNone":   {"a!q2 bc2", nil, "stay begin", "there is room"},
		"CancelNoSibling":   {"a!c1 ac1", nil, "stay stay", "runs of one execution take turns"},
		"CancelPastSibling": {"b!q1 a-c1 ac1", nil, "end stay stay", "others go, siblings stay"},
		"CancelNoSuite":     {"a!q2 b!q2 cc2a", nil, "stay end stay", "the oldest is the suite that waits for it"},
		"CancelSuiteFull":   {"a!q1 cc1a", nil, "stay stay", "it waits until its suite is over, which does not wait for it"},
		"CancelHeldBack":    {"a!q1 bc1", map[execution.ID]int{{'b'}: 0}, "stay stay", "its siblings keep it from beginning: nobody has to go for it yet"},
		"CancelHeldBackOne": {"a!q2 c!q2 bc2 bc2", map[execution.ID]int{{'b'}: 1}, "end stay stay stay", "one of two may begin: one has to go"},
		"Skip":              {"a!q1 bs1", nil, "stay skip", "it is not needed"},
		"SkipNot":           {"a!q2 bs2", nil, "stay begin", "there is room"},
		"SkipNoSibling":     {"a!s1 as1", nil, "stay stay", "runs of one execution take turns"},
		"SkipBehindOthers":  {"aq1 bs1", nil, "begin skip", "the older takes the place"},
		"SkipLetsPass":      {"a!q2 bs1 cq2", nil, "stay skip begin", "who is skipped waits for nothing"},
		"SkipHeldBack":      {"as1 bq1", map[execution.ID]int{{'a'}: 0}, "stay begin", "it has not asked for a place yet"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, fate := range execution.Decide(members(t, tc.group), tc.room) {
				got = append(got, words[fate])
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("%s: %v, want %s: %s", tc.group, got, tc.want, tc.reason)
			}
		})
	}
}

// TestDecide_Property lets groups live: whatever comes and goes, no limit is passed, and everything comes to its end.
func TestDecide_Property(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 3).Draw(t, "limit")
		var live []execution.Member
		for i := range rapid.IntRange(1, 12).Draw(t, "members") {
			live = append(live, execution.Member{
				Execution: execution.ID{byte(i / rapid.IntRange(1, 3).Draw(t, "runs"))},
				Group: execution.Group{Limit: limit, OnConflict: rapid.SampledFrom([]execution.OnConflict{
					execution.QueueUp, execution.CancelOlder, execution.SkipNewer,
				}).Draw(t, "policy")},
			})
		}
		maxParallel := rapid.IntRange(1, 3).Draw(t, "maxParallel")
		for turn := 0; len(live) > 0; turn++ {
			if turn > 100 {
				t.Fatalf("%d members wait for each other: %+v", len(live), live)
			}
			room := map[execution.ID]int{}
			for _, m := range live {
				if _, known := room[m.Execution]; !known {
					room[m.Execution] = maxParallel
				}
				if m.Holds {
					room[m.Execution]--
				}
			}
			holding, begun := 0, map[execution.ID]int{}
			var next []execution.Member
			for i, fate := range execution.Decide(live, room) {
				m := live[i]
				if fate == execution.Skip || fate == execution.End && !m.Holds {
					continue
				}
				m.Holds, m.Ending = m.Holds || fate == execution.Begin, m.Ending || fate == execution.End
				if m.Holds {
					holding++
					begun[m.Execution]++
				}
				if begun[m.Execution] > maxParallel {
					t.Fatalf("execution %v has more than %d runs under way", m.Execution, maxParallel)
				}
				next = append(next, m)
			}
			if holding > limit {
				t.Fatalf("%d hold a place of %d", holding, limit)
			}
			if i := slices.IndexFunc(next, func(m execution.Member) bool { return m.Holds }); i >= 0 {
				next = slices.Delete(next, i, i+1) // one is over
			}
			live = next
		}
	})
}
