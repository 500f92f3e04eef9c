package verdict

import (
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/results"
)

// Input is all that a verdict rests upon. Its JSON is what a bundle keeps: names and meaning of its fields do not change.
type Input struct {
	Release Release `json:"release"`
	// Policy as it was when the requirements were frozen.
	Policy Policy `json:"policy"`
	// Runs that the evidence is from, each ID once.
	Runs []Run `json:"runs,omitempty"`
	// Cells are what is required, each environment and suite once. Without any the release is INCOMPLETE.
	Cells   []Cell   `json:"cells,omitempty"`
	Waivers []Waiver `json:"waivers,omitempty"`
	// Approvers are the members of the group that Policy.Waivers names, as their names were when the verdict was asked for.
	Approvers []string `json:"approvers,omitempty"`
	// Now is the time of the verdict: freshness and expiry are measured against it.
	Now time.Time `json:"now"`
}

// Release is what is to be shipped.
type Release struct {
	Application string `json:"application" cel:"application"`
	Version     string `json:"version" cel:"version"`
	// Commit is the full hash; "" when only images count.
	Commit string `json:"commit,omitempty" cel:"commit"`
	// Images of the release. Without images and commit no run can have seen it.
	Images []Image `json:"images,omitempty" cel:"images"`
	// Targets are where the release is to go, such as "production".
	Targets []string `json:"targets,omitempty" cel:"targets"`
}

// Image is a container image.
type Image struct {
	// Name is its repository without tag and digest, in observed images, too: the place of the image, in which no other may be while the
	// release is tested. "" when it is not known: then the image is there or not, and stands in no other's place.
	Name string `json:"name,omitempty" cel:"name"`
	// Digest such as "sha256:…". Digests are compared as full texts.
	Digest string `json:"digest" cel:"digest"`
}

// Policy is the rules that a release is held to. The zero value is no policy: Compile refuses it.
type Policy struct {
	Name     string      `json:"name"`
	Revision int         `json:"revision,omitempty"`
	Digest   string      `json:"digest,omitempty"` // hex SHA-256 of the document
	Rules    []Rule      `json:"rules"`
	Waivers  WaiverTerms `json:"waivers,omitzero"`
}

// RuleKind is what a broken rule means.
type RuleKind string

// The kinds of rules.
const (
	Missing  RuleKind = "missing"  // there is no evidence: INCOMPLETE
	Negative RuleKind = "negative" // the evidence is bad: NOT_READY
)

// Rule is a condition that every cell has to meet.
type Rule struct {
	ID          string   `json:"id"`
	Kind        RuleKind `json:"kind"`
	Waivable    bool     `json:"waivable,omitempty"` // never of a missing rule: nobody waives evidence that does not exist
	Expr        string   `json:"expr"`               // CEL over cell, now and release that gives a bool
	Description string   `json:"description,omitempty"`
}

// WaiverTerms say which waivers hold. Those of the zero value hold none, since MaxAge is 0.
type WaiverTerms struct {
	// Approvers is the group whose members approve, such as "team:release-managers"; its members are Input.Approvers.
	Approvers string `json:"approvers,omitempty"`
	// MinApprovers is how many of them have to; less than 1 counts as 1.
	MinApprovers int `json:"minApprovers,omitempty"`
	// SelfApproval lets the approval of whoever asks count.
	SelfApproval bool `json:"selfApproval,omitempty"`
	// MaxAge is how long a waiver holds at most after it was created.
	MaxAge Duration `json:"maxAge,omitempty"`
	// BindTo is BindFingerprint or "". With "" waivers are bound to tests: one counts only if it names Suite and Test, or it would excuse
	// failures that nobody knew of when it was approved.
	BindTo string `json:"bindTo,omitempty"`
}

// BindFingerprint makes waivers hold for one failure only: another failure of the same test is not waived. A test that failed in several
// ways needs a waiver of each.
const BindFingerprint = "fingerprint"

// Duration is a time.Duration that is written as text, such as "72h".
type Duration time.Duration

// MarshalText writes the duration as people do: 72h, not 72h0m0s.
func (d Duration) MarshalText() ([]byte, error) {
	s := time.Duration(d).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-len("0s")]
		}
	}
	return []byte(s), nil
}

