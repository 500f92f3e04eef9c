package attest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest"
	"github.com/seatrial/seatrial/controlplane/release/attest/canonical"
)

func TestStatement_Golden(t *testing.T) {
	t.Parallel()
	full := smoke()
	full.Failed, full.Skipped, full.NeverRan = []string{"pays by invoice"}, []string{"pays by cheque"}, []string{"logs out"}
	large := smoke()
	large.Passed, large.Failed = many(attest.MaxNames), []string{"fails"}
	large.Full = named("")
	large.Full.DownloadLocation = "https://seatrial.example.com/files/f-1"
	waived := made(t)(attest.NewReadiness(subject(t), readiness(attest.ReadyWithWaivers)))
	tests := map[string]struct {
		s    attest.Statement
		file string
	}{
		"TestResult": {made(t)(attest.NewTestResult(subject(t), full)), "test-result.golden.json"},
		"Large":      {made(t)(attest.NewTestResult(subject(t), large)), "test-result-large.golden.json"},
		"Readiness":  {waived, "readiness.golden.json"},
		"SVR":        {made(t)(attest.NewSVR(waived, verifier)), "svr.golden.json"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := tc.s.Encode()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, tc.file, append(text, '\n'))
			if again, err := attest.ParseStatement(text); err != nil || cmp.Diff(tc.s, again) != "" {
				t.Errorf("it is read as %v, %v", again, err)
			}
		})
	}
}

func many(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("test %d", i)
	}
	return all
}

func TestStatement_SameValueSameBytes(t *testing.T) {
	t.Parallel()
	encode := func(s attest.Statement) []byte {
		text, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	reversed := subject(t)
	slices.Reverse(reversed)
	elsewhere := smoke()
	slices.Reverse(elsewhere.Passed)
	elsewhere.TimeCreated = elsewhere.TimeCreated.In(time.FixedZone("", 7200))
	if a, b := encode(made(t)(attest.NewTestResult(subject(t), smoke()))), encode(made(t)(attest.NewTestResult(reversed, elsewhere))); !bytes.Equal(a, b) {
		t.Errorf("%s\n%s", a, b)
	}
	r, same := readiness(attest.Ready), readiness(attest.Ready)
	same.Input = input(`{"required":3.0,"suite":"smoke"}`)
	if a, b := encode(made(t)(attest.NewReadiness(subject(t), r))), encode(made(t)(attest.NewReadiness(reversed, same))); !bytes.Equal(a, b) {
		t.Errorf("%s\n%s", a, b)
	}
}

func TestNewTestResult_Result(t *testing.T) {
	t.Parallel()
	a, b := []string{"a"}, []string{"b"}
	tests := map[string]struct {
		run    attest.TestRun
		want   attest.Result
		reason string
	}{
		"Passed":   {attest.TestRun{Passed: a}, attest.ResultPassed, "every required test passed"},
		"Warned":   {attest.TestRun{Passed: a, Warned: b}, attest.ResultWarned, "flaky or waived"},
		"Skipped":  {attest.TestRun{Passed: a, Skipped: b}, attest.ResultWarned, "not every required test passed"},
		"Failed":   {attest.TestRun{Passed: a, Failed: b}, attest.ResultFailed, "one failed"},
		"NeverRan": {attest.TestRun{Passed: a, NeverRan: b}, attest.ResultFailed, "missing evidence is no pass"},
		"AllSkip":  {attest.TestRun{Skipped: a}, attest.ResultFailed, "nothing passed"},
		"Nothing":  {attest.TestRun{}, attest.ResultFailed, "nothing passed"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := smoke()
			run.Passed, run.Warned, run.Failed, run.Skipped, run.NeverRan = tc.run.Passed, tc.run.Warned, tc.run.Failed, tc.run.Skipped, tc.run.NeverRan
			p, err := made(t)(attest.NewTestResult(subject(t), run)).TestResult()
			if err != nil || p.Result != tc.want {
				t.Errorf("%s, %v, want %s: %s", p.Result, err, tc.want, tc.reason)
			}
		})
	}
}

