package cmd_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/results"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

// committed is a bundle that was signed once and stays as it is: every later version has to give its verdict again. Its key is the
// signer "a" of the tests.
func committed() (bundle, keys string) {
	return filepath.Join("testdata", "verify", "bundle.seatrial.jsonl"), filepath.Join("testdata", "verify", "keys.json")
}

func TestReleaseVerify(t *testing.T) {
	t.Parallel()
	good, other := signer(t, "a"), signer(t, "b")
	bundle, keys := committed()
	changed := bundled(t, judged(results.Passed), good)
	changed[len(changed)/2] ^= 1
	for name, args := range map[string][]string{
		"verify-ready":     {bundle, "--key", keys},
		"verify-json":      {bundle, "--key", keys, "-o", "json"},
		"verify-pem":       {bundle, "--key", file(t, "k.pem", good.Public().PEM())},
		"verify-several":   {bundle, "--key", file(t, "o.json", keyList(t, other)), "--key", keys},
		"verify-not-ready": {file(t, "b", bundled(t, judged(results.Failed), good)), "--key", keys},
		"verify-changed":   {file(t, "b", changed), "--key", keys},
		"verify-cut":       {file(t, "b", changed[:len(changed)-1]), "--key", keys, "-o", "json"},
		"verify-stranger":  {bundle, "--key", file(t, "o.json", keyList(t, other))},
		"verify-retired":   {bundle, "--key", file(t, "o.json", keyList(t, other, good))},
		"verify-empty":     {bundle, "--key", file(t, "e.json", keyList(t))},
		"verify-no-key":    {bundle},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.env["SEATRIAL_SERVER"], s.env["SEATRIAL_TOKEN"] = "", ""
			golden(t, name, s.run(t, append([]string{"release", "verify"}, args...)...))
		})
	}
}

// TestReleaseVerify_Lie signs, with the right key, a verdict that the evidence does not give.
func TestReleaseVerify_Lie(t *testing.T) {
	t.Parallel()
	good := signer(t, "a")
	lie := pretended(t, judged(results.Failed), judged(results.Passed), good)
	s := setup(t)
	golden(t, "verify-lie", s.run(t, "release", "verify", file(t, "b", lie), "--key", file(t, "k", keyList(t, good))))
}

