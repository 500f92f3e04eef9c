package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/outbound"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Service is what people do with webhooks. It holds no state of its own.
type Service struct {
	store  Store
	sender *Sender
	rules  outbound.Rules
}

// New returns a Service; the sender sends its tests.
func New(store Store, sender *Sender, rules outbound.Rules) *Service {
	return &Service{store: store, sender: sender, rules: rules}
}

// Setting is a webhook as somebody wants it. The address and the token stay when they are empty.
type Setting struct {
	Webhook
	URL   string
	Token string // for Standard the secret, which is made when there is none
	// Given says which parts an existing webhook is changed in; nil for those that are not empty.
	Given []Part
}

// Part is a part of a webhook that can be changed by itself.
type Part string

// The parts.
const (
	PartFormat       Part = "format"
	PartEvents       Part = "events"
	PartWorkflows    Part = "workflows"
	PartLabels       Part = "labels"
	PartEnvironments Part = "environments"
	PartTemplate     Part = "template"
)

// Parts lists them.
func Parts() []Part {
	return []Part{PartFormat, PartEvents, PartWorkflows, PartLabels, PartEnvironments, PartTemplate}
}

const maxGlobs = 50

// onto changes a webhook in what is given.
func (in Setting) onto(w *Webhook) {
	given := func(p Part, filled bool) bool {
		return in.Given == nil && filled || slices.Contains(in.Given, p)
	}
	if given(PartFormat, in.Format != "") {
		w.Format = in.Format
	}
	if given(PartEvents, len(in.Events) > 0) {
		w.Events = in.Events
	}
	if given(PartWorkflows, len(in.Filter.Workflows) > 0) {
		w.Filter.Workflows = in.Filter.Workflows
	}
	if given(PartLabels, len(in.Filter.Labels) > 0) {
		w.Filter.Labels = in.Filter.Labels
	}
	if given(PartEnvironments, len(in.Filter.Environments) > 0) {
		w.Filter.Environments = in.Filter.Environments
	}
	if given(PartTemplate, in.Template != "") {
		w.Template = in.Template
	}
}

// Set makes a webhook, or changes of that of the name what is given. The secret is returned when it was made just now: nobody can show it
// again.
func (s *Service) Set(ctx context.Context, in Setting) (w Webhook, secret string, created bool, err error) {
	if _, err := tenant.Require(ctx, tenant.ScopeCatalog); err != nil {
		return w, "", false, err //nolint:wrapcheck // a fault that speaks for itself
	}
	for _, p := range in.Given {
		if !slices.Contains(Parts(), p) {
			return w, "", false, fault.New(fault.Invalid, "a webhook has no %q that could be changed by itself", p).WithHint("It has %v.", Parts())
		}
	}
	if !validName(in.Name) {
		return w, "", false, fault.New(fault.Invalid, "%q is no name: small letters, digits and hyphens, 63 at most", in.Name).WithField("name")
	}
	w, created, err = s.store.SetWebhook(ctx, in.Name, in.Team, func(w *Webhook, kept *Secrets) (err error) {
		if err := w.settable(in); err != nil {
			return err
		}
		before := w.Format
		in.onto(w)
		if err := s.check(w, in); err != nil {
			return err
		}
		secret, err = kept.take(w, in, before)
		return err
	})
	if err != nil {
		return w, "", false, fmt.Errorf("store webhook: %w", err)
	}
	return w, secret, created, nil
}

// take brings secrets to a setting. What belongs to another server, or means something else to another format, is dropped. It returns the
// secret that it has made, if it has.
func (s *Secrets) take(w *Webhook, in Setting, before Format) (made string, err error) {
	switch {
	case in.URL == "" && s.URL == "":
		return "", fault.New(fault.Invalid, "a webhook needs an address").WithField("url")
	case in.URL != "" && s.URL != "" && host(in.URL) != host(s.URL), before != "" && before != w.Format:
		s.Tokens = nil // they are not shown to another server
	}
	s.URL = cmp.Or(in.URL, s.URL)
	w.Address = shown(s.URL)
	if in.Token != "" {
		s.Tokens = []string{in.Token}
	}
	if w.Format == Standard && len(s.Tokens) == 0 {
		made = NewSecret()
		s.Tokens = []string{made}
	}
	return made, nil
}

