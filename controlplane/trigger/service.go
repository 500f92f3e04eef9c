package trigger

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/forge"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

const (
	atOnce     = 20 // events or reactions that one look claims
	lease      = 2 * time.Minute
	maxLooks   = 100
	keepEvents = 30 * 24 * time.Hour
	maxPassed  = 50 // triggers that an event tells of which do not match
)

// Topic is where hints are published that something has happened.
const Topic = "events"

// Store keeps receivers, triggers and events. Calls act for the viewer of their context but where they say that they run as system.
type Store interface {
	Work
	Receivers
	Triggers(ctx context.Context, size int, after string) (list []Record, next string, err error)
	Trigger(ctx context.Context, name string) (Record, error)
	// RemoveTrigger removes one that has a document of its own.
	RemoveTrigger(ctx context.Context, name string) error
	// Events lists the newest first; with a trigger only those that it has done something about.
	Events(ctx context.Context, f Filter) (list []Event, next string, err error)
	// AddEvents stores what is not known yet, and returns how many that are.
	AddEvents(ctx context.Context, list []Event) (added int, err error)
}

// Receivers keeps where others send events.
type Receivers interface {
	// CreateReceiver stores a receiver with its secret; team is its owner, empty for the viewer's.
	CreateReceiver(ctx context.Context, r Receiver, secret, team string) (Receiver, error)
	Receivers(ctx context.Context) ([]Receiver, error)
	RemoveReceiver(ctx context.Context, name string) error
	// RotateReceiver replaces the secret.
	RotateReceiver(ctx context.Context, name, secret string) error
	// ReceiverSecret returns a receiver by its id with its secret, whoever asks.
	ReceiverSecret(ctx context.Context, id uuid.UUID) (r Receiver, secret string, err error)
	// Heard notes when something came last, or why it was refused.
	Heard(ctx context.Context, r Receiver, refused string) error
}

// Work is what a sweep needs. It runs as system.
type Work interface {
	// ClaimEvents returns events that nobody has judged, with a lease.
	ClaimEvents(ctx context.Context, limit int, lease time.Duration) ([]Event, error)
	// TriggersFor returns the triggers of an organization for a kind of events about something.
	TriggersFor(ctx context.Context, org tenant.ID, kind, about string) ([]Record, error)
	// TriggersOfKind returns all of an organization for a kind of events.
	TriggersOfKind(ctx context.Context, org tenant.ID, kind string) ([]Record, error)
	// Judge stores what triggers do about an event.
	Judge(ctx context.Context, e Event) error
	// ClaimReactions returns those that are to be started, with a lease.
	ClaimReactions(ctx context.Context, limit int, lease time.Duration) ([]Claim, error)
	// FinishReaction stores what has become of one.
	FinishReaction(ctx context.Context, r Reaction) error
	// SweepEvents removes events from before a moment, at most limit of them.
	SweepEvents(ctx context.Context, before time.Time, limit int) (int, error)
}

// Claim is a reaction that has to be started, with its trigger and its event.
type Claim struct {
	Trigger  Record
	Event    Event
	Reaction Reaction
}

// Filter selects events.
type Filter struct {
	Trigger string // name
	Kind    string
	Subject string
	Size    int
	After   string
}

// Starter starts what a trigger names.
type Starter interface {
	Start(ctx context.Context, by starter.By, what document.Start) ([]starter.Started, error)
}

// Bus carries hints; losing one costs latency only.
type Bus interface {
	Publish(ctx context.Context, topic string)
}

// Service receives and judges events. It holds no state but how much was refused lately.
type Service struct {
	store   Store
	start   Starter
	catalog starter.Catalog
	bus     Bus
	log     *slog.Logger
	now     func() time.Time
	tries   *tries
	// Pushed is called for every push that a receiver has taken, before triggers look at it; nil for nobody.
	Pushed func(ctx context.Context, org tenant.ID, p forge.Push)
}

// New returns a Service; clock may be nil.
func New(store Store, start Starter, catalog starter.Catalog, bus Bus, log *slog.Logger, clock func() time.Time) *Service {
	if clock == nil {
		clock = time.Now
	}
	return &Service{store: store, start: start, catalog: catalog, bus: bus, log: log.With("component", "trigger"), now: clock, tries: newTries()}
}

