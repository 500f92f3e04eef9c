package document

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that is written as text.
type Duration time.Duration

// MarshalText returns the duration as Go writes it, such as "30m0s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what MarshalText has written.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err //nolint:wrapcheck // says what the text is
}

// Quantity is a Kubernetes quantity such as "500m" or "512Mi".
type Quantity string

// FileMode is permission bits; 0 means 0644.
type FileMode uint32

// MarshalText returns the bits in octal, such as "0755".
func (m FileMode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", uint32(m)), nil }

// IntOrExpr is a whole number, or an expression that gives one.
type IntOrExpr struct {
	Int  int64
	Expr string // wins when it is not empty
}

// MarshalJSON returns the number or the text.
func (i IntOrExpr) MarshalJSON() ([]byte, error) {
	if i.Expr != "" {
		return json.Marshal(i.Expr) //nolint:wrapcheck // cannot fail
	}
	return json.Marshal(i.Int) //nolint:wrapcheck // cannot fail
}

// Expect is how a command has to end: a word, or a list of exit codes.
type Expect struct {
	Result    string // success, failure or any; empty when there are exit codes
	ExitCodes []int64
}

// The results of Expect.
const (
	Success = "success"
	Failure = "failure"
	Either  = "any"
)

// MarshalJSON returns the word, or {"exitCodes": […]}.
func (e Expect) MarshalJSON() ([]byte, error) {
	if len(e.ExitCodes) > 0 {
		return json.Marshal(map[string][]int64{"exitCodes": e.ExitCodes}) //nolint:wrapcheck // cannot fail
	}
	return json.Marshal(e.Result) //nolint:wrapcheck // cannot fail
}

// Bytes returns the quantity as a whole number of bytes, at least one; what is not one is not ok.
func (q Quantity) Bytes() (n int64, ok bool) {
	digits := strings.TrimRight(string(q), "mkKMGTPEi")
	factor, known := map[string]float64{
		"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
		"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50, "Ei": 1 << 60,
	}[strings.TrimPrefix(string(q), digits)]
	value, err := strconv.ParseFloat(digits, 64)
	size := value * factor
	if !known || err != nil || size < 1 || size >= math.MaxInt64 {
		return 0, false
	}
	return int64(size), true
}

// Holds reports whether an exit code is as expected. Nil expects success.
func (e *Expect) Holds(code int64) bool {
	switch {
	case e == nil:
		return code == 0
	case len(e.ExitCodes) > 0:
		return slices.Contains(e.ExitCodes, code)
	case e.Result == Either:
		return true
	case e.Result == Failure:
		return code != 0
	}
	return code == 0
}

// Matrix is the axes of the runs: names with their values, beside the two names exclude and include.
type Matrix struct {
	Axes    map[string]Axis
	Exclude []Cell // combinations that are left out; a cell names some axes and leaves out all that agree
	Include []Cell // combinations that are added; a cell names every axis
}

// Axis is the values of one name: string, int64, float64 or bool.
type Axis struct {
	Values []any
	Expr   string // an expression that gives the values, when the execution is triggered
}

// Cell is values by the name of their axis.
type Cell map[string]any

// IsZero reports whether there is no matrix.
func (m Matrix) IsZero() bool { return len(m.Axes) == 0 && len(m.Include) == 0 }

// Names returns the names of all axes, sorted.
func (m Matrix) Names() []string {
	names := map[string]bool{}
	for name := range m.Axes {
		names[name] = true
	}
	for _, cell := range m.Include {
		for name := range cell {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// MarshalJSON returns one object of axes, exclude and include.
func (m Matrix) MarshalJSON() ([]byte, error) {
	all := map[string]any{}
	for name, axis := range m.Axes {
		all[name] = axis.Values
		if axis.Expr != "" {
			all[name] = axis.Expr
		}
	}
	if len(m.Exclude) > 0 {
		all["exclude"] = m.Exclude
	}
	if len(m.Include) > 0 {
		all["include"] = m.Include
	}
	return json.Marshal(all) //nolint:wrapcheck // strings, numbers and booleans
}
