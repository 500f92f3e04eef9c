// Package clone brings one commit of a git repository into a directory.
//
// It asks for as little as the server can give: one ref at the depth wanted, one commit where the server hands out single commits,
// and all branches and tags with their history only when a commit can be had in no other way.
package clone

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/seatrial/seatrial/agent/source/cause"
	"github.com/seatrial/seatrial/agent/source/checkout"
	"github.com/seatrial/seatrial/agent/source/folder"
)

const (
	origin = "origin"
	// sourceRef keeps a commit that no branch or tag of the clone leads to.
	sourceRef = plumbing.ReferenceName("refs/seatrial/source")
)

// Options say what to fetch.
type Options struct {
	URL         string
	Ref         string // branch, tag, full commit or full name of a ref; the default branch when empty
	Depth       int    // number of commits; 0 for the whole history
	Paths       []string
	Dest        string
	Credentials Credentials
	Say         func(format string, args ...any) // tells people what is done
}

// Run fetches. Its errors are sentences for the person who wrote the workflow.
func Run(ctx context.Context, o Options) error {
	end, err := transport.NewEndpoint(o.URL)
	if err != nil {
		return fmt.Errorf("%q is not a repository URL", o.URL)
	}
	f := &cloner{Options: o, where: cause.Where{Field: "source.git", Host: end.Host, Dest: o.Dest}}
	if err := f.run(ctx, end); err != nil {
		return f.explain(err)
	}
	return nil
}

type cloner struct {
	Options
	where  cause.Where
	auth   transport.AuthMethod
	repo   *git.Repository
	remote *git.Remote
}

func (f *cloner) run(ctx context.Context, end *transport.Endpoint) (err error) {
	if f.auth, err = f.authenticate(end); err != nil {
		return err
	}
	if f.repo, err = git.PlainInit(f.Dest, false); err != nil {
		return fmt.Errorf("prepare %s: %w", f.Dest, err)
	}
	if f.remote, err = f.repo.CreateRemote(&config.RemoteConfig{Name: origin, URLs: []string{f.URL}}); err != nil {
		return fmt.Errorf("prepare %s: %w", f.Dest, err)
	}
	var commit *object.Commit
	var branch string
	if err := cause.Persist(ctx, f.Say, statusOf, f.explain, func() error {
		commit, branch, err = f.fetch(ctx)
		return err
	}); err != nil {
		return err
	}
	if err := f.setHead(commit.Hash, branch); err != nil {
		return err
	}
	done, err := checkout.Write(f.repo, commit, f.Dest, f.Paths)
	if err != nil {
		return err //nolint:wrapcheck // explain knows it
	}
	for _, s := range done.Submodules {
		f.Say("submodule %s is not fetched", s)
	}
	f.Say("commit %s %s", commit.Hash, subject(commit))
	f.Say("%s in %s", folder.Count(done.Files), f.Dest)
	return nil
}

// subject is the first line of a commit message, without what could confuse a terminal.
func subject(c *object.Commit) string {
	line, _, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, line)
}

// fetch returns the commit, and the branch when it is the tip of one.
func (f *cloner) fetch(ctx context.Context) (commit *object.Commit, branch string, err error) {
	refs, err := f.remote.ListContext(ctx, &git.ListOptions{Auth: f.auth, PeelingOption: git.AppendPeeled})
	if err != nil {
		return nil, "", fmt.Errorf("list refs: %w", err)
	}
	if isCommit(f.Ref) { // also when a branch has such a name: whoever pins a commit wants that commit, and anybody who may push can name a branch
		commit, err := f.fetchCommit(ctx, refs, plumbing.NewHash(f.Ref))
		return commit, "", err
	}
	name, err := choose(refs, f.Ref)
	if err != nil {
		return nil, "", err
	}
	f.Say("fetching %s of %s", shortName(name), f.URL)
	local := localName(name)
	if err := f.pull(ctx, f.Depth, spec(name.String(), local)); err != nil {
		return nil, "", err
	}
	ref, err := f.repo.Reference(local, true)
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", local, err)
	}
	commit, err = f.peel(ref.Hash())
	if name.IsBranch() {
		branch = name.Short()
	}
	return commit, branch, err
}

// fetchCommit tries the cheap ways first. What goes wrong in one is not told: the last one shows it again.
func (f *cloner) fetchCommit(ctx context.Context, refs []*plumbing.Reference, hash plumbing.Hash) (*object.Commit, error) {
	f.Say("fetching commit %s of %s", hash, f.URL)
	want := []string{hash.String()}
	if name := tipOf(refs, hash); name != "" {
		want = append([]string{name.String()}, want...)
	}
	for _, src := range want {
		if err := f.pull(ctx, f.Depth, spec(src, sourceRef)); err == nil {
			if commit, err := f.peel(hash); err == nil {
				return commit, f.keep(hash)
			}
		}
	}
	f.Say("the server does not hand out this commit by itself: fetching all branches and tags")
	if err := f.repo.Storer.SetShallow(nil); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", f.Dest, err)
	}
	if err := f.pull(ctx, 0, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"); err != nil {
		return nil, err
	}
	commit, err := f.peel(hash)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, errNoRef
	}
	if err != nil {
		return nil, err
	}
	return commit, f.keep(hash)
}

func (f *cloner) keep(hash plumbing.Hash) error {
	if err := f.repo.Storer.SetReference(plumbing.NewHashReference(sourceRef, hash)); err != nil {
		return fmt.Errorf("prepare %s: %w", f.Dest, err)
	}
	return nil
}

func (f *cloner) pull(ctx context.Context, depth int, specs ...config.RefSpec) error {
	err := f.remote.FetchContext(ctx, &git.FetchOptions{
		RemoteName: origin, RefSpecs: specs, Depth: depth, Auth: f.auth, Tags: git.NoTags, Force: true,
	})
	if err != nil && !errors.Is(err, git.NoErrAlreadyUpToDate) {
		return fmt.Errorf("fetch: %w", err)
	}
	return nil
}

// peel returns the commit that a hash stands for, through annotated tags.
func (f *cloner) peel(hash plumbing.Hash) (*object.Commit, error) {
	for {
		tag, err := f.repo.TagObject(hash)
		if errors.Is(err, plumbing.ErrObjectNotFound) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read tag %s: %w", hash, err)
		}
		hash = tag.Target
	}
	commit, err := f.repo.CommitObject(hash)
	if err != nil {
		return nil, fmt.Errorf("read commit %s: %w", hash, err)
	}
	return commit, nil
}

// setHead leaves the clone on the branch, or on the bare commit when there is none.
func (f *cloner) setHead(hash plumbing.Hash, branch string) error {
	head := plumbing.NewHashReference(plumbing.HEAD, hash)
	if branch != "" {
		name := plumbing.NewBranchReferenceName(branch)
		head = plumbing.NewSymbolicReference(plumbing.HEAD, name)
		if err := f.repo.Storer.SetReference(plumbing.NewHashReference(name, hash)); err != nil {
			return fmt.Errorf("prepare %s: %w", f.Dest, err)
		}
	}
	if err := f.repo.Storer.SetReference(head); err != nil {
		return fmt.Errorf("prepare %s: %w", f.Dest, err)
	}
	return nil
}
