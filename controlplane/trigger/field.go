package trigger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// maxReported is how many objects an agent tells of at once.
const maxReported = 500

// Field keeps what agents look at, and what they see. Calls without another word act for the agent in the context.
type Field interface {
	// Here returns the agent's cluster with its environments, and the triggers of its organization for what happens in clusters, by name.
	Here(ctx context.Context) (Place, []Record, error)
	// WatchesHere returns what the agent has said of its watches.
	WatchesHere(ctx context.Context) ([]Watched, error)
	// KeepWatches stores what the agent says of its watches, and forgets those that it says nothing of. Since is set by the first report
	// that a digest is watched, and stays for as long as the digest does.
	KeepWatches(ctx context.Context, list []Watched) error
	// Marks returns what is known of objects of the agent's cluster.
	Marks(ctx context.Context, uids []string) ([]Mark, error)
	// KeepMarks stores what is known of objects now.
	KeepMarks(ctx context.Context, list []Mark) error
	// ProbesHere returns the reactions that wait for probes in the agent's cluster.
	ProbesHere(ctx context.Context) ([]Claim, error)
	// FinishProbes stores how the probes of a reaction in the agent's cluster have ended; one that does not wait for them is left alone, and
	// one that there is not is fault.NotFound.
	FinishProbes(ctx context.Context, id uuid.UUID, succeeded bool, reason string) error
	// Watched returns what agents have said of the triggers of the viewer in the context.
	Watched(ctx context.Context, triggers []uuid.UUID) ([]Watched, error)
	Clusters(ctx context.Context) ([]cluster.Cluster, error)
	Environments(ctx context.Context) ([]cluster.Environment, error)
}

// Wanted returns what the agent of the context is to look at and to try.
func (s *Service) Wanted(ctx context.Context) (Wanted, error) {
	place, records, err := s.store.Here(ctx)
	if err != nil {
		return Wanted{}, fmt.Errorf("read what to watch: %w", err)
	}
	var out Wanted
	out.Watches, _ = watchesIn(records, place)
	out.Digest = digestOf(out.Watches)
	if out.Probes, err = s.store.ProbesHere(ctx); err != nil {
		return Wanted{}, fmt.Errorf("read what to probe: %w", err)
	}
	return out, nil
}

// Standing stores what the agent of the context says of the watches of a list. What it says of a list that holds no more is fault.Invalid: it
// has been told to ask for the new one.
func (s *Service) Standing(ctx context.Context, digest string, states []Watched) error {
	place, records, err := s.store.Here(ctx)
	if err != nil {
		return fmt.Errorf("read what to watch: %w", err)
	}
	watches, beyond := watchesIn(records, place)
	if digestOf(watches) != digest {
		return fault.New(fault.Invalid, "there is another list of what to watch by now")
	}
	list := make([]Watched, 0, len(watches))
	for _, w := range watches {
		i := slices.IndexFunc(states, func(s Watched) bool { return s.Trigger == w.Trigger })
		if i < 0 {
			continue
		}
		state := states[i]
		state.Cluster, state.Digest = place.ID, w.digest()
		list = append(list, state)
	}
	for _, w := range beyond {
		list = append(list, Watched{
			Trigger: w.Trigger, Cluster: place.ID, Digest: w.digest(), State: WatchRefused,
			Message: fmt.Sprintf("An agent looks at objects for %d triggers at most, and those before this one by name are as many: remove some.", MaxWatches),
		})
	}
	if err := s.store.KeepWatches(ctx, list); err != nil {
		return fmt.Errorf("store how watches stand: %w", err)
	}
	s.bus.Publish(ctx, execution.ChangesTopic(place.Organization)) // the status of the resources that the triggers are says so
	return nil
}

// Compare returns the places of the objects that have come to be as they are while nobody looked, although a trigger was watching for it by
// then. The others are known, or were so before: they are what later states are compared with.
func (s *Service) Compare(ctx context.Context, objects []Object) (news []int, err error) {
	place, records, err := s.placed(ctx, objects)
	if err != nil {
		return nil, err
	}
	watched, err := s.store.WatchesHere(ctx)
	if err != nil {
		return nil, fmt.Errorf("read how watches stand: %w", err)
	}
	uids := make([]string, len(objects))
	for i, o := range objects {
		uids[i] = o.UID
	}
	marks, err := s.store.Marks(ctx, uids)
	if err != nil {
		return nil, fmt.Errorf("read what is known of objects: %w", err)
	}
	var keep []Mark
	for i, o := range objects {
		if !looked(records, place, o) || o.fault() != nil {
			continue // it is not news, and nothing later is compared with it
		}
		known, state := o.CreatedAt, ""
		if at := slices.IndexFunc(marks, func(m Mark) bool { return m.UID == o.UID && m.Event == o.mark() }); at >= 0 {
			known, state = marks[at].SeenAt, marks[at].State
		}
		if state != o.State && lookedFor(records, watched, place, o, known) {
			news = append(news, i)
			continue // until it is reported
		}
		keep = append(keep, Mark{UID: o.UID, Event: o.mark(), State: o.State, SeenAt: s.now().UTC()})
	}
	if err := s.store.KeepMarks(ctx, keep); err != nil {
		return nil, fmt.Errorf("store what is known of objects: %w", err)
	}
	return news, nil
}

