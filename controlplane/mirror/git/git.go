// Package git reads the files of one commit of a git repository, of a server that nobody trusts: it fetches that commit alone, and neither
// what comes over the line nor what it expands to goes beyond a limit.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/outbound"
)

// Limits of a repository.
const (
	MaxPack     = 32 << 20  // bytes of a commit as it is transferred
	MaxExpanded = 256 << 20 // bytes of all its objects
	MaxFiles    = 2000      // documents' files below the path
	MaxFile     = 1 << 20   // bytes of one of them
	MaxText     = 16 << 20  // bytes of all of them
	timeout     = 2 * time.Minute
)

// Reader reads repositories.
type Reader struct {
	rules outbound.Options
	http  *http.Client
}

// New returns a reader that goes where the rules let it.
func New(rules outbound.Options) *Reader {
	web := rules
	web.Timeout, web.MaxBody, web.Redirects = timeout, MaxPack, false // a credential must not follow a redirect to another server
	return &Reader{rules: rules, http: outbound.New(web)}
}

// File is a file with documents.
type File struct {
	Path string // in the repository
	Text string
}

// Tree is the files of a commit, by their paths.
type Tree struct {
	Commit string
	Files  []File
	Refs   map[string]string // commits of all branches and tags by their full names
}

// Read returns the YAML and JSON files of the newest commit of a branch below a path; of the default branch without one. When that commit is
// known already there are no files. Errors are sentences for whoever registered the repository.
func (r *Reader) Read(ctx context.Context, repository origin.Repository, credential origin.Credential, known string) (Tree, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	end, err := transport.NewEndpoint(repository.URL)
	if err != nil {
		return Tree{}, fault.New(fault.Invalid, "%q is not the address of a repository", repository.URL)
	}
	client, auth, err := r.client(ctx, end, credential)
	if err != nil {
		return Tree{}, err
	}
	session, err := client.NewUploadPackSession(end, auth)
	if err != nil {
		return Tree{}, explain(err, end)
	}
	defer func() { _ = session.Close() }()
	refs, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		return Tree{}, explain(err, end)
	}
	want, err := find(refs, repository.Branch)
	if err != nil {
		return Tree{}, err
	}
	if want.String() == known {
		return Tree{Commit: known, Refs: named(refs)}, nil
	}
	store, err := fetch(ctx, session, refs, want)
	if err != nil {
		return Tree{}, explain(err, end)
	}
	files, err := files(store, want, repository.Path)
	return Tree{Commit: want.String(), Files: files, Refs: named(refs)}, err
}

// named returns the commits of branches and tags. That of an annotated tag is the one that it is on.
func named(refs *packp.AdvRefs) map[string]string {
	out := map[string]string{}
	for name, hash := range refs.References {
		if !strings.HasPrefix(name, "refs/heads/") && !strings.HasPrefix(name, "refs/tags/") {
			continue
		}
		if peeled, ok := refs.Peeled[name]; ok {
			hash = peeled
		}
		out[name] = hash.String()
	}
	return out
}

func (r *Reader) client(ctx context.Context, end *transport.Endpoint, credential origin.Credential) (transport.Transport, transport.AuthMethod, error) {
	switch end.Protocol {
	case "https", "http":
		if credential.Key != "" {
			return nil, nil, fault.New(fault.Invalid, "a repository at an address of %s is read with a token, not with a key", end.Protocol)
		}
		if credential.Token == "" {
			return githttp.NewClient(r.http), nil, nil
		}
		if end.Protocol == "http" {
			return nil, nil, fault.New(fault.Invalid, "a token is not sent in plaintext: use the address of https")
		}
		user := credential.User
		if user == "" {
			user = "git" // forges want one, and do not look at it
		}
		return githttp.NewClient(r.http), &githttp.BasicAuth{Username: user, Password: credential.Token}, nil
	case "ssh":
		return r.ssh(ctx, end, credential)
	}
	return nil, nil, fault.New(fault.Invalid, "repositories are read by https and ssh, not by %s", end.Protocol)
}

