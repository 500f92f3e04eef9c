package clone

import (
	"errors"
	"strings"

	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
)

var (
	errNoRef     = errors.New("no such ref")
	errNoDefault = errors.New("no default branch")
)

// peeled marks in a list of refs what an annotated tag stands for.
const peeled = "^{}"

// choose returns the ref of the remote that a name means. As with git, a branch goes before a tag of the same name.
func choose(refs []*plumbing.Reference, want string) (plumbing.ReferenceName, error) {
	byName := map[plumbing.ReferenceName]*plumbing.Reference{}
	for _, r := range refs {
		byName[r.Name()] = r
	}
	if want == "" || want == "HEAD" {
		return defaultBranch(byName)
	}
	candidates := []plumbing.ReferenceName{
		plumbing.NewBranchReferenceName(want), plumbing.NewTagReferenceName(want),
	}
	if strings.HasPrefix(want, "refs/") {
		candidates = []plumbing.ReferenceName{plumbing.ReferenceName(want)}
	}
	for _, name := range candidates {
		if byName[name] != nil {
			return name, nil
		}
	}
	return "", errNoRef
}

func defaultBranch(refs map[plumbing.ReferenceName]*plumbing.Reference) (plumbing.ReferenceName, error) {
	head := refs[plumbing.HEAD]
	switch {
	case head == nil:
		return "", errNoDefault
	case head.Type() == plumbing.HashReference: // an old server, or one whose HEAD is on no branch
		return plumbing.HEAD, nil
	case refs[head.Target()] == nil:
		return "", errNoDefault
	}
	return head.Target(), nil
}

// tipOf returns a ref of the remote that is at a commit, "" when none is.
func tipOf(refs []*plumbing.Reference, hash plumbing.Hash) plumbing.ReferenceName {
	for _, r := range refs {
		if r.Type() == plumbing.HashReference && r.Hash() == hash {
			return plumbing.ReferenceName(strings.TrimSuffix(r.Name().String(), peeled))
		}
	}
	return ""
}

// localName is where a ref of the remote is kept.
func localName(name plumbing.ReferenceName) plumbing.ReferenceName {
	switch {
	case name.IsBranch():
		return plumbing.NewRemoteReferenceName(origin, name.Short())
	case name.IsTag():
		return name
	default:
		return sourceRef
	}
}

func spec(src string, dst plumbing.ReferenceName) config.RefSpec {
	return config.RefSpec("+" + src + ":" + dst.String())
}

func shortName(name plumbing.ReferenceName) string {
	switch {
	case name.IsBranch():
		return "branch " + name.Short()
	case name.IsTag():
		return "tag " + name.Short()
	default:
		return name.String()
	}
}

func isCommit(s string) bool {
	return plumbing.IsHash(s) && len(s) == 40
}
