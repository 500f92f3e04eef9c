package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/forge"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// KeepEvents is how long it is known what has happened, and what came of it.
const KeepEvents = 30 * 24 * time.Hour

const (
	atOnce    = 20 // events or reactions that one look claims
	lease     = 2 * time.Minute
	maxLooks  = 100
	keepMarks = 90 * 24 * time.Hour // an agent tells of all objects whenever it starts
	maxPassed = 50                  // triggers that an event tells of which do not match
)

// Topic is where hints are published that something has happened.
const Topic = "events"

// Store keeps receivers, triggers and events. Calls act for the viewer of their context but where they say that they run as system.
type Store interface {
	Work
	Waits
	Receivers
	Field
	Triggers(ctx context.Context, size int, after string) (list []Record, next string, err error)
	Trigger(ctx context.Context, name string) (Record, error)
	// RemoveTrigger removes one that has a document of its own.
	RemoveTrigger(ctx context.Context, name string) error
	// Events lists the newest first; with a trigger only those that it has done something about.
	Events(ctx context.Context, f Filter) (list []Event, next string, err error)
	// AddEvents stores what is not known yet, and returns how many that are.
	AddEvents(ctx context.Context, list []Event) (added int, err error)
	// PushesSince returns the events of a repository, in whichever case it is written, that are of kind Git and since a time; with a type
	// only those of that.
	PushesSince(ctx context.Context, repository, kind string, since time.Time) ([]Event, error)
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
	// SweepMarks removes what is known of objects that nobody has seen since a moment, at most limit of them.
	SweepMarks(ctx context.Context, before time.Time, limit int) (int, error)
}

