// Package qr draws texts as QR codes in SVG, which a page can hold without loading anything.
package qr

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// Code is a QR code: a square of modules with the light border that scanners need.
type Code struct {
	Size int    // modules along a side, the border included
	Path string // of the dark modules
}

// border is how many light modules the standard wants around a code.
const border = 4

// Draw makes a code of a text. One that is too long, beyond some two thousand bytes, is an error.
func Draw(text string) (Code, error) {
	modules, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return Code{}, fmt.Errorf("draw a QR code: %w", err)
	}
	size := modules.Bounds().Dx()
	var path strings.Builder
	for y := range size {
		for x := 0; x < size; x++ {
			from := x
			for x < size && modules.At(x, y) == color.Black {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+border, y+border, x-from, x-from)
			}
		}
	}
	return Code{Size: size + 2*border, Path: path.String()}, nil
}

// Box is the view box of the drawing.
func (c Code) Box() string { return fmt.Sprintf("0 0 %d %d", c.Size, c.Size) }
