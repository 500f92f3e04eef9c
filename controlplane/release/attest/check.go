package attest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest/canonical"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
)

// Recompute computes a verdict anew. The input is that of a readiness statement, byte for byte, and the output is compared with the
// one that was signed, both in canonical form.
type Recompute func(ctx context.Context, input []byte) (output []byte, err error)

// Part is one of the things that make a bundle evidence.
type Part string

// The parts, in the order in which they are checked.
const (
	Signatures Part = "signatures" // every line is signed by a trusted key that was in use
	Digests    Part = "digests"    // what one statement says of the bytes of another, or of its own, is so
	Subjects   Part = "subjects"   // all statements are about the images and the commit of the release
	Recomputed Part = "verdict"    // the same input gives the same verdict again
)

// Outcome is what was found of a part.
type Outcome string

// The outcomes.
const (
	Holds     Outcome = "holds"
	Fails     Outcome = "fails"
	Unchecked Outcome = "unchecked" // it could not be looked at: nothing is proven, nothing refuted
)

// Point is what was found of one part, with a sentence for people.
type Point struct {
	Part    Part
	Outcome Outcome
	Text    string
}

// Finding is what a check found: a point for each part, in their order.
type Finding struct {
	Points   []Point
	Verified Verified // the zero value when signatures fail
}

// Holds reports whether every part holds. One that could not be checked does not.
func (f Finding) Holds() bool {
	return len(f.Points) > 0 && !slices.ContainsFunc(f.Points, func(p Point) bool { return p.Outcome != Holds })
}

// Check says how far a bundle can be believed, which needs nothing but the keys and a way to compute verdicts; without one (nil) the
// verdict stays unchecked. What is wrong with the bundle is in the finding. An error means that there is nothing to check: the
// signed bundle is not that of one release (Invalid), or the context ended.
func Check(ctx context.Context, b Bundle, ring key.Ring, recompute Recompute) (Finding, error) {
	v, err := b.open(ring)
	if err != nil {
		return unsigned(err), nil
	}
	if err := v.findReadiness(); err != nil {
		return Finding{}, err
	}
	last, err := v.recomputed(ctx, recompute)
	if err != nil {
		return Finding{}, err
	}
	return Finding{Verified: v, Points: []Point{v.signatures(), v.checkDigests(), v.checkSubjects(), last}}, nil
}

// Examine reads a bundle and checks it. That it is not whole is a finding, too: whoever gets a file wants one answer. An error is one
// of Check, Exhausted when the bundle is too large, or Unavailable when the reader fails.
func Examine(ctx context.Context, r io.Reader, ring key.Ring, recompute Recompute) (Finding, error) {
	b, err := Read(r)
	switch {
	case fault.Is(err, fault.Invalid):
		return unsigned(err), nil
	case err != nil:
		return Finding{}, err
	}
	return Check(ctx, b, ring, recompute)
}

// unsigned is the finding on a bundle that is not signed throughout.
func unsigned(cause error) Finding {
	f := Finding{Points: []Point{{Signatures, Fails, sentence(cause.Error())}}}
	for _, part := range []Part{Digests, Subjects, Recomputed} {
		f.Points = append(f.Points, Point{part, Unchecked, "What nobody trusted has signed is not looked at."})
	}
	return f
}

func (v Verified) signatures() Point {
	ids := make([]string, len(v.Keys))
	for i, k := range v.Keys {
		ids[i] = k.ID()
	}
	text := fmt.Sprintf("The bundle and its %s are signed by %s.", count(len(v.Statements), "statement"), strings.Join(ids, ", "))
	return Point{Signatures, Holds, text}
}