func TestNewTestResult_Large(t *testing.T) {
	t.Parallel()
	run := smoke()
	run.Passed = many(attest.MaxNames - 1) // and one warned of
	p, err := made(t)(attest.NewTestResult(subject(t), run)).TestResult()
	if err != nil || len(p.PassedTests) != attest.MaxNames-1 || p.Extension.NamesLeftOut {
		t.Errorf("%v: as many as are listed", err)
	}
	run.NeverRan = []string{"one more"}
	if _, err := attest.NewTestResult(subject(t), run); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v: without the full result, names would be lost", err)
	}
	run.Full = named("anything")
	p, err = made(t)(attest.NewTestResult(subject(t), run)).TestResult()
	if err != nil || p.PassedTests != nil || p.Extension.NeverRanTests != nil || len(p.WarnedTests) != 1 || !p.Extension.NamesLeftOut {
		t.Errorf("%v, %v: only failed and warned tests are listed", p.WarnedTests, err)
	}
	if c := p.Extension.Counts; c.Passed != attest.MaxNames-1 || c.NeverRan != 1 || p.Configuration[1].Digest[attest.SHA256] != sum("anything") {
		t.Errorf("%v: the counts stay, and so does the digest", p)
	}
}

func TestNewTestResult_Err(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*attest.TestRun)
		reason string
	}{
		"TwoVerdicts": {func(r *attest.TestRun) { r.Failed = r.Passed[:1] }, "a test has one verdict"},
		"Twice":       {func(r *attest.TestRun) { r.Passed = []string{"a", "a"} }, "it would count twice"},
		"NoName":      {func(r *attest.TestRun) { r.Passed = []string{""} }, "which test?"},
		"NoSuite":     {func(r *attest.TestRun) { r.Suite = "" }, "which suite?"},
		"NoRun":       {func(r *attest.TestRun) { r.Executions = nil }, "which execution?"},
		"NoRevision":  {func(r *attest.TestRun) { r.Definitions = nil }, "which workflow?"},
		"NoTime":      {func(r *attest.TestRun) { r.TimeCreated = time.Time{} }, "nobody could say whether the key was in use"},
		"NoDigest":    {func(r *attest.TestRun) { r.Definitions[0].Digest = nil }, "which revision?"},
		"NoHex":       {func(r *attest.TestRun) { r.Definitions[0].Digest = map[string]string{attest.SHA256: "x"} }, "no digest"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := smoke()
			tc.change(&run)
			if s, err := attest.NewTestResult(subject(t), run); !fault.Is(err, fault.Invalid) {
				t.Errorf("%v, %v, want Invalid: %s", s, err, tc.reason)
			}
		})
	}
}

func TestStatement_TestResult_Err(t *testing.T) {
	t.Parallel()
	good := string(made(t)(attest.NewTestResult(subject(t), smoke())).Predicate)
	tests := map[string]struct{ predicate, reason string }{
		"Result":  {`{"result":"GOOD"}`, "none of the predicate's"},
		"Other":   {replace(t, good, `"WARNED"`, `"PASSED"`), "its own counts say something else"},
		"Counts":  {replace(t, good, `"passed":2`, `"passed":3`), "its own list is shorter"},
		"Listed":  {replace(t, good, `"logs in",`, ``), "its own count is higher"},
		"Missing": {`null`, "no result"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := attest.Statement{PredicateType: attest.TestResultType, Predicate: json.RawMessage(tc.predicate)}
			if p, err := s.TestResult(); !fault.Is(err, fault.Invalid) {
				t.Errorf("%v, %v, want Invalid: %s", p, err, tc.reason)
			}
		})
	}
	foreign := attest.Statement{PredicateType: attest.TestResultType, Predicate: json.RawMessage(`{"result":"PASSED","configuration":[]}`)}
	if p, err := foreign.TestResult(); err != nil || p.Result != attest.ResultPassed {
		t.Errorf("%v, %v: other tools write test results too", p, err)
	}
}

func replace(t *testing.T, text, old, now string) string {
	t.Helper()
	changed := bytes.Replace([]byte(text), []byte(old), []byte(now), 1)
	if string(changed) == text {
		t.Fatalf("%s is not in %s", old, text)
	}
	return string(changed)
}

