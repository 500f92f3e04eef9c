package web_test

import (
	"strings"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// job is what somebody comes to pages for.
type job struct {
	does    string
	pages   []string // of everyPage, whose main job it is
	outside bool     // begins without a session
	empty   bool     // in an organization without anything
	steps   []step
}

// jobs is the table of main jobs: what a person does on a page, and what must be true then.
func jobs() []job {
	return append(append(append(runJobs(), releaseJobs()...), settingsJobs()...), findJobs()...)
}

func runJobs() []job {
	return []job{
		{does: "sign in", outside: true, steps: []step{
			visit("/o/acme/catalog"), on("/login"), fill("E-mail", "ada@acme.example"), fill("Password", "wrong"), press("Sign in", ""),
			see("E-mail and password do not belong together."), filled("E-mail", "ada@acme.example"), filled("Password", ""),
			fill("Password", "correct horse"), press("Sign in", ""), on("/o/acme/catalog"), see("checkout-api"),
		}},
		{does: "from nothing to the first green execution", empty: true, steps: []step{
			visit("/o/acme"), see("no cluster is enrolled"), follow("Enroll a cluster", ""), fill("Name", "eu-1"), fill("Environment", "staging-eu"), press("Enroll", ""),
			see("helm upgrade --install", "What comes next"), begun(1), visit("/o/acme"), see("the catalog has no workflow"), follow("How to add a workflow", ""), see("seatrial apply -f workflow.yaml"),
			begun(2), visit("/o/acme"), see("Nothing has run yet"), follow("Choose a workflow to run", ""), follow("checkout-api", ""), fill("currency", "EUR"), press("Run", ""),
			see("checkout-api is queued in staging-eu"), begun(3), visit("/o/acme"), follow("checkout-api", ""), see("checkout-api passed in staging-eu"),
		}},
		{does: "run with parameters", pages: []string{"workflow"}, steps: []step{
			visit("/o/acme/workflows/checkout-api"), func(w *walker) { w.site.world.RunErr = tooMany() },
			fill("Environment", "staging-eu"), fill("workers", "8"), fill("currency", "EUR"), press("Run", ""),
			see("8 is more than 4.", "Use at most 4."), filled("workers", "8"), filled("currency", "EUR"), filled("Environment", "staging-eu"),
			holds(`document.querySelector("[aria-invalid]").name === "param.workers"`),
			func(w *walker) { w.site.world.RunErr = nil }, fill("workers", "4"), press("Run", ""),
			on("/o/acme/executions/"), see("checkout-api is queued in staging-eu"),
		}},
		{does: "cancel", pages: []string{"live", "queued"}, steps: []step{
			visit(at(viewfake.Live)), unfold("Cancel this execution", ""), fill("Reason", "wrong branch"), press("Cancel it", ""),
			cancelledFor("ada@acme.example: wrong branch"),
		}},
		{does: "run again what has failed", pages: []string{"matrix"}, steps: []step{
			func(w *walker) { half(w.T, w.site) }, visit(at(viewfake.Matrix)), see("Failed only is 2 runs of 4: browser=chromium, shard 2/2; browser=firefox, shard 2/2."),
			press("Rerun failed only", ""), see("checkout-browser is queued"), visit(at(viewfake.Passed)), holds(`document.querySelector("button[value=failed]").disabled`),
			press("Rerun", "Nothing has failed"), see("is queued in staging-eu"),
		}},
		{does: "resume what waits for somebody", pages: []string{"paused"}, steps: []step{
			visit(at(viewfake.Paused)), see("Does staging look right?"), fill("Comment", "it does"), press("Resume", ""),
			func(w *walker) {
				if got := w.site.world.Resumed(); len(got) != 1 || got[0].Reason != "it does" {
					w.Errorf("resumed by %v", got)
				}
			},
		}},
		{does: "first failure at its line", pages: []string{"failed", "errored", "timed-out", "cancelled", "matrix", "bad-step", "suite", "passed"}, steps: []step{
			visit("/o/acme/executions?status=failed"), follow("checkout-api", ""), see("checkout-api failed in staging-eu: 3 of 128 tests failed", "First failure", "assert 200 == 422"),
			follow("Its line in the log", ""), see("1 line has it in the whole log."), holds(`document.querySelector(".l.on").textContent.includes("test_expired_voucher_is_refused")`),
			visit(at(viewfake.TimedOut)), see("The timeout of 15m was reached"),
			lastLine(),
			holds(`document.querySelector(".l.on") !== null && document.querySelector(".l.on").getBoundingClientRect().top < innerHeight`),
		}},
		{does: "go to a line", pages: []string{"log"}, steps: []step{
			visit(at(viewfake.Failed) + "/log/1"), fill("Line", "1200"), press("Go", ""), holds(`document.querySelector(".l.on > a").textContent === "1200"`),
			follow("Last lines", ""), see("Lines 1612 to 2611, the end of the log."),
		}},
		{does: "search a log", pages: []string{"log"}, steps: []step{
			visit(at(viewfake.Failed) + "/log/1"), fill("Search the log", "("), tick("regular expression"), press("Search", "Search the log"),
			see("This is no regular expression"), filled("Search the log", "("), fill("Search the log", `total\[1\d\] `), press("Search", "Search the log"),
			see("10 lines have it in the whole log."), marked("13"), follow("Next match", ""), marked("14"),
			scripted(key("n"), marked("15"), key("N"), marked("14")), follow("Previous match", ""), marked("13"), miss("Previous match"),
			fill("Search the log", "nothing such"), press("Search", "Search the log"), see("No line has it in the whole log."),
		}},
		{does: "follow a log that grows", pages: []string{"live-log"}, steps: []step{
			visit(at(viewfake.Live) + "/log/1"), func(w *walker) {
				w.site.world.Write(viewfake.AttemptID(viewfake.Live), 1, "PASSED\nthe newest line\n", false)
			},
			scripted(func(w *walker) {
				until(w.ctx, w.T, `document.querySelector("#log").innerText.includes("the newest line")`)
			}),
			plain(func(w *walker) { w.arrive() }, see("the newest line")), // it is loaded again by itself
		}},
		{does: "compare with the last green one", pages: []string{"compare", "compare-none"}, steps: []step{
			visit(at(viewfake.Failed)), follow("Compare with the last green one", ""), see("Newly failing: 2", "test_expired_voucher_is_refused", "Newly absent: 1"),
			follow("failures like this", "test_expired_voucher_is_refused"), on("/o/acme/failures/"),
		}},
		{does: "pause and resume a schedule", pages: []string{"schedules", "schedule", "schedule-suspended"}, steps: []step{
			visit("/o/acme/schedules"), follow("nightly", ""), press("Suspend", ""), see("Nothing is started: it is suspended by ada@acme.example."), press("Resume", ""), see("1 due time of the last 7 days started nothing"),
		}},
		{does: "enroll a cluster", pages: []string{"clusters"}, steps: []step{
			visit("/o/acme/clusters"), fill("Name", "eu-1"), press("Enroll", ""), see("A cluster named \"eu-1\" is connected already."), filled("Name", "eu-1"),
			fill("Name", "eu-3"), fill("Environment", "staging-3"), press("Enroll", ""), see("helm upgrade --install", "cluster=eu-3", "bootstrapToken="),
		}},
	}
}

func releaseJobs() []job {
	return []job{
		{does: "what needs attention", pages: []string{"overview", "executions"}, steps: []step{
			visit("/o/acme"), follow("shop/checkout 1.42.0", ""), see("shop/checkout 1.42.0 is not ready", "1 rule is broken by 2 tests in staging-eu and staging-us"),
			follow("api in staging-us", "No test fails"), holds(`location.hash === "#cell-3" && document.querySelector("#cell-3") !== null`),
			visit("/o/acme/executions"), fill("Status", "failed"), press("Filter", ""), on("/o/acme/executions?"), miss("shop-browser"), see("shell-check"),
		}},
		{does: "approve a waiver", steps: []step{
			visit(of(viewfake.Checkout, "1.42.0")), press("Approve", ""), see("in use"), press("Revoke", ""), see("revoked"),
		}},
		{does: "rule, evidence, waiver", pages: []string{"release-not-ready", "release-ready", "release-waived", "release-never-ran", "release-running", "release-matrix"}, steps: []step{
			visit(of(viewfake.Checkout, "1.42.0")), unfold("Ask for a waiver", ""), fill("Reason", "the island has no customers yet"), press("Ask for it", ""), see("the island has no customers yet"),
		}},
		{does: "share a release", pages: []string{"snapshots"}, steps: []step{
			visit(of(viewfake.Checkout, "1.42.0")), fill("A link to the report as it is now, without an account, for", "24h"), press("Make a link", ""), see("It is shown this once"),
			opened(), see("shop/checkout 1.42.0 is NOT_READY", "shared by ada@acme.example"), holds(`document.querySelectorAll("a, form, script, img").length === 0`),
			visit("/o/acme/settings/snapshots"), press("Revoke", "not ready"), miss("shop/checkout 1.42.0"), visit("/s/st_view_1"), see("This link leads nowhere"),
		}},
		{does: "quarantine a test", pages: []string{"tests", "test-flaky", "test-broken", "test-suspect", "test-quarantined", "test-unknown"}, steps: []step{
			visit("/o/acme/tests"), follow("tests.pay › refund reaches the ledger", ""), see("is flaky", "with 95 % confidence"), unfold("Put it into quarantine", ""),
			fill("Reason", "the ledger is slow"), fill("Days", "5"), press("Put into quarantine", ""), see("the ledger is slow"), press("End the quarantine", ""), miss("the ledger is slow"),
		}},
		{does: "failures with one cause", pages: []string{"failures", "failure"}, steps: []step{
			visit("/o/acme/failures"), fill("Workflow", "checkout-api"), press("Filter", ""), follow("fixture 'ledger' could not be set up", ""), see("1 test fails like this", "14 in 14 executions"),
			follow("tests.pay › refund reaches the ledger", ""), on("/o/acme/tests/"), see("is flaky"), follow("30 min ago", ""), on("/o/acme/executions/"),
		}},
	}
}

func settingsJobs() []job {
	return []job{
		{does: "make a token, shown once", pages: []string{"tokens"}, steps: []step{
			visit("/o/acme/settings/tokens"), fill("What it is for", "nightly builds"), fill("Team", "payments"), fill("Days it is valid", "30"), press("Make the token", ""),
			see("st_"), visit("/o/acme/settings/tokens"), see("nightly builds"),
		}},
		{does: "make a team", pages: []string{"teams"}, steps: []step{
			visit("/o/acme/settings/teams"), fill("Name", "payments"), press("Make the team", ""), filled("Name", "payments"), see("There is a team \"payments\" already."),
			fill("Name", "harbour"), press("Make the team", ""), see("harbour"),
		}},
		{does: "invite a member", pages: []string{"members", "invitation"}, steps: []step{
			visit("/o/acme/settings/members"), fill("E-mail", "new@acme.example"), press("Make a link", ""), see("/invitations/"), visit("/invitations/" + viewfake.Link), fill("Your name", "Ada"), fill("Password", "battery staple"), press("Join", ""), on("/o/acme"),
		}},
		{does: "try a policy", pages: []string{"policies"}, steps: []step{
			visit("/o/acme/settings/policies"), follow("Change and try", "prod-gate"), press("Try", ""), see("would change the verdict on 1 of 6 past releases", "there is nothing to save"),
			fill("Document", "kind: ReadinessPolicy\nmetadata: {name: prod-gate}\nspec: {}\n"), press("Try", ""), press("Save as tried", ""), see("prod-gate is saved as revision 4."),
		}},
		{does: "change the password", pages: []string{"account"}, steps: []step{
			visit("/o/acme/settings/account"), fill("Password now", "wrong horse"), fill("New password", "battery staple"), press("Change the password", ""),
			holds(`document.querySelector("[aria-invalid]") !== null`), fill("Password now", "correct horse"), fill("New password", "battery staple"),
			press("Change the password", ""), holds(`document.querySelector("[aria-invalid]") === null`),
		}},
		{does: "how people sign in", pages: []string{"access", "sso"}, steps: []step{
			visit("/o/acme/settings/access"), follow("Edit", "corporate"), filled("Issuer", "https://login.acme.example"), visit("/login/sso"), fill("Organization", "acme"),
			press("Go on", ""), see("corporate"),
		}},
		{does: "trust a pipeline", pages: []string{"pipelines"}, steps: []step{
			visit("/o/acme/settings/pipelines"), press("Remove search", ""), miss("gitlab.com aud"),
		}},
		{does: "read a repository", pages: []string{"repositories"}, steps: []step{
			visit("/o/acme/settings/repositories"), see("params.user is not declared; did you mean users?"), unfold("Change", "shop"), press("Read shop now", ""),
			on("/o/acme/settings/repositories"),
		}},
		{does: "how long things are kept", pages: []string{"retention"}, steps: []step{
			visit("/o/acme/settings/usage"), follow("Retention", ""), see("Results of tests", "400 days", "--keep-results of the control plane", "at most 90 days"),
		}},
		{does: "what is used", pages: []string{"usage"}, steps: []step{visit("/o/acme/settings/usage"), see("183", "nearly used up", "20 GiB")}},
		{does: "switch single keys off", pages: []string{"keyboard"}, steps: []step{
			visit("/o/acme/keyboard"), press("Switch single keys off", ""), see("Switch single keys on"),
		}},
		{does: "filter the audit log", pages: []string{"audit"}, steps: []step{
			visit("/o/acme/settings/audit"), fill("Outcome", "refused"), press("Filter", ""), see("RotateSigningKey"), miss("EnrollCluster"), filled("Outcome", "refused"),
		}},
		{does: "tell somebody", pages: []string{"webhooks", "webhook", "webhook-paused", "webhook-needs"}, steps: []step{
			visit("/o/acme/settings/webhooks"), follow("chat", ""), press("Pause", ""), see("paused"), press("Resume", ""), press("Send a test", ""), see("arrived"),
		}},
	}
}

func findJobs() []job {
	return []job{
		{does: "search", pages: []string{"search"}, steps: []step{
			visit("/o/acme/search"), fill("Words, an id, a commit or a digest", "check"), press("Search", "Words"), see("shop/checkout"), follow("Releases", ""), miss("shell-check"),
			follow("shop/checkout 1.41.0", ""), see("is ready with waivers"),
		}},
		{does: "what the catalog has", pages: []string{"catalog", "template", "templates"}, steps: []step{
			visit("/o/acme/catalog"), follow("playwright", ""), see("Browser tests: the image"),
		}},
		{does: "find a workflow", pages: []string{"catalog"}, steps: []step{
			visit("/o/acme/catalog"), fill("Name or description", "check"), fill("Last run", "failed"), press("Filter", "Name or description"), see("shell-check"), miss("checkout-api"),
			filled("Name or description", "check"), filled("Last run", "failed"), fill("Labels, as app=shop", "shop"), press("Filter", "Name or description"), see("is no label"),
			fill("Labels, as app=shop", "app=none"), press("Filter", "Name or description"), see("No workflow of the catalog has"), follow("Show the whole catalog", ""), see("checkout-api"),
			follow("tier=api", "checkout-api"), on("/o/acme/catalog?label=tier%3Dapi"),
		}},
		{does: "what has changed in a document", pages: []string{"history", "template-history"}, steps: []step{
			visit("/o/acme/workflows/checkout-api"), follow("History and changes", ""), follow("What changed in revision 6", ""), see("What changed from revision 5 to 6"),
		}},
		{does: "what started a test, or why nothing did", pages: []string{"triggers", "events"}, steps: []step{
			visit("/o/acme/triggers"), follow("on-rollout", ""), filled("Trigger", "on-rollout"), fill("Trigger", "on-release"), press("Filter", ""),
			see("the branch main is not one of release/*"),
		}},
		{does: "how releases fare", pages: []string{"releases", "outlook"}, steps: []step{
			visit("/o/acme/releases"), follow("How releases fare", ""), see("34 of 52 releases are ready"), unfold("The numbers, week by week", ""), see("26 Oct"),
		}},
		{does: "a method of the API", pages: []string{"api", "api-service"}, steps: []step{visit("/api"), follow("AuditService", ""), see("ListAuditEntries")}},
		{does: "nothing there", pages: []string{"absent", "components"}, steps: []step{
			visit("/o/acme/nothing"), see("There is nothing at this address"), follow("Go to the overview", ""), follow("Components", ""), on("/o/acme/components"),
		}},
		{does: "where nothing has run", pages: []string{"coverage"}, steps: []step{visit("/o/acme/catalog"), follow("Coverage by environment", ""), see("Coverage")}},
	}
}

// tooMany is how a parameter is refused.
func tooMany() error {
	return fault.New(fault.Invalid, "8 is more than 4").WithField("params.workers").WithHint("Use at most 4.")
}

// cancelledFor says for which reason something must have been cancelled.
func cancelledFor(reason string) step {
	return func(w *walker) {
		w.Helper()
		if _, cancelled, _ := w.site.world.Asked(); len(cancelled) != 1 || cancelled[0] != reason {
			w.Errorf("cancelled for %q, want %q", cancelled, reason)
		}
	}
}

// lastLine follows the last line of a log that is shown.
func lastLine() step {
	return func(w *walker) {
		w.Helper()
		w.moved(true, `reach(need([...document.querySelectorAll("main .l > a")].filter(shown).at(-1), "line of a log")).click(); return "";`)
	}
}

// marked says which line of a log is pointed at, and seen.
func marked(line string) step {
	return func(w *walker) {
		w.Helper()
		at := `[...document.querySelectorAll(".l.on > a")].map((a) => a.textContent).join()`
		if got := eval[string](w.ctx, w.T, at); got != line {
			w.Errorf("%s: line %q is pointed at, want %s", w.where(), got, line)
		}
	}
}

// opened opens the link that the page shows once.
func opened() step {
	return func(w *walker) {
		w.Helper()
		// In its sandbox no script runs at all, that of the judge included.
		if _, err := chromedp.Call(w.ctx, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: w.judged}); err != nil {
			w.Fatal(err)
		}
		visit(strings.TrimPrefix(eval[string](w.ctx, w.T, `document.querySelector("#shared pre").textContent`), w.base))(w)
	}
}

// begun is how far a new organization has come: its cluster is connected, it has a workflow, what was started has passed.
func begun(stage int) step {
	return func(w *walker) {
		w.Helper()
		whole, own := viewfake.Sample(), w.site.world
		switch stage {
		case 1:
			own.Fleet, own.Places = whole.Fleet[:1], whole.Places[:1]
		case 2:
			own.Workflows = whole.Workflows[:1]
		case 3:
			ctx := member(w.T, w.site)
			list, _, err := own.Executions(ctx, view.ExecutionQuery{Size: 1})
			if err != nil || len(list) != 1 {
				w.Fatalf("started %v, %v", list, err)
			}
			e := list[0]
			e.Status, e.StartedAt, e.FinishedAt = execution.Passed, viewfake.Now(), viewfake.Now()
			own.Put(e)
		}
	}
}
