package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// hostile lists texts as an attacker would put them into names, messages, logs and files.
func hostile() []string {
	return []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `javascript:alert(1)`, `</pre><svg onload=alert(1)>`,
		`</title><script>alert(1)</script>`, "\x1b]8;;javascript:alert(1)\x07click\x1b]8;;\x07", "\x1b]8;;https://x/\"onmouseover=alert(1)\x07click\x1b]8;;\x07",
		"\x1b[31m<b>\x1b[0m", "https://x/\"><script>alert(1)</script>", "https://x/'onclick='alert(1)", "\x00<scr\x00ipt>", "\u202E<script>", "{{constructor.constructor('alert(1)')()}}",
		`<a href="javascript:alert(1)">x</a>`, `&lt;script&gt;`, "\xff\xfe<script>", `<!--<script>`, `]]><script>`,
	}
}

// TestHostileTexts puts every text everywhere and proves that pages hold the same elements as with harmless texts: nothing that
// comes from outside becomes markup.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	pages := []string{
		"/o/acme", "/o/acme/executions", "/o/acme/catalog", "/o/acme/clusters", at(viewfake.Failed), at(viewfake.Failed) + "/log/1", "/o/acme/workflows/nightly-load", "/o/acme/releases",
		"/o/acme/tests", story("poisoned", 1),
	}
	harmless := map[string]string{}
	for _, p := range pages {
		harmless[p] = skeleton(t, setup(t, poisoned("harmless")).get(t, p))
	}
	harmlessRelease := skeleton(t, setup(t, poisoned("harmless")).get(t, of("harmless", "harmless")))
	for _, text := range hostile() {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			s := setup(t, poisoned(text))
			for _, p := range pages {
				got := s.get(t, p)
				if skeleton(t, got) != harmless[p] {
					t.Errorf("%s has other elements with %q: %s", p, text, got.body)
				}
			}
			name := strings.ToValidUTF8(text, "?")
			if got := s.get(t, of(name, name)); skeleton(t, got) != harmlessRelease {
				t.Errorf("the release has other elements with %q: %s", text, got.body)
			}
		})
	}
}

// poisoned returns the sample with a text wherever something from outside is shown.
func poisoned(text string) *viewfake.World {
	w := viewfake.Sample()
	e := execution.Execution{
		ID: viewfake.ExecutionID(viewfake.Failed), Workflow: text, Digest: text, Status: execution.Failed, Reason: text, Message: text,
		Params: map[string]string{text: text}, Trigger: text, Actor: text, CreatedAt: viewfake.Now(), StartedAt: viewfake.Now(), FinishedAt: viewfake.Now(),
		Tests: execution.Counts{Total: 1, Failed: 1},
		Runs: []execution.Run{{Environment: text, Cluster: text, Namespace: text, Status: execution.Failed, Attempts: []execution.Attempt{{
			ID: viewfake.ID("poisoned"), Status: execution.Failed, Message: text, Node: text, Pod: text, Delivered: true, Notes: []string{text},
			Steps: []execution.Step{{Index: 1, Name: text, Status: execution.Failed, Reason: text, StartedAt: viewfake.Now(), FinishedAt: viewfake.Now(), Log: execution.Log{Bytes: 1, Complete: true}}},
		}}}},
	}
	w.Put(e)
	w.Tests[e.ID] = []execution.TestResult{{Attempt: viewfake.ID("poisoned"), Step: 1, Suite: text, Name: text, File: text, Outcome: "failed", Message: text, Detail: text}}
	for i := range w.Attached[e.ID] {
		f := &w.Attached[e.ID][i]
		f.Path, f.Format, f.GradeReason, f.SHA256 = text, text, text, text
	}
	// One line: what a line may hold besides text is decided in package ansi, so links are left out of the comparison.
	w.Write(viewfake.ID("poisoned"), 1, text, true)
	for i := range w.Workflows {
		r := &w.Workflows[i].Record
		r.Team, r.Labels, r.Description, r.Digest, r.Source = text, map[string]string{text: text}, text, text, text
		w.Workflows[i].Params = nil
	}
	for i := range w.Fleet {
		c := &w.Fleet[i]
		c.Name, c.AgentVersion, c.KubernetesVersion, c.RunnerDelivery, c.Namespaces = text, text, text, text, []string{text}
	}
	for i := range w.Places {
		w.Places[i].Name, w.Places[i].ClusterName, w.Places[i].Namespace = text, text, text
	}
	w.PutRelease(poisonedRelease(strings.ToValidUTF8(text, "?")))
	poisonTest(w, text)
	return w
}

