// Package cards keeps what benchmarks measure as samples of metric cards, P1 to P16, and makes the table that says which goals are met.
//
// A benchmark notes each sample as it takes it; samples of arms that took turns carry the number of their round, so that they are compared
// in pairs. The samples are a file of comma-separated values that anyone can judge by other means.
package cards

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
)

// Variable is the environment variable that names the file to which samples are added. Without it benchmarks keep none.
const Variable = "SEATRIAL_BENCH"

// Sample is one measurement of one arm.
type Sample struct {
	Card   string // P1 to P16
	Metric string // what is measured, such as "trigger to first line"
	Arm    string // of what, such as "seatrial"
	Round  int    // arms that are compared share it
	Value  float64
	Unit   string // of the value: ms, s, MiB, 1/s, …
}

func header() []string { return []string{"card", "metric", "arm", "round", "value", "unit"} }

// Note adds samples to the file that Variable names, if it does.
func Note(tb testing.TB, samples ...Sample) {
	tb.Helper()
	path := os.Getenv(Variable)
	if path == "" {
		return
	}
	samples = slices.DeleteFunc(samples, func(s Sample) bool {
		wrong := math.IsNaN(s.Value) || math.IsInf(s.Value, 0)
		if wrong {
			tb.Errorf("%s %s of %s has no value", s.Card, s.Metric, s.Arm)
		}
		return wrong
	})
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		tb.Fatalf("%s: %v", Variable, err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		tb.Fatal(err)
	} else if err := write(file, samples, info.Size() == 0); err != nil {
		tb.Fatalf("write samples to %s: %v", path, err)
	}
}

// write writes samples, after a line of names when they are the first.
func write(w io.Writer, samples []Sample, first bool) error {
	out := csv.NewWriter(w)
	if first {
		if err := out.Write(header()); err != nil {
			return fmt.Errorf("write the header: %w", err)
		}
	}
	for _, s := range samples {
		if err := out.Write([]string{s.Card, s.Metric, s.Arm, strconv.Itoa(s.Round), strconv.FormatFloat(s.Value, 'g', 7, 64), s.Unit}); err != nil {
			return fmt.Errorf("write a sample: %w", err)
		}
	}
	out.Flush()
	return out.Error() //nolint:wrapcheck // the caller names the file
}

// Read reads what Note wrote. Errors name the line.
func Read(r io.Reader) ([]Sample, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = len(header())
	var samples []Sample
	for {
		fields, err := in.Read()
		switch {
		case errors.Is(err, io.EOF):
			return samples, nil
		case err != nil:
			return nil, fmt.Errorf("read samples: %w", err)
		case fields[0] == header()[0]: // files may be put together
			continue
		}
		line, _ := in.FieldPos(0)
		s, err := parse(fields)
		if err != nil {
			return nil, fmt.Errorf("read samples: line %d: %w", line, err)
		}
		samples = append(samples, s)
	}
}

func parse(fields []string) (Sample, error) {
	round, err := strconv.Atoi(fields[3])
	if err != nil {
		return Sample{}, fmt.Errorf("round %q is no number", fields[3])
	}
	value, err := strconv.ParseFloat(fields[4], 64)
	if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
		return Sample{}, fmt.Errorf("value %q is no finite number", fields[4])
	}
	return Sample{Card: fields[0], Metric: fields[1], Arm: fields[2], Round: round, Value: value, Unit: fields[5]}, nil
}