// lookedFor reports whether a trigger for an object was watched for at a time already.
func lookedFor(records []Record, watched []Watched, p Place, o Object, at time.Time) bool {
	return slices.ContainsFunc(records, func(r Record) bool {
		w, ok := watchIn(r, p)
		if !ok || concerns(*r.Spec.Kubernetes, o) != "" {
			return false
		}
		i := slices.IndexFunc(watched, func(k Watched) bool { return k.Trigger == r.ID && k.Digest == w.digest() })
		return i >= 0 && !watched[i].Since.IsZero() && !watched[i].Since.After(at)
	})
}

// looked reports whether a trigger is for an object, but for its filter: an agent looks at nothing else.
func looked(records []Record, p Place, o Object) bool {
	return slices.ContainsFunc(records, func(r Record) bool {
		_, ok := watchIn(r, p)
		return ok && concerns(*r.Spec.Kubernetes, o) == ""
	})
}

// Happened stores what has happened to objects in the cluster of the agent of the context. What is known already starts nothing. What no
// trigger is for, or is no object, is left out: it keeps nothing else from being stored.
func (s *Service) Happened(ctx context.Context, objects []Object) error {
	place, records, err := s.placed(ctx, objects)
	if err != nil {
		return err
	}
	events, marks := make([]Event, 0, len(objects)), make([]Mark, 0, len(objects))
	for _, o := range objects {
		if !looked(records, place, o) {
			continue // the agent has an older list, or makes it up
		}
		e, err := o.event()
		if err != nil {
			s.log.WarnContext(ctx, "what happened to an object is not stored", "cluster", place.Name, "organization", place.Organization, "error", err)
			continue
		}
		e.Organization = place.Organization
		events = append(events, e)
		if o.Event == RolledOut || o.Event == Reached {
			marks = append(marks, Mark{UID: o.UID, Event: o.mark(), State: o.State, SeenAt: s.now().UTC()})
		}
	}
	inside := tenant.WithViewer(ctx, tenant.Viewer{Kind: tenant.KindMember, Organization: place.Organization, Name: "agent " + place.Name})
	added, err := s.store.AddEvents(inside, events)
	if err != nil {
		return fmt.Errorf("store events: %w", err)
	}
	if err := s.store.KeepMarks(ctx, marks); err != nil {
		return fmt.Errorf("store what is known of objects: %w", err)
	}
	if added > 0 {
		s.bus.Publish(ctx, Topic)
		s.log.InfoContext(ctx, "objects changed", "cluster", place.Name, "organization", place.Organization, "events", len(events), "new", added)
	}
	return nil
}

// placed says of objects where they are.
func (s *Service) placed(ctx context.Context, objects []Object) (Place, []Record, error) {
	if len(objects) > maxReported {
		return Place{}, nil, fault.New(fault.Invalid, "%d objects are told of at once, and %d are the limit", len(objects), maxReported)
	}
	place, records, err := s.store.Here(ctx)
	if err != nil {
		return place, nil, fmt.Errorf("read what to watch: %w", err)
	}
	for i := range objects {
		o := &objects[i]
		o.Cluster, o.ClusterID, o.Resource = place.Name, place.ID, Plain(o.Resource)
		for _, e := range place.Environments {
			o.Places = append(o.Places, e.Name)
			if slices.Contains(o.RunNamespaces, e.Namespace) {
				o.Environments = append(o.Environments, e.Name)
			}
		}
	}
	return place, records, nil
}

// Probed stores how the probes of a reaction have ended, as the agent of the context says.
func (s *Service) Probed(ctx context.Context, id uuid.UUID, succeeded bool, message string) error {
	if err := s.store.FinishProbes(ctx, id, succeeded, message); err != nil {
		return fmt.Errorf("store how probes ended: %w", err)
	}
	s.bus.Publish(ctx, Topic)
	return nil
}

// Watched says of triggers for what happens in clusters how it stands with them there.
func (s *Service) Watched(ctx context.Context, records []Record) (map[uuid.UUID][]Watched, error) {
	records = slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return r.Spec.Kubernetes == nil })
	if len(records) == 0 {
		return nil, nil //nolint:nilnil // nothing is watched
	}
	ids := make([]uuid.UUID, len(records))
	for i, r := range records {
		ids[i] = r.ID
	}
	known, err := s.store.Watched(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read how watches stand: %w", err)
	}
	clusters, err := s.store.Clusters(ctx)
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	places, err := s.store.Environments(ctx)
	if err != nil {
		return nil, fmt.Errorf("list environments: %w", err)
	}
	out := map[uuid.UUID][]Watched{}
	for _, r := range records {
		out[r.ID] = Standing(r, clusters, places, known)
	}
	return out, nil
}

// What a probe has that does not say so itself.
const (
	probeTimeout  = document.Duration(time.Minute)
	probeInterval = document.Duration(5 * time.Second)
	probeAttempts = 100
)

// Times returns how long a probe may take, how long it waits from one try to the next, and how often it tries at most.
func Times(p document.Probe) (timeout, interval time.Duration, attempts int) {
	return time.Duration(cmp.Or(p.Timeout, probeTimeout)), time.Duration(cmp.Or(p.Interval, probeInterval)), int(cmp.Or(p.Attempts, probeAttempts))
}

// grace is how long beyond its own times an agent may take with the probes of a reaction.
const grace = 2 * time.Minute

// allowance is how long probes take at most.
func allowance(probes []document.Probe) time.Duration {
	total := grace
	for _, p := range probes {
		total += time.Duration(cmp.Or(p.Timeout, probeTimeout))
	}
	return total
}
