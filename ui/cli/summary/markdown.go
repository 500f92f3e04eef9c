package summary

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"github.com/seatrial/seatrial/controlplane/release/report"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// Bounds of a page: that of GitHub takes a mebibyte from all steps of a job.
const (
	maxShown  = 50
	maxDetail = 1500
)

// markdown writes a summary for the page of a pipeline.
func markdown(e Execution) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s %s %s\n\n", mark(e.Record.GetStatus()), report.Escape(e.Record.GetWorkflow()), word(e.Record.GetStatus()))
	if m := e.Record.GetMessage(); m != "" {
		b.WriteString(report.Escape(m) + "\n\n")
	}
	c := e.Record.GetTests()
	b.WriteString("| Tests | Passed | Failed | Errored | Skipped |\n|--:|--:|--:|--:|--:|\n")
	fmt.Fprintf(&b, "| %d | %d | %d | %d | %d |\n", c.GetTotal(), c.GetPassed(), c.GetFailed(), c.GetErrored(), c.GetSkipped())
	e.table(&b)
	e.failures(&b)
	if flaky := e.flaky(); len(flaky) > 0 {
		b.WriteString("\n### Passed only when tried again\n\n")
		for _, name := range cut(flaky) {
			b.WriteString("- " + name + "\n")
		}
		more(&b, len(flaky))
	}
	if u, err := url.Parse(e.URL); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		fmt.Fprintf(&b, "\n[Steps, logs and files](<%s>)\n", u)
	}
	return b.String()
}

// table lists the runs, where there are several.
func (e Execution) table(b *strings.Builder) {
	order, _ := e.runs()
	if len(order) < 2 {
		return
	}
	b.WriteString("\n| Run | Status | Environment | |\n|---|---|---|---|\n")
	for i, r := range order {
		if i == maxShown {
			fmt.Fprintf(b, "| … and %d more | | | |\n", len(order)-maxShown)
			break
		}
		message := ""
		if sad(r.status) && r.message != "" {
			message = report.Escape(r.message)
		}
		fmt.Fprintf(b, "| %s | %s %s | %s | %s |\n", report.Escape(r.name), mark(r.status), word(r.status), report.Escape(r.run.GetEnvironment()), message)
	}
}

func (e Execution) failures(b *strings.Builder) {
	_, of := e.runs()
	var failed []*apiv1.TestResult
	for _, r := range e.counted() {
		if bad(r.GetOutcome()) {
			failed = append(failed, r)
		}
	}
	lost := e.unexplained()
	if len(failed)+len(lost) == 0 {
		return
	}
	b.WriteString("\n### What went wrong\n")
	if len(lost) > 0 {
		b.WriteString("\n")
	}
	for _, r := range cut(lost) {
		b.WriteString("- ")
		if r.name != "" {
			b.WriteString(report.Escape(r.name) + ": ")
		}
		b.WriteString(report.Escape(r.why()) + "\n")
	}
	more(b, len(lost))
	for _, r := range cut(failed) {
		where := ""
		if run := of[r.GetAttemptId()]; run != "" {
			where = " (" + report.Escape(run) + ")"
		}
		fmt.Fprintf(b, "\n**%s**%s: %s\n\n%s", titled(r), where, report.Escape(strings.ReplaceAll(r.GetOutcome(), "_", " ")), said(r))
	}
	more(b, len(failed))
}

func titled(r *apiv1.TestResult) string {
	if r.GetSuite() == "" {
		return report.Escape(r.GetName())
	}
	return report.Escape(r.GetSuite()) + " › " + report.Escape(r.GetName())
}

// said is what a test said, as a block of code that nothing in it can end.
func said(r *apiv1.TestResult) string {
	text := strings.TrimSpace(r.GetMessage() + "\n" + r.GetDetail())
	if text == "" {
		text = "no message"
	}
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "\n…"
	}
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) && c != '\n' && c != '\t' {
			return -1
		}
		return c
	}, text)
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + "text\n" + text + "\n" + fence + "\n"
}

// flaky are the tests that passed after a try that did not.
func (e Execution) flaky() (names []string) {
	for _, r := range e.counted() {
		for _, earlier := range r.GetEarlier() {
			if r.GetOutcome() == "passed" && bad(earlier) {
				names = append(names, titled(r))
				break
			}
		}
	}
	return names
}

func cut[T any](list []T) []T { return list[:min(len(list), maxShown)] }

func more(b *strings.Builder, n int) {
	if n > maxShown {
		fmt.Fprintf(b, "- … and %d more\n", n-maxShown)
	}
}

func mark(s apiv1.Status) string {
	switch {
	case sad(s):
		return "❌"
	case s == apiv1.Status_STATUS_PASSED:
		return "✅"
	case s == apiv1.Status_STATUS_SKIPPED:
		return "⏭️"
	}
	return "⏳"
}
