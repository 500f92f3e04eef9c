package attest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest/canonical"
)

// StatementType is that of in-toto: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md.
const StatementType = "https://in-toto.io/Statement/v1"

// The predicates that this package writes and reads.
const (
	TestResultType = "https://in-toto.io/attestation/test-result/v0.1"
	ReadinessType  = "https://seatrial.dev/attestations/release-readiness/v1"
	SVRType        = "https://in-toto.io/attestation/svr/v0.2"
)

// The digests that a subject can have.
const (
	SHA256    = "sha256"    // of an image, in hex
	GitCommit = "gitCommit" // SHA-1 or SHA-256 of a commit, in hex
)

// Statement says something, its predicate, about subjects.
type Statement struct {
	Type          string          `json:"_type"`
	Subject       []Resource      `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

// Resource names something that cannot change without its digest changing: in-toto's ResourceDescriptor, as far as it is used here.
type Resource struct {
	Name             string            `json:"name,omitempty"`
	URI              string            `json:"uri,omitempty"`
	Digest           map[string]string `json:"digest,omitempty"` // hex by algorithm
	DownloadLocation string            `json:"downloadLocation,omitempty"`
}

// Image returns the subject of an image by its digest, such as "sha256:9f86…". An image that has an index and manifests for
// platforms is as many subjects of one name.
func Image(name, digest string) (Resource, error) {
	sum, ok := strings.CutPrefix(digest, "sha256:")
	if name == "" || !ok || !isHex(sum, 32) {
		return Resource{}, fault.New(fault.Invalid, "image %.200q has the digest %.100q, not sha256: with 64 hex digits", name, digest)
	}
	return Resource{Name: name, Digest: map[string]string{SHA256: sum}}, nil
}

// Commit returns the subject of a commit. The name is that of its repository and may be empty.
func Commit(name, sum string) (Resource, error) {
	if !isHex(sum, 20) && !isHex(sum, 32) {
		return Resource{}, fault.New(fault.Invalid, "commit %.100q is not 40 or 64 hex digits", sum)
	}
	return Resource{Name: name, Digest: map[string]string{GitCommit: sum}}, nil
}

// Encode returns the bytes to sign: the canonical JSON of the statement.
func (s Statement) Encode() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return canonical.JSON(s)
}

// ParseStatement reads a statement from bytes that a signature vouches for. It is Invalid when it is no in-toto Statement v1, has no
// subject, or a subject without a digest. The predicate may be of any type.
func ParseStatement(data []byte) (Statement, error) {
	var s Statement
	if err := decode(data, &s, "statement"); err != nil {
		return Statement{}, err
	}
	if err := s.check(); err != nil {
		return Statement{}, err
	}
	return s, nil
}

func (s Statement) check() error {
	if s.Type != StatementType {
		return fault.New(fault.Invalid, "the statement is a %.100q, not a %s", s.Type, StatementType).WithField("_type")
	}
	if s.PredicateType == "" {
		return fault.New(fault.Invalid, "the statement does not say of which type its predicate is").WithField("predicateType")
	}
	if len(s.Subject) == 0 {
		return fault.New(fault.Invalid, "the statement is about nothing").WithField("subject")
	}
	for i, r := range s.Subject {
		if err := r.checkDigest(); err != nil {
			return err.WithField(fmt.Sprintf("subject[%d].digest", i))
		}
		if slices.ContainsFunc(s.Subject[:i], r.equal) {
			return fault.New(fault.Invalid, "%s is a subject twice", r).WithField(fmt.Sprintf("subject[%d]", i))
		}
	}
	return nil
}

// checkDigest refuses a resource that is not bound to its bytes. Digests by other algorithms are ignored, as in-toto demands.
func (r Resource) checkDigest() *fault.Error {
	sum, image := r.Digest[SHA256]
	commit, git := r.Digest[GitCommit]
	switch {
	case !image && !git:
		return fault.New(fault.Invalid, "%q has neither a sha256 nor a gitCommit", r.Name)
	case image && !isHex(sum, 32):
		return fault.New(fault.Invalid, "the sha256 of %q is not 64 hex digits", r.Name)
	case git && !isHex(commit, 20) && !isHex(commit, 32):
		return fault.New(fault.Invalid, "the gitCommit of %q is not 40 or 64 hex digits", r.Name)
	}
	return nil
}

func (r Resource) equal(other Resource) bool { return r.String() == other.String() }

// String returns the name with the digest.
func (r Resource) String() string {
	var parts []string
	for _, algorithm := range []string{SHA256, GitCommit} {
		if sum, ok := r.Digest[algorithm]; ok {
			parts = append(parts, algorithm+":"+sum)
		}
	}
	return strings.TrimPrefix(r.Name+"@"+strings.Join(parts, ","), "@")
}

// newStatement puts subjects in order, so that the order in which they were found does not change the bytes.
func newStatement(subject []Resource, predicateType string, predicate any) (Statement, error) {
	text, err := canonical.JSON(predicate)
	if err != nil {
		return Statement{}, err
	}
	s := Statement{Type: StatementType, Subject: sorted(subject), PredicateType: predicateType, Predicate: text}
	if err := s.check(); err != nil {
		return Statement{}, err
	}
	return s, nil
}

func sorted(resources []Resource) []Resource {
	return slices.SortedStableFunc(slices.Values(resources), func(a, b Resource) int { return strings.Compare(a.String(), b.String()) })
}

// predicate reads the predicate of a statement that must be of a type.
func (s Statement) predicate(want string, into any) error {
	if s.PredicateType != want {
		return fault.New(fault.Invalid, "the statement is of type %.100q, not %s", s.PredicateType, want).WithField("predicateType")
	}
	return decode(s.Predicate, into, "predicate")
}

// time returns when the statement says that it was made, the zero time when it does not.
func (s Statement) time() time.Time {
	var p struct {
		TimeCreated time.Time      `json:"timeCreated"`
		Run         *TestExtension `json:"https://seatrial.dev/attestations/test-result/v1"`
	}
	if err := json.Unmarshal(s.Predicate, &p); err != nil {
		return time.Time{}
	}
	if p.Run != nil {
		return p.Run.TimeCreated
	}
	return p.TimeCreated
}
