package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/search"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// find searches as somebody.
func (f *fixture) find(ctx context.Context, t *testing.T, kind search.Kind, text string) []search.Hit {
	t.Helper()
	got, err := f.Find(ctx, kind, search.Terms{Text: text, Words: search.Asked(text), Limit: 10})
	if err != nil {
		t.Fatalf("search for %s %q: %v", kind, text, err)
	}
	return got
}

// listed takes up everything that there is to be found.
func (f *fixture) listed(t *testing.T) {
	t.Helper()
	if err := search.New(f.Store).List(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func titles(hits []search.Hit) []string {
	var out []string
	for _, h := range hits {
		out = append(out, h.Title)
	}
	return out
}

func searching() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"Tests": searchTests, "Failures": searchFailures, "Workflows": searchWorkflows, "Releases": searchReleases, "Executions": searchExecutions, "Apart": searchApart,
		"Forgotten": searchForgotten,
	}
}

func searchTests(t *testing.T, f *fixture) {
	for key, name := range map[string]string{"a": "pays by card", "b": "pays by invoice", "c": "TestCheckoutPays", "d": "adds"} {
		f.reported(t, execution.TestResult{Key: key, Name: name, File: "tests/test_" + key + "shop.py", Outcome: "passed"}, nil)
	}
	if got := f.find(f.as(t), t, search.Test, "pays"); len(got) != 0 {
		t.Errorf("%v: want nothing before it is listed", titles(got))
	}
	f.listed(t)
	for text, want := range map[string][]string{
		"pay":            {"cart › pays by card", "cart › pays by invoice", "cart › TestCheckoutPays"},
		"card pays":      {"cart › pays by card"},
		"CheckoutP":      {"cart › TestCheckoutPays"},
		"bshop":          {"cart › pays by invoice"},
		"pays bitcoin":   nil,
		"ay":             nil, // words are found from where they begin
		"%":              nil,
		"cart › pays by": {"cart › pays by card", "cart › pays by invoice"},
	} {
		got := titles(f.find(f.as(t), t, search.Test, text))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", text, got, want)
		}
	}
	hit := f.find(f.as(t), t, search.Test, "adds")[0]
	if hit.Ref != "d" || hit.Workflow != "smoke" || hit.Environment != "staging" || hit.Last != "p" || hit.At.IsZero() {
		t.Errorf("hit %+v", hit)
	}
	if got := f.find(f.as(t), t, search.Test, "cart › adds"); len(got) != 1 || got[0].Ref != "d" {
		t.Errorf("the title itself finds %v", titles(got))
	}
	if got := f.find(foreigner(t), t, search.Test, "pays"); len(got) != 0 {
		t.Errorf("a stranger finds %v", titles(got))
	}
	if got, err := f.Find(f.as(t), search.Test, search.Terms{Text: "cart", Words: []string{"cart"}, Limit: 2}); err != nil || len(got) != 2 {
		t.Errorf("%v, %v: want no more than asked for", titles(got), err)
	}
}

func searchFailures(t *testing.T, f *fixture) {
	for range 2 {
		f.reported(t, execution.TestResult{Key: "a", Name: "pays", Outcome: "failed", Fingerprint: "fp1:abcd12", Message: "connection refused by db-1\nat pay.go:12"}, nil)
	}
	f.reported(t, execution.TestResult{Key: "b", Name: "adds", Outcome: "passed"}, nil)
	f.listed(t)
	for _, text := range []string{"refused", "connection ref", "fp1:abcd12", "abcd"} {
		got := f.find(f.as(t), t, search.Failure, text)
		if len(got) != 1 || got[0].Ref != "fp1:abcd12" || got[0].Title != "connection refused by db-1" || got[0].Workflow != "smoke" || got[0].At.IsZero() {
			t.Errorf("%q finds %+v", text, got)
		}
	}
	if got := f.find(foreigner(t), t, search.Failure, "refused"); len(got) != 0 {
		t.Errorf("a stranger finds %v", titles(got))
	}
}

func searchWorkflows(t *testing.T, f *fixture) {
	apply := func(name, digest, description string) {
		rec := workflow.Record{Name: name, Digest: digest, Source: "x", Description: description, Labels: map[string]string{"area": "billing"}}
		if _, _, _, err := f.ApplyWorkflow(f.as(t), rec, ""); err != nil {
			t.Fatal(err)
		}
	}
	apply("smoke-eu", "d1", "pays with everything")
	f.listed(t)
	if got := titles(f.find(f.as(t), t, search.Workflow, "smoke")); !slices.Equal(got, []string{"smoke", "smoke-eu"}) {
		t.Errorf("%v: want the one of that name first", got)
	}
	for _, text := range []string{"everything", "billing", "eu smo"} {
		if got := titles(f.find(f.as(t), t, search.Workflow, text)); !slices.Equal(got, []string{"smoke-eu"}) {
			t.Errorf("%q finds %v", text, got)
		}
	}
	apply("smoke-eu", "d2", "adds")
	f.listed(t)
	if got := f.find(f.as(t), t, search.Workflow, "everything"); len(got) != 0 {
		t.Errorf("what it does not say any more finds %v", titles(got))
	}
	if got := f.find(f.as(t), t, search.Workflow, "adds"); len(got) != 1 || got[0].Description != "adds" {
		t.Errorf("what it says now finds %v", titles(got))
	}
	if got := f.find(foreigner(t), t, search.Workflow, "smoke"); len(got) != 0 {
		t.Errorf("a stranger finds %v", titles(got))
	}
}

