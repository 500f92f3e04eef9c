package agentlink

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// capabilityWatches says in Hello that the agent looks at objects, and asks for the list when it is told to.
const capabilityWatches = "watches"

// Watches has agents look at objects of their clusters, for the agent of the context. Implemented by trigger.
type Watches interface {
	// Wanted returns what the agent is to look at and to try.
	Wanted(ctx context.Context) (trigger.Wanted, error)
	// Standing stores what the agent says of the watches of a list.
	Standing(ctx context.Context, digest string, states []trigger.Watched) error
	// Compare returns the places of the objects that have come to be as they are while nobody looked.
	Compare(ctx context.Context, objects []trigger.Object) (news []int, err error)
	// Happened stores what has happened to objects, each once.
	Happened(ctx context.Context, objects []trigger.Object) error
	// Probed stores how probes have ended.
	Probed(ctx context.Context, id uuid.UUID, succeeded bool, message string) error
}

// watchService implements AgentWatchServer.
type watchService struct {
	agentv1.UnimplementedAgentWatchServer
	watches Watches

	happened, compared *limiter[uuid.UUID] // by cluster
}

// An agent tells of so many objects in a second, and of so many at once after it was away: what its spool holds. To compare costs less, and
// all that there are are compared at once.
const (
	happenedPerSecond = 20
	happenedBurst     = 2000
	comparedPerSecond = 200
	comparedBurst     = 20_000
)

func newWatchService(w Watches, now func() time.Time) *watchService {
	return &watchService{
		watches: w, happened: newLimiter[uuid.UUID](now, happenedPerSecond, happenedBurst), compared: newLimiter[uuid.UUID](now, comparedPerSecond, comparedBurst),
	}
}

// slower says that an agent tells of too much. It is no refusal: the agent keeps what it has to tell, and tells it again.
func slower(ctx context.Context, l *limiter[uuid.UUID], objects int) error {
	viewer, _ := tenant.FromContext(ctx)
	if l.allow(viewer.Cluster, objects) {
		return nil
	}
	return status.Error(codes.Unavailable, "the agent tells of too many objects; it is to tell of them again in a few seconds")
}

// ListWatches implements AgentWatchServer.
func (w *watchService) ListWatches(ctx context.Context, _ *agentv1.ListWatchesRequest) (*agentv1.ListWatchesResponse, error) {
	wanted, err := w.watches.Wanted(ctx)
	if err != nil {
		return nil, fmt.Errorf("list watches: %w", err)
	}
	out := &agentv1.ListWatchesResponse{Digest: wanted.Digest}
	for _, one := range wanted.Watches {
		wire := &agentv1.Watch{
			Id: one.Trigger.String(), Resource: one.Resource, Namespace: one.Namespace, RunNamespace: one.RunNamespace, Name: one.Name,
			Labels: one.Labels, Event: happenings()[one.Event],
		}
		if one.Condition != "" {
			wire.Condition = &agentv1.ObjectCondition{Type: one.Condition, Status: one.Status}
		}
		out.Watches = append(out.Watches, wire)
	}
	for _, c := range wanted.Probes {
		probe, err := probeOf(c)
		if err != nil {
			return nil, err
		}
		out.Probes = append(out.Probes, probe)
	}
	return out, nil
}

func probeOf(c trigger.Claim) (*agentv1.Probe, error) {
	o, err := c.Event.Object()
	if err != nil {
		return nil, fmt.Errorf("probe of trigger %s: %w", c.Trigger.Name, err)
	}
	out := &agentv1.Probe{
		Id: c.Reaction.ID.String(), Object: &agentv1.ObjectRef{Resource: o.Resource, Namespace: o.Namespace, Name: o.Name, Uid: o.UID},
	}
	if c.Trigger.Spec.Kubernetes == nil { // it was changed meanwhile, and has nothing to try any more
		return out, nil
	}
	for _, p := range c.Trigger.Spec.Kubernetes.Probes {
		out.Checks = append(out.Checks, checkOf(p))
	}
	return out, nil
}