func TestReleaseVerify_Sources(t *testing.T) {
	t.Parallel()
	good := signer(t, "a")
	bundle, keys := committed()
	s := setup(t)
	s.releases.keys = keyList(t, good)
	at := s.server.URL + "/.well-known/seatrial/keys/acme"
	if got := s.run(t, "release", "verify", bundle, "--key", at); got.code != exitcode.Passed || !strings.Contains(got.err, "plain HTTP") {
		t.Errorf("keys by their address: %v", got)
	}
	text, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	s.in = string(text)
	if got := s.run(t, "release", "verify", "-", "--key", keys); got.code != exitcode.Passed {
		t.Errorf("from standard input: %v", got)
	}
	for name, args := range map[string][]string{
		"NoFile":     {"no-such-file", "--key", keys},
		"NoKey":      {bundle, "--key", "no-such-file"},
		"NoKeys":     {bundle, "--key", bundle},
		"NoAddress":  {bundle, "--key", s.server.URL + "/.well-known/seatrial/keys/other"},
		"PrivateKey": {bundle, "--key", file(t, "p", secretOf(t, good))},
		"Large":      {bundle, "--key", file(t, "l", bytes.Repeat([]byte(" "), 2<<20))},
	} {
		if got := s.run(t, append([]string{"release", "verify"}, args...)...); got.code != exitcode.Usage || strings.Contains(got.err, "MC4CAQ") {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestReleaseVerify_EveryByte holds what the whole command is for.
func TestReleaseVerify_EveryByte(t *testing.T) {
	t.Parallel()
	bundle, keys := committed()
	text, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	s := setup(t)
	for i := 0; i < len(text); i += 7 { // the rest is held by the tests of attest
		text[i] ^= 1
		s.in = string(text)
		if got := s.run(t, "release", "verify", "-", "--key", keys); got.code != exitcode.Failed || !strings.Contains(got.out, "✕") {
			t.Fatalf("byte %d: %v", i, got)
		}
		text[i] ^= 1
	}
}

func TestReleaseBundle(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.releases.bundle = []byte("the bundle\n")
	path := filepath.Join(t.TempDir(), "b.jsonl")
	for i, tc := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"shop", "1", "--out", path}, exitcode.Passed, "Wrote"},
		{[]string{"shop", "1", "--out", path}, exitcode.Usage, "--force"},
		{[]string{"shop", "1", "--out", path, "--force"}, exitcode.Passed, "Wrote"},
		{[]string{"shop", "none", "--out", path, "--force"}, exitcode.Usage, "no release none"},
		{[]string{"shop", "1", "--out", filepath.Join(path, "x")}, exitcode.Usage, "not a directory"},
	} {
		if got := s.run(t, append([]string{"release", "bundle"}, tc.args...)...); got.code != tc.code || !strings.Contains(got.err, tc.says) {
			t.Errorf("call %d: %v", i, got)
		}
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "the bundle\n" {
		t.Errorf("%q, %v: a failure leaves what was there", text, err)
	}
	if got := s.run(t, "release", "bundle", "shop", "1", "--out", "-"); got.out != "the bundle\n" || got.err != "" {
		t.Errorf("to standard output: %v", got)
	}
}

func TestReleaseBundle_Name(t *testing.T) {
	t.Parallel()
	s := setup(t)
	got := s.run(t, "release", "bundle", "shop/cart", "1.42.0")
	if err := os.Remove("shop-cart-1.42.0.seatrial.jsonl"); err != nil || got.code != exitcode.Passed {
		t.Errorf("%v, %v", got, err)
	}
}

func TestReleaseShare(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"share": {"share", "shop", "1.0", "--for", "24h"}, "snapshots": {"snapshots"}, "snapshots-none": {"snapshots", "shop", "none"}, "snapshots-half": {"snapshots", "shop"},
		"snapshots-revoke": {"snapshots", "revoke", "s1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, "release-"+name, setup(t).run(t, append([]string{"release"}, args...)...))
		})
	}
}

func TestReleaseKeys(t *testing.T) {
	t.Parallel()
	keys := keyList(t, signer(t, "a"), signer(t, "b"))
	for name, args := range map[string][]string{
		"keys": {"keys"}, "keys-json": {"keys", "-o", "json"}, "keys-rotate": {"keys", "rotate", "--yes"}, "keys-rotate-unsure": {"keys", "rotate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.releases.keys = keys
			golden(t, name, s.run(t, append([]string{"release"}, args...)...))
			if s.releases.rotated != (name == "keys-rotate") {
				t.Errorf("rotated: %t", s.releases.rotated)
			}
		})
	}
	s := setup(t)
	s.releases.keys = keys
	path := filepath.Join(t.TempDir(), "keys.json")
	if got := s.run(t, "release", "keys", "--out", path); got.code != exitcode.Passed {
		t.Fatal(got)
	}
	if text, err := os.ReadFile(path); err != nil || !bytes.Equal(text, keys) || !json.Valid(text) {
		t.Errorf("%s, %v", text, err)
	}
	s.releases.keys = keyList(t)
	if got := s.run(t, "release", "keys"); got.code != exitcode.Passed || !strings.Contains(got.err, "None yet") {
		t.Errorf("before the first bundle: %v", got)
	}
}

