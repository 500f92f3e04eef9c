package logview_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/logview"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// still is a clock that stands still: only bytes and hits bound a search.
func still() time.Time { return time.Unix(0, 0) }

// searched returns what is found in a log, a line each.
func searched(t *testing.T, content, gapAt string, q logview.Query, from int64, now func() time.Time) (hits []string, f logview.Found) {
	t.Helper()
	w := viewfake.New(viewfake.Now)
	ctx, id := tenant.WithViewer(t.Context(), w.Member.Viewer), viewfake.ID("attempt")
	before, after, lost := strings.Cut(content, gapAt)
	if gapAt == "" {
		before, after, lost = content, "", false
	}
	w.Write(id, 0, before, !lost)
	if lost {
		w.Lose(id, 0, 1000)
		w.Write(id, 0, after, true)
	}
	q, err := q.Compile()
	if err != nil {
		t.Fatal(err)
	}
	if f, err = logview.Search(ctx, w, logview.Source{Attempt: id, Stream: "step/0"}, q, from, now); err != nil {
		t.Fatal(err)
	}
	for _, h := range f.Hits {
		hits = append(hits, fmt.Sprintf("%d:%s[%s]%s", h.Line, h.Before, h.Match, h.After))
	}
	return hits, f
}

func TestSearch(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 200)
	for name, tc := range map[string]struct {
		log, gap string
		query    logview.Query
		from     int64
		want     []string
		next     int64
		reason   string
	}{
		"AnyCase":    {"Error\nerror\nfine\n", "", logview.Query{Text: "error"}, 0, []string{"0:[Error]", "1:[error]"}, 3, "who writes small letters does not care"},
		"UpperCase":  {"Error\nerror\n", "", logview.Query{Text: "Error"}, 0, []string{"0:[Error]"}, 2, "who writes a capital means it"},
		"AsItStands": {"a.c\nabc\n", "", logview.Query{Text: "a.c"}, 0, []string{"0:[a.c]"}, 2, "a text is no expression"},
		"Expression": {"took 12 ms\ntook 7 s\n", "", logview.Query{Text: `\d+ s$`, Regexp: true}, 0, []string{"1:took [7 s]"}, 2, "an expression is one, line by line"},
		"Colours":    {"te\x1b[31mst fai\x1b[0mled\n", "", logview.Query{Text: "test failed"}, 0, []string{"0:[test failed]"}, 1, "colours are not part of the text"},
		"Rewritten":  {"10 %\r100 % done\n", "", logview.Query{Text: "10 %"}, 0, nil, 1, "what was overwritten is not shown, so it is not found"},
		"From":       {"x\nx\nx\n", "", logview.Query{Text: "x"}, 1, []string{"1:[x]", "2:[x]"}, 3, "what stands before is left out"},
		"Open":       {"a\nx", "", logview.Query{Text: "x"}, 0, []string{"1:[x]"}, 2, "the last line need not have ended"},
		"Gap":        {"ax\nx GAPx\n", "GAP", logview.Query{Text: "x"}, 0, []string{"0:a[x]", "1:[x] ", "2:[x]"}, 3, "a line that a gap cuts has ended, as where it is shown"},
		"Long":       {long + "x" + long + "\n", "", logview.Query{Text: "x"}, 0, []string{"0:…" + strings.Repeat("é", 60) + "[x]" + strings.Repeat("é", 60) + "…"}, 1, "what is around is cut between characters"},
		"Hostile":    {"\u202eevil\x00 x\n", "", logview.Query{Text: "x"}, 0, []string{"0:[U+202E]evil␀ [x]"}, 1, "what turns text round is shown as what it is"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, f := searched(t, tc.log, tc.gap, tc.query, tc.from, still)
			if diff := cmp.Diff(tc.want, got); diff != "" || f.Next != tc.next || !f.Done {
				t.Errorf("%s; next %d, want %d, done %t (-want +got):\n%s", tc.reason, f.Next, tc.next, f.Done, diff)
			}
		})
	}
}

// TestSearch_GoesOn proves that a search which ends at its bounds says from which line it goes on, and that together they find each line once.
func TestSearch_GoesOn(t *testing.T) {
	t.Parallel()
	late := func() func() time.Time { // after some hundred lines the time is over
		at := time.Unix(0, 0)
		return func() time.Time { at = at.Add(100 * time.Microsecond); return at }
	}
	content := strings.Repeat("x "+strings.Repeat("-", 100)+"\n", 10_000)
	for name, now := range map[string]func() func() time.Time{"Hits": func() func() time.Time { return still }, "Time": late} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen, from := int64(0), int64(0)
			for range 200 {
				_, f := searched(t, content, "", logview.Query{Text: "x"}, from, now())
				for _, h := range f.Hits {
					if h.Line != seen {
						t.Fatalf("line %d follows %d", h.Line, seen-1)
					}
					seen++
				}
				if f.Done {
					break
				}
				if f.Next <= from {
					t.Fatalf("it would go on from line %d for ever", f.Next)
				}
				from = f.Next
			}
			if seen != 10_000 {
				t.Errorf("found %d lines", seen)
			}
		})
	}
}

func TestQuery_Compile(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"(": false, "a(b)c": true, strings.Repeat("x", 201): false, `\pN`: true, "(?P<n": false, ".{20}": true,
		strings.Repeat("(?:.?){1000}", 15): false, // short, and minutes of work for each piece of a log
	} {
		if _, err := (logview.Query{Text: text, Regexp: true}).Compile(); (err == nil) != ok || (err != nil && !fault.Is(err, fault.Invalid)) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if _, err := (logview.Query{Text: "("}).Compile(); err != nil {
		t.Errorf("a text is never a wrong expression: %v", err)
	}
}

func FuzzSearch(f *testing.F) {
	f.Add("a\x1b[31mb\r\n", "b", false)
	f.Add("a\nb", "(a|b)$", true)
	f.Fuzz(func(t *testing.T, content, text string, expression bool) {
		if q, err := (logview.Query{Text: text, Regexp: expression}).Compile(); err != nil || q.Text == "" {
			t.Skip()
		}
		_, found := searched(t, content, "", logview.Query{Text: text, Regexp: expression}, 0, still)
		if lines := int64(strings.Count(content, "\n")) + 1; found.Next > lines || int64(len(found.Hits)) > lines {
			t.Errorf("%d hits up to line %d of %d", len(found.Hits), found.Next, lines)
		}
	})
}
