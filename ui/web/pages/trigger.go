package pages

import (
	"net/url"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/words"
)

// TriggersProps are what the list of triggers shows.
type TriggersProps struct {
	Frame     parts.Frame
	List      []trigger.Record
	Receivers []trigger.Receiver
	Watched   map[uuid.UUID][]trigger.Watched // by the trigger: how it stands with it in clusters
	Next      string                          // address of the next page
	Paged     bool                            // it is not the first
}

// EventsProps are what the list of events shows.
type EventsProps struct {
	Frame   parts.Frame
	List    []trigger.Event
	Trigger string // as it was asked for
	Subject string
	Next    string
	Paged   bool
}

// Filtered reports whether the list leaves any out.
func (p EventsProps) Filtered() bool { return p.Trigger+p.Subject != "" }

func triggersPath(f parts.Frame) string { return home(f) + "/triggers" }

func eventsPath(f parts.Frame) string { return home(f) + "/events" }

func eventsOfTrigger(f parts.Frame, name string) string {
	return eventsPath(f) + "?" + url.Values{"trigger": {name}}.Encode()
}

// onWhat says what a trigger is for.
func onWhat(r trigger.Record) string {
	kind, about := trigger.On(r.Spec)
	switch kind {
	case trigger.Git:
		return words.Join(or2(r.Spec.Git.Events, "push")) + " to " + r.Spec.Git.Repository
	case trigger.Workflow:
		return about + " has " + words.Join(or2(r.Spec.Workflow.When, "passed"))
	case trigger.Webhook:
		return "a message to " + about
	case trigger.Cloud:
		return words.Join(r.Spec.Event.Types) + " to " + about
	case trigger.Kube:
		return trigger.Sight(*r.Spec.Kubernetes)
	}
	return kind
}

// watchKind is the glyph of how it stands with a trigger in a cluster.
func watchKind(w trigger.Watched) string {
	switch w.State {
	case trigger.WatchWatching:
		return "passed"
	case trigger.WatchRefused, trigger.WatchAbsent, trigger.WatchFailing:
		return "failed"
	case trigger.WatchOffline:
		return "errored"
	}
	return "queued"
}

func watchWord(w trigger.Watched) string {
	switch {
	case w.Name == "":
		return "nowhere to look"
	case w.State == trigger.WatchWatching:
		return w.Name + " watches"
	}
	return w.Name + " " + w.State
}

func or2(list []string, otherwise string) []string {
	if len(list) == 0 {
		return []string{otherwise}
	}
	return list
}

func triggerStarts(r trigger.Record) string { return words.Join(starter.Words(r.Spec.Start)) }

// reactionKind is the glyph of a reaction.
func reactionKind(r trigger.Reaction) string {
	switch r.State {
	case trigger.Started:
		return "passed"
	case trigger.Failed:
		return "failed"
	case trigger.Superseded:
		return "skipped"
	case trigger.Probing:
		return "running"
	case trigger.Waiting, trigger.Ready:
	}
	return "queued"
}

func reactionWord(r trigger.Reaction) string {
	switch r.State {
	case trigger.Started:
		return r.Name + " started"
	case trigger.Failed:
		return r.Name + " started nothing"
	case trigger.Superseded:
		return r.Name + " waits for a later event"
	case trigger.Probing:
		return r.Name + " tries its probes"
	case trigger.Waiting, trigger.Ready:
	}
	return r.Name + " waits"
}

// eventImages are what runs in the object of an event since it was rolled out.
func eventImages(e trigger.Event) []execution.SubjectImage {
	if e.Kind != trigger.Kube {
		return nil
	}
	o, err := e.Object()
	if err != nil {
		return nil
	}
	return o.Images[:min(len(o.Images), 5)]
}
