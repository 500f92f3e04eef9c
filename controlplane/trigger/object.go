package trigger

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/rule"
)

// What happens to objects of a cluster, in the words of the language.
const (
	Created   = "created"
	Updated   = "updated"
	Deleted   = "deleted"
	RolledOut = "rolled-out"
	Reached   = "condition"
)

// Object is the data of an event of kind Kube: what has happened to an object of a cluster, as its agent has seen it.
type Object struct {
	Cluster   string            `json:"cluster"`
	ClusterID uuid.UUID         `json:"clusterId"`
	Event     string            `json:"event"`
	Resource  string            `json:"resource"` // as kubectl names it, without the group of what everybody knows
	Kind      string            `json:"kind,omitempty"`
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	UID       string            `json:"uid"`
	Labels    map[string]string `json:"labels"`
	// State is what it has come to be: unlike for another state of the object.
	State      string                   `json:"state,omitempty"`
	Generation int64                    `json:"generation,omitempty"`
	Condition  *Condition               `json:"condition,omitempty"`
	Images     []execution.SubjectImage `json:"images"`
	Note       string                   `json:"note,omitempty"` // why images are missing
	CreatedAt  time.Time                `json:"createdAt,omitzero"`
	ObservedAt time.Time                `json:"observedAt,omitzero"`
	// Environments are those in which the object is under test, Places all of its cluster.
	Environments []string `json:"environments,omitempty"`
	Places       []string `json:"places,omitempty"`
	// RunNamespaces are where attempts run for which it is under test, as the agent says.
	RunNamespaces []string `json:"-"`
}

// Condition is an entry of the conditions in an object's status.
type Condition struct {
	Type    string    `json:"type"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

// Plain returns what kubectl calls a resource of the groups that everybody knows without its group.
func Plain(resource string) string {
	name, group, ok := strings.Cut(resource, ".")
	if ok && slices.Contains([]string{"apps", "batch", "networking.k8s.io", "autoscaling", "policy"}, group) {
		return name
	}
	return resource
}

// subject says which object it is.
func (o Object) subject() string { return o.Resource + " " + o.Namespace + "/" + o.Name }

// mark is what an object has a state of: a condition by its type and status, as it has several.
func (o Object) mark() string {
	if o.Condition != nil {
		return o.Event + " " + o.Condition.Type + "=" + o.Condition.Status
	}
	return o.Event
}

// fault says why an object cannot be stored, nil when it can.
func (o Object) fault() error {
	if len(o.subject()) > maxBytes || len(o.State) > maxKey || o.UID == "" || len(o.UID) > maxKey || o.Event == "" || len(o.mark()) > maxKey {
		return fault.New(fault.Invalid, "the name, the uid or the state of an object is missing or too long")
	}
	if wrong := rule.Of("resource")(o.Resource); wrong != "" {
		return fault.New(fault.Invalid, "an object has no resource that there is: %s", wrong)
	}
	return nil
}

// event makes the event. The same state of the same object is the same event, however often it is told; a revision that is rolled out again
// later is another one, as the object has changed meanwhile.
func (o Object) event() (Event, error) {
	key := o.ClusterID.String() + " " + o.UID + " " + o.mark() + " " + o.State
	if o.Event == RolledOut {
		key += " generation " + strconv.FormatInt(o.Generation, 10)
	}
	if err := o.fault(); err != nil {
		return Event{}, err
	}
	data, err := json.Marshal(o)
	if err != nil {
		return Event{}, fmt.Errorf("encode object: %w", err)
	}
	if len(data) > maxData {
		return Event{}, fault.New(fault.Invalid, "what is said of %s has %d bytes, and %d are the limit", o.subject(), len(data), maxData)
	}
	return Event{
		Kind: Kube, Source: o.Cluster, Type: o.Event, Subject: o.subject(), Data: data,
		Key: key,
	}, nil
}

func matchKube(on document.KubernetesEvent, e Event) (given Given, why string) {
	var o Object
	if err := json.Unmarshal(e.Data, &o); err != nil {
		return given, "the event cannot be read: " + err.Error()
	}
	if why := concerns(on, o); why != "" {
		return given, why
	}
	given, why = matchCEL(on.Filter, on.Values, e)
	if why == "" {
		given.Note = o.Note
	}
	return given, why
}

// concerns says why an object is none that a trigger is for, but for its filter.
func concerns(on document.KubernetesEvent, o Object) string {
	switch {
	case Plain(on.Resource) != o.Resource:
		return "it is for " + on.Resource
	case on.Event != o.Event:
		return fmt.Sprintf("it is for %s, not for %s", on.Event, o.Event)
	case on.Cluster != "" && on.Cluster != o.Cluster:
		return "it is for the cluster " + on.Cluster
	case on.Environment != "" && on.Namespace == "" && !slices.Contains(o.Environments, on.Environment):
		return fmt.Sprintf("%s/%s is not under test in the environment %s", o.Namespace, o.Name, on.Environment)
	case on.Environment != "" && !slices.Contains(o.Places, on.Environment):
		return fmt.Sprintf("the cluster %s is not that of the environment %s", o.Cluster, on.Environment)
	case on.Namespace != "" && on.Namespace != o.Namespace:
		return "it is for the namespace " + on.Namespace
	case on.Name != "" && !anyMatches([]string{on.Name}, o.Name):
		return fmt.Sprintf("the name %s is not %s", o.Name, on.Name)
	}
	for name, value := range on.Selector {
		if got, ok := o.Labels[name]; !ok || got != value {
			return fmt.Sprintf("the object does not have the label %s=%s", name, value)
		}
	}
	if c := on.Condition; c != nil && (o.Condition == nil || o.Condition.Type != c.Type || o.Condition.Status != wanted(c)) {
		return fmt.Sprintf("it is for the condition %s=%s", c.Type, wanted(c))
	}
	return ""
}

func wanted(c *document.ObjectCondition) string {
	if c.Status == "" {
		return "True"
	}
	return c.Status
}

// Sight says in words what a trigger looks out for, such as "rolled-out deployments checkout-* of staging-eu".
func Sight(on document.KubernetesEvent) string {
	event := on.Event
	if on.Condition != nil {
		event = on.Condition.Type + "=" + wanted(on.Condition)
	}
	out := event + " " + on.Resource
	if on.Name != "" {
		out += " " + on.Name
	}
	for _, name := range slices.Sorted(maps.Keys(on.Selector)) {
		out += " " + name + "=" + on.Selector[name]
	}
	if on.Namespace != "" {
		out += " in " + on.Namespace
	}
	if where := on.Environment + on.Cluster; where != "" {
		out += " of " + where
	}
	return out
}

// wait is how long after an event a trigger starts something.
func wait(spec document.TriggerSpec) time.Duration {
	k := spec.Kubernetes
	if k == nil {
		return 0
	}
	return max(time.Duration(k.Delay), time.Duration(k.Debounce))
}

// about names what a later event has to be about to take the place of this one; empty where none does.
func about(spec document.TriggerSpec, e Event) string {
	if k := spec.Kubernetes; k == nil || k.Debounce == 0 {
		return ""
	}
	var o Object
	if json.Unmarshal(e.Data, &o) != nil {
		return ""
	}
	return o.ClusterID.String() + " " + o.UID
}

// clusterOf returns where an event was, uuid.Nil for one of no cluster.
func clusterOf(e Event) uuid.UUID {
	var o Object
	if e.Kind != Kube || json.Unmarshal(e.Data, &o) != nil {
		return uuid.Nil
	}
	return o.ClusterID
}