// Receive takes a message to a receiver: it is stored when this returns. Remote is the network address that it comes from, empty when nobody
// knows. It returns how many events it tells of that are new. Errors are faults: NotFound for a receiver that there is not, Unauthenticated for a
// wrong signature, Invalid, and Exhausted, a LaterError, for what has to wait.
func (s *Service) Receive(ctx context.Context, id uuid.UUID, remote string, header http.Header, body io.Reader) (added int, err error) {
	if wait := s.Wait(id, remote); wait > 0 { // before anything is read or looked up
		return 0, later(wait)
	}
	r, secret, err := s.find(ctx, id, remote)
	if err != nil {
		return 0, err
	}
	text, err := io.ReadAll(body) // of a stranger nothing is read
	if err != nil {
		return 0, fault.Wrap(fault.Invalid, err, "the message did not arrive")
	}
	if wait := s.Wait(id, remote); wait > 0 { // of many whose bodies came at once, no more are looked at
		return 0, later(wait)
	}
	v, err := starter.By{Organization: r.Organization, Team: r.TeamID, Actor: "receiver " + r.Name}.Viewer(ctx, s.catalog)
	if err != nil {
		return 0, err //nolint:wrapcheck // says what went wrong
	}
	ctx = tenant.WithViewer(ctx, v)
	list, err := s.read(r, secret, header, text)
	if err != nil {
		if fault.Is(err, fault.Unauthenticated) { // who has the secret guesses nothing, whatever the message says
			s.tries.refused(s.now(), counted{remote, id})
		}
		if f := s.store.Heard(ctx, r, fault.Sentence(err)); f != nil {
			s.log.WarnContext(ctx, "refusal not noted", "receiver", r.Name, "error", f)
		}
		return 0, err
	}
	if added, err = s.store.AddEvents(ctx, list); err != nil {
		return 0, fmt.Errorf("store events: %w", err)
	}
	if err := s.store.Heard(ctx, r, ""); err != nil {
		s.log.WarnContext(ctx, "message not noted", "receiver", r.Name, "error", err)
	}
	if added > 0 {
		s.pushed(ctx, r.Organization, list)
		s.bus.Publish(ctx, Topic)
	}
	s.log.InfoContext(ctx, "events received", "receiver", r.Name, "organization", r.Organization, "events", len(list), "new", added)
	return added, nil
}

// find looks a receiver up, unless the address has asked for too many that there are not.
func (s *Service) find(ctx context.Context, id uuid.UUID, remote string) (r Receiver, secret string, err error) {
	if wait := s.tries.unsought(s.now(), counted{remote, id}); wait > 0 {
		return r, "", later(wait)
	}
	r, secret, err = s.store.ReceiverSecret(ctx, id)
	if fault.Is(err, fault.NotFound) {
		if wait := s.tries.stranger(s.now(), remote); wait > 0 {
			return r, "", later(wait)
		}
		s.tries.refused(s.now(), counted{remote: remote}) // of what there is not, nothing is kept
	}
	if err != nil {
		return r, "", fmt.Errorf("find receiver: %w", err)
	}
	s.tries.found(id)
	return r, secret, nil
}

func (s *Service) read(r Receiver, secret string, header http.Header, body []byte) ([]Event, error) {
	if err := verify(r.Kind, secret, header, body, s.now()); err != nil {
		return nil, err
	}
	return Read(r, header, body)
}

func (s *Service) pushed(ctx context.Context, org tenant.ID, list []Event) {
	if s.Pushed == nil {
		return
	}
	for _, e := range list {
		var p forge.Push
		if e.Kind == Git && json.Unmarshal(e.Data, &p) == nil {
			s.Pushed(ctx, org, p)
		}
	}
}

// Sweep judges events and starts what triggers make of them. Of replicas that sweep at once each takes others.
func (s *Service) Sweep(ctx context.Context) error {
	ctx = tenant.System(ctx)
	for range maxLooks {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the program stops
		}
		n, err := s.look(context.WithoutCancel(ctx))
		if err != nil || n == 0 {
			return err
		}
	}
	s.bus.Publish(ctx, Topic) // there is more: another turn
	return nil
}

func (s *Service) look(ctx context.Context) (n int, faults error) {
	ctx, cancel := context.WithTimeout(ctx, lease)
	defer cancel()
	events, err := s.store.ClaimEvents(ctx, atOnce, lease)
	if err != nil {
		return 0, fmt.Errorf("claim events: %w", err)
	}
	for _, e := range events {
		faults = errors.Join(faults, s.judge(ctx, e))
	}
	claims, err := s.store.ClaimReactions(ctx, atOnce, lease)
	if err != nil {
		return 0, errors.Join(faults, fmt.Errorf("claim reactions: %w", err))
	}
	for _, c := range claims {
		faults = errors.Join(faults, s.fire(ctx, c))
	}
	return len(events) + len(claims), faults
}

