package viewfake

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Webhooks is who hears of what happens in a world.
type Webhooks struct {
	*World

	Hooks []notify.Webhook
	Sent  map[string][]notify.Delivery // by webhook, newest first
	Given notify.Setting               // what somebody wanted last
}

// Secret is what every webhook that makes one gets.
const Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" //nolint:gosec // G101: of the specification

// Webhooks returns those of the sample; a world without workflows has none.
func (w *World) Webhooks() *Webhooks {
	if w.hooks == nil {
		w.hooks = &Webhooks{World: w, Sent: map[string][]notify.Delivery{}}
		if len(w.Workflows) > 0 {
			w.hooks.sample()
		}
	}
	return w.hooks
}

func (h *Webhooks) sample() {
	team, ago := h.Member.Viewer.Team, func(d time.Duration) time.Time { return h.Now().Add(-d) }
	const source = "apiVersion: seatrial.dev/v1\nkind: Webhook\nmetadata: {name: statuses}\nspec:\n  format: github\n  url: https://api.github.com/repos/acme/shop\n  events: [execution.finished]\n"
	h.Hooks = []notify.Webhook{
		{
			Name: "chat", Team: "payments", TeamID: team, Format: notify.Slack, Address: "https://hooks.slack.com", Events: []notify.Event{notify.Failed, notify.Fixed, notify.Verdict},
			Filter:   notify.Filter{Workflows: []string{"checkout-*"}, Environments: []string{"staging-*", "production-*"}},
			Template: "${{ execution.workflow }} is ${{ execution.status }} in ${{ execution.environments }}",
		},
		{
			Name: "incident-desk", Team: "payments", TeamID: team, Format: notify.Standard, Address: "https://desk.acme.example", Events: notify.Usual(),
			Filter: notify.Filter{Labels: map[string]string{"tier": "critical"}}, PausedBy: notify.Receiver, PausedWhy: "It has answered 410: nobody is there any more.", PausedAt: ago(26 * time.Hour),
			RotatedAt: ago(3 * time.Hour),
		},
		{Name: "oncall", Team: "platform", TeamID: ID("platform"), Format: notify.Alertmanager, Address: "https://alerts.acme.example", Events: []notify.Event{notify.Failed, notify.Fixed}},
		{Name: "qa-mail", Team: "payments", TeamID: team, Format: notify.Email, Address: "mailto:qa@acme.example", Events: []notify.Event{notify.Flaky}},
		{
			Name: "statuses", Team: "payments", TeamID: team, Format: notify.GitHub, Address: "https://api.github.com", Events: []notify.Event{notify.Finished},
			Digest: "4f1c", Source: source, Revision: 3,
		},
		{Name: "war-room", Team: "payments", TeamID: team, Format: notify.Teams, Events: []notify.Event{notify.Failed}, Digest: "77ab", Revision: 1, Source: strings.Replace(source, "  url: https://api.github.com/repos/acme/shop\n", "", 1)},
	}
	happened := notify.Happening{Notice: notify.Notice{Kind: notify.OfExecution, At: ago(4 * time.Minute)}, Link: "https://seatrial.acme.example/o/acme/executions/" + ExecutionID(Failed).String()}
	happened.Ended = &notify.Ended{Execution: execution.Execution{
		ID: ExecutionID(Failed), Workflow: "checkout-api", Status: execution.Failed, Message: "3 of 128 tests failed", Commit: "3f2a9c1d5e8b7a6f4c3d2e1f0a9b8c7d6e5f4a3b",
		Runs: []execution.Run{{Environment: "staging-eu"}}, Tests: execution.Counts{Total: 128, Passed: 121, Failed: 3, Skipped: 4},
	}}
	body := func(w notify.Webhook) []byte {
		m, _, _ := notify.Render(w, notify.Failed, happened)
		return m.Body
	}
	of := func(n byte, d notify.Delivery) notify.Delivery {
		d.ID, d.At = uuid.UUID{1, n}, d.TriedAt
		return d
	}
	h.Sent["chat"] = []notify.Delivery{
		of(1, notify.Delivery{
			Event: notify.Failed, About: "checkout-api failed in staging-eu: 3 of 128 tests failed", Body: body(h.Hooks[0]), State: notify.Pending, Attempts: 3, Code: 503,
			Took: 412 * time.Millisecond, Error: "it answered 503", Answer: []byte("service unavailable"), TriedAt: ago(4 * time.Minute), NextAt: h.Now().Add(5 * time.Minute),
		}),
		of(2, notify.Delivery{
			Event: notify.Verdict, About: "checkout 1.42.0 is NOT_READY, it was READY", Body: []byte(`{"text":"checkout 1.42.0 is NOT_READY"}`), State: notify.Delivered, Attempts: 1,
			Code: 200, Took: 96 * time.Millisecond, Answer: []byte("ok"), TriedAt: ago(3 * time.Hour),
		}),
		of(3, notify.Delivery{
			Event: notify.Failed, About: "checkout-browser failed in production-us: 1 of 40 tests failed", Body: body(h.Hooks[0]), State: notify.GivenUp, Attempts: 11,
			Took: 10 * time.Second, Error: "no answer within 10s", TriedAt: ago(49 * time.Hour),
		}),
		of(4, notify.Delivery{
			Event: notify.Fixed, About: "checkout-api is fixed in staging-eu: 128 tests passed", Body: []byte(`{"text":"checkout-api is fixed"}`), State: notify.Delivered, Attempts: 2,
			Code: 200, Took: 120 * time.Millisecond, Answer: []byte("ok"), TriedAt: ago(72 * time.Hour),
		}),
	}
	h.Sent["incident-desk"] = []notify.Delivery{of(5, notify.Delivery{
		Event: notify.Failed, About: "checkout-api failed in staging-eu", Body: body(h.Hooks[1]), State: notify.GivenUp, Attempts: 1, Code: 410, Took: 80 * time.Millisecond,
		Error: "it answered 410", TriedAt: ago(26 * time.Hour),
	})}
	h.Sent["statuses"] = []notify.Delivery{of(6, notify.Delivery{
		Event: notify.Finished, About: "checkout-api passed in staging-eu: 128 tests passed", Body: []byte(`{"state":"success"}`), State: notify.Delivered, Attempts: 1, Code: 201,
		Took: 230 * time.Millisecond, TriedAt: ago(20 * time.Minute),
	})}
}

