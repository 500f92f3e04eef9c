package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
)

// Mail is a message to people by e-mail.
type Mail struct {
	ID      string // the same however often it is sent
	Thread  string // of what belongs together
	List    string // of all that the webhook sends
	Page    string // where somebody can stop it; empty when nobody knows
	To      []string
	Subject string
	Text    string
	HTML    string
	At      time.Time
}

// Mailer sends mails by the server of the instance. Implemented by package mail.
type Mailer interface {
	// Allows returns fault.Invalid for an address to which nothing is sent.
	Allows(address string) error
	// Send hands a mail over, and says for whom the server has taken it. An error says why it was taken for nobody: fault.Invalid when it is
	// of no use to try again. What an error wraps is not shown to people.
	Send(ctx context.Context, m Mail) (Handed, error)
}

// Handed is for whom a mail server has taken a mail, and for whom it has not.
type Handed struct {
	Taken   []string
	Refused []Refusal
}

// Refusal is why a mail was not taken for an address.
type Refusal struct {
	Address string
	Answer  string
	ForGood bool // it is of no use to try again
}

const (
	mailScheme   = "mailto:"
	maxSubject   = 200
	maxReceivers = 50
)

// letter is what is kept of a mail until it is sent.
type letter struct {
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	HTML    string    `json:"html"`
	Thread  string    `json:"thread"`
	Page    string    `json:"page,omitempty"`
	At      time.Time `json:"at"`
	Taken   []string  `json:"taken,omitempty"` // who has it, while others are still to get it
}

// receivers reads the addresses of a webhook of the format Email.
func receivers(address string) ([]string, error) {
	text, ok := strings.CutPrefix(address, mailScheme)
	if text, err := url.PathUnescape(text); ok && err == nil {
		if list, err := mail.ParseAddressList(text); err == nil && len(list) <= maxReceivers {
			out := make([]string, len(list))
			for i, a := range list {
				out[i] = a.Address
			}
			return out, nil
		}
	}
	return nil, fault.New(fault.Invalid, "the address of a mail is such as mailto:qa@example.com, or several with commas between, %d at most", maxReceivers).WithField("url")
}

// email writes a mail: what has happened, in words and as a page.
func email(words string, w Webhook, e Event, h Happening) (any, error) {
	lines := details(h)
	why := fmt.Sprintf("You get this because the webhook %s of the team %s sends it to you.", w.Name, w.Team)
	page := ""
	if h.Home != "" {
		page = h.Home + "/settings/webhooks/" + url.PathEscape(w.Name)
		why += " Change what it sends: " + page
	}
	text := words + "\n"
	for _, line := range lines {
		text += "\n" + line
	}
	if h.Link != "" {
		text += "\n\n" + h.Link
	}
	text += "\n\n-- \n" + why + "\n"
	var html strings.Builder
	if err := htmlMail().Execute(&html, map[string]any{"Words": words, "Lines": lines, "Link": h.Link, "Why": why, "Colour": template.CSS(colour(e, h))}); err != nil { //nolint:gosec // G203: of this package
		return nil, fmt.Errorf("write a mail: %w", err)
	}
	subject, _, _ := strings.Cut(strings.TrimSpace(words), "\n")
	return letter{clip(subject, maxSubject), text, html.String(), thread(w, h), page, h.At, nil}, nil
}

// thread is the same for what belongs together: of one workflow, or of one application.
func thread(w Webhook, h Happening) string {
	about := "trial"
	switch {
	case h.Ended != nil:
		about = "workflow " + h.Ended.Workflow
	case h.Change != nil:
		about = "release " + h.Change.Application
	}
	sum := sha256.Sum256([]byte(w.ID.String() + " " + about))
	return "thread." + hex.EncodeToString(sum[:10])
}

// colour is that of the pages for how it went.
func colour(e Event, h Happening) string {
	switch {
	case e == Failed || (h.Ended != nil && e == Finished && Bad(h.Ended.Status)):
		return "#b3261e"
	case e == Fixed || (h.Ended != nil && e == Finished && h.Ended.Status == execution.Passed):
		return "#1a7f37"
	case e == Flaky:
		return "#8a5a00"
	}
	return "#0b5c6b"
}