// judge decides which triggers are for an event.
func (s *Service) judge(ctx context.Context, e Event) error {
	triggers, err := s.store.TriggersFor(ctx, e.Organization, e.Kind, e.About())
	if err != nil {
		return fmt.Errorf("find triggers: %w", err)
	}
	triggers = slices.DeleteFunc(triggers, func(t Record) bool { return !e.Tells(t.TeamID) })
	for _, t := range triggers {
		given, why := Match(t.Spec, e)
		if why == "" && e.Kind == Workflow {
			if why, err = s.circle(ctx, e, t); err != nil {
				return err
			}
		}
		switch {
		case why == "":
			e.Reactions = append(e.Reactions, Reaction{Event: e.ID, Trigger: t.ID, Name: t.Name, State: Waiting, Due: s.now().UTC(), Given: given})
		case len(e.Passed) < maxPassed:
			e.Passed = append(e.Passed, Passed{t.Name, why})
		}
	}
	switch {
	case len(triggers) == 0:
		e.Reason = "no trigger is for " + nothingFor(e)
	case len(e.Reactions) == 0:
		e.Reason = "no trigger matches"
	}
	if err := s.store.Judge(ctx, e); err != nil {
		return fmt.Errorf("store what triggers do: %w", err)
	}
	return nil
}

func nothingFor(e Event) string {
	switch e.Kind {
	case Git:
		return "the repository " + e.Subject
	case Workflow:
		return "the workflow " + e.Subject
	}
	return "the receiver " + e.Source
}

// circle says when what a trigger starts would lead to the event again.
func (s *Service) circle(ctx context.Context, e Event, t Record) (string, error) {
	all, err := s.store.TriggersOfKind(ctx, e.Organization, Workflow)
	if err != nil {
		return "", fmt.Errorf("find triggers: %w", err)
	}
	leads := map[string][]string{}
	for _, other := range all {
		names, err := s.names(ctx, other)
		if err != nil {
			return "", err
		}
		leads[other.Spec.Workflow.Name] = append(leads[other.Spec.Workflow.Name], names...)
	}
	first, err := s.names(ctx, t)
	if err != nil {
		return "", err
	}
	seen := map[string]bool{}
	for next := first; len(next) > 0; {
		name := next[0]
		next = next[1:]
		if name == e.Subject {
			return "it would go round in a circle: what it starts leads to " + e.Subject + " again", nil
		}
		if !seen[name] {
			seen[name], next = true, append(next, leads[name]...)
		}
	}
	return "", nil
}

// names are the workflows that a trigger starts.
func (s *Service) names(ctx context.Context, t Record) (out []string, err error) {
	v, err := starter.By{Organization: t.Organization, Team: t.TeamID, Actor: "trigger " + t.Name}.Viewer(ctx, s.catalog)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what went wrong
	}
	ctx = tenant.WithViewer(ctx, v)
	for _, ref := range t.Spec.Workflows {
		if ref.Name != "" {
			out = append(out, ref.Name)
			continue
		}
		found, err := s.catalog.WorkflowsLabelled(ctx, ref.Selector)
		if err != nil {
			return nil, fmt.Errorf("find workflows by their labels: %w", err)
		}
		out = append(out, found...)
	}
	return out, nil
}

// fire starts what a trigger names. An error means that nobody knows yet: it is tried again, and nothing starts twice.
func (s *Service) fire(ctx context.Context, c Claim) error {
	t, r := c.Trigger, c.Reaction
	actor := "trigger " + t.Name
	started, err := s.start.Start(ctx, starter.By{
		Organization: t.Organization, Team: t.TeamID, Actor: actor, Key: "event " + r.Event.String() + " " + t.ID.String(), Commit: r.Given.Commit,
		Trigger: workflow.Trigger{Kind: startedAs(c.Event.Kind), Name: t.Name, Actor: actor, Repository: r.Given.Repository, Branch: r.Given.Branch, Commit: r.Given.Commit},
		Params:  r.Given.Params,
	}, t.Spec.Start)
	if err != nil {
		return fmt.Errorf("trigger %s: %w", t.Name, err)
	}
	r.State, r.Starts, r.FiredAt = Started, started, s.now().UTC()
	if starter.Failed(started) {
		r.State, r.Reason = Failed, "nothing could be started"
	}
	if err := s.store.FinishReaction(ctx, r); err != nil {
		return fmt.Errorf("store what was started: %w", err)
	}
	s.log.InfoContext(ctx, "trigger fired", "trigger", t.Name, "organization", t.Organization, "event", r.Event, "state", r.State)
	return nil
}