// find returns the commit of a branch, or of the default one.
func find(refs *packp.AdvRefs, branch string) (plumbing.Hash, error) {
	if branch == "" {
		if refs.Head != nil {
			return *refs.Head, nil
		}
		return plumbing.ZeroHash, fault.New(fault.NotFound, "the repository has no default branch: name one, or push a first commit")
	}
	for _, name := range []string{"refs/heads/" + branch, "refs/tags/" + branch, branch} {
		if hash, ok := refs.References[name]; ok {
			if peeled, ok := refs.Peeled[name]; ok {
				hash = peeled
			}
			return hash, nil
		}
	}
	return plumbing.ZeroHash, fault.New(fault.NotFound, "the repository has no branch %q", branch).WithField("branch")
}

// fetch brings one commit without its history into memory.
func fetch(ctx context.Context, session transport.UploadPackSession, refs *packp.AdvRefs, want plumbing.Hash) (*memory.Storage, error) {
	req := packp.NewUploadPackRequestFromCapabilities(refs.Capabilities)
	req.Wants = []plumbing.Hash{want}
	if !refs.Capabilities.Supports(capability.Shallow) {
		return nil, fault.New(fault.Unsupported, "the git server cannot give out a commit without its history")
	}
	if err := req.Capabilities.Set(capability.Shallow); err != nil {
		return nil, fmt.Errorf("ask for a commit: %w", err)
	}
	req.Depth = packp.DepthCommits(1)
	reply, err := session.UploadPack(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("ask for a commit: %w", err)
	}
	defer func() { _ = reply.Close() }()
	var stream io.Reader = reply
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		stream = sideband.NewDemuxer(sideband.Sideband64k, reply)
	case req.Capabilities.Supports(capability.Sideband):
		stream = sideband.NewDemuxer(sideband.Sideband, reply)
	}
	pack, err := io.ReadAll(io.LimitReader(stream, MaxPack+1))
	if err != nil {
		return nil, fmt.Errorf("receive the commit: %w", err)
	}
	if len(pack) > MaxPack {
		return nil, fault.New(fault.Exhausted, "the commit has more than %d MiB as it is transferred", MaxPack>>20).
			WithHint("Keep the documents in a repository without large files.")
	}
	if err := measure(pack); err != nil {
		return nil, err
	}
	store := memory.NewStorage()
	if err := packfile.UpdateObjectStorage(store, bytes.NewReader(pack)); err != nil {
		return nil, fmt.Errorf("read the commit: %w", err)
	}
	return store, nil
}

// files returns the documents' files of a commit below a path.
func files(store *memory.Storage, want plumbing.Hash, below string) ([]File, error) {
	commit, err := object.GetCommit(store, want)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the git server did not send the commit that it names")
	}
	tree, err := commit.Tree()
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the git server did not send the files of the commit")
	}
	below = strings.Trim(path.Clean("/"+below), "/")
	if below != "" {
		if tree, err = tree.Tree(below); err != nil {
			return nil, fault.New(fault.NotFound, "the repository has no folder %s", below).WithField("path")
		}
	}
	walker := object.NewTreeWalker(tree, true, nil)
	defer walker.Close()
	var out []File
	total := 0
	for {
		name, entry, err := walker.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "the git server did not send all files of the commit")
		}
		if entry.Mode != filemode.Regular && entry.Mode != filemode.Executable || !documents(name) {
			continue // no links: they may lead anywhere
		}
		blob, err := object.GetBlob(store, entry.Hash)
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "the git server did not send the file "+name)
		}
		if total += int(blob.Size); blob.Size > MaxFile || total > MaxText || len(out) == MaxFiles {
			return nil, fault.New(fault.Exhausted, "the files with documents are too many or too large at %s", path.Join(below, name)).
				WithHint("There may be %d files of at most %d KiB, and %d MiB in all. Name the folder of the documents.", MaxFiles, MaxFile>>10, MaxText>>20)
		}
		text, err := content(blob)
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "the file "+name+" cannot be read")
		}
		out = append(out, File{path.Join(below, name), text})
	}
}

func documents(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func content(blob *object.Blob) (string, error) {
	r, err := blob.Reader()
	if err != nil {
		return "", fmt.Errorf("open: %w", err)
	}
	defer func() { _ = r.Close() }()
	text, err := io.ReadAll(io.LimitReader(r, MaxFile))
	if err != nil {
		return "", fmt.Errorf("read: %w", err)
	}
	return string(text), nil
}
