package follow

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxLine is how much of a line is kept: with its end it fits into a chunk.
const maxLine = 256<<10 - 1

// maxStamp is more than the kubelet's times have.
const maxStamp = 40

// line is a line of a log.
type line struct {
	at   time.Time // when it was written; that of the line before when it does not say
	text []byte    // without its end
	cut  int64     // bytes of it that are left out
}

// scan calls take for each line of a log until take says no. A last line without an end counts only when whole is true: otherwise the
// rest of it may follow.
func scan(log io.Reader, whole bool, take func(line) bool) error {
	r := bufio.NewReaderSize(log, 16<<10)
	var last time.Time
	for {
		raw, cut, err := readLine(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read log: %w", err)
		}
		if len(raw) > 0 && (err == nil || whole) {
			l := parse(raw, last)
			l.cut += cut
			last = l.at
			if !ofKubelet(raw) && !take(l) {
				return nil
			}
		}
		if err != nil {
			return nil //nolint:nilerr // the end of the log
		}
	}
}

// readLine returns a line with its end, and how many bytes of it were left out. A line without an end comes with io.EOF.
func readLine(r *bufio.Reader) (raw []byte, cut int64, err error) {
	for {
		part, err := r.ReadSlice('\n')
		room := min(len(part), maxStamp+maxLine+1-len(raw))
		raw, cut = append(raw, part[:room]...), cut+int64(len(part)-room)
		if !errors.Is(err, bufio.ErrBufferFull) {
			if err == nil && cut > 0 {
				cut-- // its end, which every line gets
			}
			return raw, cut, err //nolint:wrapcheck // io.EOF, or said by who reads
		}
	}
}

// parse splits a line into its time and its text.
func parse(raw []byte, last time.Time) line {
	l := line{at: last, text: bytes.TrimSuffix(raw, []byte("\n"))}
	if i := bytes.IndexByte(l.text[:min(len(l.text), maxStamp)], ' '); i > 0 {
		if at, err := time.Parse(time.RFC3339Nano, string(l.text[:i])); err == nil {
			l.at, l.text = at.UTC().Truncate(time.Microsecond), l.text[i+1:] // as precise as the control plane keeps it
		}
	}
	if over := len(l.text) - maxLine; over > 0 {
		l.text, l.cut = l.text[:maxLine], int64(over)
	}
	return l
}

// ofKubelet tells lines that the kubelet puts into a log instead of the container.
func ofKubelet(raw []byte) bool {
	text := string(raw[:min(len(raw), 100)])
	return strings.HasPrefix(text, "failed to create fsnotify watcher") || strings.HasPrefix(text, "unable to retrieve container logs for ")
}
