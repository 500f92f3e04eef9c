package outbox

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// mergeServices takes over how the services stand. What the cluster shows is the newest there is, until one has ended.
func mergeServices(r *agentv1.AttemptReport, seen []*agentv1.ServiceState) {
	for _, s := range seen {
		i := slices.IndexFunc(r.GetServices(), func(known *agentv1.ServiceState) bool { return known.GetName() == s.GetName() })
		switch {
		case i < 0:
			r.Services = append(r.Services, proto.CloneOf(s))
		case serviceEnded(r.GetServices()[i]) && (!serviceEnded(s) || r.GetServices()[i].GetStatus() == agentv1.ServiceStatus_SERVICE_STATUS_FAILED):
		default:
			r.Services[i] = proto.CloneOf(s)
		}
	}
}

func serviceEnded(s *agentv1.ServiceState) bool {
	return s.GetStatus() >= agentv1.ServiceStatus_SERVICE_STATUS_STOPPED
}

// mergeNotes adds what was noticed of services, once for each: a service that ends over and over says something else every time.
func mergeNotes(r *agentv1.AttemptReport, notes []string) {
	for _, note := range notes {
		beginning, _, _ := strings.Cut(note, ",")
		if !slices.ContainsFunc(r.GetNotes(), func(known string) bool { return strings.HasPrefix(known, beginning) }) {
			r.Notes = append(r.Notes, note)
		}
	}
}

// endServices says of services that nothing more will be heard of them; the caller holds the lock.
func endServices(r *agentv1.AttemptReport) {
	for _, s := range r.GetServices() {
		if s.GetStatus() == agentv1.ServiceStatus_SERVICE_STATUS_READY || s.GetStatus() == agentv1.ServiceStatus_SERVICE_STATUS_STARTING {
			s.Status = agentv1.ServiceStatus_SERVICE_STATUS_STOPPED
		}
	}
}

// follow begins to deliver the logs of services that have one; the caller holds the lock.
func (o *Outbox) follow(r *record) {
	if r.pod == nil || r.report.GetDelivered() {
		return
	}
	if (r.pod.Ended || neverBegins(r)) && !closed(r.over) {
		close(r.over)
	}
	for _, s := range r.pod.Services {
		if _, begun := r.following[s.Name]; begun || !s.Started || s.Withheld {
			continue
		}
		r.following[s.Name] = true
		id, pod, name, over := r.report.GetAttemptId(), r.pod.PodIdentity, s.Name, r.over
		o.later(func(ctx context.Context) {
			notes, err := o.o.Follower.Follow(ctx, id, pod, name, over)
			if ctx.Err() == nil {
				o.followed(r, name, notes, err)
			}
		})
	}
}

// neverBegins tells an attempt whose pod is stopped before any step began: nothing but logs of services comes of it.
func neverBegins(r *record) bool { return r.stopping && r.pod != nil && !started(r) }

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (o *Outbox) followed(r *record, service string, notes []string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r.following[service] = false
	if r.report.GetDelivered() {
		return
	}
	if err != nil {
		notes = append(notes, "The log of service "+service+" is not complete: "+err.Error())
	}
	if len(notes) > 0 {
		r.report.Notes = append(r.report.Notes, notes...)
		o.touch(r)
	}
	o.settle(r)
	o.forget(r)
}

// follows reports whether the log of a service is under way.
func follows(r *record) bool {
	for _, underWay := range r.following {
		if underWay {
			return true
		}
	}
	return false
}
