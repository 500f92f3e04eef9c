package engine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// maxOutputs is how much a step may write to $SEATRIAL_OUTPUT, in bytes.
const maxOutputs = 64 << 10

func (e *engine) outputFile(s *runnerv1.Step) string {
	return filepath.Join(e.Shared, "outputs", fmt.Sprintf("step-%d", s.GetIndex()))
}

// clearOutputs makes room for what a try writes: an earlier one's values are not this one's.
func (e *engine) clearOutputs(s *runnerv1.Step) error {
	if len(s.GetOutputs()) == 0 {
		return nil
	}
	file := e.outputFile(s)
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the file for outputs cannot be emptied: %w", err)
	}
	if err := os.WriteFile(file, nil, 0o666); err != nil { //nolint:gosec // G306: the step may run as another user
		return fmt.Errorf("the file for outputs cannot be made: %w", err)
	}
	return nil
}

// keepOutputs records what a step has given to those after it, and notes what it has not.
func (e *engine) keepOutputs(s *runnerv1.Step) {
	if len(s.GetOutputs()) == 0 {
		return
	}
	values, notes := readOutputs(e.outputFile(s), s.GetOutputs())
	given := &runnerv1.Outputs{Values: values}
	secrets := e.hide.current()
	for name, value := range values {
		if secrets.String(value) != value {
			given.Secret = append(given.Secret, name) // containers do not know each other's secrets
		}
	}
	slices.Sort(given.Secret)
	if err := e.dir.SetOutputs(int(s.GetIndex()), given); err != nil {
		notes = append(notes, err.Error())
	}
	for _, n := range notes {
		e.ship.Note(fmt.Sprintf("step %q: %s", s.GetName(), n))
	}
}

// readOutputs reads a file of name=value lines that foreign code has written. Of a name that stands twice the last value counts.
func readOutputs(file string, names []string) (values map[string]string, notes []string) {
	values = map[string]string{}
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0) //nolint:gosec // G304: our own path
	if errors.Is(err, fs.ErrNotExist) {
		return values, nil // it never started
	}
	if err != nil {
		return values, []string{"the outputs cannot be read: " + err.Error()}
	}
	defer f.Close() //nolint:errcheck // read only
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return values, []string{"$SEATRIAL_OUTPUT is no regular file any more; no output was read"}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxOutputs+1))
	if err != nil {
		return values, []string{"the outputs cannot be read: " + err.Error()}
	}
	return parseOutputs(text, names)
}

func parseOutputs(text []byte, names []string) (values map[string]string, notes []string) {
	values = map[string]string{}
	switch {
	case len(text) > maxOutputs:
		return values, []string{fmt.Sprintf("more than %d bytes were written to $SEATRIAL_OUTPUT; no output was read", maxOutputs)}
	case !utf8.Valid(text):
		return values, []string{"what was written to $SEATRIAL_OUTPUT is not UTF-8; no output was read"}
	}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSuffix(line, "\r")
		name, value, ok := strings.Cut(line, "=")
		switch {
		case strings.TrimSpace(line) == "":
		case !ok:
			notes = append(notes, fmt.Sprintf("line %d of $SEATRIAL_OUTPUT is not name=value", i+1))
		case !slices.Contains(names, name):
			notes = append(notes, fmt.Sprintf("line %d of $SEATRIAL_OUTPUT sets an output that outputs does not list", i+1))
		default:
			values[name] = value
		}
		if len(notes) >= 10 {
			return values, append(notes, "and maybe more of the kind")
		}
	}
	return values, notes
}
