package web_test

import (
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// job is what somebody comes to pages for.
type job struct {
	does    string
	pages   []string // of everyPage, whose main job it is
	outside bool     // begins without a session
	steps   []step
}

// jobs is the table of main jobs: what a person does on a page, and what must be true then.
func jobs() []job {
	return append(append(append(runJobs(), releaseJobs()...), settingsJobs()...), findJobs()...)
}

func runJobs() []job {
	return []job{
		{"sign in", nil, true, []step{
			visit("/o/acme/catalog"), on("/login"), fill("E-mail", "ada@acme.example"), fill("Password", "wrong"), press("Sign in", ""),
			see("E-mail and password do not belong together."), filled("E-mail", "ada@acme.example"), filled("Password", ""),
			fill("Password", "correct horse"), press("Sign in", ""), on("/o/acme/catalog"), see("checkout-api"),
		}},
		{"run with parameters", []string{"workflow"}, false, []step{
			visit("/o/acme/workflows/checkout-api"), func(w *walker) { w.site.world.RunErr = tooMany() },
			fill("Environment", "staging-eu"), fill("workers", "8"), fill("currency", "EUR"), press("Run", ""),
			see("8 is more than 4.", "Use at most 4."), filled("workers", "8"), filled("currency", "EUR"), filled("Environment", "staging-eu"),
			holds(`document.querySelector("[aria-invalid]").name === "param.workers"`),
			func(w *walker) { w.site.world.RunErr = nil }, fill("workers", "4"), press("Run", ""),
			on("/o/acme/executions/"), see("checkout-api is queued in staging-eu"),
		}},
		{"cancel", []string{"live", "queued"}, false, []step{
			visit(at(viewfake.Live)), unfold("Cancel this execution", ""), fill("Reason", "wrong branch"), press("Cancel it", ""),
			cancelledFor("ada@acme.example: wrong branch"),
		}},
		{"resume what waits for somebody", []string{"paused"}, false, []step{
			visit(at(viewfake.Paused)), see("Does staging look right?"), fill("Comment", "it does"), press("Resume", ""),
			func(w *walker) {
				if got := w.site.world.Resumed(); len(got) != 1 || got[0].Reason != "it does" {
					w.Errorf("resumed by %v", got)
				}
			},
		}},
		{"first failure at its line", []string{"failed", "errored", "timed-out", "cancelled", "matrix", "bad-step", "suite", "passed"}, false, []step{
			visit("/o/acme/executions?status=failed"), follow("checkout-api", ""), see("checkout-api failed in staging-eu: 3 of 128 tests failed", "First failure", "assert 200 == 422"),
			follow("Its line in the log", ""), see("1 line has it in the whole log."), holds(`document.querySelector(".l.on").textContent.includes("test_expired_voucher_is_refused")`),
			visit(at(viewfake.TimedOut)), see("The timeout of 15m was reached"),
			lastLine(),
			holds(`document.querySelector(".l.on") !== null && document.querySelector(".l.on").getBoundingClientRect().top < innerHeight`),
		}},
		{"go to a line", []string{"log"}, false, []step{
			visit(at(viewfake.Failed) + "/log/1"), fill("Line", "1200"), press("Go", ""), holds(`document.querySelector(".l.on > a").textContent === "1200"`),
			follow("Last lines", ""), see("Lines 1612 to 2611, the end of the log."),
		}},
		{"search a log", []string{"log"}, false, []step{
			visit(at(viewfake.Failed) + "/log/1"), fill("Search the log", "("), tick("regular expression"), press("Search", "Search the log"),
			see("This is no regular expression"), filled("Search the log", "("), fill("Search the log", `total\[1\d\] `), press("Search", "Search the log"),
			see("10 lines have it in the whole log."), marked("13"), follow("Next match", ""), marked("14"),
			scripted(key("n"), marked("15"), key("N"), marked("14")), follow("Previous match", ""), marked("13"), miss("Previous match"),
			fill("Search the log", "nothing such"), press("Search", "Search the log"), see("No line has it in the whole log."),
		}},
		{"follow a log that grows", []string{"live-log"}, false, []step{
			visit(at(viewfake.Live) + "/log/1"), func(w *walker) {
				w.site.world.Write(viewfake.AttemptID(viewfake.Live), 1, "PASSED\nthe newest line\n", false)
			},
			scripted(func(w *walker) {
				until(w.ctx, w.T, `document.querySelector("#log").innerText.includes("the newest line")`)
			}),
			plain(func(w *walker) { w.arrive() }, see("the newest line")), // it is loaded again by itself
		}},
		{"compare with the last green one", []string{"compare", "compare-none"}, false, []step{
			visit(at(viewfake.Failed)), follow("Compare with the last green one", ""), see("Newly failing: 2", "test_expired_voucher_is_refused", "Newly absent: 1"),
			follow("failures like this", "test_expired_voucher_is_refused"), on("/o/acme/failures/"),
		}},
		{"pause and resume a schedule", []string{"schedules", "schedule", "schedule-suspended"}, false, []step{
			visit("/o/acme/schedules"), follow("nightly", ""), press("Suspend", ""), see("Nothing is started: it is suspended by ada@acme.example."), press("Resume", ""), see("1 due time of the last 7 days started nothing"),
		}},
		{"enroll a cluster", []string{"clusters"}, false, []step{
			visit("/o/acme/clusters"), fill("Name", "eu-1"), press("Enroll", ""), see("A cluster named \"eu-1\" is connected already."), filled("Name", "eu-1"),
			fill("Name", "eu-3"), fill("Environment", "staging-3"), press("Enroll", ""), see("helm upgrade --install", "cluster=eu-3", "bootstrapToken="),
		}},
	}
}

func releaseJobs() []job {
	return []job{
		{"what needs attention", []string{"overview", "executions"}, false, []step{
			visit("/o/acme"), follow("shop/checkout 1.42.0", ""), see("shop/checkout 1.42.0 is not ready", "1 rule is broken by 2 tests in staging-eu and staging-us"),
			follow("api in staging-us", "No test fails"), holds(`location.hash === "#cell-3" && document.querySelector("#cell-3") !== null`),
			visit("/o/acme/executions"), fill("Status", "failed"), press("Filter", ""), on("/o/acme/executions?"), miss("shop-browser"), see("shell-check"),
		}},
		{"approve a waiver", nil, false, []step{
			visit(of(viewfake.Checkout, "1.42.0")), press("Approve", ""), see("in use"), press("Revoke", ""), see("revoked"),
		}},
		{"rule, evidence, waiver", []string{"release-not-ready", "release-ready", "release-waived", "release-never-ran", "release-running", "release-matrix"}, false, []step{
			visit(of(viewfake.Checkout, "1.42.0")), unfold("Ask for a waiver", ""), fill("Reason", "the island has no customers yet"), press("Ask for it", ""), see("the island has no customers yet"),
		}},
		{"share a release", []string{"snapshots"}, false, []step{
			visit(of(viewfake.Checkout, "1.42.0")), fill("A link to the report as it is now, without an account, for", "24h"), press("Make a link", ""), see("It is shown this once"),
			opened(), see("shop/checkout 1.42.0 is NOT_READY", "shared by ada@acme.example"), holds(`document.querySelectorAll("a, form, script, img").length === 0`),
			visit("/o/acme/settings/snapshots"), press("Revoke", "not ready"), miss("shop/checkout 1.42.0"), visit("/s/st_view_1"), see("This link leads nowhere"),
		}},
		{"quarantine a test", []string{"tests", "test-flaky", "test-broken", "test-suspect", "test-quarantined", "test-unknown"}, false, []step{
			visit("/o/acme/tests"), follow("tests.pay › refund reaches the ledger", ""), see("is flaky", "with 95 % confidence"), unfold("Put it into quarantine", ""),
			fill("Reason", "the ledger is slow"), fill("Days", "5"), press("Put into quarantine", ""), see("the ledger is slow"), press("End the quarantine", ""), miss("the ledger is slow"),
		}},
		{"failures with one cause", []string{"failures", "failure"}, false, []step{
			visit("/o/acme/failures"), fill("Workflow", "checkout-api"), press("Filter", ""), follow("fixture 'ledger' could not be set up", ""), see("1 test fails like this", "14 in 14 executions"),
			follow("tests.pay › refund reaches the ledger", ""), on("/o/acme/tests/"), see("is flaky"), follow("30 min ago", ""), on("/o/acme/executions/"),
		}},
	}
}

func settingsJobs() []job {
	return []job{
		{"make a token, shown once", []string{"tokens"}, false, []step{
			visit("/o/acme/settings/tokens"), fill("What it is for", "nightly builds"), fill("Team", "payments"), fill("Days it is valid", "30"), press("Make the token", ""),
			see("st_"), visit("/o/acme/settings/tokens"), see("nightly builds"),
		}},
		{"make a team", []string{"teams"}, false, []step{
			visit("/o/acme/settings/teams"), fill("Name", "payments"), press("Make the team", ""), filled("Name", "payments"), see("There is a team \"payments\" already."),
			fill("Name", "harbour"), press("Make the team", ""), see("harbour"),
		}},
		{"invite a member", []string{"members", "invitation"}, false, []step{
			visit("/o/acme/settings/members"), fill("E-mail", "new@acme.example"), press("Make a link", ""), see("/invitations/"), visit("/invitations/" + viewfake.Link), fill("Your name", "Ada"), fill("Password", "battery staple"), press("Join", ""), on("/o/acme"),
		}},
		{"try a policy", []string{"policies"}, false, []step{
			visit("/o/acme/settings/policies"), follow("Change and try", "prod-gate"), press("Try", ""), see("would change the verdict on 1 of 6 past releases"),
		}},
		{"change the password", []string{"account"}, false, []step{
			visit("/o/acme/settings/account"), fill("Password now", "wrong horse"), fill("New password", "battery staple"), press("Change the password", ""),
			holds(`document.querySelector("[aria-invalid]") !== null`), fill("Password now", "correct horse"), fill("New password", "battery staple"),
			press("Change the password", ""), holds(`document.querySelector("[aria-invalid]") === null`),
		}},
		{"how people sign in", []string{"access", "sso"}, false, []step{
			visit("/o/acme/settings/access"), follow("Edit", "corporate"), filled("Issuer", "https://login.acme.example"), visit("/login/sso"), fill("Organization", "acme"),
			press("Go on", ""), see("corporate"),
		}},
		{"trust a pipeline", []string{"pipelines"}, false, []step{
			visit("/o/acme/settings/pipelines"), press("Remove search", ""), miss("gitlab.com aud"),
		}},
		{"read a repository", []string{"repositories"}, false, []step{
			visit("/o/acme/settings/repositories"), see("params.user is not declared; did you mean users?"), unfold("Change", "shop"), press("Read shop now", ""),
			on("/o/acme/settings/repositories"),
		}},
		{"what is used", []string{"usage"}, false, []step{visit("/o/acme/settings/usage"), see("183", "nearly used up", "20 GiB")}},
		{"switch single keys off", []string{"keyboard"}, false, []step{
			visit("/o/acme/keyboard"), press("Switch single keys off", ""), see("Switch single keys on"),
		}},
		{"filter the audit log", []string{"audit"}, false, []step{
			visit("/o/acme/settings/audit"), fill("Outcome", "refused"), press("Filter", ""), see("RotateSigningKey"), miss("EnrollCluster"), filled("Outcome", "refused"),
		}},
		{"tell somebody", []string{"webhooks", "webhook", "webhook-paused", "webhook-needs"}, false, []step{
			visit("/o/acme/settings/webhooks"), follow("chat", ""), press("Pause", ""), see("paused"), press("Resume", ""), press("Send a test", ""), see("arrived"),
		}},
	}
}

func findJobs() []job {
	return []job{
		{"search", []string{"search"}, false, []step{
			visit("/o/acme/search"), fill("Words, an id, a commit or a digest", "check"), press("Search", "Words"), see("shop/checkout"), follow("Releases", ""), miss("shell-check"),
			follow("shop/checkout 1.41.0", ""), see("is ready with waivers"),
		}},
		{"what the catalog has", []string{"catalog", "template", "templates"}, false, []step{
			visit("/o/acme/catalog"), follow("playwright", ""), see("Browser tests: the image"),
		}},
		{"what has changed in a document", []string{"history", "template-history"}, false, []step{
			visit("/o/acme/workflows/checkout-api"), follow("History and changes", ""), follow("What changed in revision 6", ""), see("What changed from revision 5 to 6"),
		}},
		{"what started a test, or why nothing did", []string{"triggers", "events"}, false, []step{
			visit("/o/acme/triggers"), follow("on-rollout", ""), filled("Trigger", "on-rollout"), fill("Trigger", "on-release"), press("Filter", ""),
			see("the branch main is not one of release/*"),
		}},
		{"how releases fare", []string{"releases", "outlook"}, false, []step{
			visit("/o/acme/releases"), follow("How releases fare", ""), see("34 of 52 releases are ready"), unfold("The numbers, week by week", ""), see("26 Oct"),
		}},
		{"a method of the API", []string{"api", "api-service"}, false, []step{visit("/api"), follow("AuditService", ""), see("ListAuditEntries")}},
		{"nothing there", []string{"absent", "components"}, false, []step{
			visit("/o/acme/nothing"), see("There is nothing at this address"), follow("Go to the overview", ""), follow("Components", ""), on("/o/acme/components"),
		}},
		{"where nothing has run", []string{"coverage"}, false, []step{visit("/o/acme/catalog"), follow("Coverage by environment", ""), see("Coverage")}},
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
		visit(strings.TrimPrefix(eval[string](w.ctx, w.T, `document.querySelector("#shared pre").textContent`), w.base))(w)
	}
}