// Rotate gives a webhook of Standard a new secret. The one before signs as well for a day.
func (s *Service) Rotate(ctx context.Context, name string) (w Webhook, secret string, err error) {
	if w, err = s.mine(ctx, name); err != nil {
		return w, "", err
	}
	w, _, err = s.store.SetWebhook(ctx, name, "", func(w *Webhook, kept *Secrets) error {
		if w.Format != Standard {
			return fault.New(fault.Conflict, "the secret of %s is its receiver's", name).
				WithHint("Make a new one there and set it: seatrial webhook set %s --token-stdin.", name)
		}
		secret, w.RotatedAt = NewSecret(), s.sender.Clock()
		kept.Tokens = append([]string{secret}, kept.Tokens[:min(1, len(kept.Tokens))]...)
		return nil
	})
	if err != nil {
		return w, "", fmt.Errorf("store webhook: %w", err)
	}
	return w, secret, nil
}

// Formats are those that can be chosen.
func (s *Service) Formats() []Format {
	if s.sender.Mail == nil {
		return Formats()
	}
	return append(Formats(), Email)
}

// Test sends a message to a webhook now, once, and returns what became of it.
func (s *Service) Test(ctx context.Context, name string) (Delivery, error) {
	w, err := s.mine(ctx, name)
	if err != nil {
		return Delivery{}, err
	}
	if w.Address == "" {
		return Delivery{}, fault.New(fault.Conflict, "the webhook %s has no address yet", w.Name).
			WithHint("Set it once: seatrial webhook set %s --url-stdin.", w.Name)
	}
	h := Happening{Notice: Notice{Kind: OfTrial, Organization: w.Organization, At: s.sender.Clock()}, Link: s.sender.Address}
	m, ok, err := Render(w, Trial, h)
	if err != nil {
		return Delivery{}, err
	}
	if !ok {
		return Delivery{}, fault.New(fault.Conflict, "a webhook of the format %s can only say something of a commit", w.Format).
			WithHint("Run a workflow with the commit: seatrial run NAME --commit SHA.")
	}
	d := s.sender.delivery(w, Trial, m)
	d.NextAt = d.BegunAt.Add(lease) // should this process die, another one sends it
	if d, err = s.store.AddTrial(ctx, name, d, lease); err != nil {
		return d, fmt.Errorf("store delivery: %w", err)
	}
	secrets, err := s.store.WebhookSecrets(ctx, name)
	if err != nil {
		return d, fmt.Errorf("read the secrets: %w", err)
	}
	d, because := s.sender.attempt(ctx, Claim{Delivery: d, Webhook: w, Secrets: secrets})
	if err := s.store.FinishDelivery(context.WithoutCancel(ctx), d, because); err != nil {
		return d, fmt.Errorf("store what became of it: %w", err)
	}
	return d, nil
}

// List returns all webhooks by name.
func (s *Service) List(ctx context.Context) ([]Webhook, error) {
	list, err := s.store.Webhooks(ctx)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	return list, nil
}

// Get returns a webhook.
func (s *Service) Get(ctx context.Context, name string) (Webhook, error) {
	w, err := s.store.Webhook(ctx, name)
	if err != nil {
		return w, fmt.Errorf("read webhook: %w", err)
	}
	return w, nil
}

// Deliveries lists those of a webhook, newest first. They say what has happened in the whole organization, which its members may read.
func (s *Service) Deliveries(ctx context.Context, name string, state State, size int, after string) ([]Delivery, string, error) {
	w, err := s.Get(ctx, name)
	if err != nil {
		return nil, "", err
	}
	if state != "" && !slices.Contains([]State{Pending, Delivered, GivenUp}, state) {
		return nil, "", fault.New(fault.Invalid, "there are no deliveries that are %q", state).WithField("state").WithHint("They are pending, delivered or failed.")
	}
	list, next, err := s.store.Deliveries(ctx, w.ID, state, size, after)
	if err != nil {
		return nil, "", fmt.Errorf("list deliveries: %w", err)
	}
	return list, next, nil
}

// Redeliver sends a delivery again, with the same id and body.
func (s *Service) Redeliver(ctx context.Context, name string, id uuid.UUID) (Delivery, error) {
	if _, err := s.mine(ctx, name); err != nil {
		return Delivery{}, err
	}
	d, err := s.store.Redeliver(ctx, name, id)
	if err != nil {
		return d, fmt.Errorf("redeliver: %w", err)
	}
	return d, nil
}

