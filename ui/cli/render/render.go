// Package render writes answers of the API as tables, JSON or YAML.
package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"sigs.k8s.io/yaml"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// Format is how to write.
type Format string

// The formats.
const (
	Table Format = "table"
	JSON  Format = "json"
	YAML  Format = "yaml"
	CSV   Format = "csv" // of lists only
)

// ParseFormat checks a format given by a person.
func ParseFormat(s string) (Format, error) {
	if f := Format(s); f == Table || f == JSON || f == YAML {
		return f, nil
	}
	return "", fmt.Errorf("unknown output %q: use table, json or yaml", s)
}

// Message writes m as JSON or YAML.
func Message(w io.Writer, f Format, m proto.Message) error {
	// Zeros are written, too: a script must find "failed": 0 and not have to know what a missing field means.
	raw, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return Text(w, f, raw)
}

// Value writes v, which is no message of the API, as JSON or YAML.
func Value(w io.Writer, f Format, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return Text(w, f, raw)
}

// Text writes a JSON text as JSON with indents or as YAML.
func Text(w io.Writer, f Format, raw []byte) (err error) {
	if f == YAML {
		raw, err = yaml.JSONToYAML(raw)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		_, err = w.Write(raw)
		return err
	}
	// protojson varies its spaces on purpose; indenting again makes the output stable.
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	out.WriteByte('\n')
	_, err = out.WriteTo(w)
	return err
}

// Sheet writes a table with a header as CSV. What a spreadsheet would take for a formula is written as a text.
func Sheet(w io.Writer, header []string, rows [][]string) error {
	to := csv.NewWriter(w)
	if err := to.Write(header); err != nil {
		return err
	}
	for _, r := range rows {
		line := make([]string, len(r))
		for i, cell := range r {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				cell = "'" + cell
			}
			line[i] = cell
		}
		if err := to.Write(line); err != nil {
			return err
		}
	}
	to.Flush()
	return to.Error()
}

// Rows writes a table with a header.
func Rows(w io.Writer, header []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, r := range append([][]string{header}, rows...) {
		clean := make([]string, len(r))
		for i, c := range r {
			clean[i] = Line(c)
		}
		if _, err := fmt.Fprintln(t, strings.Join(clean, "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

// Line makes foreign text fit one line of a terminal: no control bytes, none for an empty one.
func Line(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// Status returns the word for a status.
func Status(s apiv1.Status) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "STATUS_"))
}

// State returns the word for the verdict on a release, as policies and pipelines spell it.
func State(s apiv1.State) string {
	return strings.TrimPrefix(s.String(), "STATE_")
}

// ServiceStatus returns the word for how a service stands.
func ServiceStatus(s apiv1.ServiceStatus) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "SERVICE_STATUS_"))
}

// Time returns an instant in UTC.
func Time(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return t.AsTime().UTC().Format("2006-01-02 15:04:05Z")
}

// Span returns the time between two instants.
func Span(from, to *timestamppb.Timestamp) string {
	if from == nil || to == nil {
		return "-"
	}
	return to.AsTime().Sub(from.AsTime()).Round(10 * time.Millisecond).String()
}

// Counts returns test counts in words.
func Counts(c *apiv1.TestCounts) string {
	if c.GetTotal() == 0 {
		return "no tests reported"
	}
	noun := "tests"
	if c.GetTotal() == 1 {
		noun = "test"
	}
	return fmt.Sprintf("%d %s: %d passed, %d failed, %d errored, %d skipped",
		c.GetTotal(), noun, c.GetPassed(), c.GetFailed(), c.GetErrored(), c.GetSkipped())
}
