// Package gather copies reports and artifacts out of the workspace right after their step, so that no later step can change them.
//
// The workspace is written by foreign code: nothing outside it and nothing of a secret that is mounted into it is ever read, links and
// devices are refused, and sizes are capped: they count what the test wrote, however small it gets by compression, so that nobody's
// files come and go with what stands in them. What is left out is said in a note.
package gather

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/seatrial/seatrial/agent/redact"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// Limits cap what a container gathers.
type Limits struct {
	Files int   // number of files
	Total int64 // bytes in all
	Each  int64 // bytes of one file
}

// DefaultLimits are far above what tests write.
func DefaultLimits() Limits { return Limits{Files: 10_000, Total: 1 << 30, Each: 256 << 20} }

// File is a copy with the header it is uploaded under.
type File struct {
	Header *runnerv1.FileHeader
	Copy   string
}

// Gatherer gathers for one container of an attempt.
type Gatherer struct {
	AttemptID string
	Workspace string
	Dest      string // directory for the copies
	Limits    Limits
	Redact    *redact.Set // hides secrets in paths and in the text of reports
	Withhold  []string    // absolute paths of mounted secrets: nothing at or below them is taken
	// Hurry reports that the attempt is to end now: files are kept as they are, because compression takes time. Nil means never.
	Hurry func() bool

	files int
	total int64
}

// wanted returns the artifacts that a step keeps when it ended like this.
func wanted(a *runnerv1.ArtifactSpec, passed bool) []string {
	if w := a.GetWhen(); w == runnerv1.ArtifactSpec_WHEN_PASSED && !passed || w == runnerv1.ArtifactSpec_WHEN_FAILED && passed {
		return nil
	}
	return a.GetPaths()
}

// Gather copies what a step's reports and artifacts name. Reports are read by the control plane and shown to people, so secrets are
// hidden in them; artifacts are kept byte by byte. Notes are sentences for people.
func (g *Gatherer) Gather(s *runnerv1.Step, passed bool) (files []File, notes []string) {
	artifacts := wanted(s.GetArtifacts(), passed)
	if len(s.GetReports()) == 0 && len(artifacts) == 0 {
		return nil, nil
	}
	root, err := os.OpenRoot(g.Workspace)
	if err != nil {
		return nil, []string{fmt.Sprintf("step %q: the workspace cannot be read: %v", s.GetName(), err)}
	}
	defer root.Close() //nolint:errcheck // read only
	w := &work{
		g: g, root: root, step: s, copies: map[source]*copied{}, room: -1,
		dir: filepath.Join(g.Dest, fmt.Sprintf("step-%d", s.GetIndex())),
	}
	if err := os.MkdirAll(w.dir, 0o777); err != nil { //nolint:gosec // G301: containers may run as different users
		return nil, []string{fmt.Sprintf("step %q: nothing can be gathered: %v", s.GetName(), err)}
	}
	// A file is read in one format: the first that names it, so that "auto" may take what others leave.
	seen := map[string]bool{}
	for _, r := range s.GetReports() {
		w.patterns(r.GetPaths(), runnerv1.FileKind_FILE_KIND_REPORT, r.GetFormat(), seen)
	}
	if limit := s.GetArtifacts().GetMaxSize(); limit > 0 {
		w.room = limit
	}
	w.patterns(artifacts, runnerv1.FileKind_FILE_KIND_ARTIFACT, "", map[string]bool{})
	return w.files, w.notes
}

// work is the gathering of one step.
type work struct {
	g      *Gatherer
	root   *os.Root
	step   *runnerv1.Step
	dir    string
	copies map[source]*copied
	room   int64 // bytes that artifacts may still have; negative without a limit of the step
	files  []File
	notes  []string
}

// source is what is copied once, whatever number of patterns match it.
type source struct {
	name   string
	hidden bool // with secrets hidden
	pack   bool // compressed, should that help
}