// Pause pauses a webhook or lets it go on.
func (s *Service) Pause(ctx context.Context, name string, paused bool) (Webhook, error) {
	if _, err := s.mine(ctx, name); err != nil {
		return Webhook{}, err
	}
	w, err := s.store.PauseWebhook(ctx, name, paused)
	if err != nil {
		return w, fmt.Errorf("pause webhook: %w", err)
	}
	return w, nil
}

// Remove removes a webhook with its deliveries.
func (s *Service) Remove(ctx context.Context, name string) error {
	if _, err := s.mine(ctx, name); err != nil {
		return err
	}
	if err := s.store.RemoveWebhook(ctx, name); err != nil {
		return fmt.Errorf("remove webhook: %w", err)
	}
	return nil
}

// mine returns a webhook that the viewer may change.
func (s *Service) mine(ctx context.Context, name string) (Webhook, error) {
	v, err := tenant.Require(ctx, tenant.ScopeCatalog)
	if err != nil {
		return Webhook{}, err //nolint:wrapcheck // a fault that speaks for itself
	}
	w, err := s.Get(ctx, name)
	if err != nil {
		return w, err
	}
	if !v.Acts(w.TeamID) {
		return w, fault.New(fault.Forbidden, "the webhook %s belongs to the team %s, which %s is not in", w.Name, w.Team, v.Name).
			WithHint("Ask a maintainer of the team %s, or an admin of the organization.", w.Team)
	}
	return w, nil
}

// validName is what webhooks can be called.
func validName(name string) bool {
	return regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`).MatchString(name)
}

// check says what is wrong with a webhook, and fills in what was not said.
func (s *Service) check(w *Webhook, in Setting) error {
	if w.Format = cmp.Or(w.Format, Standard); w.Format == Email && s.sender.Mail == nil {
		return errNoMail()
	}
	if !slices.Contains(s.Formats(), w.Format) {
		return fault.New(fault.Invalid, "there is no format %q", w.Format).WithField("format").WithHint("Formats are %v.", s.Formats())
	}
	if err := s.checkAddress(w.Format, in.URL); err != nil {
		return err
	}
	if w.Format == Standard && in.Token != "" {
		if err := CheckSecret(in.Token); err != nil {
			return err
		}
	}
	if len(w.Events) == 0 {
		w.Events = Usual()
	}
	for _, e := range w.Events {
		if !slices.Contains(Events(), e) {
			return fault.New(fault.Invalid, "there is no event %q", e).WithField("events").WithHint("Events are %v.", Events())
		}
	}
	return w.Filter.check(w.Template)
}

// checkAddress says what is wrong with an address that somebody gives.
func (s *Service) checkAddress(format Format, address string) error {
	switch {
	case address == "":
		return nil
	case format == Email:
		list, err := receivers(address)
		if err != nil {
			return err
		}
		for _, to := range list {
			if err := s.sender.Mail.Allows(to); err != nil {
				return err //nolint:wrapcheck // a fault that speaks for itself
			}
		}
		return nil
	}
	err := s.rules.Check(address)
	var f *fault.Error
	if errors.As(err, &f) {
		return f.WithField("url")
	}
	return err //nolint:wrapcheck // a fault that speaks for itself
}

func (f Filter) check(template string) error {
	if len(f.Workflows)+len(f.Environments)+len(f.Labels) > maxGlobs {
		return fault.New(fault.Invalid, "a webhook has at most %d filters", maxGlobs).WithField("workflows")
	}
	for _, glob := range f.Workflows {
		if err := checkGlob("workflows", glob); err != nil {
			return err
		}
	}
	for _, glob := range f.Environments {
		if err := checkGlob("environments", glob); err != nil {
			return err
		}
	}
	if len(template) > maxText {
		return fault.New(fault.Invalid, "the template is longer than %d bytes", maxText).WithField("template")
	}
	return CheckTemplate(template)
}

// shown is an address as people may see it. Of many the path is a secret.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if strings.HasPrefix(address, mailScheme) { // an address of people is no secret to their team
		return address
	}
	return u.Scheme + "://" + u.Host
}

func host(address string) string { return shown(address) }

// Expired reports when the secret before the newest is out of use; zero when there is none.
func (w Webhook) Expired() time.Time {
	if w.RotatedAt.IsZero() {
		return time.Time{}
	}
	return w.RotatedAt.Add(Overlap)
}