func checkOf(p document.Probe) *agentv1.ProbeCheck {
	timeout, interval, attempts := trigger.Times(p)
	check := &agentv1.ProbeCheck{Timeout: durationpb.New(timeout), Interval: durationpb.New(interval), Attempts: int32(attempts)} //nolint:gosec // at most 1000
	switch {
	case p.HTTP != nil:
		check.Check = &agentv1.ProbeCheck_Http{Http: &agentv1.HTTPProbe{
			Service: p.HTTP.Service, Port: int32(p.HTTP.Port), Path: p.HTTP.Path, Https: p.HTTP.HTTPS, //nolint:gosec // a port
		}}
	case p.TCP != nil:
		check.Check = &agentv1.ProbeCheck_Tcp{Tcp: &agentv1.TCPProbe{Service: p.TCP.Service, Port: int32(p.TCP.Port)}} //nolint:gosec // a port
	case p.Condition != nil:
		status := p.Condition.Status
		if status == "" {
			status = "True"
		}
		check.Check = &agentv1.ProbeCheck_Condition{Condition: &agentv1.ObjectCondition{Type: p.Condition.Type, Status: status}}
	}
	return check
}

// ReportWatches implements AgentWatchServer.
func (w *watchService) ReportWatches(ctx context.Context, r *agentv1.ReportWatchesRequest) (*agentv1.ReportWatchesResponse, error) {
	states := make([]trigger.Watched, 0, len(r.GetStates()))
	for _, s := range r.GetStates() {
		id, err := uuid.Parse(s.GetId())
		if err != nil {
			return nil, status.Error(codes.InvalidArgument, "the id of a watch is none")
		}
		state := trigger.WatchPending
		switch s.GetStatus() {
		case agentv1.WatchStatus_WATCH_STATUS_WATCHING:
			state = trigger.WatchWatching
		case agentv1.WatchStatus_WATCH_STATUS_REFUSED:
			state = trigger.WatchRefused
		case agentv1.WatchStatus_WATCH_STATUS_FAILING:
			state = trigger.WatchFailing
		case agentv1.WatchStatus_WATCH_STATUS_PENDING, agentv1.WatchStatus_WATCH_STATUS_UNSPECIFIED:
		}
		states = append(states, trigger.Watched{Trigger: id, State: state, Message: cut(s.GetMessage())})
	}
	if err := w.watches.Standing(ctx, r.GetDigest(), states); err != nil {
		return nil, fmt.Errorf("take in states of watches: %w", err)
	}
	return &agentv1.ReportWatchesResponse{}, nil
}

// cut bounds a text that an agent says.
func cut(text string) string {
	const most = 1000
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "") // the last character may be cut
}

// CompareObjects implements AgentWatchServer.
func (w *watchService) CompareObjects(ctx context.Context, r *agentv1.CompareObjectsRequest) (*agentv1.CompareObjectsResponse, error) {
	if err := slower(ctx, w.compared, len(r.GetObjects())); err != nil {
		return nil, err
	}
	news, err := w.watches.Compare(ctx, objectsFrom(r.GetObjects()))
	if err != nil {
		return nil, fmt.Errorf("compare objects: %w", err)
	}
	out := &agentv1.CompareObjectsResponse{}
	for _, i := range news {
		out.News = append(out.News, int32(i)) //nolint:gosec // some hundreds
	}
	return out, nil
}

// ReportObjects implements AgentWatchServer.
func (w *watchService) ReportObjects(ctx context.Context, r *agentv1.ReportObjectsRequest) (*agentv1.ReportObjectsResponse, error) {
	if err := slower(ctx, w.happened, len(r.GetObjects())); err != nil {
		return nil, err
	}
	if err := w.watches.Happened(ctx, objectsFrom(r.GetObjects())); err != nil {
		return nil, fmt.Errorf("take in what happened to objects: %w", err)
	}
	return &agentv1.ReportObjectsResponse{}, nil
}

// ReportProbe implements AgentWatchServer.
func (w *watchService) ReportProbe(ctx context.Context, r *agentv1.ReportProbeRequest) (*agentv1.ReportProbeResponse, error) {
	id, err := uuid.Parse(r.GetId())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "the id of a probe is none")
	}
	if err := w.watches.Probed(ctx, id, r.GetSucceeded(), cut(r.GetMessage())); err != nil {
		return nil, fmt.Errorf("take in how a probe ended: %w", err)
	}
	return &agentv1.ReportProbeResponse{}, nil
}