func TestNewReadiness(t *testing.T) {
	t.Parallel()
	r, err := made(t)(attest.NewReadiness(subject(t), readiness(attest.ReadyWithWaivers))).Readiness()
	if err != nil {
		t.Fatal(err)
	}
	if text, err := canonical.Text(r.Input); err != nil || !bytes.Equal(text, r.Input) || r.InputSHA256 != attest.Digest(text) {
		t.Errorf("input %s, %s, %v", r.Input, r.InputSHA256, err)
	}
	if text, err := canonical.Text(r.Output); err != nil || !bytes.Equal(text, r.Output) || r.OutputSHA256 != attest.Digest(text) {
		t.Errorf("output %s, %s, %v", r.Output, r.OutputSHA256, err)
	}
	if v, err := r.Verdict(); err != nil || v != attest.ReadyWithWaivers || len(r.Waivers) != 1 {
		t.Errorf("%s, %v", v, err)
	}
}

func TestNewReadiness_Err(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*attest.Readiness)
		reason string
	}{
		"NoVersion":    {func(r *attest.Readiness) { r.Release.Version = "" }, "which release?"},
		"NoTime":       {func(r *attest.Readiness) { r.TimeCreated = time.Time{} }, "when?"},
		"NoPolicy":     {func(r *attest.Readiness) { r.Policy = attest.Resource{Name: "prod-gate"} }, "a name is not bound to bytes"},
		"NoInput":      {func(r *attest.Readiness) { r.Input = nil }, "nobody could compute it again"},
		"OtherVersion": {func(r *attest.Readiness) { r.Release.Version = "1.5.0" }, "judged was another release"},
		"OtherPolicy":  {func(r *attest.Readiness) { r.Policy = named("prod-gate v8") }, "judged by other rules"},
		"OtherImages": {func(r *attest.Readiness) {
			r.Input = bytes.ReplaceAll(r.Input, []byte(sum("api index")), []byte(sum("other")))
		}, "judged were other images"},
		"OtherCommit": {func(r *attest.Readiness) { r.Input = bytes.ReplaceAll(r.Input, []byte("aaaa"), []byte("bbbb")) }, "judged was another commit"},
		"InputText":   {func(r *attest.Readiness) { r.Input = []byte(`"a"`) }, "it names no release"},
		"InputTwice":  {func(r *attest.Readiness) { r.Input = []byte(`{"a":1,"a":2}`) }, "two readers would see two values"},
		"NoOutput":    {func(r *attest.Readiness) { r.Output = nil }, "no verdict"},
		"NoVerdict":   {func(r *attest.Readiness) { r.Output = []byte(`{"reasons":[]}`) }, "no verdict"},
		"Verdict":     {func(r *attest.Readiness) { r.Output = []byte(`{"state":"FINE"}`) }, "none of the verdicts"},
		"NoWaiver":    {func(r *attest.Readiness) { r.Waivers = nil }, "waivers belong inside of what is signed"},
		"Approver":    {func(r *attest.Readiness) { r.Waivers[0].Approvers = nil }, "nobody approved it"},
		"Forever":     {func(r *attest.Readiness) { r.Waivers[0].ExpiresAt = time.Time{} }, "every waiver expires"},
		"Evidence":    {func(r *attest.Readiness) { r.Evidence = []attest.Resource{{Name: "x"}} }, "a name is not bound to bytes"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := readiness(attest.ReadyWithWaivers)
			tc.change(&r)
			if s, err := attest.NewReadiness(subject(t), r); !fault.Is(err, fault.Invalid) {
				t.Errorf("%v, %v, want Invalid: %s", s, err, tc.reason)
			}
		})
	}
}

func TestNewSVR(t *testing.T) {
	t.Parallel()
	tests := map[attest.Verdict]struct{ property, reason string }{
		attest.Ready:            {attest.PropertyReady, "ready"},
		attest.ReadyWithWaivers: {attest.PropertyReadyWithWaivers, "a consumer may take this for less"},
		attest.NotReady:         {"", "what is not ready has no property"},
		attest.Incomplete:       {"", "missing evidence is no property"},
	}
	for verdict, tc := range tests {
		t.Run(string(verdict), func(t *testing.T) {
			t.Parallel()
			s, err := attest.NewSVR(made(t)(attest.NewReadiness(subject(t), readiness(verdict))), verifier)
			if tc.property == "" {
				if !fault.Is(err, fault.Conflict) {
					t.Errorf("%v, %v, want Conflict: %s", s, err, tc.reason)
				}
				return
			}
			p, err := made(t)(s, err).SVR()
			want := attest.SVR{
				Verifier:    attest.Verifier{ID: verifier, Policies: []attest.Resource{named("prod-gate v7")}},
				TimeCreated: day(3), Properties: []string{tc.property},
			}
			if diff := cmp.Diff(want, p); err != nil || diff != "" {
				t.Errorf("%v %s: %s", err, diff, tc.reason)
			}
		})
	}
	ready := made(t)(attest.NewReadiness(subject(t), readiness(attest.Ready)))
	if _, err := attest.NewSVR(ready, "seatrial"); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v: a verifier is a URI", err)
	}
	if _, err := attest.NewSVR(made(t)(attest.NewTestResult(subject(t), smoke())), verifier); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v: tests are no verdict", err)
	}
}

