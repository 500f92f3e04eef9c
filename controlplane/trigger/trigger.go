// Package trigger starts workflows when something happens: a push to a repository, the end of another workflow, a change of an object in a
// cluster, a message of any other system. Whatever happens is an event, stored once however often it is told, before anybody answers for it. A replica then judges it:
// which triggers are for it, what each of them starts, and why the others do not match. All of that stays on record.
package trigger

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// The kinds of events.
const (
	Git      = "git"      // of a forge
	Workflow = "workflow" // an execution has ended
	Webhook  = "webhook"  // a message of any system
	Cloud    = "event"    // a CloudEvent
	Kube     = "kubernetes"
)

// The kinds of receivers beside the forges.
const (
	AnySystem   = "webhook"
	CloudEvents = "cloudevents"
)

// Record is a trigger as it is stored.
type Record struct {
	ID           uuid.UUID
	Organization tenant.ID
	Team         string
	TeamID       uuid.UUID
	Name         string
	Workflow     string // that says so itself; empty for a document of its own
	Labels       map[string]string
	Revision     int
	Digest       string
	Source       string
	Spec         document.TriggerSpec
	UpdatedAt    time.Time
	Removed      bool // since an event that still waits
}

// On says what a trigger is for: the kind of events, and what they have to be about.
func On(spec document.TriggerSpec) (kind, about string) {
	switch {
	case spec.Git != nil:
		return Git, strings.ToLower(spec.Git.Repository)
	case spec.Workflow != nil:
		return Workflow, spec.Workflow.Name
	case spec.Webhook != nil:
		return Webhook, spec.Webhook.Receiver
	case spec.Event != nil:
		return Cloud, spec.Event.Receiver
	case spec.Kubernetes != nil:
		return Kube, Plain(spec.Kubernetes.Resource)
	}
	return "", ""
}

// Receiver is an address to which others send events.
type Receiver struct {
	ID           uuid.UUID
	Organization tenant.ID
	Team         string
	TeamID       uuid.UUID
	Name         string
	Kind         string // a forge.Kind, AnySystem or CloudEvents
	CreatedAt    time.Time
	HeardAt      time.Time // zero when nothing has come yet
	RefusedAt    time.Time // zero when nothing was refused
	Refused      string    // why that was
}

// Event is something that has happened.
type Event struct {
	ID           uuid.UUID
	Organization tenant.ID
	Kind         string
	Source       string // name of the receiver; "seatrial" for what happens here
	Type         string
	Subject      string
	Key          string
	Data         json.RawMessage
	At           time.Time
	Judged       bool
	Reason       string   // why nothing was started
	Passed       []Passed // triggers that were looked at and do not match
	Reactions    []Reaction
	Apart        bool        // its organization keeps its teams apart: only those of
	Teams        []uuid.UUID // that have what it is about hear of it; known of events that are to be judged
}

// Tells reports whether a team hears of it.
func (e Event) Tells(team uuid.UUID) bool { return !e.Apart || slices.Contains(e.Teams, team) }

// about is what the triggers of an event name.
func (e Event) about() string {
	switch e.Kind {
	case Git:
		return strings.ToLower(e.Subject)
	case Workflow:
		return e.Subject
	case Kube:
		resource, _, _ := strings.Cut(e.Subject, " ")
		return resource
	}
	return e.Source
}

// About is what triggers have to name to be looked at for an event.
func (e Event) About() string { return e.about() }

// Object returns what has happened, of an event of kind Kube.
func (e Event) Object() (o Object, err error) {
	if err := json.Unmarshal(e.Data, &o); err != nil {
		return o, fmt.Errorf("read event %s: %w", e.ID, err)
	}
	return o, nil
}

// Passed is a trigger that does not match.
type Passed struct {
	Trigger string `json:"trigger"`
	Why     string `json:"why"`
}

// State is what has become of a reaction.
type State string

// The states.
const (
	Waiting    State = "waiting"
	Probing    State = "probing" // until the agent has said that all probes succeeded
	Ready      State = "ready"   // they have
	Started    State = "started"
	Failed     State = "failed"     // nothing could be started
	Superseded State = "superseded" // it happened again before anything was started
)

// Reaction is what a trigger does about an event.
type Reaction struct {
	ID      uuid.UUID
	Event   uuid.UUID
	Trigger uuid.UUID
	Name    string // of the trigger
	State   State
	Due     time.Time // while it is probing, when that has taken too long
	About   string    // a later reaction of the trigger about the same takes the place of one that waits; empty where none does
	Cluster uuid.UUID // where the event was; zero for one of no cluster
	Reason  string
	Given   Given
	Starts  []starter.Started
	FiredAt time.Time
}

// Ended is the data of an event of kind Workflow.
type Ended struct {
	Workflow  string    `json:"workflow"`
	Execution uuid.UUID `json:"execution"`
	Status    string    `json:"status"`
	Commit    string    `json:"commit,omitempty"`
}
