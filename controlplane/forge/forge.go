// Package forge reads what GitHub, GitLab, Gitea and Bitbucket send when something happens to a repository: it checks the signature and
// makes of every push, tag and pull request the same Push, whoever has sent it.
package forge

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// Kind is a kind of forge.
type Kind string

// The forges. Forgejo and Gogs speak as Gitea does.
const (
	GitHub    Kind = "github"
	GitLab    Kind = "gitlab"
	Gitea     Kind = "gitea"
	Bitbucket Kind = "bitbucket"
)

// Kinds lists them.
func Kinds() []Kind { return []Kind{GitHub, GitLab, Gitea, Bitbucket} }

// What may happen to a repository.
const (
	PushEvent        = "push"
	TagEvent         = "tag"
	PullRequestEvent = "pull_request"
)

// Push is a change of a repository.
type Push struct {
	Event      string   `json:"event"`      // push, tag or pull_request
	Repository string   `json:"repository"` // path, such as acme/shop
	Ref        string   `json:"ref"`        // refs/heads/main, refs/tags/v1, or the branch of a pull request
	Branch     string   `json:"branch"`     // without refs/heads/; of a pull request the one that it wants to change; empty for a tag
	Tag        string   `json:"tag,omitempty"`
	Commit     string   `json:"commit"`
	Before     string   `json:"before,omitempty"`
	Paths      []string `json:"paths,omitempty"` // that were added, changed or removed
	AllPaths   bool     `json:"allPaths"`        // there are no others; false when the forge does not tell
	Actor      string   `json:"actor,omitempty"`
	Number     int64    `json:"number,omitempty"` // of a pull request
	Fork       bool     `json:"fork,omitempty"`   // the pull request comes from another repository
}

// Delivery is one message of a forge.
type Delivery struct {
	ID     string // the same when it is sent again; empty when the forge gives none
	Event  string // in the words of the forge
	Pushes []Push // empty for what is none of ours, such as a comment or a deleted branch
}

// maxPaths is how many paths are kept of a push; of one with more nobody knows all.
const maxPaths = 3000

// Parse reads a message whose signature was checked. Errors are fault.Invalid.
func Parse(kind Kind, header http.Header, body []byte) (Delivery, error) {
	var d Delivery
	var err error
	switch kind {
	case GitHub:
		d = Delivery{ID: header.Get("X-GitHub-Delivery"), Event: header.Get("X-GitHub-Event")}
		d.Pushes, err = likeGitHub(d.Event, body, true)
	case Gitea:
		d = Delivery{ID: header.Get("X-Gitea-Delivery"), Event: header.Get("X-Gitea-Event")}
		d.Pushes, err = likeGitHub(d.Event, body, false)
	case GitLab:
		d = Delivery{ID: first(header, "Idempotency-Key", "Webhook-Id", "X-Gitlab-Event-UUID"), Event: header.Get("X-Gitlab-Event")}
		d.Pushes, err = gitlab(body)
	case Bitbucket:
		d = Delivery{ID: header.Get("X-Request-UUID"), Event: header.Get("X-Event-Key")}
		d.Pushes, err = bitbucket(d.Event, body)
	default:
		return d, fault.New(fault.Invalid, "%q is no forge", kind)
	}
	if err != nil {
		return d, err
	}
	if len(d.ID) > maxID || len(d.Event) > maxID {
		return d, fault.New(fault.Invalid, "the headers of the message are longer than those of %s", kind)
	}
	for i := range d.Pushes {
		if p := &d.Pushes[i]; p.Repository == "" || p.Commit == "" || p.Ref == "" {
			return d, fault.New(fault.Invalid, "the %s names no repository, ref or commit", d.Event)
		}
	}
	return d, nil
}

const maxID = 200

func first(h http.Header, names ...string) string {
	for _, name := range names {
		if v := h.Get(name); v != "" {
			return v
		}
	}
	return ""
}

func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fault.New(fault.Invalid, "the message is not what the forge sends: %v", err)
	}
	return nil
}

// gone reports whether a commit is the one that stands for none.
func gone(commit string) bool { return commit == "" || strings.Trim(commit, "0") == "" }

// refPush is a push or tag by its ref.
func refPush(repository, ref, commit, before, actor string) Push {
	p := Push{Event: PushEvent, Repository: repository, Ref: ref, Commit: commit, Actor: actor}
	if !gone(before) {
		p.Before = before
	}
	if tag, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		p.Event, p.Tag = TagEvent, tag
	} else {
		p.Branch = strings.TrimPrefix(ref, "refs/heads/")
	}
	return p
}

// changes are the files of a commit as GitHub, GitLab and Gitea list them.
type changes struct {
	Added    []string `json:"added"`
	Modified []string `json:"modified"`
	Removed  []string `json:"removed"`
}

// paths returns each path once; all is false when there are more than are kept.
func paths(commits []changes) (list []string, all bool) {
	seen := map[string]bool{}
	for _, c := range commits {
		for _, some := range [][]string{c.Added, c.Modified, c.Removed} {
			for _, p := range some {
				if seen[p] {
					continue
				}
				if len(list) == maxPaths {
					return list, false
				}
				seen[p], list = true, append(list, p)
			}
		}
	}
	return list, true
}