type copied struct {
	name        string
	size        int64 // of what the test wrote
	sum         []byte
	contentType string
	packed      *packed // nil when the copy is the file
}

func (w *work) note(format string, args ...any) {
	text := fmt.Sprintf("step %q: ", w.step.GetName()) + fmt.Sprintf(format, args...)
	w.notes = append(w.notes, clean(w.g.Redact.String(text)))
}

func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// patterns gathers the files of one list; a file that two patterns match is taken once.
func (w *work) patterns(patterns []string, kind runnerv1.FileKind, format string, seen map[string]bool) {
	for _, pattern := range patterns {
		rel, err := w.relative(pattern)
		if err != nil {
			w.note("%v", err)
			continue
		}
		found := false
		err = doublestar.GlobWalk(w.root.FS(), rel, func(name string, _ fs.DirEntry) error {
			found = true
			return w.match(name, kind, format, seen)
		}, doublestar.WithNoFollow())
		switch {
		case errors.Is(err, errFull):
			return
		case err != nil:
			w.note("pattern %q cannot be searched: %v", pattern, err)
		case !found && kind == runnerv1.FileKind_FILE_KIND_REPORT:
			w.note("no report matches %q", pattern)
		case !found:
			w.note("no artifact matches %q", pattern)
		}
	}
}

// relative makes a pattern relative to the workspace.
func (w *work) relative(pattern string) (string, error) {
	p := pattern
	if filepath.IsAbs(p) {
		rest, ok := strings.CutPrefix(path.Clean(p), path.Clean(w.g.Workspace)+"/")
		if !ok {
			return "", fmt.Errorf("pattern %q leads out of the workspace", pattern)
		}
		p = rest
	}
	p = path.Clean(p)
	if p == ".." || strings.HasPrefix(p, "../") || !doublestar.ValidatePattern(p) {
		return "", fmt.Errorf("pattern %q is not one inside the workspace", pattern)
	}
	return p, nil
}

var errFull = errors.New("limit reached")

// match takes a file, or every file of a directory.
func (w *work) match(name string, kind runnerv1.FileKind, format string, seen map[string]bool) error {
	info, err := w.root.Lstat(name)
	if err != nil {
		w.note("%s cannot be read: %v", name, err)
		return nil
	}
	if !info.IsDir() {
		return w.take(name, info, kind, format, seen)
	}
	return fs.WalkDir(w.root.FS(), name, func(p string, d fs.DirEntry, err error) error { //nolint:wrapcheck // from take
		if err != nil {
			w.note("%s cannot be read: %v", p, err)
			return nil // the rest is still worth having
		}
		if d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			w.note("%s cannot be read: %v", p, err)
			return nil
		}
		return w.take(p, info, kind, format, seen)
	})
}

func (w *work) take(name string, info fs.FileInfo, kind runnerv1.FileKind, format string, seen map[string]bool) error {
	if seen[name] {
		return nil
	}
	seen[name] = true
	if w.withheld(name) {
		w.note("%s was left out: it belongs to a mounted secret", name)
		return nil
	}
	if !info.Mode().IsRegular() {
		w.note("%s was left out: it is %s, not a regular file", name, describe(info.Mode()))
		return nil
	}
	artifact := kind == runnerv1.FileKind_FILE_KIND_ARTIFACT
	if artifact && w.room >= 0 && info.Size() > w.room {
		w.note("%s and everything after it was left out: the step's artifacts may have %d bytes in all (artifacts.maxSize)",
			name, w.step.GetArtifacts().GetMaxSize())
		return errFull
	}
	c, err := w.copy(source{name, !artifact && !w.g.Redact.Empty(), artifact && w.step.GetArtifacts().GetCompress()}, info)
	if errors.Is(err, errFull) {
		return err
	}
	if err != nil {
		w.note("%s was left out: %v", name, err)
		return nil
	}
	if artifact && w.room >= 0 {
		w.room = max(0, w.room-c.size)
	}
	w.files = append(w.files, File{Copy: c.name, Header: c.header(&runnerv1.FileHeader{
		AttemptId: w.g.AttemptID, Kind: kind, StepIndex: w.step.GetIndex(), Path: clean(w.g.Redact.String(name)), Format: format,
	})})
	return nil
}

