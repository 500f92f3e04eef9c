// Package archive puts all files of an execution into one zip archive.
package archive

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
)

// MissingName is the entry that lists files whose bytes are not stored any more.
const MissingName = "MISSING.txt"

// Opener returns a file as its test wrote it; the caller closes it.
type Opener func(ctx context.Context, f execution.File) (io.ReadCloser, error)

// Name is what a person calls the archive of an execution.
func Name(e execution.Execution) string { return e.Workflow + "-" + e.ID.String() + ".zip" }

// Write writes the archive as it comes, without keeping more of it than a buffer. A file whose bytes are gone is listed in an entry
// of the archive; any other error leaves the archive without its end, so that nobody takes it for a whole one.
func Write(ctx context.Context, w io.Writer, e execution.Execution, files []execution.File, open Opener) error {
	z := zip.NewWriter(w)
	var missing []string
	names := Names(e, files)
	for i, f := range files {
		err := add(ctx, z, names[i], f, open)
		if fault.Is(err, fault.NotFound) {
			missing = append(missing, names[i])
			continue
		}
		if err != nil {
			return fmt.Errorf("archive %s: %w", names[i], err)
		}
	}
	if len(missing) > 0 {
		to, err := z.Create(MissingName)
		if err == nil {
			_, err = io.WriteString(to, "These files are not stored any more:\n"+strings.Join(missing, "\n")+"\n")
		}
		if err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

func add(ctx context.Context, z *zip.Writer, name string, f execution.File, open Opener) error {
	from, err := open(ctx, f)
	if err != nil {
		return err
	}
	// A file that was not worth compressing for the store is not worth it here.
	method := zip.Store
	if f.Encoding != "" || f.Kind != execution.FileArtifact {
		method = zip.Deflate
	}
	to, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: f.CreatedAt})
	if err == nil {
		_, err = io.Copy(to, from)
	}
	return errors.Join(err, from.Close())
}

// Names returns the name of each file in the archive. Folders tell apart what would be one name: the run where there are several, the
// attempt where a run has several, reports from artifacts, and the step where two have written the same path.
func Names(e execution.Execution, files []execution.File) []string {
	where := folders(e)
	count := map[string]int{}
	for _, f := range files {
		count[plain(where, f)]++
	}
	names, taken := make([]string, len(files)), map[string]int{}
	for i, f := range files {
		name := plain(where, f)
		if count[name] > 1 {
			at := where[f.Attempt]
			name = path.Join(at.folder, folderOf(f.Kind), segment(at.step(f.Step)), f.Path)
		}
		taken[name]++
		if n := taken[name]; n > 1 { // the step wrote it anew in another try
			ext := path.Ext(name)
			name = fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(name, ext), n, ext)
		}
		names[i] = name
	}
	return names
}

func plain(where map[execution.AttemptID]place, f execution.File) string {
	return path.Join(where[f.Attempt].folder, folderOf(f.Kind), f.Path)
}

func folderOf(k execution.FileKind) string {
	if k == execution.FileMetrics {
		return string(k)
	}
	return string(k) + "s"
}

// place is the folder of an attempt.
type place struct {
	folder string
	steps  []execution.Step
}

func (p place) step(index int) string {
	for _, s := range p.steps {
		if s.Index == index {
			return s.Name
		}
	}
	return fmt.Sprintf("step-%d", index)
}

func folders(e execution.Execution) map[execution.AttemptID]place {
	out := map[execution.AttemptID]place{}
	for _, r := range e.Runs {
		run := ""
		if len(e.Runs) > 1 {
			run = segment(r.Name)
			if run == "" {
				run = segment(r.Environment)
			}
		}
		for _, a := range r.Attempts {
			folder := run
			if len(r.Attempts) > 1 {
				folder = path.Join(run, fmt.Sprintf("attempt-%d", a.Number))
			}
			out[a.ID] = place{folder, a.Steps}
		}
	}
	return out
}

// segment makes one part of a path of a name, as every system can write it.
func segment(name string) string {
	name = strings.Map(func(c rune) rune {
		if c < ' ' || strings.ContainsRune(`/\:*?"<>|`, c) {
			return '_'
		}
		return c
	}, name)
	return strings.Trim(name, ". ")
}
