package checkout_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/seatrial/seatrial/agent/source/checkout"
)

type entry struct {
	name    string
	mode    filemode.FileMode
	content string
	tree    []entry
}

// forge stores a commit as no honest client makes it.
func forge(t *testing.T, repo *git.Repository, entries []entry) *object.Commit {
	t.Helper()
	when := object.Signature{Name: "t", Email: "t@example.test", When: time.Unix(0, 0)}
	hash := put(t, repo, &object.Commit{Author: when, Committer: when, Message: "m", TreeHash: tree(t, repo, entries)})
	c, err := repo.CommitObject(hash)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tree(t *testing.T, repo *git.Repository, entries []entry) plumbing.Hash {
	t.Helper()
	// The library refuses to encode some of these, so the format is written by hand.
	var b strings.Builder
	for _, e := range entries {
		hash := plumbing.ZeroHash
		if e.mode == filemode.Dir {
			hash = tree(t, repo, e.tree)
		} else {
			o := repo.Storer.NewEncodedObject()
			o.SetType(plumbing.BlobObject)
			hash = store(t, repo, o, e.content)
		}
		b.WriteString(strings.TrimLeft(e.mode.String(), "0") + " " + e.name + "\x00" + string(hash[:]))
	}
	o := repo.Storer.NewEncodedObject()
	o.SetType(plumbing.TreeObject)
	return store(t, repo, o, b.String())
}

func store(t *testing.T, repo *git.Repository, o plumbing.EncodedObject, content string) plumbing.Hash {
	t.Helper()
	w, err := o.Writer()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	hash, err := repo.Storer.SetEncodedObject(o)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func put(t *testing.T, repo *git.Repository, c *object.Commit) plumbing.Hash {
	t.Helper()
	o := repo.Storer.NewEncodedObject()
	if err := c.Encode(o); err != nil {
		t.Fatal(err)
	}
	hash, err := repo.Storer.SetEncodedObject(o)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// TestWrite_Hostile proves that a commit writes nothing outside of its directory and nothing into .git.
func TestWrite_Hostile(t *testing.T) {
	t.Parallel()
	file := func(name string) entry { return entry{name: name, mode: filemode.Regular, content: "evil"} }
	dir := func(name string, in ...entry) entry { return entry{name: name, mode: filemode.Dir, tree: in} }
	link := func(name, to string) entry { return entry{name: name, mode: filemode.Symlink, content: to} }
	for name, tc := range map[string]struct {
		reason  string
		entries []entry
		refused bool
	}{
		"DotDot":       {"a name leads out", []entry{dir("..", file("evil"))}, true},
		"Git":          {"a hook would be run by the next git command", []entry{dir(".git", dir("hooks", file("evil")))}, true},
		"GitCase":      {"so would it where case does not count", []entry{dir(".GIT", file("evil"))}, true},
		"Slash":        {"a name is one name", []entry{file("../evil")}, true},
		"LinkThenDir":  {"files under a link would land where it leads", []entry{link("a", ".git"), dir("a", file("evil"))}, true},
		"LinkOut":      {"the same, out of the directory", []entry{link("a", ".."), dir("a", file("evil"))}, true},
		"LinkAbsolute": {"a link itself is harmless and kept", []entry{link("passwd", "/etc/passwd"), file("z")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outer := t.TempDir()
			dest := filepath.Join(outer, "dest")
			repo, err := git.PlainInit(dest, false)
			if err != nil {
				t.Fatal(err)
			}
			_, err = checkout.Write(repo, forge(t, repo, tc.entries), dest, nil)
			if (err != nil) != tc.refused {
				t.Errorf("%s: error %v, want one: %t", tc.reason, err, tc.refused)
			}
			err = filepath.WalkDir(outer, func(name string, _ fs.DirEntry, err error) error {
				if filepath.Base(name) == "evil" {
					t.Errorf("%s: %s was written", tc.reason, name)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestWrite_Replaces proves that what is in the way is replaced and not written through.
func TestWrite_Replaces(t *testing.T) {
	t.Parallel()
	outer := t.TempDir()
	dest := filepath.Join(outer, "dest")
	repo, err := git.PlainInit(dest, false)
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(outer, "secret")
	if err := os.WriteFile(secret, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dest, "f")); err != nil {
		t.Fatal(err)
	}
	c := forge(t, repo, []entry{{name: "f", mode: filemode.Regular, content: "new"}})
	if _, err := checkout.Write(repo, c, dest, nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{secret: "kept", filepath.Join(dest, "f"): "new"} {
		if got, err := os.ReadFile(name); string(got) != want {
			t.Errorf("%s holds %q (%v), want %q", name, got, err, want)
		}
	}
}
