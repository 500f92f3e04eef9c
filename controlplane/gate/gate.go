// Package gate answers forges that hold a deployment back until they hear whether the release is ready: GitHub, which asks a GitHub App by a
// deployment protection rule of an environment.
//
// A question is kept before it is acknowledged, and answered once the verdict on each release of the commit for that target is READY or
// NOT_READY; until then GitHub is told what is waited for. Who stores a verdict makes the questions about its commit due in the same
// transaction. What GitHub does not take is tried again, with growing pauses, for as long as it holds the deployment.
package gate

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/auth/githubapp"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/forge"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// State is what has become of a deployment.
type State string

// The states.
const (
	Waiting  State = "waiting" // for a verdict
	Approved State = "approved"
	Rejected State = "rejected"
	Failed   State = "failed" // nobody could be told
)

// Deployment is a deployment that a forge holds back.
type Deployment struct {
	ID           uuid.UUID
	Organization tenant.ID
	Name         string // of the organization
	Receiver     uuid.UUID
	From         string // name of the receiver
	Team         uuid.UUID
	Key          string // of the message: the same when it is sent again
	Repository   string
	Environment  string // as the forge writes it
	Target       string // of releases that go there
	Commit       string
	Callback     string
	Installation int64
	Actor        string
	State        State
	Said         string // to the forge, last
	Reports      int    // how many times something was said that decides nothing
	Attempts     int    // that have failed since something was said
	Error        string // why the last one did
	At           time.Time
	NextAt       time.Time // when it is looked at again, should nothing happen before
	Answered     time.Time
}

// App is a GitHub App that answers. It is kept sealed.
type App struct {
	ID  string `json:"id"`  // client id, or number
	Key string `json:"key"` // PEM
	URL string `json:"url"` // of the API
}

// PublicURL is the API of github.com.
const PublicURL = "https://api.github.com"

// Store keeps deployments and apps. Calls act for the viewer of their context but where they say that they run as system.
type Store interface {
	// SetReceiverApp says as which app questions to a receiver are answered, which has to be one of GitHub.
	SetReceiverApp(ctx context.Context, receiver string, app App) error
	// ReceiverApp returns the app of a receiver, or fault.NotFound. It runs as system.
	ReceiverApp(ctx context.Context, receiver uuid.UUID) (App, error)
	// AddDeployment keeps a deployment that is not known, or that nobody could be told of, and returns whether it was so.
	AddDeployment(ctx context.Context, d Deployment) (added bool, err error)
	// Deployments lists the newest first.
	Deployments(ctx context.Context, size int, after string) (list []Deployment, next string, err error)
	// ReleasesFor returns application and version of the newest release of each application that is of a commit and goes to a target.
	ReleasesFor(ctx context.Context, commit, target string) ([]Name, error)
	// ClaimDeployments leases at most limit deployments that wait and are due. It runs as system.
	ClaimDeployments(ctx context.Context, limit int, lease time.Duration) ([]Deployment, error)
	// FinishDeployment stores what became of a deployment that was claimed, and ends its lease. One that something has happened to meanwhile
	// stays due. It runs as system.
	FinishDeployment(ctx context.Context, d Deployment) error
	// SweepDeployments removes those from before a time, at most limit, and returns how many. It runs as system.
	SweepDeployments(ctx context.Context, before time.Time, limit int) (int, error)
}

// Name is how a release is called.
type Name struct{ Application, Version string }

// SetApp says as which GitHub App the questions to a receiver are answered.
func (s *Service) SetApp(ctx context.Context, receiver string, app App) error {
	if _, err := tenant.Require(ctx, tenant.ScopeAdmin); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	if app.URL == "" {
		app.URL = PublicURL
	}
	app.URL = strings.TrimSuffix(app.URL, "/")
	if err := s.checkApp(app); err != nil {
		return err
	}
	return s.Store.SetReceiverApp(ctx, receiver, app) //nolint:wrapcheck // a fault that speaks for itself
}

func (s *Service) checkApp(app App) error {
	if !regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`).MatchString(app.ID) {
		return fault.New(fault.Invalid, "%q is no client id or number of a GitHub App", app.ID).WithField("app").
			WithHint("It is on the page of the app, under \"About\".")
	}
	if _, err := githubapp.Key([]byte(app.Key)); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	u, err := url.Parse(app.URL)
	if err != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme == "http" && u.Hostname() != "127.0.0.1" {
		return fault.New(fault.Invalid, "%q is no address of the API of GitHub", app.URL).WithField("url").
			WithHint("It is %s, or https://HOST/api/v3 for GitHub Enterprise Server.", PublicURL)
	}
	return s.Rules.Check(app.URL) //nolint:wrapcheck // a fault that speaks for itself
}

// Hold keeps a deployment that a receiver is asked about; added is false for one that is known. Errors are faults: Conflict for a receiver
// without an app, Invalid for a callback that is not one of the app's GitHub.
func (s *Service) Hold(ctx context.Context, receiver uuid.UUID, from string, d forge.Deployment) (added bool, err error) {
	app, err := s.Store.ReceiverApp(ctx, receiver)
	if fault.Is(err, fault.NotFound) {
		return false, fault.New(fault.Conflict, "the receiver %s has no GitHub App as which it could answer", from).
			WithHint("Give it one with: seatrial trigger receiver app %s --app-id ID --key-file FILE. Then have GitHub deliver this once more.", from)
	}
	if err != nil {
		return false, fmt.Errorf("read the app of the receiver: %w", err)
	}
	if err := ownCallback(app, d); err != nil {
		return false, err
	}
	v, err := tenant.Require(ctx, tenant.ScopeRead)
	if err != nil {
		return false, err //nolint:wrapcheck // a fault that speaks for itself
	}
	added, err = s.Store.AddDeployment(ctx, Deployment{
		Organization: v.Organization, Receiver: receiver, Key: d.ID, Repository: d.Repository, Environment: d.Environment, Target: Target(d.Environment),
		Commit: d.Commit, Callback: d.Callback, Installation: d.Installation, Actor: d.Actor, NextAt: s.Clock(),
	})
	if err != nil {
		return false, fmt.Errorf("keep deployment: %w", err)
	}
	if added {
		s.hint()
	}
	return added, nil
}

// ownCallback refuses an answer that would go elsewhere than to the app's own GitHub, about the repository that asks.
func ownCallback(app App, d forge.Deployment) error {
	rest, ok := strings.CutPrefix(d.Callback, app.URL+"/repos/")
	run, of := strings.CutPrefix(strings.ToLower(rest), strings.ToLower(d.Repository)+"/actions/runs/")
	if !ok || !of || !regexp.MustCompile(`^[0-9]+/deployment_protection_rule$`).MatchString(run) {
		return fault.New(fault.Invalid, "the callback is not one of the repository %s at %s", d.Repository, app.URL).
			WithHint("Say where the API of your GitHub is with: seatrial trigger receiver app NAME --url https://HOST/api/v3.")
	}
	return nil
}

// Target is what releases are created for that go to an environment of a forge: its name in lower case, with a hyphen for what names of
// targets do not have.
func Target(environment string) string {
	return strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(environment), "-"), "-")
}

// List returns deployments, the newest first.
func (s *Service) List(ctx context.Context, size int, after string) (list []Deployment, next string, err error) {
	if list, next, err = s.Store.Deployments(ctx, size, after); err != nil {
		return nil, "", fmt.Errorf("list deployments: %w", err)
	}
	return list, next, nil
}