// poisonTest adds a test with the text wherever its history shows one.
func poisonTest(w *viewfake.World, text string) {
	key := viewfake.TestKey("poisoned", 1)
	runs := viewfake.Runs("PFRFPF", time.Hour)
	for i := range runs {
		r := &runs[i]
		r.Environment, r.Variant, r.Message, r.Fingerprint, r.Commit, r.Subject = text, text, text, text, text, "one"
	}
	runs[0].Outcome, runs[2].Earlier = results.Outcome(text), []results.Outcome{results.Outcome(text)}
	w.PutTest(testcase.Case{Key: key, Workflow: text, Name: text}, runs)
	w.PutQuarantine(testcase.Quarantine{
		ID: text, Test: key, Name: text, Owner: text, Reason: text, Ticket: text, Actor: text, CreatedAt: viewfake.Now(), Until: viewfake.Now().Add(time.Hour),
	})
}

// poisonedRelease has the text wherever a release shows one. What is stored is valid UTF-8.
func poisonedRelease(text string) (release.Release, verdict.Input) {
	test := verdict.Test{Key: text, Name: text, Labels: []string{text}}
	r := release.Release{
		ID: viewfake.ID("poisoned release"), Application: text, Version: text, Commit: text, Team: text, Actor: text, CreatedAt: viewfake.Now(),
		Images: []verdict.Image{{Name: text, Digest: text}},
		Policy: verdict.Policy{Name: text, Digest: text, Waivers: verdict.WaiverTerms{Approvers: text, MaxAge: verdict.Duration(time.Hour)}, Rules: []verdict.Rule{
			{ID: "complete", Kind: verdict.Missing, Expr: "cell.never_ran == 0", Description: text},
			{ID: "good", Kind: verdict.Negative, Waivable: true, Expr: "cell.failed == 0", Description: text},
			{ID: "holds", Kind: verdict.Negative, Expr: "true", Description: text},
		}},
		Changes: []release.Change{{Number: 1, After: verdict.NotReady, Cause: text, At: viewfake.Now()}},
		Executions: []release.Linked{{Link: release.Link(text), Execution: execution.Execution{
			ID: viewfake.ID("poisoned"), Workflow: text, Status: execution.Failed, Actor: text, CreatedAt: viewfake.Now(),
		}}},
	}
	r.Waivers = []verdict.Waiver{{
		ID: text, Application: text, Version: text, Rule: "good", Environment: text, Suite: text, Test: text, Variant: text, Fingerprint: text, Reason: text,
		Requester: text, Approvals: []verdict.Approval{{By: text, At: viewfake.Now()}}, CreatedAt: viewfake.Now(), ExpiresAt: viewfake.Now().Add(time.Hour),
	}}
	failed := verdict.Evidence{Test: text, Name: text, Variant: "of " + text, Outcome: results.Failed, Fingerprint: text}
	return r, verdict.Input{Cells: []verdict.Cell{{
		Environment: text, Suite: text, Required: []verdict.Test{test, {Key: "never", Name: text}}, Evidence: []verdict.Evidence{failed},
	}}}
}

// skeleton lists the elements of a page with the names of their attributes; links in logs are checked and left out, as is the
// styling of text.
func skeleton(t *testing.T, got answer) string {
	t.Helper()
	if got.code != http.StatusOK {
		t.Errorf("status %d", got.code)
	}
	doc, err := html.Parse(strings.NewReader(got.body))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		href := attribute(n, "href")
		if strings.HasPrefix(strings.ToLower(strings.TrimSpace(href)), "javascript:") {
			t.Errorf("a link runs a script: %s", href)
		}
		if (n.Data == "a" && attribute(n, "rel") == "noopener nofollow") || (n.Data == "span" && len(n.Attr) < 2) {
			continue
		}
		out.WriteString(n.Data)
		for _, a := range n.Attr {
			out.WriteString(" " + a.Key)
		}
		out.WriteString("\n")
	}
	return out.String()
}
