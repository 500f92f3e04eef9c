package engine

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/seatrial/seatrial/agent/runner/share"
	"github.com/seatrial/seatrial/agent/runner/step"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	maxShardFiles = 100_000
	// maxShardNames is how many bytes of names a variable gets: Linux takes no more than 128 KiB (MAX_ARG_STRLEN in execve(2)).
	maxShardNames = 100 << 10

	shardFilesVar = "SEATRIAL_SHARD_FILES"
	shardListVar  = "SEATRIAL_SHARD_LIST"
)

// shard gives a step the test files of this shard. Its error is a halt when there are none, so that the step is skipped: many tools run
// everything when no file is named.
func (e *engine) shard(s *runnerv1.Step, env *step.Env) error {
	if len(e.Plan.GetShard().GetFiles()) == 0 || step.IsSource(s) {
		return nil
	}
	files, err := e.shardFiles()
	if err != nil {
		return fmt.Errorf("the test files of this shard cannot be listed: %w", err)
	}
	if len(files) == 0 && !s.GetTeardown() {
		return &halt{status: skipped, reason: fmt.Sprintf("no file of shards.files falls to shard %d of %d", e.Plan.GetShard().GetIndex(), e.Plan.GetShard().GetCount())}
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = e.fromStep(s, f)
	}
	text := strings.Join(names, "\n")
	list := filepath.Join(e.Shared, "shards", fmt.Sprintf("step-%d", s.GetIndex()))
	if err := os.WriteFile(list, []byte(text+"\n"), 0o666); err != nil { //nolint:gosec // G306: the step may run as another user
		return fmt.Errorf("the test files of this shard cannot be listed: %w", err)
	}
	env.Set(shardListVar, list)
	switch {
	case len(text) <= maxShardNames:
		env.Set(shardFilesVar, text)
	case uses(s, shardFilesVar):
		return fmt.Errorf("the names of the %d files of this shard are too long for $%s: read them from the file $%s", len(files), shardFilesVar, shardListVar)
	}
	return nil
}

func uses(s *runnerv1.Step, variable string) bool {
	return strings.Contains(s.GetScript()+strings.Join(s.GetCommand(), " "), variable)
}

// fromStep is the path of a file of the workspace from where a step works, a full one when that is elsewhere.
func (e *engine) fromStep(s *runnerv1.Step, file string) string {
	dir, full := e.places().Dir(s), filepath.Join(e.Workspace, filepath.FromSlash(file))
	within, err := filepath.Rel(e.Workspace, dir)
	if err != nil || !filepath.IsLocal(within) {
		return full
	}
	rel, err := filepath.Rel(dir, full)
	switch {
	case err != nil:
		return full
	case strings.HasPrefix(rel, "-"):
		return "./" + rel // it is no option
	}
	return rel
}

// shardFiles returns the files of this shard. The container that needs them first looks for all of them; later steps see the same,
// whatever has become of the workspace.
func (e *engine) shardFiles() ([]string, error) {
	if files, known, err := e.dir.ShardFiles(); err != nil || known {
		return files, err //nolint:wrapcheck // says what it is
	}
	s := e.Plan.GetShard()
	all, err := e.matching(s.GetFiles())
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("shards.files matches no file of the workspace: %s", strings.Join(s.GetFiles(), ", "))
	}
	took := make(map[string]time.Duration, len(s.GetTookMillis()))
	for name, ms := range s.GetTookMillis() {
		took[name] = time.Duration(ms) * time.Millisecond
	}
	mine := share.Mine(all, took, int(s.GetIndex()), int(s.GetCount()))
	won, err := e.dir.SetShardFiles(mine)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it is
	}
	if won {
		// Nothing else shows that the shards have not seen the same files, when a branch moved between their pods.
		sum := sha256.Sum256([]byte(strings.Join(all, "\n")))
		e.ship.Note(fmt.Sprintf("shard %d of %d: %d of %d files (list %x)", s.GetIndex(), s.GetCount(), len(mine), len(all), sum[:4]))
	}
	files, _, err := e.dir.ShardFiles()
	return files, err //nolint:wrapcheck // says what it is
}

// matching returns the files of the workspace that match one of several patterns, sorted.
func (e *engine) matching(patterns []string) ([]string, error) {
	if e.root == nil {
		return nil, errors.New("the workspace cannot be read")
	}
	var all []string
	for _, pattern := range patterns {
		err := doublestar.GlobWalk(e.root.FS(), strings.TrimPrefix(pattern, "./"), func(name string, d fs.DirEntry) error {
			if !d.Type().IsRegular() {
				return nil
			}
			if strings.Contains(name, "\n") || !utf8.ValidString(name) {
				return fmt.Errorf("the name %q has a line end or is not UTF-8", name)
			}
			if all = append(all, name); len(all) > maxShardFiles {
				return fmt.Errorf("shards.files matches more than %d files", maxShardFiles)
			}
			return nil
		}, doublestar.WithFilesOnly(), doublestar.WithNoFollow(), doublestar.WithFailOnIOErrors())
		if err != nil {
			return nil, err //nolint:wrapcheck // says what it is
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
