package lookout

import (
	"cmp"
	"maps"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
	"google.golang.org/protobuf/types/known/timestamppb"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/seatrial/seatrial/agent/kube"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// want is what a watch looks out for.
type want struct {
	name      string // a pattern; empty for every name
	labels    string // a selector; empty for every object
	event     agentv1.ObjectEvent
	condition string // its type
	status    string
}

// key tells apart what an object has a state of.
func (w want) key() string {
	return strconv.Itoa(int(w.event)) + " " + w.condition + "=" + w.status
}

func (w want) named(name string) bool {
	ok, err := doublestar.Match(w.name, name)
	return w.name == "" || ok && err == nil
}

// judge tells what has happened from how objects look, one after the other. It remembers of each what it has told, and nothing else.
type judge struct {
	wants     []want
	selectors map[string]labels.Selector   // of the wants
	told      map[string]map[string]string // by uid and key of a want: the state
}

func newJudge(wants []want) *judge {
	j := &judge{wants: wants, selectors: map[string]labels.Selector{}, told: map[string]map[string]string{}}
	for _, w := range wants {
		selector, err := labels.Parse(w.labels)
		if err != nil { // the control plane lets no such selector pass
			selector = labels.Nothing()
		}
		j.selectors[w.labels] = selector
	}
	return j
}

// seen is what has happened, and whether it may have happened long ago.
type seen struct {
	*agentv1.ObjectChange

	replayed bool
}

// added takes in an object that is new, or that was there already when the watch began.
func (j *judge) added(o *kube.Object, initial bool) []seen {
	var out []seen
	if !initial && j.wanted(o, agentv1.ObjectEvent_OBJECT_EVENT_CREATED) {
		out = append(out, seen{ObjectChange: change(agentv1.ObjectEvent_OBJECT_EVENT_CREATED, o, "")})
	}
	return append(out, j.states(o, initial)...)
}

// updated takes in an object that looks different.
func (j *judge) updated(before, o *kube.Object) []seen {
	if before.UID != o.UID { // it was deleted and made anew while nobody looked
		return append(j.deleted(before), j.added(o, false)...)
	}
	var out []seen
	if j.wanted(o, agentv1.ObjectEvent_OBJECT_EVENT_UPDATED) && differs(before, o) {
		state := strconv.FormatInt(o.Generation, 10)
		if o.Generation == 0 || before.Generation == o.Generation {
			state = o.ResourceVersion
		}
		out = append(out, seen{ObjectChange: change(agentv1.ObjectEvent_OBJECT_EVENT_UPDATED, o, state)})
	}
	return append(out, j.states(o, false)...)
}

// differs tells a change of what is wanted, or of labels, from one of the status. Pods may not count such changes; other kinds that do not
// have no status to speak of.
func differs(before, o *kube.Object) bool {
	switch {
	case before.Generation != o.Generation, !maps.Equal(before.Labels, o.Labels):
		return true
	case o.Generation != 0:
		return false
	case before.Spec.Pod != "" && o.Spec.Pod != "":
		return before.Spec.Pod != o.Spec.Pod
	}
	return before.ResourceVersion != o.ResourceVersion
}

// deleted takes in that an object is gone.
func (j *judge) deleted(o *kube.Object) []seen {
	delete(j.told, string(o.UID))
	if !j.wanted(o, agentv1.ObjectEvent_OBJECT_EVENT_DELETED) {
		return nil
	}
	return []seen{{ObjectChange: change(agentv1.ObjectEvent_OBJECT_EVENT_DELETED, o, "")}}
}

func (j *judge) wanted(o *kube.Object, event agentv1.ObjectEvent) bool {
	for _, w := range j.wants {
		if w.event == event && w.named(o.Name) && j.labelled(w, o) {
			return true
		}
	}
	return false
}

// labelled matches labels here and not at the API server: to that, an object whose labels come to match is a new one.
func (j *judge) labelled(w want, o *kube.Object) bool {
	return j.selectors[w.labels].Matches(labels.Set(o.Labels))
}

// states tells which of the states that are looked out for an object has reached since it was told last. What it reached while its labels
// did not match is not told when they do: nothing has happened but to the labels.
func (j *judge) states(o *kube.Object, replayed bool) (out []seen) {
	if o.DeletionTimestamp != nil {
		return nil
	}
	fresh, given := map[string]bool{}, map[string]bool{} // by the keys of wants, of which several may have one
	for _, w := range j.wants {
		if !w.named(o.Name) {
			continue
		}
		state, condition, reached := w.state(o)
		told, key := j.told[string(o.UID)], w.key()
		if !reached || told[key] == state && !fresh[key] {
			continue
		}
		if told == nil {
			told = map[string]string{}
			j.told[string(o.UID)] = told
		}
		told[key], fresh[key] = state, true
		if given[key] || !j.labelled(w, o) {
			continue
		}
		given[key] = true
		c := change(w.event, o, state)
		c.Condition = condition
		out = append(out, seen{c, replayed})
	}
	return out
}

// state returns the state of an object that a want is about, and whether it is reached.
func (w want) state(o *kube.Object) (state string, condition *agentv1.ObjectCondition, reached bool) {
	switch w.event { //nolint:exhaustive // the others are no states
	case agentv1.ObjectEvent_OBJECT_EVENT_ROLLED_OUT:
		state, reached = rolledOut(o)
	case agentv1.ObjectEvent_OBJECT_EVENT_CONDITION:
		for _, c := range o.Status.Conditions {
			if c.Type != w.condition || c.Status != w.status {
				continue
			}
			condition = &agentv1.ObjectCondition{Type: c.Type, Status: c.Status, Reason: short(c.Reason), Message: short(c.Message)}
			if at, err := time.Parse(time.RFC3339, c.LastTransitionTime); err == nil {
				condition.LastTransitionTime = timestamppb.New(at)
			}
			return cmp.Or(c.LastTransitionTime, "generation "+strconv.FormatInt(o.Generation, 10)), condition, true
		}
	}
	return state, nil, reached
}

// What the API server keeps of revisions in annotations.
const (
	deploymentRevision = "deployment.kubernetes.io/revision"
	daemonSetRevision  = "deprecated.daemonset.template.generation"
)

// rolledOut tells whether all replicas of a workload run what it says now, as `kubectl rollout status` does, and which revision that is. A
// change of the number of replicas makes no other revision. One without replicas runs nothing, so nothing was rolled out.
func rolledOut(o *kube.Object) (revision string, done bool) {
	s := o.Status
	if s.ObservedGeneration < o.Generation {
		return "", false
	}
	if o.Kind == "DaemonSet" {
		n := s.DesiredNumberScheduled
		return o.Annotations[daemonSetRevision], n > 0 && s.UpdatedNumberScheduled >= n && s.NumberAvailable >= n
	}
	wanted := int32(1)
	if o.Spec.Replicas != nil {
		wanted = *o.Spec.Replicas
	}
	if o.Kind == "StatefulSet" {
		revision, updated := s.UpdateRevision, wanted
		if u := o.Spec.UpdateStrategy; u != nil && u.RollingUpdate != nil && u.RollingUpdate.Partition != nil && *u.RollingUpdate.Partition > 0 {
			updated = max(0, wanted-*u.RollingUpdate.Partition) // those before it stay as they are
			revision += " from " + strconv.Itoa(int(*u.RollingUpdate.Partition))
		}
		return revision, wanted > 0 && updated > 0 && s.UpdatedReplicas >= updated && s.AvailableReplicas >= wanted && s.Replicas == wanted
	}
	return o.Annotations[deploymentRevision], wanted > 0 && s.UpdatedReplicas >= wanted && s.Replicas <= s.UpdatedReplicas &&
		s.AvailableReplicas >= s.UpdatedReplicas
}

// maxShort bounds texts of the cluster and of services, in bytes.
const maxShort = 300

// short returns the begin of a text that anybody may have written, in whole characters: nothing else can be sent.
func short(text string) string {
	if len(text) > maxShort {
		end := maxShort
		for end > maxShort-utf8.UTFMax && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	return strings.ToValidUTF8(text, "?") // no longer than it was
}

func change(event agentv1.ObjectEvent, o *kube.Object, state string) *agentv1.ObjectChange {
	return &agentv1.ObjectChange{
		Event:  event,
		Object: &agentv1.ObjectRef{Namespace: o.Namespace, Name: o.Name, Uid: string(o.UID)},
		Labels: o.Labels, Generation: o.Generation, State: state, CreatedAt: timestamppb.New(o.CreationTimestamp.Time),
	}
}
