package pages

import (
	"strconv"
	"unicode/utf8"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ui/web/words"
)

// clip shortens a message for a list.
func clip(s string) string {
	const most = 110
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// share is a part of a bar of 1000 units.
type share struct{ kind, x, width string }

// shares lays the counts side by side, worst first. Whatever happened at all stays visible.
func shares(c execution.Counts) []share {
	const least = 4
	parts := []struct {
		kind string
		n    int
	}{{"failed", c.Failed}, {"errored", c.Errored}, {"skipped", c.Skipped}, {"passed", c.Passed}}
	var out []share
	x := 0
	for _, p := range parts {
		if p.n <= 0 {
			continue
		}
		width := min(max(p.n*1000/c.Total, least), 1000-x)
		if p.kind == "passed" {
			width = 1000 - x
		}
		out = append(out, share{p.kind, strconv.Itoa(x), strconv.Itoa(width)})
		x += width
	}
	return out
}

// choice is a value of a selection and its word.
type choice struct {
	Value execution.Status
	Word  string
}

func statuses() []choice {
	var out []choice
	for _, s := range execution.Statuses() {
		out = append(out, choice{s, words.Status(s)})
	}
	return out
}
