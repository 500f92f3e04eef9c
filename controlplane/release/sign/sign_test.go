package sign_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// failing adds an attempt at a test that nobody requires, and which fails.
func failing(w *world) {
	w.in.Cells[0].Evidence = append(w.in.Cells[0].Evidence, verdict.Evidence{
		Test: "k3", Name: "refunds", Variant: "firefox", Outcome: results.Failed, Fingerprint: "fp1:1", Run: "b", FinishedAt: w.now.Add(-time.Hour),
	})
}

func waived(w *world) {
	failing(w)
	w.in.Waivers = []verdict.Waiver{
		{
			ID: "w1", Application: "shop/cart", Version: "1.42.0", Rule: "no-unwaived-failures", Suite: "smoke", Test: "k3", Reason: "known", Requester: "ann",
			Approvals: []verdict.Approval{{By: "bob", At: w.now.Add(-time.Minute)}}, CreatedAt: w.now.Add(-time.Hour), ExpiresAt: w.now.Add(time.Hour),
		},
		{ID: "w2", Application: "shop/cart", Version: "1.42.0", Rule: "no-unwaived-failures", Requester: "ann", CreatedAt: w.now, ExpiresAt: w.now.Add(time.Hour)},
	}
}

func TestService_Bundle(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change     func(*world)
		verdict    attest.Verdict
		statements string
		result     attest.Result // of the cell; empty when nothing is said of it
		reason     string
	}{
		"Ready":      {func(*world) {}, attest.Ready, "test-result release-readiness svr", attest.ResultPassed, "all passed"},
		"NotReady":   {failing, attest.NotReady, "test-result release-readiness", attest.ResultFailed, "what is not required may fail it"},
		"Waived":     {waived, attest.ReadyWithWaivers, "test-result release-readiness svr", attest.ResultWarned, "the failure was waived"},
		"Incomplete": {func(w *world) { w.in.Cells[0].Evidence = w.in.Cells[0].Evidence[:1] }, attest.Incomplete, "test-result release-readiness", attest.ResultFailed, "one never ran"},
		"Elsewhere": {func(w *world) {
			for i := range w.in.Runs {
				w.in.Runs[i].Subject.End = []verdict.Image{{Name: "shop", Digest: "sha256:" + sum("other")}}
			}
		}, attest.Incomplete, "release-readiness", "", "no run saw the release"},
		"Nothing":     {func(w *world) { w.in.Cells = nil }, attest.Incomplete, "release-readiness", "", "nothing is required"},
		"NoName":      {func(w *world) { w.in.Release.Images[0].Name = "" }, attest.Ready, "test-result release-readiness svr", attest.ResultPassed, "the digest is enough"},
		"ShortCommit": {func(w *world) { w.in.Release.Commit = "abc1234" }, attest.Ready, "test-result release-readiness svr", attest.ResultPassed, "the images are enough"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			tc.change(w)
			f := examine(t, w.bundle(t), w.ring(t))
			if !f.Holds() {
				t.Fatalf("%v: %s", f.Points, tc.reason)
			}
			var types []string
			for _, s := range f.Verified.Statements {
				parts := strings.Split(s.PredicateType, "/")
				types = append(types, parts[len(parts)-2])
			}
			if got := strings.Join(types, " "); got != tc.statements {
				t.Errorf("statements %s, want %s: %s", got, tc.statements, tc.reason)
			}
			if v, err := f.Verified.Readiness.Verdict(); err != nil || v != tc.verdict {
				t.Errorf("%s, %v, want %s: %s", v, err, tc.verdict, tc.reason)
			}
			if r, _ := f.Verified.Statements[0].TestResult(); r.Result != tc.result {
				t.Errorf("result %s, want %s: %s", r.Result, tc.result, tc.reason)
			}
			if want := len(f.Verified.Readiness.Waivers) == 1; want != (tc.verdict == attest.ReadyWithWaivers) {
				t.Errorf("waivers %v: those by which a rule holds", f.Verified.Readiness.Waivers)
			}
		})
	}
}

