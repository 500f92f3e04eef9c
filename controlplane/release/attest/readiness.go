package attest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest/canonical"
)

// Verdict is the answer to "is this release ready?".
type Verdict string

// The verdicts.
const (
	Ready            Verdict = "READY"
	ReadyWithWaivers Verdict = "READY_WITH_WAIVERS"
	NotReady         Verdict = "NOT_READY"
	Incomplete       Verdict = "INCOMPLETE" // evidence is missing
)

// The properties of a simple verification result.
const (
	PropertyReady            = "X_RELEASE_READY"
	PropertyReadyWithWaivers = "X_RELEASE_READY_WITH_WAIVERS"
)

// Readiness is our predicate on a release: all that the verdict was computed from, and the verdict. Whoever has it can compute the
// verdict again.
type Readiness struct {
	TimeCreated time.Time `json:"timeCreated"`
	Release     Release   `json:"release"`
	Policy      Resource  `json:"policy"` // name with version, and sha256
	// Input is what the verdict was computed from, and Output the verdict: an object whose member "state" is a Verdict. The input
	// names the release with its images, and the digest of the policy, as the statement does. Both are in canonical form, so that a
	// digest can be taken of the bytes as they stand in the statement.
	Input        json.RawMessage `json:"input"`
	InputSHA256  string          `json:"inputSHA256"`
	Output       json.RawMessage `json:"output"`
	OutputSHA256 string          `json:"outputSHA256"`
	Waivers      []Waiver        `json:"waivers"`
	// Evidence is the test-result statements that the input was made of: sha256 of their bytes.
	Evidence []Resource `json:"evidence"`
}

// Release names what is to be shipped.
type Release struct {
	Application string `json:"application"`
	Version     string `json:"version"`
}

// Waiver is an exception that people approved: which rule it lifts, for what, until when.
type Waiver struct {
	ID          string    `json:"id"`
	Rule        string    `json:"rule"`
	Test        string    `json:"test,omitempty"`
	Fingerprint string    `json:"fingerprint,omitempty"` // of the one failure that it is for
	Reason      string    `json:"reason"`
	Requester   string    `json:"requester"`
	Approvers   []string  `json:"approvers"`
	CreatedAt   time.Time `json:"createdAt"`
	ExpiresAt   time.Time `json:"expiresAt"`
}

// NewReadiness returns the statement on a release. The subject is that of the release, with all of its images. Input and Output are
// brought into canonical form and their digests set. An output without a verdict, one that is ready with waivers of which none is
// named, and an input of another release or policy are Invalid.
func NewReadiness(subject []Resource, r Readiness) (Statement, error) {
	if err := r.check(); err != nil {
		return Statement{}, err
	}
	var err error
	if r.Input, err = canonical.Text(r.Input); err != nil {
		return Statement{}, fault.Wrap(fault.Invalid, err, "input of the verdict").WithField("input")
	}
	if r.Output, err = canonical.Text(r.Output); err != nil {
		return Statement{}, fault.Wrap(fault.Invalid, err, "output of the verdict").WithField("output")
	}
	verdict, err := r.Verdict()
	if err != nil {
		return Statement{}, err
	}
	if err := r.agrees(subject); err != nil {
		return Statement{}, err
	}
	if verdict == ReadyWithWaivers && len(r.Waivers) == 0 {
		return Statement{}, fault.New(fault.Invalid, "the release is ready with waivers, but none is named").WithField("waivers")
	}
	r.InputSHA256, r.OutputSHA256 = Digest(r.Input), Digest(r.Output)
	r.TimeCreated, r.Evidence = r.TimeCreated.UTC(), append([]Resource{}, sorted(r.Evidence)...)
	waivers := make([]Waiver, len(r.Waivers))
	for i, w := range r.Waivers {
		w.CreatedAt, w.ExpiresAt = w.CreatedAt.UTC(), w.ExpiresAt.UTC()
		waivers[i] = w
	}
	r.Waivers = waivers
	return newStatement(subject, ReadinessType, r)
}