func searchReleases(t *testing.T, f *fixture) {
	f.releasing(t, "2.4.1", "0123abcdef", shopImage)
	f.releasing(t, "2.4.0", "fedcba", otherImage)
	f.listed(t)
	for text, want := range map[string][]string{
		"shop": {"shop 2.4.0", "shop 2.4.1"}, "shop 2.4.1": {"shop 2.4.1"}, "0123abc": {"shop 2.4.1"}, shopImage: {"shop 2.4.1"}, shopImage[:20]: {"shop 2.4.1"}, "shop 3": nil,
	} {
		got := titles(f.find(f.as(t), t, search.Release, text))
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", text, got, want)
		}
	}
	hit := f.find(f.as(t), t, search.Release, "fedc")[0]
	if hit.Application != "shop" || hit.Version != "2.4.0" || hit.State != verdict.Incomplete || hit.Commit != "fedcba" {
		t.Errorf("hit %+v", hit)
	}
	if got := f.find(foreigner(t), t, search.Release, "shop"); len(got) != 0 {
		t.Errorf("a stranger finds %v", titles(got))
	}
}

func searchExecutions(t *testing.T, f *fixture) {
	n := f.request(t, "")
	n.Execution.Commit = "feedbead01"
	if _, _, err := f.CreateExecution(f.as(t), n); err != nil {
		t.Fatal(err)
	}
	other := f.queued(t)
	f.listed(t)
	of := func(text string) (ids []string) {
		for _, h := range f.find(f.as(t), t, search.Execution, text) {
			ids = append(ids, h.Ref)
		}
		return ids
	}
	one, two := n.Execution.ID.String(), other.Execution.ID.String()
	for text, want := range map[string][]string{
		one: {one}, one[:35]: nil, "feedbead": {one}, "FEEDBEAD01": {one}, "smoke": {two, one}, "feed": {one}, "fee": nil, "load": nil,
	} {
		if got := of(text); want != nil && !slices.Equal(got, want) || want == nil && len(got) > 0 && text != one[:35] {
			t.Errorf("%q finds %v, want %v", text, got, want)
		}
	}
	if got := of(one[:8]); !slices.Contains(got, one) {
		t.Errorf("the beginning of its id finds %v", got)
	}
	hit := f.find(f.as(t), t, search.Execution, one)[0]
	if hit.Workflow != "smoke" || hit.Environment != "staging" || hit.Status != execution.Queued || hit.Commit != "feedbead01" {
		t.Errorf("hit %+v", hit)
	}
	for _, text := range []string{one, "feedbead", "smoke"} {
		if got := f.find(foreigner(t), t, search.Execution, text); len(got) != 0 {
			t.Errorf("a stranger finds %v by %s", titles(got), text)
		}
	}
}

// searchApart: where teams are kept apart, nobody finds what another team has.
func searchApart(t *testing.T, f *fixture) {
	other := tenant.WithViewer(t.Context(), f.others(t))
	if _, _, _, err := f.ApplyWorkflow(other, workflow.Record{Name: "smoke-web", Digest: "d1", Source: "x"}, "web"); err != nil {
		t.Fatal(err)
	}
	id := f.reported(t, execution.TestResult{Key: "a", Name: "pays", Outcome: "failed", Fingerprint: "fp1:1", Message: "refused"}, nil)
	f.releasing(t, "1.0", "0123abc", shopImage)
	f.listed(t)
	for kind, text := range map[search.Kind]string{search.Test: "pays", search.Failure: "refused", search.Release: "shop", search.Execution: id.String()} {
		if got := f.find(f.as(t), t, kind, text); len(got) == 0 {
			t.Errorf("an owner finds no %s", kind)
		}
		if got := f.find(other, t, kind, text); len(got) != 0 {
			t.Errorf("another team finds the %s %v", kind, titles(got))
		}
	}
	if got := titles(f.find(other, t, search.Workflow, "smoke")); !slices.Equal(got, []string{"smoke-web"}) {
		t.Errorf("another team finds %v, want its own", got)
	}
}

func searchForgotten(t *testing.T, f *fixture) {
	f.reported(t, execution.TestResult{Key: "a", Name: "pays", Outcome: "failed", Fingerprint: "fp1:1", Message: "refused"}, nil)
	f.listed(t)
	f.now = time.Now().Add(400 * 24 * time.Hour)
	if _, err := f.SweepResults(tenant.System(t.Context()), 30*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	for kind, text := range map[search.Kind]string{search.Test: "pays", search.Failure: "refused"} {
		if got := f.find(f.as(t), t, kind, text); len(got) != 0 {
			t.Errorf("a %s that is gone is found: %v", kind, titles(got))
		}
	}
}