func htmlMail() *template.Template {
	return template.Must(template.New("mail").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"></head>
<body style="margin:0;padding:24px;font:14px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif">
<p style="margin:0 0 12px;padding-left:12px;border-left:4px solid {{.Colour}};font-size:16px;font-weight:600">{{.Words}}</p>
{{range .Lines}}<p style="margin:0 0 4px;padding-left:16px">{{.}}</p>
{{end}}{{if .Link}}<p style="margin:16px 0;padding-left:16px"><a href="{{.Link}}" style="display:inline-block;padding:7px 14px;border-radius:6px;background:#0b5c6b;color:#ffffff;text-decoration:none;font-weight:600">Open in Seatrial</a></p>
{{end}}<p style="margin:24px 0 0;font-size:12px;color:#6b7681">{{.Why}}</p>
</body></html>
`))
}

// mail hands a delivery to the mail server, for those who do not have it yet. It has arrived when everybody has it whom the server does not
// refuse for good; of them the answer says who they are.
func (s *Sender) mail(ctx context.Context, c Claim) (out answered) {
	if s.Mail == nil {
		return answered{err: errNoMail()}
	}
	to, err := receivers(c.Secrets.URL)
	if err != nil {
		return answered{err: final{err}}
	}
	var l letter
	if err := json.Unmarshal(c.Delivery.Body, &l); err != nil {
		return answered{err: final{fault.Wrap(fault.Invalid, err, "the mail cannot be read")}}
	}
	has := func(address string) bool { return slices.Contains(l.Taken, address) }
	if open := slices.DeleteFunc(slices.Clone(to), has); len(open) > 0 { // otherwise somebody wants it sent once more
		to = open
	} else {
		l.Taken = nil
	}
	handed, err := s.Mail.Send(ctx, Mail{
		ID: c.Delivery.MessageID(), Thread: l.Thread, List: "<" + c.Webhook.ID.String() + ".webhooks.seatrial>", Page: l.Page, To: to,
		Subject: l.Subject, Text: l.Text, HTML: l.HTML, At: l.At,
	})
	if err != nil {
		return answered{err: s.unsent(ctx, c, err)}
	}
	l.Taken = append(l.Taken, handed.Taken...)
	out = settled(l, handed.Refused)
	if out.err == nil {
		l.Taken = nil // sent once more, it is for everybody
	}
	if out.body, err = json.Marshal(l); err != nil {
		out.err = errors.Join(out.err, err)
	}
	return out
}

// settled is what has become of a mail that some have and others were refused.
func settled(l letter, refused []Refusal) answered {
	if len(refused) == 0 {
		return answered{code: smtpTaken}
	}
	lines := make([]string, len(refused))
	later := false
	for i, r := range refused {
		lines[i] = r.Address + " (" + r.Answer + ")"
		later = later || !r.ForGood
	}
	not := "the mail server does not take it for " + strings.Join(lines, ", ")
	switch {
	case later:
		return answered{err: fault.New(fault.Unavailable, "%s", not)}
	case len(l.Taken) == 0:
		return answered{err: final{fault.New(fault.Invalid, "%s", not)}}
	}
	return answered{code: smtpTaken, note: not}
}

// unsent is an error as people of the organization may see it. Its cause, such as what the operator's own server is called, is for the log.
func (s *Sender) unsent(ctx context.Context, c Claim, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		f = fault.Wrap(fault.Unavailable, err, "the mail could not be sent")
	}
	s.Log.WarnContext(ctx, "mail not sent", "webhook", c.Webhook.Name, "organization", c.Webhook.Organization, "delivery", c.Delivery.ID, "error", err)
	said := &fault.Error{Kind: f.Kind, Message: f.Message}
	if f.Kind == fault.Invalid {
		return final{said}
	}
	return said
}

func errNoMail() error {
	return fault.New(fault.Unsupported, "this control plane has no mail server").WithField("format").WithHint("An operator names one with --smtp-address.")
}