// checkDigests compares what the statements say of bytes with the bytes.
func (v Verified) checkDigests() Point {
	r := v.Readiness
	var wrong []string
	if Digest(r.Input) != r.InputSHA256 {
		wrong = append(wrong, "the input of the verdict is not the one whose digest stands beside it")
	}
	if Digest(r.Output) != r.OutputSHA256 {
		wrong = append(wrong, "the verdict is not the one whose digest stands beside it")
	}
	if err := r.agrees(v.subject); err != nil {
		wrong = append(wrong, err.Error())
	}
	for _, e := range r.Evidence {
		if !slices.Contains(v.digests, e.Digest[SHA256]) {
			wrong = append(wrong, fmt.Sprintf("evidence %s is not in the bundle", e.Name))
		}
	}
	results := 0
	for i, s := range v.Statements {
		var err error
		switch s.PredicateType {
		case TestResultType:
			results++
			err = v.isEvidence(s, v.digests[i])
		case SVRType:
			err = v.hasPolicy(s)
		}
		if err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	return point(Digests, wrong, fmt.Sprintf("Input, verdict, policy and %s are those whose digests were signed.", count(results, "test result")))
}

// isEvidence reports a test result that the verdict does not rest on, or that contradicts itself.
func (v Verified) isEvidence(s Statement, sum string) error {
	p, err := s.TestResult()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(v.Readiness.Evidence, func(e Resource) bool { return e.Digest[SHA256] == sum }) {
		return fmt.Errorf("%s is none that the verdict rests on", p)
	}
	return nil
}

func (v Verified) hasPolicy(s Statement) error {
	p, err := s.SVR()
	if err != nil {
		return err
	}
	want := v.Readiness.Policy.Digest[SHA256]
	if !slices.ContainsFunc(p.Verifier.Policies, func(r Resource) bool { return want != "" && r.Digest[SHA256] == want }) {
		return errors.New("the verification result names another policy than the verdict")
	}
	return nil
}

// checkSubjects compares what each statement is about with what the one on the release is about.
func (v Verified) checkSubjects() Point {
	var wrong []string
	for _, s := range v.Statements {
		if s.PredicateType == SVRType && !slices.EqualFunc(sorted(s.Subject), sorted(v.subject), Resource.equal) {
			wrong = append(wrong, s.what()+" is not about exactly what the release is")
			continue
		}
		for _, name := range s.strangers(v.subject) {
			wrong = append(wrong, fmt.Sprintf("%s is about %s, which is not in the release", s.what(), name))
		}
	}
	return point(Subjects, wrong, "Every statement is about the images and the commit of the release.")
}

// strangers returns the subjects of a statement that are not of a release. The digests of one name are an image's index and its
// manifests for platforms, of which a cluster shows one or another: one of them is enough.
func (s Statement) strangers(release []Resource) []string {
	var order, found []string
	last := map[string]string{}
	for _, r := range s.Subject {
		key := r.Name
		if _, commit := r.Digest[GitCommit]; commit || key == "" {
			key = r.String()
		}
		if _, seen := last[key]; !seen {
			order = append(order, key)
		}
		last[key] = r.String()
		if slices.ContainsFunc(release, r.matches) {
			found = append(found, key)
		}
	}
	var strange []string
	for _, key := range order {
		if !slices.Contains(found, key) {
			strange = append(strange, last[key])
		}
	}
	return strange
}

// matches reports whether both have a digest in common, whatever they are called.
func (r Resource) matches(other Resource) bool {
	return r.Digest[SHA256] != "" && r.Digest[SHA256] == other.Digest[SHA256] ||
		r.Digest[GitCommit] != "" && r.Digest[GitCommit] == other.Digest[GitCommit]
}

// what names a statement in a sentence.
func (s Statement) what() string {
	switch s.PredicateType {
	case TestResultType:
		if p, err := s.TestResult(); err == nil {
			return p.String()
		}
		return "a test result"
	case SVRType:
		return "the verification result"
	case ReadinessType:
		return "the statement on the release"
	}
	return "a statement of type " + s.PredicateType
}

// recomputed compares the verdict with what its input gives now, and with what the verification result asserts.
func (v Verified) recomputed(ctx context.Context, recompute Recompute) (Point, error) {
	verdict, err := v.Readiness.Verdict()
	if err != nil {
		return Point{}, err
	}
	if wrong := v.asserted(verdict); wrong != nil {
		return point(Recomputed, wrong, ""), nil
	}
	if recompute == nil {
		return Point{Recomputed, Unchecked, "The verdict was not computed again."}, nil
	}
	output, err := recompute(ctx, bytes.Clone(v.Readiness.Input))
	if ctx.Err() != nil {
		return Point{}, fault.Wrap(fault.Unavailable, ctx.Err(), "compute the verdict again")
	}
	if err == nil {
		output, err = canonical.Text(output)
	}
	switch {
	case err != nil:
		return notComputed(err), nil
	case !bytes.Equal(output, v.Readiness.Output):
		other, _ := Readiness{Output: output}.Verdict() // empty when it has none
		return Point{Recomputed, Fails, differs(verdict, other)}, nil
	}
	return Point{Recomputed, Holds, fmt.Sprintf("Computed again from its input, the verdict is %s, byte for byte.", verdict)}, nil
}

func notComputed(cause error) Point {
	return Point{Recomputed, Unchecked, fmt.Sprintf("The verdict could not be computed again: %v.", cause)}
}

func differs(signed, now Verdict) string {
	if signed == now {
		return fmt.Sprintf("Computed again from its input, the verdict is %s too, but for other reasons than were signed.", signed)
	}
	return fmt.Sprintf("Computed again from its input, the verdict is %q, not %s as was signed.", string(now), signed)
}

// asserted returns how verification results contradict a verdict.
func (v Verified) asserted(verdict Verdict) (wrong []string) {
	allowed, _ := property(verdict) // none when the release is not ready
	for _, s := range v.Statements {
		if s.PredicateType != SVRType {
			continue
		}
		p, err := s.SVR()
		if err != nil {
			return append(wrong, err.Error())
		}
		for _, asserted := range []string{PropertyReady, PropertyReadyWithWaivers} {
			if asserted != allowed && slices.Contains(p.Properties, asserted) {
				wrong = append(wrong, fmt.Sprintf("the verification result asserts %s, but the verdict is %s", asserted, verdict))
			}
		}
	}
	return wrong
}

func point(part Part, wrong []string, holds string) Point {
	if len(wrong) > 0 {
		return Point{part, Fails, sentence(strings.Join(wrong, "; "))}
	}
	return Point{part, Holds, holds}
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// sentence makes a sentence of a fault's message.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }
