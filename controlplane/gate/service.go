package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/outbound"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const (
	atOnce = 8 // deployments that one replica answers at the same time
	lease  = 4 * outbound.Timeout
	glance = 2 * time.Second
	// again is when a deployment is looked at although no verdict on its commit was stored.
	again = 10 * time.Minute
	// holds is how long GitHub holds a deployment back; then the run has failed.
	holds = 30 * 24 * time.Hour
	// keep is how long deployments are on record.
	keep      = 90 * 24 * time.Hour
	sweepMany = 1000
	maxWait   = time.Hour
	// maxReports is how often GitHub lets an app say something of a deployment, less the answer.
	maxReports = 9
)

// Releases knows how releases stand, for the viewer of the context. Implemented by assess.
type Releases interface {
	// Get returns a release with a verdict that knows everything that has come in.
	Get(ctx context.Context, application, version string) (release.Release, error)
}

// Config is what a Service is made of.
type Config struct {
	Store    Store
	Releases Releases
	Client   *http.Client // of outbound, which follows no redirects
	Rules    outbound.Rules
	Log      *slog.Logger
	Address  string // of the pages
	// Viewer returns on whose behalf releases are looked up: a team, which sees nothing of others where the organization keeps its teams apart.
	Viewer func(ctx context.Context, org tenant.ID, team uuid.UUID, name string) (tenant.Viewer, error)
	Clock  func() time.Time // nil for the time of day
	Every  time.Duration    // between looks; zero for two seconds
}

// Service keeps what forges ask and answers it. It holds no state but tokens of GitHub.
type Service struct {
	Config
	github *github
	wake   chan struct{}
}

// New returns a Service.
func New(c Config) *Service {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Every == 0 {
		c.Every = glance
	}
	c.Log = c.Log.With("component", "gate")
	return &Service{Config: c, github: &github{client: c.Client, clock: c.Clock, tokens: map[grant]token{}}, wake: make(chan struct{}, 1)}
}

func (s *Service) hint() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run answers until the context ends, and returns when nothing is under way any more.
func (s *Service) Run(ctx context.Context) {
	ticker := time.NewTicker(s.Every)
	defer ticker.Stop()
	for {
		if err := s.Look(ctx); err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "deployments cannot be answered", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.wake:
		}
	}
}

// Look answers what is due, as far as there is an answer.
func (s *Service) Look(ctx context.Context) error {
	ctx = tenant.System(context.WithoutCancel(ctx)) // what is under way is carried out also when the program is told to stop
	list, err := s.Store.ClaimDeployments(ctx, atOnce, lease)
	if err != nil {
		return fmt.Errorf("claim deployments: %w", err)
	}
	faults := make([]error, len(list))
	var all sync.WaitGroup
	for i, d := range list {
		all.Go(func() {
			if err := s.Store.FinishDeployment(ctx, s.look(ctx, d)); err != nil {
				// The lease runs out and GitHub is told again, which is of no consequence: it takes the first answer.
				faults[i] = fmt.Errorf("store what became of deployment %s: %w", d.ID, err)
			}
		})
	}
	all.Wait()
	if len(list) == atOnce {
		s.hint()
	}
	return errors.Join(faults...)
}

// look answers one deployment when there is an answer, and returns what is to be stored.
func (s *Service) look(ctx context.Context, d Deployment) Deployment {
	now := s.Clock()
	if now.Sub(d.At) > holds {
		d.State, d.Error = Failed, "GitHub holds a deployment back for no more than 30 days"
		return d
	}
	a, app, err := s.answer(ctx, d)
	if err != nil {
		return s.failed(ctx, d, err)
	}
	d.NextAt = now.Add(again)
	if a.State == Waiting && (a.Comment == "" || a.Comment == d.Said || d.Reports >= maxReports) {
		d.Attempts, d.Error = 0, ""
		return d
	}
	var denied *deniedError
	switch err := s.github.tell(ctx, app, d, a); {
	case err == nil:
		d.Attempts, d.Error = 0, ""
	case errors.As(err, &denied) && denied.final() && a.State == Waiting:
		d.Error = err.Error() // the answer may be taken all the same
	case errors.As(err, &denied) && denied.final():
		s.Log.WarnContext(ctx, "a deployment was not answered", "deployment", d.ID, "repository", d.Repository, "error", err)
		d.State, d.Error = Failed, err.Error()
		return d
	default:
		return s.failed(ctx, d, err)
	}
	return s.said(ctx, d, a)
}

// said notes what GitHub was told.
func (s *Service) said(ctx context.Context, d Deployment, a answer) Deployment {
	d.Said, d.State = a.Comment, a.State
	if a.State == Waiting {
		d.Reports++
		return d
	}
	d.Answered = s.Clock()
	s.Log.InfoContext(ctx, "deployment answered", "deployment", d.ID, "organization", d.Organization, "repository", d.Repository,
		"environment", d.Environment, "commit", d.Commit, "state", d.State)
	return d
}

// answer finds out what is to be said, and as which app.
func (s *Service) answer(ctx context.Context, d Deployment) (a answer, app App, err error) {
	if app, err = s.Store.ReceiverApp(ctx, d.Receiver); err != nil {
		return a, app, fmt.Errorf("read the app of the receiver: %w", err)
	}
	v, err := s.Viewer(ctx, d.Organization, d.Team, "receiver "+d.From)
	if err != nil {
		return a, app, fmt.Errorf("find out what the team may see: %w", err)
	}
	ctx = tenant.WithViewer(ctx, v)
	names, err := s.Store.ReleasesFor(ctx, d.Commit, d.Target)
	if err != nil {
		return a, app, fmt.Errorf("find the releases: %w", err)
	}
	var list []release.Release
	for _, n := range names {
		r, err := s.Releases.Get(ctx, n.Application, n.Version)
		if err != nil {
			return a, app, fmt.Errorf("judge the release: %w", err)
		}
		list = append(list, r)
	}
	return judge(d, list, strings.TrimSuffix(s.Address, "/")+"/o/"+url.PathEscape(d.Name)), app, nil
}

// failed has a deployment looked at again after a pause.
func (s *Service) failed(ctx context.Context, d Deployment, err error) Deployment {
	d.Attempts++
	wait := backOff(d.Attempts, rand.Float64()) //nolint:gosec // G404: nobody gains by knowing
	var denied *deniedError
	if errors.As(err, &denied) {
		wait = max(wait, denied.wait)
	}
	d.NextAt, d.Error = s.Clock().Add(wait), err.Error()
	var known *fault.Error
	if errors.As(err, &known) {
		d.Error = fault.Sentence(err)
	}
	s.Log.WarnContext(ctx, "a deployment could not be answered", "deployment", d.ID, "repository", d.Repository, "attempts", d.Attempts, "error", err)
	return d
}

// backOff is the pause after a number of attempts: 5 s, 20 s, 80 s and so on up to an hour, by up to a fifth more or less, so that those who
// failed together do not come again together.
func backOff(attempts int, luck float64) time.Duration {
	wait := 5 * time.Second
	for range min(attempts, 8) - 1 {
		wait *= 4
	}
	return time.Duration(float64(min(wait, maxWait)) * (0.8 + 0.4*luck))
}

// Forget removes what was asked long ago.
func (s *Service) Forget(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := s.Store.SweepDeployments(tenant.System(ctx), s.Clock().Add(-keep), sweepMany)
		if err != nil {
			return fmt.Errorf("remove old deployments: %w", err)
		}
		if n < sweepMany {
			break
		}
	}
	return nil
}
