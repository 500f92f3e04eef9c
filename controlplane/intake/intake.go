package intake

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/logchunk"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Limits of what one agent may deliver at a time; zero values mean the defaults.
type Limits struct {
	Report   int64 // bytes of one report file
	Artifact int64 // bytes of one artifact
	Cases    int   // test cases kept of one report
	Texts    int   // bytes of texts kept of one report, all cases together
}

func (l Limits) withDefaults() Limits {
	if l.Report <= 0 {
		l.Report = 512 << 20
	}
	if l.Artifact <= 0 {
		l.Artifact = 5 << 30
	}
	if l.Cases <= 0 {
		l.Cases = 200_000
	}
	if l.Texts <= 0 {
		l.Texts = 32 << 20
	}
	return l
}

// Intake stores what agents deliver. It trusts nothing they say: whose attempt it is decides the store, by the viewer.
type Intake struct {
	store   Store
	blobs   Blobs
	bus     Bus
	log     *slog.Logger
	hops    *Hops
	limits  Limits
	opener  *logchunk.Opener
	scratch sync.Pool // *[]byte for checking chunks
}

// New returns an Intake.
func New(store Store, blobs Blobs, bus Bus, log *slog.Logger, hops *Hops, limits Limits) (*Intake, error) {
	opener, err := logchunk.NewOpener()
	if err != nil {
		return nil, fmt.Errorf("intake: %w", err)
	}
	return &Intake{
		store: store, blobs: blobs, bus: bus, log: log.With("component", "intake"), hops: hops, limits: limits.withDefaults(), opener: opener,
		scratch: sync.Pool{New: func() any { b := make([]byte, 0, logchunk.MaxRaw); return &b }},
	}, nil
}

// Bounds of the texts in a report; they are for people, and a row must stay small.
const (
	maxText  = 4 << 10
	maxNotes = 100
	maxSteps = 1000

	maxServices = 100
	maxCallees  = 100      // of a step
	maxParams   = 64 << 10 // bytes that a step gives to the workflows that it executes
)

// bounded reports whether what steps give to other workflows is no more than runners send.
func bounded(steps []execution.Step) bool {
	for _, s := range steps {
		size := 0
		for _, params := range s.Params {
			for name, value := range params {
				size += len(name) + len(value)
			}
		}
		if len(s.Params) > maxCallees || size > maxParams {
			return false
		}
	}
	return true
}

// Report stores a snapshot of an attempt and returns the attempt's status afterwards.
func (i *Intake) Report(ctx context.Context, r execution.Report) (execution.Status, error) {
	viewer, err := agent(ctx)
	if err != nil {
		return "", err
	}
	if !r.Status.Valid() || r.Status == execution.Waiting || len(r.Steps) > maxSteps || len(r.Services) > maxServices {
		return "", fault.New(fault.Invalid, "the report of attempt %s has status %q and %d steps", r.Attempt, r.Status, len(r.Steps))
	}
	if !bounded(r.Steps) {
		return "", fault.New(fault.Invalid, "the report of attempt %s gives more to other workflows than %d KiB", r.Attempt, maxParams>>10)
	}
	saved, err := i.store.SaveReport(ctx, trimmed(r))
	if err != nil {
		return "", fmt.Errorf("save report of attempt %s: %w", r.Attempt, err)
	}
	if saved.Undecided != nil {
		i.log.ErrorContext(ctx, "concurrency groups not decided", "attempt", r.Attempt, "error", saved.Undecided)
	}
	i.hops.observe(r.Hops, saved.Way)
	for _, id := range saved.Changed {
		i.bus.Publish(ctx, execution.Topic(viewer.Organization, id))
	}
	if len(saved.Changed) > 0 {
		i.bus.Publish(ctx, execution.ChangesTopic(viewer.Organization))
	}
	if saved.Calls {
		i.bus.Publish(ctx, execution.CallsTopic)
	}
	if saved.Judge {
		i.bus.Publish(ctx, execution.EvidenceTopic)
	}
	wake := saved.Wake
	if r.Delivered && !slices.Contains(wake, viewer.Cluster) {
		wake = append(wake, viewer.Cluster) // the release waits to be sent
	}
	for _, c := range wake {
		i.bus.Publish(ctx, cluster.Topic(viewer.Organization, c))
	}
	return saved.Status, nil
}

// trimmed bounds the texts of a report and what it says of the subject.
func trimmed(r execution.Report) execution.Report {
	r.Reason, r.Message = cut(r.Reason), cut(r.Message)
	r.Node, r.Pod = cut(r.Node), cut(r.Pod)
	notes := r.Notes[:min(len(r.Notes), maxNotes)]
	r.Notes = make([]string, len(notes))
	for n, note := range notes {
		r.Notes[n] = cut(note)
	}
	steps := r.Steps
	r.Steps = make([]execution.Step, len(steps))
	for n, s := range steps {
		s.Reason = cut(s.Reason)
		if s.Usage != nil {
			used := *s.Usage
			used.Note = cut(used.Note)
			s.Usage = &used
		}
		r.Steps[n] = s
	}
	r.SubjectStart, r.SubjectEnd = checkedSubject(r.SubjectStart), checkedSubject(r.SubjectEnd)
	services := r.Services
	r.Services = make([]execution.Service, 0, len(services))
	for _, s := range services {
		if s.Message = cut(s.Message); s.Status.Valid() { // a newer agent may know more
			r.Services = append(r.Services, s)
		}
	}
	return r
}

// cut shortens a text to maxText bytes without breaking a character.
func cut(s string) string { return cutTo(s, maxText) }

func cutTo(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xC0 == 0x80 {
		limit--
	}
	return s[:limit]
}

// Streams returns how far each stream of an attempt is committed.
func (i *Intake) Streams(ctx context.Context, id execution.AttemptID) ([]execution.StreamState, error) {
	if _, err := agent(ctx); err != nil {
		return nil, err
	}
	states, err := i.store.Streams(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("streams of attempt %s: %w", id, err)
	}
	return states, nil
}

// agent returns the viewer when it is an agent of an organization.
func agent(ctx context.Context) (tenant.Viewer, error) {
	v, ok := tenant.FromContext(ctx)
	if !ok || v.Kind != tenant.KindAgent || v.Organization == uuid.Nil {
		return v, fault.New(fault.Unauthenticated, "only agents deliver")
	}
	return v, nil
}
