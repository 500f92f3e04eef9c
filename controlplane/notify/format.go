package notify

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// Message is what a webhook is sent of an event.
type Message struct {
	About string
	Path  string // after the webhook's address
	Body  []byte
}

// Render makes the message; ok is false when the format has no words for the event: a status belongs to a commit, an alert to what fails.
func Render(w Webhook, e Event, h Happening) (m Message, ok bool, err error) {
	words, err := text(w.Template, e, h)
	if err != nil {
		words = About(e, h) // what has happened is told in any case
	}
	m.About = About(e, h)
	var body any
	switch w.Format {
	case Slack:
		body = slack(words, e, h)
	case Teams:
		body = teams(words, e, h)
	case Alertmanager:
		m.Path = "/api/v2/alerts"
		body = alerts(words, e, h)
	case GitHub, GitHubCheck, GitLab:
		m.Path, body = forge(w.Format, words, e, h)
	case Standard:
		body = standard(words, e, h)
	case Email:
		if body, err = email(words, w, e, h); err != nil {
			return m, false, err
		}
	}
	if body == nil {
		return m, false, nil
	}
	if m.Body, err = json.Marshal(body); err != nil {
		return m, false, fmt.Errorf("encode a message: %w", err)
	}
	return m, true, nil
}

type object = map[string]any

// standard is the body of Standard Webhooks: a type, a time and data.
func standard(words string, e Event, h Happening) any {
	data := object{"text": words, "link": h.Link}
	if x := h.Ended; x != nil {
		data["execution"] = object{
			"id": x.ID, "workflow": x.Workflow, "revision": x.Revision, "status": x.Status, "before": x.Before, "reason": x.Reason, "message": x.Message,
			"environments": x.Environments(), "commit": x.Commit, "actor": x.Actor, "trigger": x.Trigger, "labels": x.Labels,
			"startedAt": stamp(x.StartedAt), "finishedAt": stamp(x.FinishedAt),
			"tests": object{"total": x.Tests.Total, "passed": x.Tests.Passed, "failed": x.Tests.Failed, "errored": x.Tests.Errored, "skipped": x.Tests.Skipped},
		}
	}
	if len(h.Flaky) > 0 {
		data["flaky"] = h.Flaky
	}
	if h.Change != nil {
		data["release"] = h.Change
	}
	return object{"type": e, "timestamp": stamp(h.At), "data": data}
}

func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}

const (
	slackText   = 2900 // of 3000 characters that a block may have
	descriptive = 140  // of a status on GitHub; GitLab takes 255
	maxListed   = 10   // tests in a message for people
)

// details are the lines below the first in messages for people.
func details(h Happening) (lines []string) {
	if x := h.Ended; x != nil {
		if x.Message != "" && Bad(x.Status) {
			lines = append(lines, x.Message)
		}
		for i, u := range h.Flaky {
			if i == maxListed {
				lines = append(lines, fmt.Sprintf("and %d more", len(h.Flaky)-i))
				break
			}
			lines = append(lines, fmt.Sprintf("%s: %d of %d", u.Name, u.Bad, u.Runs))
		}
		if x.Commit != "" {
			lines = append(lines, "Commit "+x.Commit)
		}
	}
	if h.Change != nil && h.Change.Cause != "" {
		lines = append(lines, h.Change.Cause)
	}
	return lines
}

// mark shows at a glance how it went.
func mark(e Event, h Happening) string {
	switch {
	case e == Failed || (h.Ended != nil && e == Finished && Bad(h.Ended.Status)):
		return "🔴"
	case e == Fixed || (h.Ended != nil && e == Finished && h.Ended.Status == execution.Passed):
		return "🟢"
	case e == Flaky:
		return "🟡"
	}
	return "🔵"
}