// UnmarshalText reads what time.ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err //nolint:wrapcheck // names the text already
}

// Run is one run of an execution, as far as a verdict asks.
type Run struct {
	ID          string `json:"id"` // any text that tells runs apart, such as execution and ordinal
	Execution   string `json:"execution,omitempty"`
	Workflow    string `json:"workflow,omitempty"`
	Environment string `json:"environment,omitempty"` // where it ran; evidence of it in a cell of another one is refused
	Status      string `json:"status,omitempty"`
	Running     bool   `json:"running,omitempty"` // its subject has no end yet
	// FinishedAt stands in for evidence that has no time of its own.
	FinishedAt time.Time `json:"finishedAt,omitzero"`
	Subject    Subject   `json:"subject,omitzero"`
}

// Subject is what was under test, as observed in the environment. An empty list says that nothing was observed, or that nothing was there:
// a verdict takes both as unknown.
type Subject struct {
	Start  []Image `json:"start,omitempty"`
	End    []Image `json:"end,omitempty"`
	Commit string  `json:"commit,omitempty"`
}

// Cell is one suite in one environment: what has to be tested, and what is known.
type Cell struct {
	Environment string            `json:"environment"`
	Suite       string            `json:"suite"`
	Labels      map[string]string `json:"labels,omitempty"`
	Required    []Test            `json:"required,omitempty"` // each key once
	Evidence    []Evidence        `json:"evidence,omitempty"`
}

// Test is a test of the catalog.
type Test struct {
	Key    string   `json:"key"`
	Name   string   `json:"name,omitempty"`
	Labels []string `json:"labels,omitempty"`
}

// Evidence is one attempt at a test, required or not.
type Evidence struct {
	Test           string          `json:"test"` // key
	Name           string          `json:"name,omitempty"`
	Variant        string          `json:"variant,omitempty"`
	Outcome        results.Outcome `json:"outcome,omitempty"`
	Running        bool            `json:"running,omitempty"` // there is no outcome yet
	ExpectedFail   bool            `json:"expectedFail,omitempty"`
	UnexpectedPass bool            `json:"unexpectedPass,omitempty"`
	Synthetic      bool            `json:"synthetic,omitempty"`
	FromRetry      bool            `json:"fromRetry,omitempty"`
	// Contradictory says that the report which it is from hides failures: a pass of it is no evidence.
	Contradictory bool      `json:"contradictory,omitempty"`
	Fingerprint   string    `json:"fingerprint,omitempty"` // of the failure
	Run           string    `json:"run,omitempty"`         // ID in Input.Runs; evidence without a run is of no known subject
	FinishedAt    time.Time `json:"finishedAt,omitzero"`   // one after Input.Now counts as Input.Now for freshness
	Quarantined   bool      `json:"quarantined,omitempty"` // whether the test is in quarantine there at Input.Now
}

// Waiver is an exception that somebody asked for. Rule, Environment, Suite, Test, Variant and Fingerprint narrow it; "" is any. Which of them
// it has to name is for WaiverTerms.BindTo to say.
type Waiver struct {
	ID          string     `json:"id"`
	Application string     `json:"application"`
	Version     string     `json:"version"`
	Rule        string     `json:"rule,omitempty"`
	Environment string     `json:"environment,omitempty"`
	Suite       string     `json:"suite,omitempty"`
	Test        string     `json:"test,omitempty"` // key
	Variant     string     `json:"variant,omitempty"`
	Fingerprint string     `json:"fingerprint,omitempty"`
	Reason      string     `json:"reason,omitempty"`
	Requester   string     `json:"requester"`
	Approvals   []Approval `json:"approvals,omitempty"`
	CreatedAt   time.Time  `json:"createdAt"`
	ExpiresAt   time.Time  `json:"expiresAt"`
	Revoked     bool       `json:"revoked,omitempty"`
}

// Approval is the consent of one person to a waiver.
type Approval struct {
	By string    `json:"by"`
	At time.Time `json:"at"` // one after Input.Now does not count yet
}
