// Package chart draws as SVG. Drawings are made of their data alone, so that the same data gives the same bytes.
package chart

import (
	"fmt"
	"html"
	"strings"
)

// Cell is a result in a strip.
type Cell struct {
	Kind  string // outcome, which is its class in the style sheet
	Again bool   // it was tried more than once
	Title string // what it says when it is pointed at; empty for nothing
}

// Measures of a strip, in pixels.
const (
	cellWidth  = 12
	cellHeight = 22
	cellGap    = 2
	markHeight = 6 // below the cells, for those tried again
)

// Strip draws results side by side, the oldest left: each has the colour and the sign of its outcome, and a mark below it when it
// was tried again. The title is its text for those who do not see it; there is nothing to draw without a cell.
func Strip(title string, cells []Cell) string {
	if len(cells) == 0 {
		return ""
	}
	var b strings.Builder
	width, height := len(cells)*(cellWidth+cellGap)-cellGap, cellHeight+cellGap+markHeight
	fmt.Fprintf(&b, `<svg class="strip" width="%d" height="%d" viewBox="0 0 %d %d" role="img"><title>%s</title>`,
		width, height, width, height, html.EscapeString(title))
	for i, c := range cells {
		fmt.Fprintf(&b, `<g class="%s" transform="translate(%d 0)">`, html.EscapeString(c.Kind), i*(cellWidth+cellGap))
		if c.Title != "" {
			b.WriteString(`<title>` + html.EscapeString(c.Title) + `</title>`)
		}
		b.WriteString(shape(c.Kind))
		if c.Again {
			b.WriteString(`<path class="again" d="M6 24l5 6H1z"/>`)
		}
		b.WriteString(`</g>`)
	}
	b.WriteString(`</svg>`)
	return b.String()
}

// shape is the body and the sign of an outcome. What says something of the test is full, what is no evidence is hollow.
func shape(kind string) string {
	const (
		full   = `<rect width="12" height="22" rx="2"/>`
		hollow = `<rect class="hollow" x=".75" y=".75" width="10.5" height="20.5" rx="2"/>`
	)
	switch kind {
	case "passed":
		return full + `<path d="M3 11.5l2.2 2.2L9 8.8"/>`
	case "failed":
		return full + `<path d="M3 8l6 6m0-6l-6 6"/>`
	case "errored":
		return full + `<path d="M6 6v6.5m0 3.4v.1"/>`
	case "timed_out":
		return full + `<path d="M6 7v4.5l2.6 1.8"/>`
	case "blocked":
		return hollow + `<path d="M3.5 11h5"/>`
	case "infra_error":
		return hollow + `<path d="M6 6v6.5m0 3.4v.1"/>`
	case "cancelled":
		return hollow + `<path d="M3.5 14l5-6"/>`
	}
	return `<path d="M2 11h8"/>`
}
