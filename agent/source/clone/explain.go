package clone

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/seatrial/seatrial/agent/source/checkout"
)

// statusOf returns the status of a server's answer that git does not expect, else 0.
func statusOf(err error) int {
	if unexpected, ok := errors.AsType[*plumbing.UnexpectedError](err); ok {
		err = unexpected.Err
	}
	if answer, ok := errors.AsType[*githttp.Err](err); ok {
		return answer.StatusCode()
	}
	return 0
}

// explain turns an error into one sentence.
func (f *cloner) explain(err error) error {
	for _, text := range []string{f.disk(err), f.network(err), f.login(err), f.content(err)} {
		if text != "" {
			return errors.New(text)
		}
	}
	return fmt.Errorf("the source cannot be fetched from %s: %w", f.URL, err)
}

func (f *cloner) disk(err error) string {
	if errors.Is(err, git.ErrRepositoryAlreadyExists) {
		return f.Dest + " holds a repository already"
	}
	return f.where.Disk(err)
}

func (f *cloner) network(err error) string {
	if key, ok := errors.AsType[*knownhosts.KeyError](err); ok {
		if len(key.Want) == 0 {
			return fmt.Sprintf("host %s is not in known_hosts of the secret that source.git.secretRef names", f.where.Host)
		}
		return fmt.Sprintf("the key of host %s is not the one in known_hosts: somebody may be in between, or the key has changed", f.where.Host)
	}
	return f.where.Network(err)
}

func (f *cloner) login(err error) string {
	refused := errors.Is(err, transport.ErrAuthenticationRequired) || errors.Is(err, transport.ErrAuthorizationFailed) ||
		strings.Contains(err.Error(), "unable to authenticate") // x/crypto/ssh has no type for it
	if !refused {
		return ""
	}
	return f.where.Login(f.URL, f.Credentials.any())
}

func (f *cloner) content(err error) string {
	missing, isPath := errors.AsType[*checkout.NoPathError](err)
	switch {
	case errors.Is(err, errNoKey), errors.Is(err, errBadKey):
		return err.Error()
	case errors.Is(err, errNoRef), errors.As(err, new(git.NoMatchingRefSpecError)):
		return fmt.Sprintf("%q is no branch, tag or commit of %s (a commit needs all its 40 digits)", f.Ref, f.URL)
	case errors.Is(err, errNoDefault):
		return fmt.Sprintf("%s has no default branch: name one in source.git.ref", f.URL)
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return f.URL + " is empty: it has no commit"
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return "there is no repository at " + f.URL + ", or the credentials may not see it"
	case isPath:
		return fmt.Sprintf("the commit has no path %q, which source.git.paths names", missing.Path)
	case statusOf(err) != 0:
		return f.where.Status(statusOf(err))
	}
	return ""
}
