package execution

import (
	"strconv"
	"strings"
)

const streamPrefix = "step/"

// Stream returns the name of the log stream of the step with an index.
func Stream(index int) string { return streamPrefix + strconv.Itoa(index) }

// StreamIndex returns the step index of a stream name; ok is false when the name is not one that Stream makes.
func StreamIndex(stream string) (index int, ok bool) {
	digits, found := strings.CutPrefix(stream, streamPrefix)
	if !found {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || Stream(n) != stream {
		return 0, false
	}
	return n, true
}