func TestImage(t *testing.T) {
	t.Parallel()
	good := sum("x")
	tests := map[string]struct {
		name, digest string
		ok           bool
		reason       string
	}{
		"OK":     {"shop/web", "sha256:" + good, true, "as a cluster shows it"},
		"NoName": {"", "sha256:" + good, false, "which image?"},
		"Bare":   {"shop/web", good, false, "the algorithm is missing"},
		"Other":  {"shop/web", "sha512:" + good, false, "not what subjects are matched by"},
		"Short":  {"shop/web", "sha256:" + good[1:], false, "cut"},
		"Upper":  {"shop/web", "sha256:A" + good[1:], false, "one text for a digest"},
		"Tag":    {"shop/web", "sha256:latest", false, "no digest"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := attest.Image(tc.name, tc.digest)
			if (err == nil) != tc.ok || (err != nil && !fault.Is(err, fault.Invalid)) {
				t.Errorf("%v, %v: %s", r, err, tc.reason)
			}
		})
	}
	for commit, ok := range map[string]bool{good: true, good[:40]: true, good[:39]: false, "main": false, "": false} {
		if _, err := attest.Commit("", commit); (err == nil) != ok {
			t.Errorf("commit %q: %v", commit, err)
		}
	}
}

func TestParseStatement_Err(t *testing.T) {
	t.Parallel()
	text, err := made(t)(attest.NewTestResult(subject(t)[3:], smoke())).Encode()
	if err != nil {
		t.Fatal(err)
	}
	one := fmt.Sprintf(`{"digest":{"gitCommit":"%040d"}}`, 7)
	with := func(subject string) string {
		return fmt.Sprintf(`{"_type":%q,"predicateType":"x","subject":[%s]}`, attest.StatementType, subject)
	}
	tests := map[string]struct{ text, field, reason string }{
		"Text":        {"statement", "", "no JSON"},
		"Type":        {replace(t, string(text), "Statement/v1", "Statement/v0.1"), "_type", "another version"},
		"NoPredicate": {replace(t, string(text), `"predicateType"`, `"predicatetypes"`), "predicateType", "says nothing"},
		"NoSubject":   {with(""), "subject", "about nothing"},
		"NoDigest":    {with(`{"name":"shop/web"}`), "subject[0].digest", "a name is not bound to bytes"},
		"WeakDigest":  {with(one + `,{"digest":{"md5":"d41d8cd98f00b204e9800998ecf8427e"}}`), "subject[1].digest", "not bound to bytes either"},
		"NoHex":       {with(`{"digest":{"sha256":"x"}}`), "subject[0].digest", "no digest"},
		"Twice":       {with(one + "," + one), "subject[1]", "it would count twice"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := attest.ParseStatement([]byte(tc.text))
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%v, want Invalid: %s", err, tc.reason)
			}
			if f := (*fault.Error)(nil); errors.As(err, &f) && f.Field != tc.field {
				t.Errorf("field %q, want %q", f.Field, tc.field)
			}
		})
	}
}

func FuzzParseStatement(f *testing.F) {
	for _, e := range envelopes(f) {
		f.Add(e.Payload)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := attest.ParseStatement(text)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%v is not classified", err)
			}
			return
		}
		_, resultErr := s.TestResult()
		_, readinessErr := s.Readiness()
		_, svrErr := s.SVR()
		for _, err := range []error{resultErr, readinessErr, svrErr} {
			if err != nil && !fault.Is(err, fault.Invalid) {
				t.Errorf("%v is not classified", err)
			}
		}
		written, err := s.Encode()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := attest.ParseStatement(written)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := again.Encode(); err != nil || !bytes.Equal(twice, written) {
			t.Errorf("%s becomes %s, %v", written, twice, err)
		}
	})
}