func TestService_Bundle_TestResult(t *testing.T) {
	t.Parallel()
	w := setup(t)
	failing(w)
	r, err := examine(t, w.bundle(t), w.ring(t)).Verified.Statements[0].TestResult()
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{w.executions[0].String(), w.executions[1].String()}
	want := attest.TestResult{
		Result: attest.ResultFailed, URL: "https://seatrial.test/o/acme/executions/" + ids[1],
		Configuration: []attest.Resource{{Name: "smoke revision 3", Digest: map[string]string{"sha256": sum("workflow")}}},
		PassedTests:   []string{"pays", "pays #2"}, FailedTests: []string{"refunds [firefox]"},
		Extension: attest.TestExtension{
			Executions: ids, Suite: "smoke", Environment: "eu", TimeCreated: w.now, Counts: attest.Counts{Passed: 2, Failed: 1},
		},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestService_Bundle_Large holds that names which are left out are somewhere in the bundle.
func TestService_Bundle_Large(t *testing.T) {
	t.Parallel()
	w := setup(t)
	c := &w.in.Cells[0]
	for i := range attest.MaxNames {
		test := verdict.Test{Key: fmt.Sprint(i), Name: "pays"} // all called the same
		c.Required = append(c.Required, test)
		c.Evidence = append(c.Evidence, verdict.Evidence{Test: test.Key, Name: test.Name, Outcome: results.Passed, Run: "a", FinishedAt: w.now})
	}
	f := examine(t, w.bundle(t), w.ring(t))
	r, err := f.Verified.Statements[0].TestResult()
	if err != nil || !f.Holds() || !r.Extension.NamesLeftOut || r.Extension.Counts.Passed != attest.MaxNames+2 {
		t.Fatalf("%v, %v, %v", r.Extension, f.Points, err)
	}
	if full := r.Configuration[len(r.Configuration)-1]; full.Digest["sha256"] != f.Verified.Readiness.OutputSHA256 {
		t.Errorf("full result %v: the verdict has all names", full)
	}
}

func TestService_Bundle_SameBytes(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if a, b := w.bundle(t), w.bundle(t); !bytes.Equal(a, b) {
		t.Errorf("the same evidence at the same time gives\n%s\nand\n%s", a, b)
	}
}

// TestService_Bundle_Flipped flips a bit here and there, as whoever moves files about may; the tests of attest do so with every byte.
func TestService_Bundle_Flipped(t *testing.T) {
	t.Parallel()
	w := setup(t)
	file, ring := w.bundle(t), w.ring(t)
	for i := 0; i < len(file); i += 7 {
		file[i] ^= 1 << (i % 8)
		if f := examine(t, file, ring); f.Holds() || f.Points[0].Outcome != attest.Fails {
			t.Fatalf("byte %d was changed: %v", i, f.Points)
		}
		file[i] ^= 1 << (i % 8)
	}
}

func TestService_Bundle_Err(t *testing.T) {
	t.Parallel()
	w := setup(t)
	read := w.as(t, tenant.ScopeRead)
	var b bytes.Buffer
	if err := w.service.Bundle(w.as(t), "shop/cart", "1.42.0", &b); !fault.Is(err, fault.Forbidden) {
		t.Errorf("without the scope: %v", err)
	}
	if err := w.service.Bundle(read, "shop/cart", "9", &b); !fault.Is(err, fault.NotFound) {
		t.Errorf("no such release: %v", err)
	}
	if len(w.ring(t).Keys()) != 0 {
		t.Error("a key was made for nothing")
	}
	w.in.Release.Images, w.in.Release.Commit = nil, "abc1234"
	if err := w.service.Bundle(read, "shop/cart", "1.42.0", &b); !fault.Is(err, fault.Conflict) {
		t.Errorf("nothing to sign: %v", err)
	}
	if b.Len() > 0 {
		t.Errorf("%d bytes were written before it was refused", b.Len())
	}
}

func TestService_Rotate(t *testing.T) {
	t.Parallel()
	w := setup(t)
	first := w.bundle(t)
	before := w.ring(t)
	w.now = w.now.Add(time.Minute)
	w.rotate(t)
	second := w.bundle(t)
	ring := w.ring(t)
	if keys := ring.Keys(); len(keys) != 2 || keys[1].ID() != before.Keys()[0].ID() || !keys[1].RetiredAt.Equal(w.now) || !keys[0].NotBefore.Equal(w.now) {
		t.Errorf("keys %v", keys)
	}
	for name, tc := range map[string]struct {
		file   []byte
		ring   key.Ring
		want   bool
		reason string
	}{
		"Old":     {first, ring, true, "what the old key signed stays good"},
		"New":     {second, ring, true, "the new key signs"},
		"OldList": {first, before, true, "whoever has an old list can check old bundles"},
		"NewKey":  {second, before, false, "whoever has an old list does not know the new key"},
	} {
		if f := examine(t, tc.file, tc.ring); f.Holds() != tc.want {
			t.Errorf("%s: %v: %s", name, f.Points, tc.reason)
		}
	}
	if _, err := w.service.Rotate(w.as(t, tenant.ScopeRead, tenant.ScopeRelease)); !fault.Is(err, fault.Forbidden) {
		t.Errorf("without the scope: %v", err)
	}
}

// TestService_RevokeKey goes from a key that is no longer wanted to one that was stolen.
func TestService_RevokeKey(t *testing.T) {
	t.Parallel()
	w := setup(t)
	first := w.bundle(t)
	before := w.ring(t)
	id := before.Keys()[0].ID()
	w.now = w.now.Add(time.Minute)
	admin := w.as(t, tenant.ScopeAdmin)
	for name, tc := range map[string]struct {
		scope      tenant.Scope
		id, reason string
		kind       fault.Kind
	}{
		"Scope": {tenant.ScopeRelease, id, "why", fault.Forbidden}, "Unknown": {tenant.ScopeAdmin, "0123", "why", fault.NotFound},
		"NoReason": {tenant.ScopeAdmin, id, " ", fault.Invalid},
	} {
		if _, err := w.service.RevokeKey(w.as(t, tc.scope), tc.id, tc.reason, true); !fault.Is(err, tc.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ring, err := w.service.RevokeKey(admin, id, "the cluster is sold", false)
	if err != nil {
		t.Fatal(err)
	}
	keys := ring.Keys()
	if len(keys) != 2 || keys[0].ID() == id || keys[1].Revoked == nil || !keys[1].Revoked.At.Equal(w.now) || !keys[1].RetiredAt.Equal(w.now) {
		t.Fatalf("keys %+v", keys)
	}
	second := w.bundle(t)
	if f := examine(t, first, ring); !f.Holds() {
		t.Errorf("what was signed before does not hold: %v", f.Points)
	}
	if f := examine(t, second, ring); !f.Holds() {
		t.Errorf("the new key does not sign: %v", f.Points)
	}
	if _, err := w.service.RevokeKey(admin, id, "again", false); !fault.Is(err, fault.Conflict) {
		t.Errorf("revoked twice: %v", err)
	}
	if ring, err = w.service.RevokeKey(admin, id, "it was stolen", true); err != nil {
		t.Fatal(err)
	}
	f := examine(t, first, ring)
	if f.Holds() || !strings.Contains(fmt.Sprint(f.Points), "as compromised") || !strings.Contains(fmt.Sprint(f.Points), "it was stolen") {
		t.Errorf("what a stolen key signed: %v", f.Points)
	}
	if again := w.ring(t); again.Keys()[1].Revoked == nil || !again.Keys()[1].Revoked.Compromised {
		t.Errorf("the list does not say so: %+v", again.Keys())
	}
}

// TestService_Rotate_Clocks holds that replicas whose clocks differ make no list that nobody reads.
func TestService_Rotate_Clocks(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.rotate(t)
	w.now = w.now.Add(-time.Second)
	if f := examine(t, w.bundle(t), w.ring(t)); !f.Holds() {
		t.Errorf("signed before its key was made, by another clock: %v", f.Points)
	}
	w.rotate(t)
	w.in = w.input()
	if f := examine(t, w.bundle(t), w.ring(t)); !f.Holds() {
		t.Errorf("%v", f.Points)
	}
}

func TestService_Ring(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if keys := w.ring(t).Keys(); len(keys) != 0 {
		t.Errorf("keys %v before anything was signed", keys)
	}
	if _, err := w.service.Ring(t.Context(), "other"); !fault.Is(err, fault.NotFound) {
		t.Errorf("another organization: %v", err)
	}
	for range key.MaxKeys {
		w.now = w.now.Add(time.Second)
		w.rotate(t)
	}
	if _, err := w.service.Rotate(w.as(t, tenant.ScopeAdmin)); !fault.Is(err, fault.Exhausted) {
		t.Errorf("%v: readers take no longer list", err)
	}
	if text, err := json.Marshal(w.ring(t)); err != nil || len(text) > key.MaxList {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

// TestService_FirstKey holds that of several first bundles all are signed by one key.
func TestService_FirstKey(t *testing.T) {
	t.Parallel()
	w := setup(t)
	done := make(chan []byte)
	for range 8 {
		go func() {
			var b bytes.Buffer
			_ = w.service.Bundle(tenant.WithViewer(t.Context(), tenant.Viewer{
				Kind: tenant.KindMember, Organization: w.org, Role: tenant.RoleViewer,
			}), "shop/cart", "1.42.0", &b)
			done <- b.Bytes()
		}()
	}
	var files [][]byte
	for range 8 {
		files = append(files, <-done)
	}
	ring := w.ring(t)
	if len(ring.Keys()) != 1 {
		t.Fatalf("keys %v", ring.Keys())
	}
	for _, file := range files {
		if f := examine(t, file, ring); !f.Holds() {
			t.Errorf("%v", f.Points)
		}
	}
}

func TestService_NoSecretIsTold(t *testing.T) {
	t.Parallel()
	w := setup(t)
	file := w.bundle(t)
	w.rotate(t)
	text, err := w.SigningKeys(t.Context(), w.org)
	if err != nil {
		t.Fatal(err)
	}
	var kept []struct{ Private string }
	if err := json.Unmarshal(text, &kept); err != nil || len(kept) != 2 {
		t.Fatalf("%v, %v", kept, err)
	}
	list, err := json.Marshal(w.ring(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kept {
		secret := strings.Split(k.Private, "\n")[1]
		for what, told := range map[string]string{"log": w.log.String(), "bundle": string(file), "list": string(list)} {
			if strings.Contains(told, secret) {
				t.Errorf("the %s tells a private key", what)
			}
		}
	}
	if err := w.ChangeSigningKeys(t.Context(), w.org, func([]byte) ([]byte, error) { return slices.Concat([]byte("x"), text), nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.Ring(t.Context(), "acme"); !fault.Is(err, fault.Internal) || strings.Contains(err.Error(), "PRIVATE") {
		t.Errorf("damaged keys: %v", err)
	}
}