// Waits is what is not started at once. It runs as system.
type Waits interface {
	// BeginProbes has a reaction wait until a time for the agent to say how its probes ended, or wait for longer.
	BeginProbes(ctx context.Context, id uuid.UUID, until time.Time) error
	// ConnectedSince returns since when the agent of a cluster is connected; zero for one that is away. NotFound for no cluster.
	ConnectedSince(ctx context.Context, cluster uuid.UUID) (time.Time, error)
	// Probing returns the organizations that have reactions which wait for probes.
	Probing(ctx context.Context) ([]tenant.ID, error)
	// NextReaction returns when the first reaction is due that nobody is starting; zero when there is none.
	NextReaction(ctx context.Context) (time.Time, error)
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

// Service receives and judges events. It holds no state but how much was refused lately, and when it has reminded agents last.
type Service struct {
	store   Store
	start   Starter
	catalog starter.Catalog
	bus     Bus
	log     *slog.Logger
	now     func() time.Time
	tries   *tries

	reminded atomic.Int64 // Unix time in nanoseconds
	// Pushed is called for every push that a receiver has taken, before triggers look at it; nil for nobody.
	Pushed func(ctx context.Context, org tenant.ID, p forge.Push)
	// Asked is called for every deployment that a forge asks a receiver about, for the viewer of its team. What it returns nil for is kept,
	// and added when it was not yet; nil for an instance that answers no forge.
	Asked func(ctx context.Context, r Receiver, d forge.Deployment) (added bool, err error)
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
	if added, err = s.take(ctx, r, secret, header, text); err != nil {
		s.refused(ctx, r, remote, err)
		return 0, err
	}
	if err := s.store.Heard(ctx, r, ""); err != nil {
		s.log.WarnContext(ctx, "message not noted", "receiver", r.Name, "error", err)
	}
	s.log.InfoContext(ctx, "message received", "receiver", r.Name, "organization", r.Organization, "new", added)
	return added, nil
}

// take stores what a message tells, and returns how much of that is new.
func (s *Service) take(ctx context.Context, r Receiver, secret string, header http.Header, body []byte) (added int, err error) {
	if err := verify(r.Kind, secret, header, body, s.now()); err != nil {
		return 0, err
	}
	if d, held, err := forge.Held(forge.Kind(r.Kind), header, body); err != nil || held {
		return s.asked(ctx, r, d, err)
	}
	list, err := Read(r, header, body)
	if err != nil {
		return 0, err
	}
	fresh, err := s.unfound(ctx, list)
	if err != nil {
		return 0, err
	}
	if added, err = s.store.AddEvents(ctx, fresh); err != nil {
		return 0, fmt.Errorf("store events: %w", err)
	}
	if added > 0 {
		s.pushed(ctx, r.Organization, list)
		s.bus.Publish(ctx, Topic)
	}
	return added, nil
}

// asked takes a question about a deployment, unless it could not be read.
func (s *Service) asked(ctx context.Context, r Receiver, d forge.Deployment, wrong error) (added int, err error) {
	if wrong != nil || s.Asked == nil {
		return 0, wrong //nolint:wrapcheck // a fault that speaks for itself
	}
	fresh, err := s.Asked(ctx, r, d)
	if fresh {
		added = 1
	}
	return added, err
}

// refused notes why a message was not taken, when that is the sender's to mend.
func (s *Service) refused(ctx context.Context, r Receiver, remote string, why error) {
	switch fault.KindOf(why) {
	case fault.Unauthenticated: // who has the secret guesses nothing, whatever the message says
		s.tries.refused(s.now(), counted{remote, r.ID})
	case fault.Invalid, fault.Conflict:
	default:
		return
	}
	if err := s.store.Heard(ctx, r, fault.Sentence(why)); err != nil {
		s.log.WarnContext(ctx, "refusal not noted", "receiver", r.Name, "error", err)
	}
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
	s.remind(ctx)
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

// Next returns how long until something is due that a sweep starts, at most so long.
func (s *Service) Next(ctx context.Context, most time.Duration) time.Duration {
	due, err := s.store.NextReaction(tenant.System(ctx))
	if err != nil || due.IsZero() {
		return most
	}
	return min(most, max(0, due.Sub(s.now())))
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
			e.Reactions = append(e.Reactions, Reaction{
				Event: e.ID, Trigger: t.ID, Name: t.Name, State: Waiting, Due: e.At.Add(wait(t.Spec)), About: about(t.Spec, e), Cluster: clusterOf(e), Given: given,
			})
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
	case Kube:
		return e.About()
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

// fire starts what a trigger names, once its probes have succeeded. An error means that nobody knows yet: it is tried again, and nothing
// starts twice.
func (s *Service) fire(ctx context.Context, c Claim) error {
	t, r := c.Trigger, c.Reaction
	switch {
	case t.Removed:
		return s.finish(ctx, c, Failed, "the trigger was removed meanwhile")
	case t.Spec.Suspend:
		return s.finish(ctx, c, Failed, "the trigger was suspended meanwhile")
	case r.State == Probing:
		return s.overdue(ctx, c)
	case r.State == Waiting && len(probes(t.Spec)) > 0:
		if err := s.store.BeginProbes(ctx, r.ID, s.now().UTC().Add(allowance(probes(t.Spec)))); err != nil {
			return fmt.Errorf("begin probes of trigger %s: %w", t.Name, err)
		}
		s.bus.Publish(ctx, WatchTopic(t.Organization))
		return nil
	}
	actor := "trigger " + t.Name
	done, err := s.start.Start(ctx, starter.By{
		Organization: t.Organization, Team: t.TeamID, Actor: actor, Key: "event " + r.Event.String() + " " + t.ID.String(), Commit: r.Given.Commit,
		Trigger: workflow.Trigger{Kind: startedAs(c.Event.Kind), Name: t.Name, Actor: actor, Repository: r.Given.Repository, Branch: r.Given.Branch, Commit: r.Given.Commit},
		Params:  r.Given.Params,
	}, started(t.Spec))
	if err != nil {
		return fmt.Errorf("trigger %s: %w", t.Name, err)
	}
	c.Reaction.Starts = done
	if starter.Failed(done) {
		return s.finish(ctx, c, Failed, "nothing could be started")
	}
	return s.finish(ctx, c, Started, r.Reason)
}

// finish stores what has become of a reaction.
func (s *Service) finish(ctx context.Context, c Claim, state State, reason string) error {
	r := c.Reaction
	r.State, r.Reason, r.FiredAt = state, reason, s.now().UTC()
	if err := s.store.FinishReaction(ctx, r); err != nil {
		return fmt.Errorf("store what was started: %w", err)
	}
	s.log.InfoContext(ctx, "trigger fired", "trigger", c.Trigger.Name, "organization", c.Trigger.Organization, "event", r.Event, "state", state, "reason", reason)
	return nil
}

// started is what a trigger starts, and where: in the environment that it looks at, unless it says something else.
func started(spec document.TriggerSpec) document.Start {
	out := spec.Start
	if k := spec.Kubernetes; k != nil && k.Environment != "" && out.Environments == nil {
		out.Environments = &document.Environments{Names: []string{k.Environment}}
	}
	return out
}

func probes(spec document.TriggerSpec) []document.Probe {
	if spec.Kubernetes == nil {
		return nil
	}
	return spec.Kubernetes.Probes
}

// startedAs is what an execution says of how it was started: "workflow" is taken by the steps of others, "kubernetes" by TestExecutions.
func startedAs(kind string) string {
	switch kind {
	case Workflow:
		return "workflow-end"
	case Kube:
		return "kubernetes-event"
	}
	return kind
}
