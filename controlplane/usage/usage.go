// Package usage reads what runners record of a step once a second: CPU, memory, input and output over time.
package usage

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
)

const (
	// Header is the first line of a record.
	Header = "seconds,cpu_seconds,memory_bytes,read_bytes,written_bytes"
	// MaxSamples is how many samples a record has at most: one of a long step has one for every few seconds.
	MaxSamples = 3600

	columns = 5
	maxLine = 200
	// maxSeconds keeps sums of what a record says far from overflow: a hundred years.
	maxSeconds = 100 * 365 * 24 * 3600
	maxBytes   = 1 << 60
)

// Sample is a moment of a step. CPU, Read and Written count since the step began; Memory is the most since the sample before.
type Sample struct {
	At            time.Duration
	CPU           time.Duration
	Memory        int64 // bytes
	Read, Written int64 // bytes
}

// Parse reads a record. Errors are fault.Invalid and name the line.
func Parse(from io.Reader) ([]Sample, error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	var out []Sample
	for n := 1; lines.Scan(); n++ {
		if n == 1 {
			if lines.Text() != Header {
				return nil, fault.New(fault.Invalid, "the record of a step does not begin with %q", Header)
			}
			continue
		}
		if len(out) == MaxSamples {
			return nil, fault.New(fault.Invalid, "the record of a step has more than %d samples", MaxSamples)
		}
		s, err := parse(lines.Text())
		if err == nil && len(out) > 0 && !follows(out[len(out)-1], s) {
			err = errors.New("it goes back behind the line before")
		}
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, fmt.Sprintf("line %d of the record of a step", n))
		}
		out = append(out, s)
	}
	if err := lines.Err(); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "read the record of a step")
	}
	return out, nil
}

func parse(line string) (s Sample, err error) {
	cells := strings.Split(line, ",")
	if len(cells) != columns {
		return s, fmt.Errorf("it has %d columns and not %d", len(cells), columns)
	}
	if s.At, err = seconds(cells[0]); err != nil {
		return s, err
	}
	if s.CPU, err = seconds(cells[1]); err != nil {
		return s, err
	}
	for i, to := range []*int64{&s.Memory, &s.Read, &s.Written} {
		if *to, err = bytes(cells[2+i]); err != nil {
			return s, err
		}
	}
	return s, nil
}

func seconds(text string) (time.Duration, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || v < 0 || v > maxSeconds {
		return 0, fmt.Errorf("%q is not a number of seconds", text)
	}
	return time.Duration(math.Round(v*1e3)) * time.Millisecond, nil
}

func bytes(text string) (int64, error) {
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < 0 || v > maxBytes {
		return 0, fmt.Errorf("%q is not a number of bytes", text)
	}
	return v, nil
}

// follows reports whether what only grows has not become less.
func follows(before, s Sample) bool {
	return s.At >= before.At && s.CPU >= before.CPU && s.Read >= before.Read && s.Written >= before.Written
}
