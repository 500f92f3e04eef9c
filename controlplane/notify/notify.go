// Package notify tells other systems what happens: that executions have ended, that tests have become flaky, that the verdict on a release
// has changed.
//
// What happens is written down with it, in one transaction, as a Notice. A Sender makes of it a Delivery to each Webhook that wants to hear
// of it, and sends that until the receiver has taken it, for a day. So everything arrives at least once, whatever fails in between; the id
// of a delivery stays the same however often it is sent.
package notify

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Event is what a webhook can ask to hear of.
type Event string

// The events.
const (
	Finished Event = "execution.finished" // however it went
	Failed   Event = "execution.failed"   // and the infrastructure's fault, and a limit of time
	Fixed    Event = "execution.fixed"    // it passed, and the one before of the same workflow and environments did not
	Flaky    Event = "tests.flaky"        // tests cannot be relied on that could be before an execution
	Verdict  Event = "release.verdict"    // it has changed
	Trial    Event = "webhook.test"       // somebody has pressed the button; every webhook hears of it
)

// Events lists what a webhook can ask for.
func Events() []Event { return []Event{Finished, Failed, Fixed, Flaky, Verdict} }

// Usual are those that a webhook hears of unless it asks for others.
func Usual() []Event { return []Event{Failed, Fixed, Flaky, Verdict} }

// Format is the form of what a receiver is sent.
type Format string

// The formats.
const (
	Standard     Format = "standard"     // Standard Webhooks, signed
	Slack        Format = "slack"        // an incoming webhook
	Teams        Format = "teams"        // a workflow that posts an Adaptive Card
	Alertmanager Format = "alertmanager" // of Prometheus: fires when something fails, is resolved when it is fixed
	GitHub       Format = "github"       // a status of the commit
	GitHubCheck  Format = "github-check" // a check run of the commit, which GitHub lets only apps make
	GitLab       Format = "gitlab"       // a status of the commit
	Email        Format = "email"        // to addresses, by the mail server of the instance
)

// Formats lists the formats.
func Formats() []Format {
	return []Format{Standard, Slack, Teams, Alertmanager, GitHub, GitHubCheck, GitLab}
}

// Webhook is where an organization wants to hear of what happens.
type Webhook struct {
	ID           uuid.UUID
	Organization tenant.ID
	TeamID       uuid.UUID
	Team         string
	Name         string
	Format       Format
	Address      string // as people may see it
	Events       []Event
	Filter       Filter
	Template     string // of the text; empty for that of the format
	PausedBy     string // who has paused it, a person or Receiver; empty while it is not
	PausedWhy    string
	PausedAt     time.Time
	RotatedAt    time.Time
	CreatedAt    time.Time
	UpdatedAt    time.Time
	Last         *Delivery // that was tried last; nil when none was
	Revision     int       // of its document
	Digest       string    // of its document; empty for one that was made by hand
	Source       string    // its document
	Suspended    bool      // its document says so
}

// Receiver is who has paused a webhook by answering that it is gone.
const Receiver = "the receiver"

// Paused reports whether nothing is sent for now.
func (w Webhook) Paused() bool { return w.PausedBy != "" }

// Listens reports whether it is told of what happens: one whose address nobody has set yet is not.
func (w Webhook) Listens() bool { return !w.Paused() && !w.Suspended && w.Address != "" }

// Filter narrows what a webhook hears of. What is empty narrows nothing. A change of a verdict is of no workflow: only environments narrow it.
type Filter struct {
	Workflows    []string // globs
	Labels       map[string]string
	Environments []string // globs, of which one has to match one environment
}

// Secrets are what is kept sealed of a webhook.
type Secrets struct {
	URL    string   `json:"url"`
	Tokens []string `json:"tokens,omitempty"` // newest first: of two, both sign until the older one is out of use
}

// Overlap is how long the secret before the newest one signs, too.
const Overlap = 24 * time.Hour

// Active returns the tokens in use at a time, newest first.
func (s Secrets) Active(rotated, at time.Time) []string {
	if len(s.Tokens) > 1 && at.Sub(rotated) >= Overlap {
		return s.Tokens[:1]
	}
	return s.Tokens
}

// Kind is what a notice is about.
type Kind string

// The kinds.
const (
	OfExecution Kind = "execution" // it has ended
	OfTests     Kind = "tests"     // an execution has ended, which may say something new of tests
	OfRelease   Kind = "release"   // its verdict has changed; the data is a Change
	OfTrial     Kind = "trial"
)

