package pages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/words"
)

// WebhooksProps are what the list of webhooks shows.
type WebhooksProps struct {
	SettingsProps
	List    []notify.Webhook
	Form    WebhookForm
	MayMake bool
}

// WebhookProps are what the page of one webhook shows.
type WebhookProps struct {
	SettingsProps
	Webhook    notify.Webhook
	Form       WebhookForm
	Asked      bool // the form was sent and something in it is wrong
	MayChange  bool
	Secret     string           // made just now, shown once
	Tried      *notify.Delivery // that somebody has just had sent
	Deliveries []notify.Delivery
	State      notify.State // only those; empty for all
	Next       string       // address of the next page
	Paged      bool
}

// WebhookForm is what somebody fills in for a webhook.
type WebhookForm struct {
	Name, Team, URL, Token, Workflows, Labels, Environments, Template string
	Format                                                            notify.Format
	Events                                                            []notify.Event
	Formats                                                           []notify.Format // to choose from
	Teams                                                             []string        // to choose from
}

// FormOf is the form of a webhook as it is.
func FormOf(w notify.Webhook) WebhookForm {
	return WebhookForm{
		Name: w.Name, Team: w.Team, Format: w.Format, Events: w.Events, Workflows: strings.Join(w.Filter.Workflows, ", "),
		Labels: strings.Join(labelList(w.Filter.Labels), ", "), Environments: strings.Join(w.Filter.Environments, ", "), Template: w.Template,
	}
}

func labelList(labels map[string]string) []string {
	out := make([]string, 0, len(labels))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, name+"="+labels[name])
	}
	return out
}

func webhookPath(f parts.Frame, name string, more ...string) string {
	return settingsPath(f, append([]string{"webhooks", name}, more...)...)
}

// formatWords say what a format is.
func formatWords(f notify.Format) string {
	switch f {
	case notify.Standard:
		return "Standard Webhooks: signed JSON"
	case notify.Slack:
		return "Slack"
	case notify.Teams:
		return "Microsoft Teams"
	case notify.Alertmanager:
		return "Prometheus Alertmanager"
	case notify.GitHub:
		return "GitHub: status of the commit"
	case notify.GitHubCheck:
		return "GitHub: check run, for apps"
	case notify.GitLab:
		return "GitLab: status of the commit"
	case notify.Email:
		return "E-mail"
	}
	return string(f)
}

// eventWords say what a webhook hears of, and when.
func eventWords(e notify.Event) (name, when string) {
	switch e {
	case notify.Finished:
		return "Finished", "an execution has ended, however it went"
	case notify.Failed:
		return "Failed", "an execution failed, broke or took too long"
	case notify.Fixed:
		return "Fixed", "it passed, and the one before did not"
	case notify.Flaky:
		return "Newly flaky", "tests cannot be relied on any more"
	case notify.Verdict:
		return "Verdict changed", "a release became ready, or is not any more"
	case notify.Trial:
		return "Test", ""
	}
	return string(e), ""
}

func eventName(e notify.Event) string { name, _ := eventWords(e); return name }
func eventWhen(e notify.Event) string { _, when := eventWords(e); return when }

// toldWords list what a webhook hears of.
func toldWords(w notify.Webhook) string {
	var out []string
	for _, e := range notify.Events() { // in one order, whatever was written
		if slices.Contains(w.Events, e) {
			out = append(out, lowered(eventName(e)))
		}
	}
	return strings.Join(out, ", ")
}