// escapeSlack keeps text from being read as a link or a mention.
func escapeSlack(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

func slack(words string, e Event, h Happening) any {
	section := func(s string) object {
		return object{"type": "section", "text": object{"type": "mrkdwn", "text": clip(s, slackText)}}
	}
	blocks := []object{section(mark(e, h) + " " + escapeSlack(words))}
	if lines := details(h); len(lines) > 0 {
		blocks = append(blocks, section(escapeSlack(strings.Join(lines, "\n"))))
	}
	if h.Link != "" {
		blocks = append(blocks, object{"type": "actions", "elements": []object{{
			"type": "button", "text": object{"type": "plain_text", "text": "Open in Seatrial"}, "url": h.Link,
		}}})
	}
	return object{"text": clip(escapeSlack(words), slackText), "blocks": blocks}
}

// escapeTeams keeps text from being read as Markdown, of which cards know a little.
func escapeTeams(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`).Replace(s)
}

func teams(words string, e Event, h Happening) any {
	block := func(s string, more object) object {
		more["type"], more["text"], more["wrap"] = "TextBlock", escapeTeams(s), true
		return more
	}
	body := []object{block(mark(e, h)+" "+words, object{"weight": "Bolder", "size": "Medium"})}
	for _, line := range details(h) {
		body = append(body, block(line, object{"spacing": "Small"}))
	}
	card := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body}
	if h.Link != "" {
		card["actions"] = []object{{"type": "Action.OpenUrl", "title": "Open in Seatrial", "url": h.Link}}
	}
	return object{"type": "message", "attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card}}}
}

// alertFor is how long an alert fires unless it is resolved before.
const alertFor = 24 * time.Hour

// alerts names an alert by what does not change between a failure and its mending: Alertmanager knows it again by its labels.
func alerts(words string, e Event, h Happening) any {
	labels := map[string]string{}
	ends := h.At.Add(alertFor)
	switch {
	case e == Trial:
		labels["alertname"], labels["severity"], ends = "SeatrialTest", "info", h.At.Add(time.Minute)
	case e == Verdict:
		labels["alertname"], labels["severity"] = "SeatrialReleaseVerdict", "info"
		labels["application"], labels["version"], labels["verdict"] = h.Change.Application, h.Change.Version, h.Change.After
	case h.Ended == nil:
		return nil
	case e == Flaky:
		labels["alertname"], labels["severity"], labels["workflow"] = "SeatrialTestsFlaky", "info", h.Ended.Workflow
	case Bad(h.Ended.Status), h.Ended.Status == execution.Passed:
		labels["alertname"], labels["severity"], labels["workflow"] = "SeatrialExecutionFailed", "warning", h.Ended.Workflow
		labels["environment"] = strings.Join(h.Ended.Environments(), ",")
		if h.Ended.Status == execution.Passed {
			ends = h.At
		}
	default:
		return nil // it was stopped, which neither fires nor resolves
	}
	return []object{{
		"labels": labels, "annotations": map[string]string{"summary": words, "description": strings.Join(details(h), "\n")},
		"startsAt": stamp(h.At), "endsAt": stamp(ends), "generatorURL": h.Link,
	}}
}

// forge makes the status of a commit.
func forge(f Format, words string, e Event, h Happening) (path string, body any) {
	if h.Ended == nil || h.Ended.Commit == "" || e == Flaky {
		return "", nil
	}
	x := h.Ended
	name := "seatrial/" + x.Workflow
	if f == GitHub {
		return "/statuses/" + x.Commit, object{
			"state": githubState(x.Status), "context": name, "description": clip(words, descriptive), "target_url": h.Link,
		}
	}
	if f == GitLab {
		return "/statuses/" + x.Commit, object{"state": gitlabState(x.Status), "name": name, "description": clip(words, descriptive), "target_url": h.Link}
	}
	check := object{
		"name": name, "head_sha": x.Commit, "status": "completed", "conclusion": conclusion(x.Status), "details_url": h.Link, "external_id": x.ID.String(),
		"completed_at": stamp(x.FinishedAt), "output": object{"title": words, "summary": table(x)},
	}
	if !x.StartedAt.IsZero() {
		check["started_at"] = stamp(x.StartedAt)
	}
	return "/check-runs", check
}

// table is the summary of the tests in Markdown.
func table(x *Ended) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| Tests | Passed | Failed | Errored | Skipped |\n|--:|--:|--:|--:|--:|\n| %d | %d | %d | %d | %d |\n",
		x.Tests.Total, x.Tests.Passed, x.Tests.Failed, x.Tests.Errored, x.Tests.Skipped)
	if in := x.Environments(); len(in) > 0 {
		fmt.Fprintf(&b, "\nEnvironments: %s\n", strings.Join(in, ", "))
	}
	if x.Message != "" {
		fmt.Fprintf(&b, "\n    %s\n", strings.ReplaceAll(clip(x.Message, maxText), "\n", "\n    ")) // indented, it is no Markdown
	}
	return b.String()
}

func githubState(s execution.Status) string {
	return word(s, "error", map[execution.Status]string{
		execution.Passed: "success", execution.Skipped: "success", execution.Failed: "failure", execution.TimedOut: "failure",
	})
}

func gitlabState(s execution.Status) string {
	return word(s, "failed", map[execution.Status]string{execution.Passed: "success", execution.Skipped: "skipped", execution.Cancelled: "canceled"})
}

func conclusion(s execution.Status) string {
	return word(s, "failure", map[execution.Status]string{
		execution.Passed: "success", execution.TimedOut: "timed_out", execution.Cancelled: "cancelled", execution.Skipped: "skipped",
	})
}

// word is what a status is called elsewhere.
func word(s execution.Status, otherwise string, words map[execution.Status]string) string {
	if w, ok := words[s]; ok {
		return w
	}
	return otherwise
}

// authorize sets what the receiver asks for as proof.
func authorize(h http.Header, c Claim, at time.Time) error {
	tokens := c.Secrets.Active(c.Webhook.RotatedAt, at)
	h.Set(headerID, c.Delivery.MessageID())
	switch {
	case c.Webhook.Format == Standard:
		return Sign(h, tokens, c.Delivery.MessageID(), at, c.Delivery.Body)
	case len(tokens) == 0:
	case c.Webhook.Format == GitLab:
		h.Set("Private-Token", tokens[0])
	default:
		h.Set("Authorization", "Bearer "+tokens[0])
	}
	if c.Webhook.Format == GitHub || c.Webhook.Format == GitHubCheck {
		h.Set("Accept", "application/vnd.github+json")
		h.Set("X-Github-Api-Version", "2022-11-28")
	}
	return nil
}