// Notice is something that has happened, of which webhooks may want to hear.
type Notice struct {
	ID           uuid.UUID
	Organization tenant.ID
	Name         string // of the organization
	Kind         Kind
	Subject      uuid.UUID // the execution or the release
	Data         json.RawMessage
	At           time.Time
}

// Change is a change of the verdict on a release.
type Change struct {
	Application  string   `json:"application"`
	Version      string   `json:"version"`
	Commit       string   `json:"commit,omitempty"`
	Before       string   `json:"before,omitempty"` // empty for the first verdict
	After        string   `json:"after"`
	Cause        string   `json:"cause,omitempty"`
	Environments []string `json:"environments,omitempty"`
}

// Ended is an execution that has ended, with what is told of it.
type Ended struct {
	execution.Execution
	Labels    map[string]string // of its workflow
	Before    execution.Status  // how the one before of the same workflow and environments ended; empty when there was none
	Delivered bool              // all its results are in
}

// Unreliable is a test that has become flaky.
type Unreliable struct {
	Test string `json:"test"` // its key
	Name string `json:"name"`
	Runs int    `json:"runs"` // on good subjects, of which
	Bad  int    `json:"bad"`  // have failed
}

// Happening is a notice with everything that receivers are told.
type Happening struct {
	Notice
	Ended  *Ended
	Flaky  []Unreliable
	Change *Change
	Link   string // to its page
	Home   string // page of the organization
}

// Events returns what it is, the most telling first.
func (h Happening) Events() []Event {
	switch {
	case h.Kind == OfTrial:
		return []Event{Trial}
	case h.Kind == OfTests && len(h.Flaky) > 0:
		return []Event{Flaky}
	case h.Kind == OfRelease && h.Change != nil:
		return []Event{Verdict}
	case h.Kind == OfExecution && h.Ended != nil:
		switch status := h.Ended.Status; {
		case Bad(status):
			return []Event{Failed, Finished}
		case status == execution.Passed && Bad(h.Ended.Before):
			return []Event{Fixed, Finished}
		}
		return []Event{Finished}
	}
	return nil
}

// Bad reports whether an execution that ended so has failed. A cancelled one has not: somebody wanted it to end.
func Bad(s execution.Status) bool {
	return s == execution.Failed || s == execution.Errored || s == execution.TimedOut
}

// Environments are those that it is about.
func (h Happening) Environments() []string {
	switch {
	case h.Change != nil:
		return h.Change.Environments
	case h.Ended != nil:
		return h.Ended.Environments()
	}
	return nil
}

// Environments are those of its runs, each once, sorted.
func (e Ended) Environments() []string {
	var out []string
	for _, r := range e.Runs {
		out = append(out, r.Environment)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Wants returns the most telling event of what has happened that the webhook asks for; ok is false when there is none.
func (w Webhook) Wants(h Happening) (e Event, ok bool) {
	if !w.Listens() || !w.Filter.lets(h) {
		return "", false
	}
	for _, e := range h.Events() {
		if slices.Contains(w.Events, e) {
			return e, true
		}
	}
	return "", false
}

func (f Filter) lets(h Happening) bool {
	if !anyMatches(f.Environments, h.Environments()) {
		return false
	}
	if h.Ended == nil {
		return true
	}
	for k, v := range f.Labels {
		if h.Ended.Labels[k] != v {
			return false
		}
	}
	return anyMatches(f.Workflows, []string{h.Ended.Workflow})
}

// anyMatches reports whether one of the globs matches one of the names; no globs match everything.
func anyMatches(globs, names []string) bool {
	if len(globs) == 0 {
		return true
	}
	return slices.ContainsFunc(globs, func(glob string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			ok, err := doublestar.Match(glob, name)
			return ok && err == nil
		})
	})
}

// State is how far a delivery has come.
type State string

// The states.
const (
	Pending   State = "pending"
	Delivered State = "delivered"
	GivenUp   State = "failed" // it is not tried again
)

// Delivery is a notice on its way to a webhook.
type Delivery struct {
	ID       uuid.UUID
	Webhook  uuid.UUID
	Notice   uuid.UUID
	Event    Event
	About    string // one line for people
	Path     string // after the webhook's address
	Body     []byte
	State    State
	Attempts int
	BegunAt  time.Time
	NextAt   time.Time // zero when it is not tried again
	TriedAt  time.Time
	Code     int // of the last answer; 0 for none
	Took     time.Duration
	Answer   []byte // its beginning
	Error    string
	At       time.Time
}

// MessageID is the id that receivers know a delivery by.
func (d Delivery) MessageID() string { return "msg_" + strings.ReplaceAll(d.ID.String(), "-", "") }