func lowered(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// narrowed says of what a webhook hears only.
func narrowed(w notify.Webhook) string {
	var out []string
	if f := w.Filter.Workflows; len(f) > 0 {
		out = append(out, "workflows "+strings.Join(f, ", "))
	}
	if f := w.Filter.Labels; len(f) > 0 {
		out = append(out, "labels "+strings.Join(labelList(f), ", "))
	}
	if f := w.Filter.Environments; len(f) > 0 {
		out = append(out, "environments "+strings.Join(f, ", "))
	}
	return strings.Join(out, " · ")
}

// webhookStands is a class of the style sheet and a word: whether a webhook is told, and how that went last.
func webhookStands(w notify.Webhook) (kind, word string) {
	switch {
	case w.Paused():
		return "paused", "paused"
	case w.Suspended:
		return "skipped", "suspended"
	case w.Address == "":
		return "incomplete", "needs its address"
	case w.Last == nil:
		return "waiting", "nothing sent yet"
	}
	return deliveryStands(*w.Last)
}

func webhookKind(w notify.Webhook) string { k, _ := webhookStands(w); return k }
func webhookWord(w notify.Webhook) string { _, s := webhookStands(w); return s }

func deliveryStands(d notify.Delivery) (kind, word string) {
	switch {
	case d.State == notify.Delivered:
		return "passed", "arrived"
	case d.State == notify.GivenUp:
		return "failed", "did not arrive"
	case d.Attempts == 0:
		return "pending", "on its way"
	}
	return "flaky", "tried again"
}

func deliveryKind(d notify.Delivery) string { k, _ := deliveryStands(d); return k }
func deliveryWord(d notify.Delivery) string { _, s := deliveryStands(d); return s }

// deliverySentence says what became of a message that somebody has just had sent.
func deliverySentence(d notify.Delivery) string {
	switch {
	case d.State == notify.Delivered && d.Code > 0:
		return fmt.Sprintf("It has arrived: the receiver answered %d after %s.", d.Code, words.Took(d.Took))
	case d.State == notify.Delivered:
		return "It has arrived."
	case d.State == notify.GivenUp:
		return "It has not arrived: " + d.Error + "."
	}
	return "It is on its way again."
}

// answered says what the receiver answered, and how fast.
func answered(d notify.Delivery) string {
	switch {
	case d.TriedAt.IsZero():
		return "–"
	case d.Code == 0:
		return "none in " + words.Took(d.Took)
	}
	return fmt.Sprintf("%d in %s", d.Code, words.Took(d.Took))
}

// sent is the body of a message for people: JSON on lines of its own.
func sent(body []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, body, "", "  ") == nil {
		return out.String()
	}
	return strings.ToValidUTF8(string(body), "�")
}

// addressSaid reports whether the document of a webhook says its address.
func addressSaid(w notify.Webhook) bool {
	doc, ok := parse.Read([]byte(w.Source)).Value.(*document.WebhookDocument)
	return ok && doc.Spec.URL != ""
}

// secretEnds says until when the secret before the newest is in use; empty when it is not.
func secretEnds(w notify.Webhook, now time.Time) string {
	if end := w.Expired(); end.After(now) {
		return words.Instant(end)
	}
	return ""
}

// templateNames are what a template can use.
func templateNames() []string { return notify.Variables() }

func tokenHint(address string) string {
	if address == "" {
		return "What a forge or an Alertmanager asks for. For signed JSON a secret is made when it is empty."
	}
	return "Leave it empty to keep the one that is there."
}

// triedKind is a class of the style sheet for a message that somebody has just had sent.
func triedKind(d notify.Delivery) string {
	switch d.State {
	case notify.Delivered:
		return "connected"
	case notify.GivenUp:
		return "failed"
	case notify.Pending:
	}
	return "running"
}

// stateWord is what deliveries of a state are called.
func stateWord(s notify.State) string {
	switch s {
	case notify.Pending:
		return "On their way"
	case notify.Delivered:
		return "Arrived"
	case notify.GivenUp:
		return "Did not arrive"
	}
	return "All"
}

func stateQuery(s notify.State) string {
	if s == "" {
		return "#deliveries"
	}
	return "?state=" + string(s) + "#deliveries"
}

func triesWord(n int) string {
	if n == 1 {
		return "try"
	}
	return "tries"
}

// pausedMeans says why nothing is sent, and what that means.
func pausedMeans(w notify.Webhook) string {
	return strings.TrimSpace(w.PausedWhy + " What happens meanwhile is not told later.")
}
