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
	// Send hands a mail over: fault.Invalid when it is of no use to try again.
	Send(ctx context.Context, m Mail) error
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
	return letter{clip(subject, maxSubject), text, html.String(), thread(w, h), page, h.At}, nil
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

// mail hands a delivery to the mail server.
func (s *Sender) mail(ctx context.Context, c Claim) error {
	if s.Mail == nil {
		return errNoMail()
	}
	to, err := receivers(c.Secrets.URL)
	if err != nil {
		return err
	}
	var l letter
	if err := json.Unmarshal(c.Delivery.Body, &l); err != nil {
		return fault.Wrap(fault.Invalid, err, "the mail cannot be read")
	}
	err = s.Mail.Send(ctx, Mail{
		ID: c.Delivery.MessageID(), Thread: l.Thread, List: "<" + c.Webhook.ID.String() + ".webhooks.seatrial>", Page: l.Page, To: to,
		Subject: l.Subject, Text: l.Text, HTML: l.HTML, At: l.At,
	})
	var f *fault.Error
	if errors.As(err, &f) && f.Err != nil {
		return fault.New(f.Kind, "%s: %v", f.Message, f.Err) // who looks at the delivery is told what the server said
	}
	return err //nolint:wrapcheck // a fault that speaks for itself
}

func errNoMail() error {
	return fault.New(fault.Unsupported, "this control plane has no mail server").WithField("format").WithHint("An operator names one with --smtp-address.")
}