// Formats implements view.Webhooks.
func (h *Webhooks) Formats() []notify.Format { return append(notify.Formats(), notify.Email) }

// List implements view.Webhooks.
func (h *Webhooks) List(ctx context.Context) ([]notify.Webhook, error) {
	out := slices.Clone(h.Hooks)
	for i := range out {
		if sent := h.Sent[out[i].Name]; len(sent) > 0 {
			out[i].Last = &sent[0]
		}
	}
	return out, h.allowed(ctx)
}

// Get implements view.Webhooks.
func (h *Webhooks) Get(ctx context.Context, name string) (notify.Webhook, error) {
	all, err := h.List(ctx)
	for _, w := range all {
		if w.Name == name {
			return w, err
		}
	}
	return notify.Webhook{}, fault.New(fault.NotFound, "there is no webhook %q", name)
}

// mine finds a webhook that the viewer may change.
func (h *Webhooks) mine(ctx context.Context, name string) (*notify.Webhook, error) {
	v, err := tenant.Require(ctx, tenant.ScopeCatalog)
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	for i := range h.Hooks {
		if w := &h.Hooks[i]; w.Name == name {
			if !v.Acts(w.TeamID) {
				return nil, fault.New(fault.Forbidden, "the webhook %s belongs to the team %s", name, w.Team)
			}
			return w, nil
		}
	}
	return nil, fault.New(fault.NotFound, "there is no webhook %q", name)
}

// Set implements view.Webhooks.
func (h *Webhooks) Set(ctx context.Context, in notify.Setting) (w notify.Webhook, secret string, created bool, err error) {
	if _, err := tenant.Require(ctx, tenant.ScopeCatalog); err != nil {
		return w, "", false, err //nolint:wrapcheck // a fault that speaks for itself
	}
	h.Given = in
	if in.Name == "" || strings.ToLower(in.Name) != in.Name {
		return w, "", false, fault.New(fault.Invalid, "%q is no name: small letters, digits and hyphens, 63 at most", in.Name).WithField("name")
	}
	if strings.Contains(in.URL, "127.0.0.1") {
		return w, "", false, fault.New(fault.Invalid, "127.0.0.1 is this host").WithField("url")
	}
	if err := notify.CheckTemplate(in.Template); err != nil {
		return w, "", false, err //nolint:wrapcheck // a fault that speaks for itself
	}
	known, err := h.mine(ctx, in.Name)
	switch {
	case fault.Is(err, fault.NotFound):
		w = in.Webhook
		w.Address, w.TeamID = in.URL, h.Member.Viewer.Team
		h.Hooks = append(h.Hooks, w)
		if w.Format == notify.Standard {
			secret = Secret
		}
		return w, secret, true, nil
	case err != nil:
		return w, "", false, err
	case known.Digest == "":
		known.Format, known.Events, known.Filter, known.Template = in.Format, in.Events, in.Filter, in.Template
	}
	if in.URL != "" {
		known.Address = in.URL
	}
	return *known, "", false, nil
}

// Test implements view.Webhooks. The receiver called oncall does not answer.
func (h *Webhooks) Test(ctx context.Context, name string) (notify.Delivery, error) {
	w, err := h.mine(ctx, name)
	if err != nil {
		return notify.Delivery{}, err
	}
	if w.Address == "" {
		return notify.Delivery{}, fault.New(fault.Conflict, "the webhook %s has no address yet", name)
	}
	d := notify.Delivery{
		ID: ID(name + strconv.Itoa(len(h.Sent[name]))), Event: notify.Trial, About: "This is a test of the webhook. It works.", State: notify.Delivered, Attempts: 1, Code: 204,
		Took: 31 * time.Millisecond, At: h.Now(), TriedAt: h.Now(), Body: []byte(`{"type":"webhook.test"}`),
	}
	if name == "oncall" {
		d.State, d.Code, d.Error = notify.GivenUp, 0, "no answer within 10s"
	}
	h.Sent[name] = append([]notify.Delivery{d}, h.Sent[name]...)
	return d, nil
}

// Pause implements view.Webhooks.
func (h *Webhooks) Pause(ctx context.Context, name string, paused bool) (notify.Webhook, error) {
	w, err := h.mine(ctx, name)
	if err != nil {
		return notify.Webhook{}, err
	}
	w.PausedBy, w.PausedWhy, w.PausedAt = "", "", time.Time{}
	if paused {
		w.PausedBy, w.PausedAt = h.Member.Viewer.Name, h.Now()
	}
	return *w, nil
}

// Rotate implements view.Webhooks.
func (h *Webhooks) Rotate(ctx context.Context, name string) (notify.Webhook, string, error) {
	w, err := h.mine(ctx, name)
	if err != nil {
		return notify.Webhook{}, "", err
	}
	w.RotatedAt = h.Now()
	return *w, Secret, nil
}

// Remove implements view.Webhooks.
func (h *Webhooks) Remove(ctx context.Context, name string) error {
	if _, err := h.mine(ctx, name); err != nil {
		return err
	}
	h.Hooks = slices.DeleteFunc(h.Hooks, func(w notify.Webhook) bool { return w.Name == name })
	return nil
}

// Deliveries implements view.Webhooks.
func (h *Webhooks) Deliveries(ctx context.Context, name string, state notify.State, _ int, after string) (list []notify.Delivery, next string, err error) {
	for _, d := range h.Sent[name] {
		if after == "" && (state == "" || d.State == state) {
			list = append(list, d)
		}
	}
	return list, "", h.allowed(ctx)
}

// Redeliver implements view.Webhooks.
func (h *Webhooks) Redeliver(ctx context.Context, name string, id uuid.UUID) (notify.Delivery, error) {
	if _, err := h.mine(ctx, name); err != nil {
		return notify.Delivery{}, err
	}
	for i := range h.Sent[name] {
		if d := &h.Sent[name][i]; d.ID == id {
			d.State, d.Attempts, d.NextAt, d.Error = notify.Pending, 0, h.Now(), ""
			return *d, nil
		}
	}
	return notify.Delivery{}, fault.New(fault.NotFound, "the webhook %s has no delivery %s", name, id)
}