func happenings() map[string]agentv1.ObjectEvent {
	return map[string]agentv1.ObjectEvent{
		trigger.Created: agentv1.ObjectEvent_OBJECT_EVENT_CREATED, trigger.Updated: agentv1.ObjectEvent_OBJECT_EVENT_UPDATED,
		trigger.Deleted: agentv1.ObjectEvent_OBJECT_EVENT_DELETED, trigger.RolledOut: agentv1.ObjectEvent_OBJECT_EVENT_ROLLED_OUT,
		trigger.Reached: agentv1.ObjectEvent_OBJECT_EVENT_CONDITION,
	}
}

func objectsFrom(list []*agentv1.ObjectChange) []trigger.Object {
	words := map[agentv1.ObjectEvent]string{}
	for word, event := range happenings() {
		words[event] = word
	}
	out := make([]trigger.Object, len(list))
	for i, c := range list {
		o := trigger.Object{
			Event: words[c.GetEvent()], Resource: c.GetObject().GetResource(), Kind: c.GetKind(), Namespace: c.GetObject().GetNamespace(),
			Name: c.GetObject().GetName(), UID: c.GetObject().GetUid(), Labels: c.GetLabels(), State: c.GetState(), Generation: c.GetGeneration(),
			Note: cut(c.GetMessage()), RunNamespaces: c.GetRunNamespaces(), Images: []execution.SubjectImage{},
		}
		if o.Labels == nil {
			o.Labels = map[string]string{} // so that expressions find it
		}
		if at := c.GetCreatedAt(); at != nil {
			o.CreatedAt = at.AsTime()
		}
		if at := c.GetObservedAt(); at != nil {
			o.ObservedAt = at.AsTime()
		}
		if k := c.GetCondition(); k != nil {
			o.Condition = &trigger.Condition{Type: k.GetType(), Status: k.GetStatus(), Reason: k.GetReason(), Message: cut(k.GetMessage())}
			if at := k.GetLastTransitionTime(); at != nil {
				o.Condition.At = at.AsTime()
			}
		}
		for _, image := range c.GetImages() {
			o.Images = append(o.Images, execution.SubjectImage{Container: image.GetContainer(), Image: image.GetImage(), Digest: image.GetDigest()})
		}
		out[i] = o
	}
	return out
}

// sweepWatches tells the agents of those organizations whose triggers or environments have changed that there is something else to look at.
// One question to the store serves all sessions of this replica; it makes up for lost hints, and for changes that nobody tells of.
func (s *Server) sweepWatches(ctx context.Context, sessions map[clusterID]*session) error {
	var orgs []tenant.ID
	for _, ss := range sessions {
		if ss.watches && !slices.Contains(orgs, ss.viewer.Organization) {
			orgs = append(orgs, ss.viewer.Organization)
		}
	}
	if s.o.Watches == nil || len(orgs) == 0 {
		return nil
	}
	stamps, err := s.o.Store.WatchStamps(tenant.System(ctx), orgs)
	if err != nil {
		return fmt.Errorf("find what is to be watched: %w", err)
	}
	for _, org := range orgs {
		if known, ok := s.stamps[org]; !ok || known != stamps[org] {
			s.o.Bus.Publish(ctx, trigger.WatchTopic(org))
		}
	}
	s.stamps = stamps
	for _, org := range orgs {
		if _, ok := stamps[org]; !ok {
			s.stamps[org] = ""
		}
	}
	return nil
}

// followWatches returns the hints for an agent that looks at objects, or ones that never come.
func (s *Server) followWatches(ctx context.Context, ss *session) *news {
	n := newNews(&agentv1.ServerFrame{Frame: &agentv1.ServerFrame_WatchesChanged{WatchesChanged: &agentv1.WatchesChanged{}}})
	if s.o.Watches != nil && ss.watches {
		n.hints, n.forget = s.o.Bus.Subscribe(ctx, trigger.WatchTopic(ss.viewer.Organization))
	}
	return n
}
