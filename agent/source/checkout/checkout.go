// Package checkout writes the files of a commit into a directory.
//
// Nothing is written outside of the directory or into its .git, whatever the commit holds. Files that are there already and not in
// the commit stay. Those of the library would go, which is why it is not asked.
package checkout

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/seatrial/seatrial/agent/source/folder"
)

// sparseVersion is the oldest version of an index that can say that a file is left out.
const (
	plainVersion  = 2
	sparseVersion = 3
)

// Done tells what was written.
type Done struct {
	Files      int
	Submodules []string // left out
}

// NoPathError means that a commit has nothing at a path.
type NoPathError struct{ Path string }

// Error names the path.
func (e *NoPathError) Error() string { return fmt.Sprintf("no path %q in the commit", e.Path) }

// Write writes the files of a commit that are at or under one of the paths, all when there are none, and sets the index.
func Write(repo *git.Repository, commit *object.Commit, dest string, paths []string) (Done, error) {
	root, err := folder.Open(dest, "")
	if err != nil {
		return Done{}, err //nolint:wrapcheck // names what and where
	}
	defer root.Close() //nolint:errcheck // nothing is pending
	w := &writer{
		repo: repo, root: root, paths: clean(paths), found: map[string]bool{}, dirs: map[string]bool{".": true},
		links: map[string]bool{}, index: index.Index{Version: plainVersion},
	}
	tree, err := commit.Tree()
	if err != nil {
		return Done{}, fmt.Errorf("read tree: %w", err)
	}
	if err := w.walk(tree); err != nil {
		return w.done, err
	}
	for _, p := range w.paths {
		if !w.found[p] {
			return w.done, &NoPathError{Path: p}
		}
	}
	if err := repo.Storer.SetIndex(&w.index); err != nil {
		return w.done, fmt.Errorf("write index: %w", err)
	}
	return w.done, nil
}

// clean makes paths comparable; one that names everything makes the others moot.
func clean(paths []string) []string {
	var out []string
	for _, p := range paths {
		p = path.Clean(p)
		if p == "." {
			return nil
		}
		out = append(out, p)
	}
	return out
}

type writer struct {
	repo  *git.Repository
	root  *os.Root
	paths []string
	found map[string]bool // paths that matched
	dirs  map[string]bool // made
	links map[string]bool // written
	index index.Index
	done  Done
}

func (w *writer) walk(tree *object.Tree) error {
	all := object.NewTreeWalker(tree, true, nil)
	defer all.Close()
	for {
		name, entry, err := all.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read tree: %w", err)
		}
		if entry.Mode == filemode.Dir {
			continue
		}
		if err := w.entry(name, entry); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
}

func (w *writer) entry(name string, e object.TreeEntry) error {
	if err := harmless(name); err != nil {
		return err
	}
	entry := &index.Entry{Name: name, Hash: e.Hash, Mode: e.Mode}
	w.index.Entries = append(w.index.Entries, entry)
	if !w.wanted(name) {
		entry.SkipWorktree = true
		w.index.Version = sparseVersion
		return nil
	}
	if e.Mode == filemode.Submodule {
		w.done.Submodules = append(w.done.Submodules, name)
		return w.directory(name)
	}
	if err := w.directory(path.Dir(name)); err != nil {
		return err
	}
	if err := w.write(name, e); err != nil {
		return err
	}
	w.done.Files++
	return w.stat(entry)
}

// wanted also remembers which path matched.
func (w *writer) wanted(name string) bool {
	wanted := len(w.paths) == 0
	for _, p := range w.paths {
		if name == p || strings.HasPrefix(name, p+"/") {
			w.found[p], wanted = true, true
		}
	}
	return wanted
}

// harmless refuses names that no honest git client can commit.
func harmless(name string) error {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || strings.EqualFold(part, git.GitDirName) || strings.ContainsRune(part, 0) {
			return errors.New("the name is not allowed in a commit")
		}
	}
	return nil
}

// directory makes a directory, never through a link of the commit.
func (w *writer) directory(dir string) error {
	if w.dirs[dir] {
		return nil
	}
	for at := dir; at != "."; at = path.Dir(at) {
		if w.links[at] {
			return errors.New("the commit has a link and a directory of the same name")
		}
	}
	if err := folder.Make(w.root, dir); err != nil {
		return err //nolint:wrapcheck // entry says what for
	}
	w.dirs[dir] = true
	return nil
}

func (w *writer) write(name string, e object.TreeEntry) error {
	blob, err := w.repo.BlobObject(e.Hash)
	if err != nil {
		return err //nolint:wrapcheck // entry says what for
	}
	from, err := blob.Reader()
	if err != nil {
		return err //nolint:wrapcheck // entry says what for
	}
	defer from.Close() //nolint:errcheck // read only
	if e.Mode == filemode.Symlink {
		return w.link(name, from)
	}
	mode := folder.Plain
	if e.Mode == filemode.Executable {
		mode = folder.Executable
	}
	return folder.Write(w.root, name, from, mode, time.Time{}) //nolint:wrapcheck // entry says what for
}

func (w *writer) link(name string, from io.Reader) error {
	target, err := io.ReadAll(io.LimitReader(from, syscall.PathMax))
	if err != nil {
		return err //nolint:wrapcheck // entry says what for
	}
	w.links[name] = true
	return folder.Symlink(w.root, string(target), name) //nolint:wrapcheck // entry says what for
}

// stat puts into the index what lets git see without reading that a file is unchanged.
func (w *writer) stat(e *index.Entry) error {
	info, err := w.root.Lstat(e.Name)
	if err != nil {
		return err //nolint:wrapcheck // entry says what for
	}
	e.ModifiedAt, e.CreatedAt = info.ModTime(), info.ModTime()
	e.Size = uint32(info.Size()) //nolint:gosec // G115: git, too, keeps the low bits
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		e.Dev, e.Inode = uint32(sys.Dev), uint32(sys.Ino) //nolint:gosec // G115: git, too, keeps the low bits
		e.UID, e.GID = sys.Uid, sys.Gid
	}
	return nil
}
