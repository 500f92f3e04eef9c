package assess

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

const (
	// lookBack is how old an execution may be that is found to have run against the images of a new release. Policies ask for fresher
	// evidence anyway.
	lookBack = 7 * 24 * time.Hour
	// fresh is how old a verdict may be that is shown: waivers expire and evidence grows old without anything coming in.
	fresh = 30 * time.Second
	// again is when a verdict is made anew although nothing has come in.
	again = 10 * time.Minute
	// open is how long that goes on after a release was created.
	open = 30 * 24 * time.Hour
	// atOnce is how many releases one sweep decides.
	atOnce = 100
	// decideTimeout keeps one release from holding up all others.
	decideTimeout = 2 * time.Minute
	// settling is how long after its creation it is looked again for what ran against a release meanwhile.
	settling = 15 * time.Minute
)

// Config is what the service needs. Clock may be nil.
type Config struct {
	Store Store
	Bus   Bus
	Log   *slog.Logger
	Clock func() time.Time
}

// Service keeps releases. It holds no state of its own.
type Service struct {
	store  Store
	bus    Bus
	log    *slog.Logger
	clock  func() time.Time
	trials chan struct{} // one trial of a policy at a time: each judges many releases
}

// NewService returns a service.
func NewService(c Config) *Service {
	s := &Service{store: c.Store, bus: c.Bus, log: c.Log.With("component", "release"), clock: c.Clock, trials: make(chan struct{}, 1)}
	if s.clock == nil {
		s.clock = time.Now
	}
	return s
}

func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// Create freezes what a release has to show and decides on it for the first time. When the application has the version already with
// the same commit and images it returns that one and true, and fault.Conflict when they differ.
func (s *Service) Create(ctx context.Context, r release.Request) (created release.Release, existed bool, err error) {
	viewer, err := tenant.Require(ctx, tenant.ScopeRelease)
	if err != nil {
		return created, false, err
	}
	if err := r.Check(); err != nil {
		return created, false, err
	}
	created, err = s.store.Release(ctx, r.Application, r.Version)
	if existed = err == nil; fault.Is(err, fault.NotFound) {
		created, existed, err = s.create(ctx, viewer, r)
	}
	if err != nil {
		return release.Release{}, false, fmt.Errorf("create release: %w", err)
	}
	if existed && r.Policy != "" && r.Policy != created.Policy.Name {
		return release.Release{}, false, fault.New(fault.Conflict, "%s %s is held to the policy %s", r.Application, r.Version, created.Policy.Name).
			WithField("policy").WithHint("A release never changes: give it a version of its own.")
	}
	if existed && len(r.Targets) > 0 && !slices.Equal(sorted(r.Targets), created.Targets) {
		return release.Release{}, false, fault.New(fault.Conflict, "%s %s exists for other targets: %s", r.Application, r.Version,
			cmp.Or(strings.Join(created.Targets, ", "), "none")).WithField("targets").WithHint("A release never changes: give it a version of its own.")
	}
	if existed && !same(created, r) {
		return release.Release{}, false, fault.New(fault.Conflict, "%s %s exists with another commit or other images", r.Application, r.Version).
			WithField("version").WithHint("A release never changes: give what was built anew a version of its own.")
	}
	if !existed {
		s.log.InfoContext(ctx, "release created", "release", created.ID, "application", r.Application, "version", r.Version, "actor", viewer.Name)
	}
	created, err = s.Get(ctx, r.Application, r.Version)
	return created, existed, err
}

