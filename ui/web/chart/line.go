package chart

import (
	"fmt"
	"html"
	"strings"
)

// Point is a moment of something that is measured; neither is negative.
type Point struct{ X, Y float64 }

// Measures of a line, in pixels.
const (
	lineWidth  = 180
	lineHeight = 32
	lineColumn = 2 // the most of all points within so many pixels is drawn
)

// Line draws how something went over time, from zero to top: the area below it, with the highest point kept however many there are.
// The title is its text for those who do not see it; there is nothing to draw without two points.
func Line(title string, points []Point, top float64) string {
	drawn := columns(points)
	if len(drawn) < 2 {
		return ""
	}
	if top <= 0 {
		top = 1 // a line on the ground
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="line" width="%d" height="%d" viewBox="0 0 %d %d" role="img" preserveAspectRatio="none"><title>%s</title>`,
		lineWidth, lineHeight, lineWidth, lineHeight, html.EscapeString(title))
	var path strings.Builder
	for i, p := range drawn {
		fmt.Fprintf(&path, "%s%s %s", map[bool]string{true: "M", false: "L"}[i == 0], pixel(p.X), pixel((lineHeight-1)-min(p.Y/top, 1)*(lineHeight-2)))
	}
	fmt.Fprintf(&b, `<path class="area" d="%sL%s %dL%s %dZ"/><path class="edge" d="%s"/></svg>`,
		path.String(), pixel(drawn[len(drawn)-1].X), lineHeight, pixel(drawn[0].X), lineHeight, path.String())
	return b.String()
}

// columns brings points to the width of the drawing.
func columns(points []Point) []Point {
	if len(points) < 2 || points[len(points)-1].X <= points[0].X {
		return nil
	}
	first, span := points[0].X, points[len(points)-1].X-points[0].X
	var out []Point
	last := -1
	for _, p := range points {
		x := (p.X - first) / span * lineWidth
		column := int(x) / lineColumn
		if column == last {
			out[len(out)-1].Y = max(out[len(out)-1].Y, p.Y)
			continue
		}
		out, last = append(out, Point{x, p.Y}), column
	}
	return out
}

// pixel is a coordinate with one digit, so that the same data gives the same bytes everywhere.
func pixel(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }
