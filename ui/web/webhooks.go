package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/view"
)

// deliveryRows is how many deliveries a page shows.
const deliveryRows = 25

// hooks are the pages of webhooks, a part of the settings.
func (s *site) hooks() map[string]memberPage {
	const home = "/o/{org}/settings/webhooks"
	return map[string]memberPage{
		"GET " + home:                                            s.webhooks,
		"POST " + home:                                           s.createWebhook,
		"GET " + home + "/{webhook}":                             s.webhook,
		"POST " + home + "/{webhook}":                            s.changeWebhook,
		"POST " + home + "/{webhook}/test":                       s.testWebhook,
		"POST " + home + "/{webhook}/pause":                      s.pauseWebhook,
		"POST " + home + "/{webhook}/resume":                     s.resumeWebhook,
		"POST " + home + "/{webhook}/secret":                     s.rotateWebhook,
		"POST " + home + "/{webhook}/remove":                     s.removeWebhook,
		"POST " + home + "/{webhook}/deliveries/{id}/redelivery": s.redeliver,
	}
}

func (s *site) webhooks(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.showWebhooks(w, r, m, http.StatusOK, pages.Wrong{}, pages.WebhookForm{Format: notify.Slack, Events: notify.Usual()})
}

func (s *site) showWebhooks(w http.ResponseWriter, r *http.Request, m view.Member, status int, wrong pages.Wrong, form pages.WebhookForm) (err error) {
	p := pages.WebhooksProps{SettingsProps: s.settingsOf(r, m, "webhooks", "Webhooks"), MayMake: m.Viewer.Allows(tenant.ScopeCatalog)}
	p.Wrong, p.Form = wrong, form
	p.Form.Formats = s.Webhooks.Formats()
	if p.List, err = s.Webhooks.List(r.Context()); err != nil {
		return err
	}
	all, err := s.People.Teams(r.Context())
	if err != nil {
		return err
	}
	for _, t := range all {
		if m.Viewer.Acts(t.ID) {
			p.Form.Teams = append(p.Form.Teams, t.Name)
		}
	}
	return show(w, r, status, pages.Webhooks, p)
}

// webhookForm reads what somebody filled in.
func webhookForm(r *http.Request) pages.WebhookForm {
	text := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	f := pages.WebhookForm{
		Name: text("name"), Team: text("team"), Format: notify.Format(text("format")), URL: text("url"), Token: text("token"), Workflows: text("workflows"),
		Labels: text("labels"), Environments: text("environments"), Template: strings.ReplaceAll(text("template"), "\r\n", "\n"),
	}
	for _, e := range r.PostForm["event"] {
		f.Events = append(f.Events, notify.Event(e))
	}
	return f
}

// setting is what a form asks for. A form says all that can be said, but for what is secret.
func setting(f pages.WebhookForm, name string) (notify.Setting, error) {
	if len(f.Events) == 0 {
		return notify.Setting{}, fault.New(fault.Invalid, "choose what is told").WithField("events")
	}
	in := notify.Setting{
		URL: f.URL, Token: f.Token, Given: notify.Parts(), Webhook: notify.Webhook{
			Name: name, Team: f.Team, Format: f.Format, Events: f.Events, Template: f.Template,
			Filter: notify.Filter{Workflows: listed(f.Workflows), Environments: listed(f.Environments)},
		},
	}
	for _, label := range listed(f.Labels) {
		key, value, ok := strings.Cut(label, "=")
		if !ok || key == "" {
			return in, fault.New(fault.Invalid, "%q is not name=value", label).WithField("labels")
		}
		if in.Filter.Labels == nil {
			in.Filter.Labels = map[string]string{}
		}
		in.Filter.Labels[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return in, nil
}

// createWebhook shows the webhook that was made. Where it has a secret, that is shown in the answer, once.
func (s *site) createWebhook(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := may(m, tenant.ScopeCatalog, "make webhooks"); err != nil {
		return err
	}
	if err := parse(r); err != nil {
		return err
	}
	form := webhookForm(r)
	in, err := setting(form, form.Name)
	var made notify.Webhook
	var secret string
	if err == nil {
		if _, known := s.Webhooks.Get(r.Context(), form.Name); known == nil {
			err = fault.New(fault.Conflict, "there is a webhook %q already", form.Name).WithField("name")
		}
	}
	if err == nil {
		made, secret, _, err = s.Webhooks.Set(r.Context(), in)
	}
	if err == nil {
		return s.webhookDone(w, r, m, made.Name, secret)
	}
	wrong, ok := correctable(err)
	if !ok {
		return err
	}
	return s.showWebhooks(w, r, m, statusOf(fault.KindOf(err)), wrong, form)
}

// webhookDone goes back to the page of a webhook, or answers with it when there is a secret to show.
func (s *site) webhookDone(w http.ResponseWriter, r *http.Request, m view.Member, name, secret string) error {
	if secret == "" {
		return back(w, r, m, "webhooks/"+name)
	}
	return s.showWebhook(w, r, m, name, http.StatusOK, func(p *pages.WebhookProps) { p.Secret = secret })
}

func (s *site) webhook(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.showWebhook(w, r, m, r.PathValue("webhook"), http.StatusOK, func(*pages.WebhookProps) {})
}

func (s *site) showWebhook(w http.ResponseWriter, r *http.Request, m view.Member, name string, status int, with func(*pages.WebhookProps)) error {
	hook, err := s.Webhooks.Get(r.Context(), name)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	p := pages.WebhookProps{
		SettingsProps: s.settingsOf(r, m, "webhooks", hook.Name), Webhook: hook, State: notify.State(q.Get("state")), Paged: q.Has("after"),
		MayChange: m.Viewer.Allows(tenant.ScopeCatalog) && m.Viewer.Acts(hook.TeamID), Form: pages.FormOf(hook),
	}
	p.Form.Formats = s.Webhooks.Formats()
	switch p.State {
	case "", notify.Pending, notify.Delivered, notify.GivenUp:
	default:
		return notFound()
	}
	var next string
	if p.Deliveries, next, err = s.Webhooks.Deliveries(r.Context(), name, p.State, deliveryRows, q.Get("after")); err != nil {
		return err
	}
	p.Next = following(r.URL, "after", next)
	if tried, err := uuid.Parse(q.Get("tried")); err == nil {
		for i := range p.Deliveries {
			if p.Deliveries[i].ID == tried {
				p.Tried = &p.Deliveries[i]
			}
		}
	}
	with(&p)
	return show(w, r, status, pages.Webhook, p)
}

func (s *site) changeWebhook(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := may(m, tenant.ScopeCatalog, "change webhooks"); err != nil {
		return err
	}
	if err := parse(r); err != nil {
		return err
	}
	name := r.PathValue("webhook")
	hook, err := s.Webhooks.Get(r.Context(), name)
	if err != nil {
		return err
	}
	form := webhookForm(r)
	in := notify.Setting{URL: form.URL, Token: form.Token, Given: []notify.Part{}, Webhook: notify.Webhook{Name: name}}
	if hook.Digest == "" { // what a document says is not in the form
		in, err = setting(form, name)
	}
	var secret string
	if err == nil {
		_, secret, _, err = s.Webhooks.Set(r.Context(), in)
	}
	if err == nil {
		return s.webhookDone(w, r, m, name, secret)
	}
	return s.webhookAgain(w, r, m, err, func(p *pages.WebhookProps) {
		form.Formats, p.Form, p.Asked = p.Form.Formats, form, true
	})
}

// webhookAgain shows a webhook with what is wrong about what was asked.
func (s *site) webhookAgain(w http.ResponseWriter, r *http.Request, m view.Member, err error, with func(*pages.WebhookProps)) error {
	wrong, ok := correctable(err)
	if !ok {
		return err
	}
	return s.showWebhook(w, r, m, r.PathValue("webhook"), statusOf(fault.KindOf(err)), func(p *pages.WebhookProps) {
		p.Wrong = wrong
		with(p)
	})
}

// onWebhook does something to a webhook and goes back to where it says, by default its page.
func (s *site) onWebhook(w http.ResponseWriter, r *http.Request, m view.Member, do func(ctx context.Context, name string) (to string, err error)) error {
	name := r.PathValue("webhook")
	to, err := do(r.Context(), name)
	if err != nil {
		return s.webhookAgain(w, r, m, err, func(p *pages.WebhookProps) { p.Wrong = whole(p.Wrong) })
	}
	return back(w, r, m, "webhooks"+to)
}

// testWebhook leads to the page with what became of the message, which can be loaded again without sending another.
func (s *site) testWebhook(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.onWebhook(w, r, m, func(ctx context.Context, name string) (string, error) {
		d, err := s.Webhooks.Test(ctx, name)
		return "/" + name + "?tried=" + d.ID.String(), err
	})
}

func (s *site) pauseWebhook(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.onWebhook(w, r, m, func(ctx context.Context, name string) (string, error) {
		_, err := s.Webhooks.Pause(ctx, name, true)
		return "/" + name, err
	})
}

func (s *site) resumeWebhook(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.onWebhook(w, r, m, func(ctx context.Context, name string) (string, error) {
		_, err := s.Webhooks.Pause(ctx, name, false)
		return "/" + name, err
	})
}

func (s *site) rotateWebhook(w http.ResponseWriter, r *http.Request, m view.Member) error {
	name := r.PathValue("webhook")
	_, secret, err := s.Webhooks.Rotate(r.Context(), name)
	if err != nil {
		return s.webhookAgain(w, r, m, err, func(p *pages.WebhookProps) { p.Wrong = whole(p.Wrong) })
	}
	return s.webhookDone(w, r, m, name, secret)
}

func (s *site) removeWebhook(w http.ResponseWriter, r *http.Request, m view.Member) error {
	return s.onWebhook(w, r, m, func(ctx context.Context, name string) (string, error) { return "", s.Webhooks.Remove(ctx, name) })
}

func (s *site) redeliver(w http.ResponseWriter, r *http.Request, m view.Member) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	return s.onWebhook(w, r, m, func(ctx context.Context, name string) (string, error) {
		d, err := s.Webhooks.Redeliver(ctx, name, id)
		return "/" + name + "?tried=" + d.ID.String(), err
	})
}
