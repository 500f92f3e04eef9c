// Package diff compares two versions of a document, line by line.
package diff

import (
	"fmt"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// Kind is what became of a line.
type Kind int

// The kinds.
const (
	Same Kind = iota
	Added
	Removed
)

// Line is a line of one version, or of both.
type Line struct {
	Kind     Kind
	Old, New int // number in each version, from 1; 0 in the one that does not have it
	Text     string
}

// Hunk is lines that have changed with what is around them.
type Hunk struct{ Lines []Line }

// context is how many lines around a change are shown.
const context = 3

// Lines compares two texts. Without a difference there are no hunks.
func Lines(before, after string) ([]Hunk, error) {
	before, after = ended(before), ended(after)
	if before == after {
		return nil, nil
	}
	unified, err := udiff.ToUnifiedDiff("", "", before, udiff.Lines(before, after), context)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	var out []Hunk
	for _, h := range unified.Hunks {
		hunk, old, now := Hunk{}, h.FromLine, h.ToLine
		for _, l := range h.Lines {
			line := Line{Text: strings.TrimSuffix(l.Content, "\n")}
			switch l.Kind {
			case udiff.Insert:
				line.Kind, line.New = Added, now
				now++
			case udiff.Delete:
				line.Kind, line.Old = Removed, old
				old++
			case udiff.Equal:
				line.Old, line.New = old, now
				old++
				now++
			}
			hunk.Lines = append(hunk.Lines, line)
		}
		out = append(out, hunk)
	}
	return out, nil
}

func ended(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// Unified writes hunks as patches do, under the names of both versions. Without hunks it is empty.
func Unified(before, after string, hunks []Hunk) string {
	if len(hunks) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", before, after)
	for _, h := range hunks {
		var olds, news, old, now int
		for _, l := range h.Lines {
			if l.Old > 0 {
				if olds++; old == 0 {
					old = l.Old
				}
			}
			if l.New > 0 {
				if news++; now == 0 {
					now = l.New
				}
			}
		}
		fmt.Fprintf(&b, "@@ -%d,%d +%d,%d @@\n", old, olds, now, news)
		for _, l := range h.Lines {
			b.WriteString(map[Kind]string{Same: " ", Added: "+", Removed: "-"}[l.Kind] + l.Text + "\n")
		}
	}
	return b.String()
}
