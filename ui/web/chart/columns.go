package chart

import (
	"fmt"
	"html"
	"strings"
)

// Part is a part of a column, from the ground up.
type Part struct {
	Kind string // which is its class in the style sheet
	N    float64
}

// Column is what is measured of one stretch of time.
type Column struct {
	Title string // what it says when it is pointed at
	Parts []Part
}

// Measures of columns, in units of the drawing, which is stretched to the width of the page.
const (
	columnWidth  = 20
	columnGap    = 6
	columnHeight = 96
	columnLeast  = 2 // whatever happened at all can be seen
)

// Columns draws parts upon each other, a column for each stretch of time, the oldest left, to the scale of the highest. The title is its text
// for those who do not see it; there is nothing to draw when nothing was measured.
func Columns(title string, columns []Column) string {
	top := 0.0
	for _, c := range columns {
		top = max(top, total(c))
	}
	if top <= 0 {
		return ""
	}
	var b strings.Builder
	width := len(columns)*(columnWidth+columnGap) - columnGap
	fmt.Fprintf(&b, `<svg class="columns" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img"><title>%s</title>`, width, columnHeight+1, html.EscapeString(title))
	for i, c := range columns {
		fmt.Fprintf(&b, `<g transform="translate(%d 0)"><title>%s</title>`, i*(columnWidth+columnGap), html.EscapeString(c.Title))
		fmt.Fprintf(&b, `<rect class="ground" x="0" y="%d" width="%d" height="1"/>`, columnHeight, columnWidth)
		ground := float64(columnHeight)
		for _, p := range c.Parts {
			if p.N <= 0 {
				continue
			}
			height := max(p.N/top*(columnHeight-columnLeast*float64(len(c.Parts))), columnLeast)
			ground -= height
			fmt.Fprintf(&b, `<rect class="%s" x="0" y="%s" width="%d" height="%s"/>`, html.EscapeString(p.Kind), pixel(ground), columnWidth, pixel(height))
		}
		b.WriteString(`</g>`)
	}
	b.WriteString(`</svg>`)
	return b.String()
}

func total(c Column) (sum float64) {
	for _, p := range c.Parts {
		sum += max(p.N, 0)
	}
	return sum
}