// told is a release as the API tells it, with one test of each kind.
func told(version string, state apiv1.State, verdicts ...string) *apiv1.Release {
	cell := &apiv1.ReleaseCell{Environment: "eu", Suite: "smoke", Required: 3, Passed: 1, Failed: 1, InfraError: 1, Contradictory: true}
	for i, v := range verdicts {
		cell.Results = append(cell.Results, &apiv1.TestVerdict{
			Key: string(rune('a' + i)), Name: "pays " + string(rune('a'+i)) + "\x1b[2J<b>|", Verdict: v, Required: true, SubjectOk: true, FinishedAt: instant(1),
		})
	}
	return &apiv1.Release{
		Application: "shop/cart", Version: version, Images: []*apiv1.Image{{Name: "shop", Digest: "sha256:01"}}, Actor: "ann", CreatedAt: instant(0),
		Policy: &apiv1.PolicyRevision{Name: "gate", Revision: 7}, State: state, DecidedAt: instant(2), Gaps: []string{"Nothing is known of us/load."},
		Rules: []*apiv1.ReleaseRule{
			{Id: "good", Kind: "negative", Holds: state == apiv1.State_STATE_READY, Failing: []*apiv1.FailingCell{
				{Environment: "eu", Suite: "smoke", AtFault: 21, Tests: []*apiv1.TestAtFault{{Key: "a", Name: "pays a", Verdict: "failed"}}},
			}},
			{Id: "complete", Kind: "missing", Holds: true},
		},
		Cells: []*apiv1.ReleaseCell{cell},
		Waivers: []*apiv1.Waiver{{
			Id: "w", Rule: "good", Reason: "known", Requester: "ann", Approvals: []*apiv1.Approval{{By: "bob", At: instant(1)}},
			CreatedAt: instant(0), ExpiresAt: instant(9), Why: "It has expired.",
		}},
		Url: "https://seatrial.test/o/acme/releases/shop%2Fcart/" + version,
	}
}

func TestReleaseDocuments(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"report":          {"report", "shop/cart", "2"},
		"report-html":     {"report", "shop/cart", "2", "--format", "html"},
		"report-json":     {"report", "shop/cart", "2", "--format", "json"},
		"report-pdf":      {"report", "shop/cart", "2", "--format", "pdf"},
		"report-none":     {"report", "shop/cart", "9"},
		"compare":         {"compare", "shop/cart", "1", "2"},
		"compare-json":    {"compare", "shop/cart", "1", "2", "-o", "json"},
		"compare-same":    {"compare", "shop/cart", "1", "1"},
		"compare-unknown": {"compare", "shop/cart", "1", "9"},
		"status":          {"status", "shop/cart", "2"},
		"gate":            {"gate", "shop/cart", "2"},
		"gate-meant":      {"gate", "shop/cart", "1", "--target", "lab", "--target", "production"},
		"gate-untargeted": {"gate", "shop/cart", "0", "--target", "production", "--wait"},
		"gate-elsewhere":  {"gate", "shop/cart", "1", "--target", "production", "--target", "edge"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.releases.list = map[string]*apiv1.Release{
				"0": told("0", apiv1.State_STATE_READY, "passed"),
				"1": told("1", apiv1.State_STATE_READY, "passed", "failed", "passed", "passed"),
				"2": told("2", apiv1.State_STATE_NOT_READY, "failed", "passed", "flaky", "infra_error", "failed"),
			}
			if strings.HasPrefix(name, "gate") {
				s.releases.list["1"].Targets = []string{"lab", "production"}
			}
			golden(t, "release-"+name, s.run(t, append([]string{"release"}, args...)...))
		})
	}
}

func TestReleaseReport_File(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.releases.list = map[string]*apiv1.Release{"1": told("1", apiv1.State_STATE_READY)}
	path := filepath.Join(t.TempDir(), "report.html")
	for i, code := range []int{exitcode.Passed, exitcode.Usage} {
		if got := s.run(t, "release", "report", "shop/cart", "1", "--format", "html", "--out", path); got.code != code || got.out != "" {
			t.Errorf("call %d: %v", i, got)
		}
	}
	if text, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(text, []byte("<!doctype html>")) {
		t.Errorf("%.40s, %v", text, err)
	}
}