func (s *Service) create(ctx context.Context, viewer tenant.Viewer, r release.Request) (created release.Release, existed bool, err error) {
	doc, frozen, err := s.policyFor(ctx, r)
	if err != nil {
		return created, false, err
	}
	cells, err := s.cells(ctx, doc)
	if err != nil {
		return created, false, err
	}
	for _, c := range cells {
		if err := within(viewer, c.Environment, c.Suite); err != nil {
			return created, false, err
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return created, false, fmt.Errorf("id of release: %w", err)
	}
	created, existed, err = s.store.CreateRelease(ctx, release.New{
		Release: release.Release{
			ID: id, Application: r.Application, Version: r.Version, Commit: r.Commit, Images: r.Images, Targets: sorted(r.Targets), Team: r.Team, Actor: viewer.Name,
			Policy: frozen, Cells: cells, State: verdict.Incomplete,
		},
		Since: s.now().Add(-lookBack),
	})
	if err != nil {
		return created, false, fmt.Errorf("store release %s %s: %w", r.Application, r.Version, err)
	}
	return created, existed, nil
}

// same reports whether a release is what is asked for, whatever the names and the order of its images.
func same(known release.Release, asked release.Request) bool {
	digests := func(images []verdict.Image) []string {
		var out []string
		for _, image := range images {
			out = append(out, image.Digest)
		}
		slices.Sort(out)
		return out
	}
	return known.Commit == asked.Commit && slices.Equal(digests(known.Images), digests(asked.Images))
}

func sorted(targets []string) []string {
	out := slices.Clone(targets)
	slices.Sort(out)
	return slices.Compact(out)
}

// Get returns a release with a verdict that knows everything that has come in. ScopeRead is enough.
func (s *Service) Get(ctx context.Context, application, version string) (release.Release, error) {
	r, err := s.store.Release(ctx, application, version)
	if err != nil {
		return release.Release{}, fmt.Errorf("get release %s %s: %w", application, version, err)
	}
	if !r.Stale && s.now().Sub(r.Decided) < fresh {
		return r, nil
	}
	if err := s.decide(ctx, r); err != nil {
		return release.Release{}, err
	}
	if r, err = s.store.ReleaseByID(ctx, r.ID); err != nil {
		return release.Release{}, fmt.Errorf("get release %s %s: %w", application, version, err)
	}
	return r, nil
}

// List returns heads, newest first; application may be empty.
func (s *Service) List(ctx context.Context, application string, size int, after string) (list []release.Release, next string, err error) {
	if list, next, err = s.store.Releases(ctx, application, size, after); err != nil {
		return nil, "", fmt.Errorf("list releases: %w", err)
	}
	return list, next, nil
}

// Settle decides anew on whatever is stale, in all organizations. One that cannot be decided does not keep the others waiting.
func (s *Service) Settle(ctx context.Context) error {
	now := s.now()
	list, err := s.store.StaleReleases(ctx, now.Add(-again), now.Add(-open), atOnce)
	if err != nil {
		return fmt.Errorf("list stale releases: %w", err)
	}
	for _, one := range list {
		inside := tenant.WithViewer(ctx, tenant.Viewer{Kind: tenant.KindMember, Organization: one.Organization, Name: "system"}) // no role: it may only read, and store the verdict
		r, err := s.store.ReleaseByID(inside, one.ID)
		if err == nil {
			err = s.decide(inside, r)
		}
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "release not decided", "release", one.ID, "error", err)
		}
	}
	return ctx.Err() //nolint:wrapcheck // the end of the caller's own work
}

// decide makes the verdict on what is known now and stores it.
func (s *Service) decide(ctx context.Context, r release.Release) error {
	ctx, cancel := context.WithTimeout(ctx, decideTimeout)
	defer cancel()
	if now := s.now(); now.Sub(r.CreatedAt) < settling {
		// A report that came in while it was created did not see it.
		if err := s.store.LinkEvidence(ctx, r.ID, r.CreatedAt.Add(-settling)); err != nil {
			return fmt.Errorf("link what ran against release %s: %w", r.ID, err)
		}
	}
	out, at, err := s.judge(ctx, r)
	if err != nil {
		return err
	}
	text, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("encode the verdict on release %s: %w", r.ID, err)
	}
	changed, err := s.store.SaveVerdict(ctx, r.ID, release.Decision{
		State: out.State, Output: text, SameAs: sameAs(r, text), At: at, Arrivals: r.Arrivals, Cause: causeOf(r, out), Blockers: release.Blockers(out),
	})
	if err != nil {
		return fmt.Errorf("store the verdict on release %s: %w", r.ID, err)
	}
	if v, ok := tenant.FromContext(ctx); ok {
		s.bus.Publish(ctx, release.Topic(v.Organization, r.ID))
	}
	if changed {
		s.log.InfoContext(ctx, "verdict changed", "release", r.ID, "application", r.Application, "version", r.Version, "before", r.State, "after", out.State)
	}
	return nil
}

