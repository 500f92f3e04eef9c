package verdict_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
)

// noon is now in all tests.
func noon() time.Time { return time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC) }

func images(names ...string) []verdict.Image {
	var all []verdict.Image
	for _, n := range names {
		name, digest, _ := strings.Cut(n, "@")
		all = append(all, verdict.Image{Name: name, Digest: digest})
	}
	return all
}

// attempts makes evidence of words such as "a:passed", "a/firefox:failed" or "b:running"; edits are applied to each.
func attempts(words string, edits ...func(*verdict.Evidence)) []verdict.Evidence {
	var all []verdict.Evidence
	for word := range strings.FieldsSeq(words) {
		key, outcome, _ := strings.Cut(word, ":")
		test, variant, _ := strings.Cut(key, "/")
		e := verdict.Evidence{Test: test, Name: "test " + test, Variant: variant, Run: "on", FinishedAt: noon().Add(-time.Hour)}
		if e.Outcome = results.Outcome(outcome); outcome == "running" {
			e.Outcome, e.Running, e.FinishedAt, e.Run = "", true, time.Time{}, "going"
		}
		if e.Outcome.Bad() {
			e.Fingerprint = "fp1:649b72b52e25e7c0"
		}
		for _, edit := range edits {
			edit(&e)
		}
		all = append(all, e)
	}
	return all
}

func from(run string) func(*verdict.Evidence) { return func(e *verdict.Evidence) { e.Run = run } }

func aged(d time.Duration) func(*verdict.Evidence) {
	return func(e *verdict.Evidence) { e.FinishedAt = noon().Add(-d) }
}

func contradictory(e *verdict.Evidence) { e.Contradictory = true }

func failedAs(fingerprint string) func(*verdict.Evidence) {
	return func(e *verdict.Evidence) { e.Fingerprint = fingerprint }
}

// cell requires tests by their keys; one with "!" has the label critical.
func cell(environment, required string, evidence ...[]verdict.Evidence) verdict.Cell {
	c := verdict.Cell{Environment: environment, Suite: "smoke", Labels: map[string]string{"tier": "critical"}, Evidence: slices.Concat(evidence...)}
	for key := range strings.FieldsSeq(required) {
		test := verdict.Test{Key: strings.TrimSuffix(key, "!")}
		if test.Name = "test " + test.Key; test.Key != key {
			test.Labels = []string{"critical"}
		}
		c.Required = append(c.Required, test)
	}
	return c
}

// waiver is one that holds for the failures that attempts makes; it was approved by somebody else.
func waiver(edits ...func(*verdict.Waiver)) verdict.Waiver {
	w := verdict.Waiver{
		ID: "w1", Application: "shop/cart", Version: "1.4.0", Fingerprint: "fp1:649b72b52e25e7c0", Reason: "known", Requester: "ada",
		Approvals: []verdict.Approval{{By: "grace", At: noon().Add(-time.Hour)}},
		CreatedAt: noon().Add(-2 * time.Hour), ExpiresAt: noon().Add(time.Hour),
	}
	for _, edit := range edits {
		edit(&w)
	}
	return w
}

// second is a waiver of another failure.
func second(edits ...func(*verdict.Waiver)) verdict.Waiver {
	other := func(w *verdict.Waiver) { w.ID, w.Fingerprint = "w2", "fp1:54df579c0435a606" }
	return waiver(append([]func(*verdict.Waiver){other}, edits...)...)
}

// input is a release of one image under the default rules.
func input(cells ...verdict.Cell) verdict.Input {
	on, other := images("shop/cart@sha256:aa", "proxy@sha256:01"), images("shop/cart@sha256:bb")
	return verdict.Input{
		Release: verdict.Release{Application: "shop/cart", Version: "1.4.0", Commit: "c0ffee", Images: images("shop/cart@sha256:aa")},
		Policy: verdict.Policy{Name: "prod-gate", Revision: 7, Digest: "77", Rules: policy.DefaultRules(), Waivers: verdict.WaiverTerms{
			Approvers: "team:release-managers", MinApprovers: 1, MaxAge: verdict.Duration(72 * time.Hour), BindTo: verdict.BindFingerprint,
		}},
		Runs: []verdict.Run{
			{ID: "on", Subject: verdict.Subject{Start: on, End: images("proxy@sha256:02", "shop/cart@sha256:aa"), Commit: "c0ffee"}},
			{ID: "on2", Subject: verdict.Subject{Start: on, End: on}},
			{ID: "off", Subject: verdict.Subject{Start: other, End: other}},
			{ID: "mixed", Subject: verdict.Subject{Start: on, End: images("shop/cart@sha256:aa", "shop/cart@sha256:bb")}},
			{ID: "going", Running: true, Subject: verdict.Subject{Start: on}},
		},
		Cells: cells, Approvers: []string{"grace", "ada", "linus"}, Now: noon(),
	}
}

// decide compiles the policy of the input and decides.
func decide(t *testing.T, in verdict.Input) verdict.Output {
	t.Helper()
	c, err := verdict.Compile(in.Policy)
	if err != nil {
		t.Fatal(err)
	}
	out, err := verdict.Decide(t.Context(), c, in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// failing lists broken rules as "rule@environment".
func failing(out verdict.Output) string {
	var all []string
	for _, r := range out.Rules {
		for _, f := range r.Failing {
			all = append(all, r.ID+"@"+f.Environment)
		}
	}
	return strings.Join(all, " ")
}

func used(out verdict.Output) string {
	var all []string
	for _, w := range out.Waivers {
		if w.Used {
			all = append(all, w.ID)
		}
	}
	return strings.Join(all, " ")
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw) + "\n"
}
