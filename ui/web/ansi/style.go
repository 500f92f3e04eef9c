package ansi

import (
	"strconv"
	"strings"
)

// style is how text looks. Colours are numbered from 1 to 16; 0 is the page's own.
type style struct {
	fg, bg                                         uint8
	bold, faint, italic, underline, invert, struck bool
}

// class returns the class names: f1 to f16 are foregrounds, g1 to g16 backgrounds. A background brings its own foreground, so
// that no log can write text that cannot be read.
func (s style) class() string {
	var names []string
	switch {
	case s.bg > 0:
		names = append(names, "g"+strconv.Itoa(int(s.bg)))
	case s.invert && s.fg > 0:
		names = append(names, "g"+strconv.Itoa(int(s.fg)))
	case s.invert:
		names = append(names, "gx")
	case s.fg > 0:
		names = append(names, "f"+strconv.Itoa(int(s.fg)))
	}
	for _, w := range []struct {
		on   bool
		name string
	}{{s.bold, "sb"}, {s.faint, "sf"}, {s.italic, "si"}, {s.underline, "su"}, {s.struck, "ss"}} {
		if w.on {
			names = append(names, w.name)
		}
	}
	return strings.Join(names, " ")
}

// maxParams bounds the work of one sequence; terminals stop at about as many.
const maxParams = 64

// apply changes the style as the parameters of one sequence say.
func (s *style) apply(params string) {
	codes := numbers(params)
	for len(codes) > 0 {
		code := codes[0]
		codes = codes[1:]
		switch {
		case code == 38 || code == 48:
			var color uint8
			color, codes = extended(codes)
			if code == 38 {
				s.fg = color
			} else {
				s.bg = color
			}
		case code >= 30 && code <= 37:
			s.fg = uint8(code - 30 + 1)
		case code >= 90 && code <= 97:
			s.fg = uint8(code - 90 + 9)
		case code >= 40 && code <= 47:
			s.bg = uint8(code - 40 + 1)
		case code >= 100 && code <= 107:
			s.bg = uint8(code - 100 + 9)
		default:
			s.weigh(code)
		}
	}
}

// weigh applies the codes that are not colours; unknown ones change nothing.
func (s *style) weigh(code int) {
	switch code {
	case 0:
		*s = style{}
	case 1:
		s.bold = true
	case 2:
		s.faint = true
	case 3:
		s.italic = true
	case 4:
		s.underline = true
	case 7:
		s.invert = true
	case 9:
		s.struck = true
	case 22:
		s.bold, s.faint = false, false
	case 23:
		s.italic = false
	case 24:
		s.underline = false
	case 27:
		s.invert = false
	case 29:
		s.struck = false
	case 39:
		s.fg = 0
	case 49:
		s.bg = 0
	}
}

// numbers parses parameters: an empty one is 0, one that is no number makes the whole sequence mean nothing.
func numbers(params string) []int {
	var codes []int
	for p := range strings.SplitSeq(params, ";") {
		sub := strings.Split(p, ":")
		switch {
		case len(sub) == 1:
		case sub[0] == "38" || sub[0] == "48":
			sub = colorFields(sub)
		default:
			sub = sub[:1] // kinds of underline and the like
		}
		for _, f := range sub {
			n, err := strconv.ParseUint("0"+f, 10, 16)
			if err != nil || len(codes) == maxParams {
				return nil
			}
			codes = append(codes, int(n))
		}
	}
	return codes
}

// colorFields drops the colour space that may stand between the kind of a colour and its parts.
func colorFields(sub []string) []string {
	if len(sub) == 6 && sub[1] == "2" {
		return append(sub[:2:2], sub[3:]...)
	}
	return sub
}

// extended reads a colour of the 256 or of all, and returns the nearest one that can be read on the page.
func extended(codes []int) (color uint8, rest []int) {
	switch {
	case len(codes) >= 2 && codes[0] == 5:
		return indexed(codes[1]), codes[2:]
	case len(codes) >= 4 && codes[0] == 2:
		return nearest(codes[1], codes[2], codes[3]), codes[4:]
	}
	return 0, nil
}

// indexed maps the palette of 256: 16 named colours, a cube of 6×6×6, 24 greys.
func indexed(n int) uint8 {
	switch {
	case n < 16:
		return uint8(n + 1) //nolint:gosec // G115: below 17
	case n < 232:
		n -= 16
		level := func(v int) int { return []int{0, 95, 135, 175, 215, 255}[v%6] }
		return nearest(level(n/36), level(n/6), level(n))
	case n < 256:
		grey := 8 + (n-232)*10
		return nearest(grey, grey, grey)
	}
	return 0
}

// nearest maps a colour by hue: what matters is that red stays red, not its shade.
func nearest(r, g, b int) uint8 {
	high, low := max(r, g, b), min(r, g, b)
	if high > 255 {
		return 0
	}
	if high-low < 48 {
		if high < 176 {
			return 9 // grey
		}
		return 8 // light
	}
	middle, hue := (high+low)/2, uint8(0)
	for i, v := range []int{r, g, b} {
		if v > middle {
			hue |= 1 << i
		}
	}
	if high >= 224 {
		return hue + 9
	}
	return hue + 1
}
