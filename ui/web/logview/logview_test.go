package logview_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/logview"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// text returns rows as text: gaps in brackets, cut lines with a mark.
func text(rows []logview.Row) []string {
	var out []string
	for _, r := range rows {
		line := ""
		for _, run := range r.Runs {
			line += run.Text
		}
		if r.Gap > 0 {
			line = fmt.Sprintf("[%d]", r.Gap)
		}
		if r.Cut {
			line += "…"
		}
		out = append(out, line)
	}
	return out
}

func piece(at int64, data string) view.Piece {
	return view.Piece{Offset: at, Data: []byte(data), Next: at + int64(len(data))}
}

func TestLines_Add(t *testing.T) {
	t.Parallel()
	l := logview.From(100)
	if got := text(l.Add(piece(100, "a\nb"))); !cmp.Equal(got, []string{"a"}) || l.Offset() != 102 || l.Next() != 103 {
		t.Errorf("%q, offset %d, next %d", got, l.Offset(), l.Next())
	}
	if row, ok := l.Open(); !ok || text([]logview.Row{row})[0] != "b" {
		t.Errorf("open line %v", row)
	}
	if got := text(l.Add(piece(103, "c\n\nd\n"))); !cmp.Equal(got, []string{"bc", "", "d"}) || l.Offset() != 108 {
		t.Errorf("%q, offset %d", got, l.Offset())
	}
	if _, ok := l.Open(); ok {
		t.Error("nothing is open after a line break")
	}
	l.Add(piece(108, "cut o"))
	if got := text(l.Add(view.Piece{Offset: 113, Gap: 40, Next: 153})); !cmp.Equal(got, []string{"cut o", "[40]"}) || l.Offset() != 153 {
		t.Errorf("a gap ends the open line: %q, offset %d", got, l.Offset())
	}
}

// TestLines_OpenKeepsStyle proves that looking at the open line changes nothing: its colours are counted once.
func TestLines_OpenKeepsStyle(t *testing.T) {
	t.Parallel()
	l := logview.From(0)
	l.Add(piece(0, "\x1b[31mred\x1b[0m"))
	l.Open()
	row, _ := l.Open()
	if len(row.Runs) != 1 || row.Runs[0].Class != "f2" {
		t.Errorf("%+v", row.Runs)
	}
}

func TestLines_LongLine(t *testing.T) {
	t.Parallel()
	l := logview.From(0)
	long := strings.Repeat("x", logview.MaxLine)
	for i := range 4 {
		l.Add(piece(int64(i*len(long)), long))
	}
	got := l.Add(piece(int64(4*len(long)), "y\nnext\n"))
	if len(got) != 2 || !got[0].Cut || len(got[0].Runs[0].Text) != logview.MaxLine || got[1].Cut || text(got)[1] != "next" {
		t.Errorf("a long line is cut once, and the next one whole: %d rows", len(got))
	}
}

func TestLines_ProgressBar(t *testing.T) {
	t.Parallel()
	l := logview.From(0)
	bar := ""
	for i := range 5000 {
		bar += fmt.Sprintf("\r%4d of 5000", i)
	}
	l.Add(piece(0, bar))
	if row, _ := l.Open(); row.Cut || text([]logview.Row{row})[0] != "4999 of 5000" {
		t.Errorf("the newest state of a bar is kept: %q", text([]logview.Row{row}))
	}
}

// TestRead compares windows with the lines of the log, wherever they begin.
func TestRead(t *testing.T) {
	t.Parallel()
	w := viewfake.New(viewfake.Now)
	step := logview.Source{Attempt: viewfake.ID("a"), Stream: "step/3"}
	var all []string
	for i := range 1234 {
		all = append(all, fmt.Sprintf("line %d", i))
	}
	w.WriteTo(step.Attempt, step.Stream, strings.Join(all, "\n"), false)
	ctx := tenant.WithViewer(t.Context(), w.Member.Viewer)
	for _, tc := range []struct {
		line int64
		size int
	}{{0, 10}, {99, 2}, {100, 1}, {555, 300}, {1230, 10}, {-5, 3}} {
		got, err := logview.Read(ctx, w, step, tc.line, tc.size)
		if err != nil {
			t.Fatal(err)
		}
		from := int(max(tc.line, 0))
		want := all[from:min(from+tc.size, len(all))]
		if diff := cmp.Diff(want, text(got.Rows)); diff != "" {
			t.Errorf("from %d (-want +got):\n%s", tc.line, diff)
		}
		end := from+tc.size > len(all)
		if got.Tail != end || got.Open != end || got.Complete {
			t.Errorf("from %d: tail %t, open %t, complete %t", tc.line, got.Tail, got.Open, got.Complete)
		}
		if rest := following(ctx, t, w, step, got.Next); rest != strings.Join(all[got.NextLine:], "\n") {
			t.Errorf("from %d: after the window comes %.40q, line %d", tc.line, rest, got.NextLine)
		}
	}
}

func following(ctx context.Context, t *testing.T, logs view.Logs, step logview.Source, offset int64) string {
	t.Helper()
	p, err := logs.ReadLog(ctx, step.Attempt, step.Stream, offset, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return string(p.Data)
}

func TestRead_Complete(t *testing.T) {
	t.Parallel()
	w := viewfake.New(viewfake.Now)
	step := logview.Source{Attempt: viewfake.ID("a"), Stream: "step/0"}
	ctx := tenant.WithViewer(t.Context(), w.Member.Viewer)
	if got, err := logview.Read(ctx, w, step, 0, 5); err != nil || !got.Tail || got.Complete || len(got.Rows) != 0 {
		t.Errorf("of nothing: %+v, %v", got, err)
	}
	w.WriteTo(step.Attempt, step.Stream, "a\nb\n", true)
	if got, err := logview.Read(ctx, w, step, 0, 5); err != nil || !got.Tail || !got.Complete || len(got.Rows) != 2 || got.Open {
		t.Errorf("of everything: %+v, %v", got, err)
	}
	if got, err := logview.Read(ctx, w, step, 0, 1); err != nil || got.Complete || got.Next != 2 {
		t.Errorf("of the first line: %+v, %v", got, err)
	}
}

// TestRead_EndlessLine proves that a window of a log without line breaks reads a bounded part of it.
func TestRead_EndlessLine(t *testing.T) {
	t.Parallel()
	endless := &endlessLog{}
	got, err := logview.Read(t.Context(), endless, logview.Source{}, 0, 10)
	if err != nil || len(got.Rows) != 1 || !got.Rows[0].Cut || got.Tail || endless.read > 9<<20 {
		t.Errorf("read %d bytes for %d rows: %v", endless.read, len(got.Rows), err)
	}
}

func TestRead_Fault(t *testing.T) {
	t.Parallel()
	w := viewfake.New(viewfake.Now)
	w.Err = fault.New(fault.Unavailable, "away")
	_, err := logview.Read(tenant.WithViewer(t.Context(), w.Member.Viewer), w, logview.Source{}, 0, 1)
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
}

type endlessLog struct {
	view.Logs
	read int
}

func (e *endlessLog) SeekLine(context.Context, uuid.UUID, string, int64) (offset, at int64, err error) {
	return 0, 0, nil
}

func (e *endlessLog) ReadLog(_ context.Context, _ uuid.UUID, _ string, offset int64, limit int) (view.Piece, error) {
	e.read += limit
	return view.Piece{Offset: offset, Data: []byte(strings.Repeat("x", limit)), Next: offset + int64(limit)}, nil
}

// TestWindow_Within proves that a window of too much is cut about the line that a reader wants, and that whoever goes on after it misses
// nothing.
func TestWindow_Within(t *testing.T) {
	t.Parallel()
	w := viewfake.New(viewfake.Now)
	step := logview.Source{Attempt: viewfake.ID("a"), Stream: "step/3"}
	var all []string
	for i := range 100 {
		all = append(all, fmt.Sprintf("line %d", i))
	}
	w.WriteTo(step.Attempt, step.Stream, strings.Join(all, "\n"), false)
	ctx := tenant.WithViewer(t.Context(), w.Member.Viewer)
	whole, err := logview.Read(ctx, w, step, 20, 200)
	if err != nil {
		t.Fatal(err)
	}
	const each = 10
	for _, tc := range []struct {
		why         string
		limit       int
		line        int64
		first, next int64 // of the lines that are left
		tail        bool
	}{
		{"there is room for all", 80 * each, 50, 20, 99, true},
		{"the beginning", 5 * each, 20, 20, 25, false},
		{"about a line", 5 * each, 50, 48, 53, false},
		{"a line near the beginning", 5 * each, 21, 20, 25, false},
		{"the end, where more may come", 5 * each, 1000, 95, 99, true},
		{"the line itself, however long", 1, 50, 50, 51, false},
	} {
		got := whole.Within(tc.limit, tc.line, func(logview.Row) int { return each })
		if got.First != tc.first || got.NextLine != tc.next || got.Tail != tc.tail || got.Open != tc.tail {
			t.Errorf("%s: lines %d to %d, tail %t, open %t", tc.why, got.First, got.NextLine, got.Tail, got.Open)
		}
		if rest := following(ctx, t, w, step, got.Next); rest != strings.Join(all[got.NextLine:], "\n") {
			t.Errorf("%s: after the window comes %.40q", tc.why, rest)
		}
		if rows := text(got.Rows); rows[0] != all[got.First] {
			t.Errorf("%s: it begins with %q", tc.why, rows[0])
		}
	}
}

// TestWindow_Within_Gap proves that bytes that are missing are no line, and that they stay missing after the window.
func TestWindow_Within_Gap(t *testing.T) {
	t.Parallel()
	l := logview.From(0)
	rows := append(l.Add(piece(0, "a\nb\nhalf")), l.Add(view.Piece{Offset: 8, Gap: 40, Next: 48})...)
	rows = append(rows, l.Add(piece(48, "c\nd\n"))...)
	whole := logview.Window{Rows: rows, Next: l.Next(), NextLine: 5, Tail: true}
	got := whole.Within(3, 0, func(logview.Row) int { return 1 })
	if got.NextLine != 3 || got.Next != 8 || got.Tail {
		t.Errorf("before the gap: next line %d at %d", got.NextLine, got.Next)
	}
	got = whole.Within(2, 4, func(logview.Row) int { return 1 })
	if got.First != 3 || got.NextLine != 5 || !got.Tail {
		t.Errorf("after the gap: lines %d to %d", got.First, got.NextLine)
	}
}