// startedAs is what an execution says of how it was started: "workflow" is taken by the steps of others.
func startedAs(kind string) string {
	if kind == Workflow {
		return "workflow-end"
	}
	return kind
}

// Forget removes events from long ago.
func (s *Service) Forget(ctx context.Context) error {
	const some = 1000
	for ctx.Err() == nil {
		n, err := s.store.SweepEvents(tenant.System(ctx), s.now().Add(-keepEvents), some)
		if err != nil {
			return fmt.Errorf("remove old events: %w", err)
		}
		if n < some {
			break
		}
	}
	return nil
}

// CreateReceiver makes an address for a kind of sender, with its secret, which is shown once.
func (s *Service) CreateReceiver(ctx context.Context, name, kind, team string) (Receiver, string, error) {
	if _, err := tenant.Require(ctx, tenant.ScopeAdmin); err != nil {
		return Receiver{}, "", err //nolint:wrapcheck // a fault that speaks for itself
	}
	if !slices.Contains(ReceiverKinds(), kind) {
		return Receiver{}, "", fault.New(fault.Invalid, "%q does not send events", kind).WithField("kind").
			WithHint("Senders are %s.", strings.Join(ReceiverKinds(), ", "))
	}
	secret := newSecret()
	r, err := s.store.CreateReceiver(ctx, Receiver{Name: name, Kind: kind}, secret, team)
	if err != nil {
		return r, "", fmt.Errorf("create receiver: %w", err)
	}
	return r, secret, nil
}

// newSecret is a key as Standard Webhooks writes it, which the forges take as well.
func newSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(key)
}

// RotateReceiver gives a receiver a new secret, which is shown once. The old one is refused from then on.
func (s *Service) RotateReceiver(ctx context.Context, name string) (string, error) {
	if _, err := tenant.Require(ctx, tenant.ScopeAdmin); err != nil {
		return "", err //nolint:wrapcheck // a fault that speaks for itself
	}
	secret := newSecret()
	if err := s.store.RotateReceiver(ctx, name, secret); err != nil {
		return "", fmt.Errorf("rotate secret: %w", err)
	}
	return secret, nil
}

// RemoveReceiver closes an address.
func (s *Service) RemoveReceiver(ctx context.Context, name string) error {
	if _, err := tenant.Require(ctx, tenant.ScopeAdmin); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	return s.store.RemoveReceiver(ctx, name) //nolint:wrapcheck // a fault that speaks for itself
}

// Receivers lists them by name.
func (s *Service) Receivers(ctx context.Context) ([]Receiver, error) {
	return s.store.Receivers(ctx) //nolint:wrapcheck // a fault that speaks for itself
}

// List returns triggers by name.
func (s *Service) List(ctx context.Context, size int, after string) ([]Record, string, error) {
	return s.store.Triggers(ctx, size, after) //nolint:wrapcheck // a fault that speaks for itself
}

// Get returns one trigger.
func (s *Service) Get(ctx context.Context, name string) (Record, error) {
	return s.store.Trigger(ctx, name) //nolint:wrapcheck // a fault that speaks for itself
}

// Remove removes a trigger.
func (s *Service) Remove(ctx context.Context, name string) error {
	if _, err := tenant.Require(ctx, tenant.ScopeCatalog); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	return s.store.RemoveTrigger(ctx, name) //nolint:wrapcheck // a fault that speaks for itself
}

// Events lists what has happened, the newest first.
func (s *Service) Events(ctx context.Context, f Filter) ([]Event, string, error) {
	return s.store.Events(ctx, f) //nolint:wrapcheck // a fault that speaks for itself
}

// Try says what a trigger would do about a message, which is not stored: it is read as if it had come to a receiver of a kind.
func (s *Service) Try(ctx context.Context, name, kind string, header http.Header, body []byte) (given Given, why string, err error) {
	t, err := s.store.Trigger(ctx, name)
	if err != nil {
		return given, "", err //nolint:wrapcheck // a fault that speaks for itself
	}
	list, err := Read(Receiver{Kind: kind, Name: aboutOf(t)}, header, body)
	if err != nil {
		return given, "", err
	}
	why = "the message tells of nothing that triggers are for"
	for _, e := range list {
		if given, why = Match(t.Spec, e); why == "" {
			return given, "", nil
		}
	}
	return given, why, nil
}

func aboutOf(t Record) string { _, about := On(t.Spec); return about }