// sameAs returns when the last verdict on a release was made, if this one says the same. Most do: a release is decided anew because time may
// have changed something, and to write megabytes anew costs more than to compare them.
func sameAs(r release.Release, text []byte) time.Time {
	var was verdict.Output
	if len(r.Verdict) == 0 || json.Unmarshal(r.Verdict, &was) != nil {
		return time.Time{}
	}
	if known, err := json.Marshal(was); err != nil || !bytes.Equal(known, text) { // the database writes it in its own way
		return time.Time{}
	}
	return r.Decided
}

// judge makes the verdict on what is known now. What cannot be judged is not ready: it says why in place of the rules.
func (s *Service) judge(ctx context.Context, r release.Release) (out verdict.Output, at time.Time, err error) {
	in, err := s.input(ctx, r)
	if fault.Is(err, fault.Exhausted) {
		return verdict.Output{State: verdict.Incomplete, Gaps: []string{"The evidence cannot be judged: " + err.Error() + "."}}, s.now(), nil
	}
	if err != nil {
		return out, at, err
	}
	if out, err = verdict.Judge(ctx, in); err != nil {
		return out, at, fmt.Errorf("judge release %s: %w", r.ID, err)
	}
	return out, in.Now, nil
}

// input reads all that a verdict rests upon. The release was read before, so that whatever comes in from then on is an arrival that the
// verdict does not count.
func (s *Service) input(ctx context.Context, r release.Release) (in verdict.Input, err error) {
	now := s.now()
	attempts, err := s.store.Evidence(ctx, r.ID)
	if err != nil {
		return in, fmt.Errorf("read the evidence of release %s: %w", r.ID, err)
	}
	approvers, err := s.store.Approvers(ctx, r.Policy.Waivers.Approvers)
	if err != nil {
		return in, fmt.Errorf("read the approvers of release %s: %w", r.ID, err)
	}
	inside, err := s.store.Quarantines(ctx, now)
	if err != nil {
		return in, fmt.Errorf("read the quarantines: %w", err)
	}
	return input(r, evidence{attempts, approvers, quarantined(inside)}, now), nil
}

// Input returns what the verdict on a release rests upon now, for a bundle.
func (s *Service) Input(ctx context.Context, application, version string) (verdict.Input, error) {
	r, err := s.store.Release(ctx, application, version)
	if err != nil {
		return verdict.Input{}, fmt.Errorf("get release %s %s: %w", application, version, err)
	}
	return s.input(ctx, r)
}

// cells resolves the requirements of a policy against the catalog and the history.
func (s *Service) cells(ctx context.Context, doc *document.ReadinessPolicyDocument) ([]release.Cell, error) {
	suites, err := s.store.Suites(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	environments, err := s.store.EnvironmentNames(ctx)
	if err != nil {
		return nil, fmt.Errorf("read environments: %w", err)
	}
	required, err := policy.Resolve(doc, suites, environments)
	if err != nil {
		return nil, fmt.Errorf("resolve policy %s: %w", doc.Metadata.Name, err)
	}
	labels := map[string]map[string]string{}
	for _, w := range suites {
		labels[w.Name] = w.Labels
	}
	var cells []release.Cell
	for _, place := range required {
		tests, err := s.store.KnownTests(ctx, place.Workflow, place.Environment)
		if err != nil {
			return nil, fmt.Errorf("read the tests of %s: %w", place.Workflow, err)
		}
		if len(tests) == 0 {
			tests = []verdict.Test{{Key: release.Itself, Name: release.ItselfName}}
		}
		texts := labelsOf(labels[place.Workflow])
		for i := range tests {
			tests[i].Labels = texts
		}
		cells = append(cells, release.Cell{Environment: place.Environment, Suite: place.Workflow, Labels: labels[place.Workflow], Required: tests})
	}
	return cells, nil
}

// labelsOf writes labels as rules compare them: each as "tier=critical", and its value alone.
func labelsOf(labels map[string]string) []string {
	var out []string
	for name, value := range labels {
		out = append(out, name+"="+value)
		if value != "" {
			out = append(out, value)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
