package attest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest"
)

// same computes the verdict of the tests' release again.
func same(context.Context, []byte) ([]byte, error) {
	return output(attest.ReadyWithWaivers, "policy"), nil
}

// edit returns the statement of an envelope, changed behind the back of its constructor.
func edit(t *testing.T, e attest.Envelope, change func(s *attest.Statement)) attest.Envelope {
	t.Helper()
	s, err := attest.ParseStatement(e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	change(&s)
	return signed(t, s)
}

func inPredicate(t *testing.T, old, now string) func(*attest.Statement) {
	t.Helper()
	return func(s *attest.Statement) { s.Predicate = json.RawMessage(replace(t, string(s.Predicate), old, now)) }
}

func about(subject ...attest.Resource) func(*attest.Statement) {
	return func(s *attest.Statement) { s.Subject = subject }
}

// outcomes are those of the points in a row: h holds, f fails, u unchecked.
func outcomes(f attest.Finding) string {
	var row []byte
	for _, p := range f.Points {
		row = append(row, p.Outcome[0])
	}
	return string(row)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	good := envelopes(t)
	without := func(n int) []attest.Envelope { return slices.Concat(good[:n], good[n+1:]) }
	with := func(n int, change func(*attest.Statement)) []attest.Envelope {
		all := slices.Clone(good)
		all[n] = edit(t, all[n], change)
		return all
	}
	// relied changes the test result, and the evidence of the verdict with it.
	relied := func(change func(*attest.Statement)) []attest.Envelope {
		all := with(0, change)
		all[1] = edit(t, all[1], inPredicate(t, attest.Digest(good[0].Payload), attest.Digest(all[0].Payload)))
		return all
	}
	gives := func(text string, err error) attest.Recompute {
		return func(context.Context, []byte) ([]byte, error) { return []byte(text), err }
	}
	tests := map[string]struct {
		in        []attest.Envelope
		recompute attest.Recompute
		want      string
		text      string // of the first point that does not hold, or of the last one
		reason    string
	}{
		"OK":         {good, same, "hhhh", "Computed again from its input, the verdict is READY_WITH_WAIVERS, byte for byte.", "all of it"},
		"AnyOrder":   {[]attest.Envelope{good[2], good[1], good[0]}, same, "hhhh", "Computed again from its input, the verdict is READY_WITH_WAIVERS, byte for byte.", "order means nothing"},
		"NoSVR":      {without(2), same, "hhhh", "Computed again from its input, the verdict is READY_WITH_WAIVERS, byte for byte.", "only for other tools"},
		"OtherForm":  {good, gives(`{"reasons":["policy"],"state":"READY_WITH_WAIVERS"}`, nil), "hhhh", "Computed again from its input, the verdict is READY_WITH_WAIVERS, byte for byte.", "order of members is no difference"},
		"NoHook":     {good, nil, "hhhu", "The verdict was not computed again.", "who cannot compute it is told so"},
		"Cannot":     {good, gives("", errors.New("the policy is of a later version")), "hhhu", "The verdict could not be computed again: the policy is of a later version.", "nothing is refuted"},
		"NoJSON":     {good, gives("READY", nil), "hhhu", "The verdict could not be computed again: JSON cannot be read: invalid character 'R' looking for beginning of value.", "nothing is refuted"},
		"Differs":    {good, gives(string(output(attest.NotReady, "policy")), nil), "hhhf", `Computed again from its input, the verdict is "NOT_READY", not READY_WITH_WAIVERS as was signed.`, "somebody signed another verdict"},
		"OtherWhy":   {good, gives(string(output(attest.ReadyWithWaivers, "luck")), nil), "hhhf", "Computed again from its input, the verdict is READY_WITH_WAIVERS too, but for other reasons than were signed.", "the reasons are part of it"},
		"Input":      {with(1, inPredicate(t, `"required":3`, `"required":2`)), same, "hfhh", "The input of the verdict is not the one whose digest stands beside it.", "the signer's own digest"},
		"Release":    {with(1, inPredicate(t, `"version":"1.4.0"},"timeCreated"`, `"version":"1.5.0"},"timeCreated"`)), same, "hfhh", `The verdict is on "shop/web 1.4.0", not on "shop/web 1.5.0".`, "signed under another name"},
		"Output":     {with(1, inPredicate(t, `["policy"]`, `["luck"]`)), gives(string(output(attest.ReadyWithWaivers, "luck")), nil), "hfhh", "The verdict is not the one whose digest stands beside it.", "the signer's own digest"},
		"NoEvidence": {without(0), same, "hfhh", "Evidence staging-eu/smoke is not in the bundle.", "the verdict rests on what nobody can see"},
		"OtherTests": {with(0, inPredicate(t, `"executions":["e-1"]`, `"executions":["e-2"]`)), same, "hfhh", "Evidence staging-eu/smoke is not in the bundle; the test result of smoke in staging-eu is none that the verdict rests on.", "exchanged for another run"},
		"Claims":     {relied(inPredicate(t, `"result":"WARNED"`, `"result":"PASSED"`)), same, "hfhh", "PASSED is not what the tests of smoke in staging-eu amount to.", "it contradicts itself"},
		"Policy":     {with(2, inPredicate(t, sum("prod-gate v7"), sum("prod-gate v8"))), same, "hfhh", "The verification result names another policy than the verdict.", "another policy may allow more"},
		"Asserts":    {with(2, inPredicate(t, attest.PropertyReadyWithWaivers, attest.PropertyReady)), same, "hhhf", "The verification result asserts X_RELEASE_READY, but the verdict is READY_WITH_WAIVERS.", "waivers were kept quiet"},
		"Image":      {relied(about(image(t, "shop/web", "other"), commit(t, "a"))), same, "hhfh", "The test result of smoke in staging-eu is about shop/web@sha256:" + sum("other") + ", which is not in the release.", "tests of another image"},
		"Commit":     {relied(about(image(t, "shop/web", "web index"), commit(t, "b"))), same, "hhfh", "The test result of smoke in staging-eu is about https://git.example.com/shop@gitCommit:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb, which is not in the release.", "tests of another commit"},
		"Platform":   {relied(about(image(t, "shop/web", "web index"), image(t, "shop/web", "web arm64"))), same, "hhhh", "Computed again from its input, the verdict is READY_WITH_WAIVERS, byte for byte.", "the index is the release's; a platform need not be listed"},
		"Unnamed":    {relied(about(attest.Resource{Digest: named("web index").Digest}, attest.Resource{Digest: named("other").Digest})), same, "hhfh", "The test result of smoke in staging-eu is about sha256:" + sum("other") + ", which is not in the release.", "no name is no common name"},
		"SVRSubject": {with(2, about(image(t, "shop/web", "web index"))), same, "hhfh", "The verification result is not about exactly what the release is.", "a part of a release is no release"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := attest.Check(t.Context(), read(t, write(t, tc.in)), trusted(t), tc.recompute)
			if err != nil {
				t.Fatal(err)
			}
			if got := outcomes(f); got != tc.want || f.Holds() != (tc.want == "hhhh") {
				t.Errorf("%s, want %s: %s: %v", got, tc.want, tc.reason, f.Points)
			}
			if diff := cmp.Diff(tc.text, text(f)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func text(f attest.Finding) (last string) {
	for _, p := range f.Points {
		last = p.Text
		if p.Outcome != attest.Holds {
			break
		}
	}
	return last
}

func TestCheck_Signatures(t *testing.T) {
	t.Parallel()
	b := read(t, write(t, envelopes(t), private(t, seed2)))
	f, err := attest.Check(t.Context(), b, trusted(t), func(context.Context, []byte) ([]byte, error) {
		t.Error("the input of somebody who is not trusted was used")
		return nil, nil
	})
	if err != nil || outcomes(f) != "fuuu" || f.Holds() || f.Verified.Statements != nil {
		t.Errorf("%v, %v", f, err)
	}
	if want := "Line 1: no signature is of a trusted key over these bytes."; f.Points[0].Text != want {
		t.Errorf("%s", f.Points[0].Text)
	}
	if (attest.Finding{}).Holds() {
		t.Error("what was never checked holds")
	}
}

func TestCheck_Input(t *testing.T) {
	t.Parallel()
	var got []byte
	b := read(t, write(t, envelopes(t)))
	f, err := attest.Check(t.Context(), b, trusted(t), func(ctx context.Context, input []byte) ([]byte, error) {
		got = bytes.Clone(input)
		clear(input)
		return same(ctx, nil)
	})
	if err != nil || !f.Holds() || attest.Digest(got) != f.Verified.Readiness.InputSHA256 || attest.Digest(f.Verified.Readiness.Input) != attest.Digest(got) {
		t.Errorf("%s, %v: the bytes that were signed are handed over, and stay as they are", got, err)
	}
}

func TestCheck_Err(t *testing.T) {
	t.Parallel()
	if _, err := attest.Check(t.Context(), read(t, write(t, envelopes(t)[:1])), trusted(t), same); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v: not a release's", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := attest.Check(ctx, read(t, write(t, envelopes(t))), trusted(t), func(ctx context.Context, _ []byte) ([]byte, error) {
		cancel()
		return nil, ctx.Err()
	})
	if !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v: whoever stopped it gets no finding", err)
	}
}

func TestExamine(t *testing.T) {
	t.Parallel()
	file := write(t, envelopes(t))
	f, err := attest.Examine(t.Context(), bytes.NewReader(file), trusted(t), same)
	if err != nil || !f.Holds() || len(f.Verified.Subject()) != 4 {
		t.Errorf("%v, %v", f, err)
	}
	file[len(file)/2] ^= 1
	f, err = attest.Examine(t.Context(), bytes.NewReader(file), trusted(t), same)
	if err != nil || outcomes(f) != "fuuu" || !strings.HasPrefix(f.Points[0].Text, "Line ") {
		t.Errorf("%v, %v: the line is named", f, err)
	}
	if _, err := attest.Examine(t.Context(), iotest.ErrReader(errors.New("gone")), trusted(t), same); !fault.Is(err, fault.Unavailable) {
		t.Errorf("%v: a file that cannot be read is none that was changed", err)
	}
}
