package follow

import (
	"io"
	"time"
)

// MaxLine is how much of a line is kept.
const MaxLine = maxLine

// Scan calls take for each line of a log.
func Scan(log io.Reader, whole bool, take func(at time.Time, text []byte, cut int64)) error {
	return scan(log, whole, func(l line) bool {
		take(l.at, l.text, l.cut)
		return true
	})
}