func (r Readiness) check() error {
	switch {
	case r.Release.Application == "" || r.Release.Version == "":
		return fault.New(fault.Invalid, "the release has no application or no version").WithField("release")
	case r.TimeCreated.IsZero():
		return fault.New(fault.Invalid, "the statement does not say when it was made").WithField("timeCreated")
	}
	if err := r.Policy.checkDigest(); err != nil {
		return err.WithField("policy.digest")
	}
	for i, e := range r.Evidence {
		if err := e.checkDigest(); err != nil {
			return err.WithField(fmt.Sprintf("evidence[%d].digest", i))
		}
	}
	for i, w := range r.Waivers {
		if w.ID == "" || w.Rule == "" || len(w.Approvers) == 0 || w.ExpiresAt.IsZero() {
			return fault.New(fault.Invalid, "waiver %q lacks its id, rule, approver or expiry", w.ID).WithField(fmt.Sprintf("waivers[%d]", i))
		}
	}
	return nil
}

// agrees reports an input that is of another release, of other images or of another policy than the statement: the verdict would be
// right, but on something else. A commit may be shortened in the input, and is then none of the subject.
func (r Readiness) agrees(subject []Resource) error {
	var in struct {
		Release struct {
			Release

			Commit string `json:"commit"`
			Images []struct {
				Digest string `json:"digest"`
			} `json:"images"`
		} `json:"release"`
		Policy struct {
			Digest string `json:"digest"`
		} `json:"policy"`
	}
	if err := json.Unmarshal(r.Input, &in); err != nil {
		return fault.Wrap(fault.Invalid, err, "input of the verdict").WithField("input")
	}
	judged, signed := map[string]bool{}, map[string]bool{}
	for _, image := range in.Release.Images {
		judged[strings.TrimPrefix(image.Digest, "sha256:")] = true
	}
	commit := ""
	for _, s := range subject {
		if sum := s.Digest[SHA256]; sum != "" {
			signed[sum] = true
		}
		commit = cmp.Or(commit, s.Digest[GitCommit])
	}
	switch {
	case in.Release.Release != r.Release:
		return fault.New(fault.Invalid, "the verdict is on %.200q, not on %.200q", in.Release.String(), r.Release.String()).WithField("input.release")
	case in.Policy.Digest != r.Policy.Digest[SHA256]:
		return fault.New(fault.Invalid, "the verdict is by another policy than %.200q", r.Policy.Name).WithField("input.policy")
	case !maps.Equal(judged, signed) || commit != "" && commit != in.Release.Commit:
		return fault.New(fault.Invalid, "the verdict is on other images or another commit than the statement").WithField("subject")
	}
	return nil
}

// String returns the release as people write it.
func (r Release) String() string { return r.Application + " " + r.Version }

// Verdict reads the verdict out of the output. An output without a known one is Invalid.
func (r Readiness) Verdict() (Verdict, error) {
	var o struct {
		State Verdict `json:"state"`
	}
	if err := json.Unmarshal(r.Output, &o); err != nil {
		return "", fault.Wrap(fault.Invalid, err, "output of the verdict").WithField("output")
	}
	switch o.State {
	case Ready, ReadyWithWaivers, NotReady, Incomplete:
		return o.State, nil
	}
	return "", fault.New(fault.Invalid, "%.40q is no verdict", o.State).WithField("output.state")
}

// Readiness reads the predicate. It is Invalid when the statement is of another type.
func (s Statement) Readiness() (Readiness, error) {
	var r Readiness
	if err := s.predicate(ReadinessType, &r); err != nil {
		return Readiness{}, err
	}
	if _, err := r.Verdict(); err != nil {
		return Readiness{}, err
	}
	return r, nil
}

// Evidence returns how a readiness statement names the test-result statement of an envelope.
func Evidence(e Envelope) (Resource, error) {
	s, err := ParseStatement(e.Payload)
	if err != nil {
		return Resource{}, err
	}
	p, err := s.TestResult()
	if err != nil {
		return Resource{}, err
	}
	return Resource{Name: p.Extension.Environment + "/" + p.Extension.Suite, Digest: map[string]string{SHA256: Digest(e.Payload)}}, nil
}
