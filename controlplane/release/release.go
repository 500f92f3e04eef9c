package release

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// ID identifies a release; it is a UUIDv7.
type ID = uuid.UUID

// Release is a version of an application with what it has to show.
type Release struct {
	ID          ID
	Application string
	Version     string
	Commit      string
	Images      []verdict.Image
	Targets     []string // where it is to go, such as production; sorted
	Team        string   // that owns it
	TeamID      uuid.UUID
	Actor       string // who created it
	CreatedAt   time.Time
	Policy      verdict.Policy // frozen
	Cells       []Cell         // frozen; not filled in lists
	State       verdict.State
	Decided     time.Time        // zero until the first decision
	Stale       bool             // something has come in that the verdict does not know yet
	Arrivals    int              // how often something has come in
	Verdict     json.RawMessage  // verdict.Output of the last decision as it was written; not filled in lists
	Changes     []Change         // oldest first; not filled in lists
	Waivers     []verdict.Waiver // oldest first; not filled in lists
	Executions  []Linked         // newest first; not filled in lists
}

// Subject is what the release is of, as the verdict knows it.
func (r Release) Subject() verdict.Release {
	return verdict.Release{Application: r.Application, Version: r.Version, Commit: r.Commit, Images: r.Images, Targets: r.Targets}
}

// Cell is a suite in an environment, with the tests that are required in it.
type Cell struct {
	Environment string            `json:"environment"`
	Suite       string            `json:"suite"`
	Labels      map[string]string `json:"labels,omitempty"` // of the workflow
	Required    []verdict.Test    `json:"required"`
}

// Change is one change of the verdict.
type Change struct {
	Number int // from 1
	Before verdict.State
	After  verdict.State
	Cause  string // a sentence
	At     time.Time

	Blockers []Blocker // what kept it from being ready; filled in for the outlook alone
}

// Blocker is a rule that keeps a release from being ready in a cell; environment and suite are empty for one that is of none.
type Blocker struct {
	Rule        string `json:"rule"`
	Environment string `json:"environment,omitempty"`
	Suite       string `json:"suite,omitempty"`
}

// Blockers returns what a verdict of not ready rests upon; nothing for any other.
func Blockers(out verdict.Output) []Blocker {
	if out.State != verdict.NotReady {
		return nil
	}
	var list []Blocker
	for _, rule := range out.Rules {
		if !rule.Against() {
			continue
		}
		for _, c := range rule.Failing {
			list = append(list, Blocker{Rule: rule.ID, Environment: c.Environment, Suite: c.Suite})
		}
		if len(rule.Failing) == 0 {
			list = append(list, Blocker{Rule: rule.ID})
		}
	}
	return list
}

// Link says why an execution is evidence for a release.
type Link string

// The links.
const (
	Asked    Link = "asked"    // its trigger named the release
	Observed Link = "observed" // it ran against the images of the release
)

// Linked is an execution that is evidence for a release.
type Linked struct {
	Execution execution.Execution // its head
	Link      Link
}

// Request asks for a release.
type Request struct {
	Application string
	Version     string
	Commit      string
	Images      []verdict.Image
	Targets     []string // where it is to go; readiness policies may be for certain targets
	Policy      string   // name; empty for the only one that applies
	Team        string   // that owns it; empty for the viewer's
}

// New is a release to be stored.
type New struct {
	Release Release   // ID set
	Since   time.Time // how old what ran against its images may be to be linked
}

// Ask asks for a waiver. What is empty narrows nothing but the rule, which is required.
type Ask struct {
	Rule        string
	Environment string
	Suite       string
	Test        string // key
	Variant     string
	Fingerprint string
	Reason      string
	For         time.Duration // how long it holds; 0 for as long as the policy allows
}

// Stale is a release to be decided anew.
type Stale struct {
	Organization tenant.ID
	ID           ID
}

// Attempt is the evidence of one attempt.
type Attempt struct {
	ID            execution.AttemptID
	Execution     execution.ID
	Workflow      string
	Environment   string
	Matrix        map[string]string
	Status        execution.Status
	Delivered     bool // its reports are all there
	Reason        string
	Message       string
	FinishedAt    time.Time
	Commit        string
	Start, End    *execution.Subject // nil when it was not observed
	Results       []execution.TestResult
	Contradictory map[uuid.UUID]bool // by id of a result: its report contradicts itself
}

// Decision is a verdict to be stored.
type Decision struct {
	State    verdict.State
	Output   []byte
	SameAs   time.Time // when the verdict was made that says the same, so that it need not be written anew; zero when there is none
	At       time.Time
	Arrivals int // of the release when it was read, before anything that the verdict rests upon
	Cause    string
	Blockers []Blocker // of a verdict of not ready
}

// Itself is the key of a test that stands for a workflow as a whole: of one whose steps write no reports, and of one that ended badly
// although no test of it did.
const Itself = "workflow"

// ItselfName is what people read in its place.
const ItselfName = "the workflow itself"

// Topic names the hints that say a release has changed.
func Topic(organization tenant.ID, id ID) string {
	return organization.String() + "/release/" + id.String()
}