// withheld reports whether a file of the workspace is one of a mounted secret.
func (w *work) withheld(name string) bool {
	full := filepath.Join(w.g.Workspace, name)
	for _, dir := range w.g.Withhold {
		if full == dir || strings.HasPrefix(full, dir+"/") {
			return true
		}
	}
	return false
}

func describe(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	default:
		return "a device"
	}
}

// admit checks the caps.
func (w *work) admit(name string, size int64) error {
	l := w.g.Limits
	if size > l.Each {
		return fmt.Errorf("it has %d bytes and a file may have %d", size, l.Each)
	}
	if w.g.files >= l.Files {
		w.note("%s and everything after it was left out: there are more than %d files", name, l.Files)
		return errFull
	}
	if w.g.total+size > l.Total {
		w.note("%s and everything after it was left out: there are more than %d bytes in all", name, l.Total)
		return errFull
	}
	return nil
}

// copy copies a file unless another kind has taken it already.
func (w *work) copy(from source, info fs.FileInfo) (*copied, error) {
	if c, ok := w.copies[from]; ok {
		return c, nil
	}
	name := from.name
	if err := w.admit(name, info.Size()); err != nil {
		return nil, err
	}
	// Without O_NONBLOCK a pipe put in the file's place would hold the runner.
	src, err := w.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err //nolint:wrapcheck // becomes a note
	}
	defer src.Close() //nolint:errcheck // read only
	if now, err := src.Stat(); err != nil || !os.SameFile(info, now) {
		return nil, errors.New("it was replaced while it was read")
	}
	c := &copied{name: filepath.Join(w.dir, fmt.Sprintf("%06d", len(w.copies)))}
	var content io.Reader = src
	if from.hidden {
		content = redact.NewReader(src, w.g.Redact)
	}
	if err := c.fill(content, w.g.Limits.Each); err != nil {
		_ = os.Remove(c.name)
		return nil, err
	}
	c.contentType = typeOf(name, c.name)
	if from.pack {
		if err := c.pack(w.g.Hurry); err != nil {
			w.note("%s is kept as it is: it could not be compressed: %v", name, err)
		}
	}
	w.copies[from] = c
	w.g.files++
	w.g.total += c.size
	return c, nil
}

// fill writes the copy with its size and digest. A file that still grows is cut at the cap, not followed forever.
func (c *copied) fill(src io.Reader, limit int64) error {
	dst, err := os.OpenFile(c.name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666) //nolint:gosec // G302: containers may run as different users
	if err != nil {
		return err //nolint:wrapcheck // becomes a note
	}
	sum := sha256.New()
	c.size, err = io.Copy(io.MultiWriter(dst, sum), io.LimitReader(src, limit+1))
	if err := errors.Join(err, dst.Close()); err != nil {
		return err
	}
	if c.size > limit {
		return fmt.Errorf("it has more than %d bytes", limit)
	}
	c.sum = sum.Sum(nil)
	return nil
}

// typeOf goes by the name where content sniffing would guess less.
func typeOf(name, copyName string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".xml":
		return "application/xml"
	case ".json":
		return "application/json"
	case ".html", ".htm":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".txt", ".log", ".md", ".csv":
		return "text/plain; charset=utf-8"
	}
	f, err := os.Open(copyName) //nolint:gosec // G304: our own copy
	if err != nil {
		return "application/octet-stream"
	}
	defer f.Close() //nolint:errcheck // read only
	head := make([]byte, 512)
	n, _ := io.ReadFull(f, head) // short files are fine
	return http.DetectContentType(head[:n])
}
