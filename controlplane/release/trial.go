package release

import (
	"time"

	"github.com/seatrial/seatrial/controlplane/release/compare"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

// TrialRequest asks what a policy that is not stored would say of past releases.
type TrialRequest struct {
	File        string // name of the document, for messages
	Source      string
	Application string // only releases of it; empty for all that the policy applies to
	Last        int    // how many of the newest; 0 for DefaultTrials
}

// Bounds of a trial: each release is judged twice.
const (
	DefaultTrials = 20
	MaxTrials     = 50
)

// Trials are what it would say.
type Trials struct {
	Policy     string
	List       []Trial // newest first
	Changed    int     // those with another verdict
	PassedOver int     // newest releases that it does not apply to
}

// Trial is what a policy would say of one release, on the same evidence and at the same time as the policy that it is held to.
type Trial struct {
	Release       Release // its head
	At            time.Time
	Before, After verdict.State
	Rules         []compare.RuleChange
	Added         []string // "environment/suite" of cells that it requires beside those of the release
	Removed       []string // and of those that it does not
	Problem       string   // why the release could not be judged; empty when it was
}
