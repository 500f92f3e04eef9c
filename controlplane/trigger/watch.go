package trigger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// MaxWatches is for how many triggers one agent watches at most.
const MaxWatches = 1000

// WatchTopic names the hints that the agents of an organization have something else to look at, or to try.
func WatchTopic(org tenant.ID) string { return org.String() + "/watches" }

// Watch is what an agent looks at for a trigger.
type Watch struct {
	Trigger      uuid.UUID         `json:"trigger"`
	Resource     string            `json:"resource"`
	Namespace    string            `json:"namespace,omitempty"`    // every one that the agent may watch when both are empty
	RunNamespace string            `json:"runNamespace,omitempty"` // what is under test for the attempts in it
	Name         string            `json:"name,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	Event        string            `json:"event"`
	Condition    string            `json:"condition,omitempty"`
	Status       string            `json:"status,omitempty"` // of that condition
}

// digest tells watches for the same trigger apart.
func (w Watch) digest() string {
	text, _ := json.Marshal(w) // plain fields never fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Wanted is what an agent looks at, and what it tries.
type Wanted struct {
	Digest  string // of the watches
	Watches []Watch
	Probes  []Claim
}

// Place is a cluster with its environments.
type Place struct {
	ID           uuid.UUID
	Organization tenant.ID
	Name         string
	Environments []cluster.Environment
}

// How it stands with a trigger in a cluster.
const (
	WatchPending  = "pending" // the agent has not answered yet
	WatchWatching = "watching"
	WatchRefused  = "refused" // the agent may not
	WatchFailing  = "failing"
	WatchOffline  = "offline" // the agent is away, or an old one
	WatchAbsent   = "absent"  // there is no such cluster or environment
)

// Watched is how it stands with a trigger in a cluster.
type Watched struct {
	Trigger uuid.UUID
	Cluster uuid.UUID
	Name    string // of the cluster
	Digest  string
	State   string
	Message string
	Since   time.Time // when it was first watched; zero when it never was
}

// Mark is what is known of an object.
type Mark struct {
	UID, Event string
	State      string
	SeenAt     time.Time
}

// watchIn returns what the agent of a place looks at for a trigger; false when it is for another place, or suspended.
func watchIn(r Record, p Place) (Watch, bool) {
	k := r.Spec.Kubernetes
	if k == nil || r.Spec.Suspend || k.Cluster != "" && k.Cluster != p.Name {
		return Watch{}, false
	}
	w := Watch{Trigger: r.ID, Resource: Plain(k.Resource), Namespace: k.Namespace, Name: k.Name, Labels: k.Selector, Event: k.Event}
	if k.Condition != nil {
		w.Condition, w.Status = k.Condition.Type, wanted(k.Condition)
	}
	if k.Environment == "" {
		return w, true
	}
	i := slices.IndexFunc(p.Environments, func(e cluster.Environment) bool { return e.Name == k.Environment })
	if i < 0 {
		return Watch{}, false
	}
	if w.Namespace == "" {
		w.RunNamespace = p.Environments[i].Namespace
	}
	return w, true
}

// watchesIn returns what the agent of a place looks at, in the order of the triggers' names, and what it would look at if there were no
// limit.
func watchesIn(records []Record, p Place) (out, beyond []Watch) {
	for _, r := range records {
		if w, ok := watchIn(r, p); ok {
			out = append(out, w)
		}
	}
	most := min(len(out), MaxWatches)
	return out[:most:most], out[most:]
}

func digestOf(watches []Watch) string {
	sum := sha256.New()
	for _, w := range watches {
		_, _ = sum.Write([]byte(w.digest())) // never fails
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Standing says how it stands with a trigger in every cluster that it is for, nothing for one that is suspended or for something else.
func Standing(r Record, clusters []cluster.Cluster, places []cluster.Environment, known []Watched) (out []Watched) {
	k := r.Spec.Kubernetes
	if k == nil || r.Spec.Suspend {
		return nil
	}
	in := map[cluster.ID][]cluster.Environment{}
	for _, e := range places {
		if k.Environment == "" || e.Name == k.Environment { // no other matters
			in[e.ClusterID] = append(in[e.ClusterID], e)
		}
	}
	for _, c := range clusters {
		if c.UID == "" && !c.Enrolled {
			continue // it has no agent yet
		}
		p := Place{ID: c.ID, Name: c.Name, Environments: in[c.ID]}
		w, ok := watchIn(r, p)
		if !ok {
			continue
		}
		out = append(out, stands(w, c, known))
	}
	if len(out) > 0 {
		return out
	}
	message := "No cluster is enrolled: see seatrial cluster enroll."
	switch {
	case k.Cluster != "":
		message = fmt.Sprintf("There is no cluster %s with an agent.", k.Cluster)
	case k.Environment != "":
		message = fmt.Sprintf("There is no environment %s in a cluster with an agent.", k.Environment)
	}
	return []Watched{{Trigger: r.ID, State: WatchAbsent, Message: message}}
}

func stands(w Watch, c cluster.Cluster, known []Watched) Watched {
	out := Watched{Trigger: w.Trigger, Cluster: c.ID, Name: c.Name, State: WatchPending, Message: "The agent has not said yet whether it watches."}
	i := slices.IndexFunc(known, func(k Watched) bool { return k.Trigger == w.Trigger && k.Cluster == c.ID && k.Digest == w.digest() })
	if i >= 0 {
		out = known[i]
		out.Name = c.Name
	}
	switch {
	case !c.Connected && (i < 0 || out.State == WatchWatching):
		out.State, out.Message = WatchOffline, "The agent is not connected. What is rolled out meanwhile, and conditions that are reached, are seen when it is back."
	case i < 0 && c.AgentVersion != "":
		out.Message += " One of an earlier version never will: upgrade the agent's chart to that of the control plane."
	}
	return out
}

// ConditionOf says in one condition how it stands with a trigger, nil for one that nobody has to watch for.
func ConditionOf(list []Watched) *origin.Condition {
	if len(list) == 0 {
		return nil
	}
	out := &origin.Condition{Type: origin.ConditionWatching, Holds: true, Reason: origin.ConditionWatching}
	var said []string
	for _, w := range list {
		if w.State == WatchWatching {
			continue
		}
		if out.Holds {
			out.Holds, out.Reason = false, strings.ToUpper(w.State[:1])+w.State[1:]
		}
		said = append(said, strings.TrimPrefix(w.Name+": "+w.Message, ": "))
	}
	if out.Holds {
		out.Message = fmt.Sprintf("Agents of %d clusters look at what it is for.", len(list))
		if len(list) == 1 {
			out.Message = "The agent of " + list[0].Name + " looks at what it is for."
		}
		return out
	}
	more := len(said) - mostSaid
	out.Message = strings.Join(said[:min(len(said), mostSaid)], " ")
	if more > 0 {
		out.Message += fmt.Sprintf(" And %d more clusters.", more)
	}
	return out
}

// mostSaid is of how many clusters a condition tells what is wrong there.
const mostSaid = 5

// Trouble is the first sentence of what is not as it should be; empty when all is well.
func Trouble(list []Watched) string {
	for _, w := range list {
		if w.State != WatchWatching {
			return strings.TrimSpace(w.Name + " " + w.State)
		}
	}
	return ""
}
