package forge

import (
	"net/http"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// maxCommits is how many commits of a push GitHub tells of.
const maxCommits = 2048

type repository struct {
	FullName string `json:"full_name"`
}

type gitUser struct {
	Login    string `json:"login"`
	Username string `json:"username"`
}

func (u gitUser) name() string {
	if u.Login != "" {
		return u.Login
	}
	return u.Username
}

// likeGitHub reads the events of GitHub, which Gitea has taken over. A tag comes as a push of GitHub and of Gitea alike; "create" says the
// same once more and is left out.
func likeGitHub(event string, body []byte, github bool) ([]Push, error) {
	switch event {
	case "push":
		return gitHubPush(body, github)
	case "pull_request", "pull_request_sync":
		return gitHubPull(body)
	}
	return nil, nil
}

func gitHubPush(body []byte, github bool) ([]Push, error) {
	var m struct {
		Ref          string     `json:"ref"`
		Before       string     `json:"before"`
		After        string     `json:"after"`
		Deleted      bool       `json:"deleted"`
		TotalCommits int        `json:"total_commits"` // Gitea
		Repository   repository `json:"repository"`
		Sender       gitUser    `json:"sender"`
		Commits      []changes  `json:"commits"`
	}
	if err := decode(body, &m); err != nil {
		return nil, err
	}
	if m.Deleted || gone(m.After) {
		return nil, nil
	}
	p := refPush(m.Repository.FullName, m.Ref, m.After, m.Before, m.Sender.name())
	p.Paths, p.AllPaths = paths(m.Commits)
	p.AllPaths = p.AllPaths && p.Event == PushEvent && m.TotalCommits <= len(m.Commits) && (!github || len(m.Commits) < maxCommits) &&
		len(m.Commits) > 0 // a branch that was made of another commit, or forced back to one
	return []Push{p}, nil
}

func gitHubPull(body []byte) ([]Push, error) {
	type end struct {
		Ref  string     `json:"ref"`
		SHA  string     `json:"sha"`
		Repo repository `json:"repo"`
	}
	var m struct {
		Action      string `json:"action"`
		Number      int64  `json:"number"`
		PullRequest struct {
			Head end `json:"head"`
			Base end `json:"base"`
		} `json:"pull_request"`
		Repository repository `json:"repository"`
		Sender     gitUser    `json:"sender"`
	}
	if err := decode(body, &m); err != nil {
		return nil, err
	}
	switch m.Action {
	case "opened", "reopened", "synchronize", "synchronized", "ready_for_review":
	default:
		return nil, nil // nothing about the code
	}
	pr := m.PullRequest
	return []Push{{
		Event: PullRequestEvent, Repository: m.Repository.FullName, Ref: pr.Head.Ref, Branch: pr.Base.Ref, Commit: pr.Head.SHA, Before: pr.Base.SHA,
		Actor: m.Sender.name(), Number: m.Number, Fork: pr.Head.Repo.FullName != m.Repository.FullName,
	}}, nil
}

// Deployment is a deployment that a forge holds back until it is told whether to go on.
type Deployment struct {
	ID           string // of the message: the same when it is sent again
	Repository   string // path, such as acme/shop
	Environment  string // of the forge, where it goes
	Commit       string
	Callback     string // where the answer goes
	Installation int64  // of the app that is asked, in the account of the repository
	Actor        string // who has caused it
}

// Held reads a message by which GitHub asks an app whether a deployment may go on; held is false for any other. Its signature was checked.
// Errors are fault.Invalid.
func Held(kind Kind, header http.Header, body []byte) (d Deployment, held bool, err error) {
	if kind != GitHub || header.Get("X-GitHub-Event") != "deployment_protection_rule" {
		return d, false, nil
	}
	var m struct {
		Action      string `json:"action"`
		Environment string `json:"environment"`
		Callback    string `json:"deployment_callback_url"`
		Deployment  struct {
			SHA string `json:"sha"`
		} `json:"deployment"`
		Installation struct {
			ID int64 `json:"id"`
		} `json:"installation"`
		Repository repository `json:"repository"`
		Sender     gitUser    `json:"sender"`
	}
	if err := decode(body, &m); err != nil {
		return d, false, err
	}
	if m.Action != "requested" {
		return d, false, nil
	}
	d = Deployment{
		ID: header.Get("X-GitHub-Delivery"), Repository: m.Repository.FullName, Environment: m.Environment, Commit: m.Deployment.SHA, Callback: m.Callback,
		Installation: m.Installation.ID, Actor: m.Sender.name(),
	}
	if d.ID == "" || d.Repository == "" || d.Environment == "" || d.Commit == "" || d.Callback == "" || d.Installation == 0 {
		return d, false, fault.New(fault.Invalid, "the question about a deployment has no delivery, repository, environment, commit, callback or installation").
			WithHint("Only the webhook of a GitHub App asks so: give the app the address of this receiver.")
	}
	for _, text := range []string{d.ID, d.Repository, d.Environment, d.Commit, d.Callback, d.Actor} {
		if len(text) > maxText {
			return d, false, fault.New(fault.Invalid, "the question about a deployment is longer than those of %s", kind)
		}
	}
	return d, true, nil
}

// maxText bounds each text of a question.
const maxText = 1024
