package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
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

// Setting is a webhook as somebody wants it. Of an existing one the address and the token stay when they are empty.
type Setting struct {
	Webhook
	URL   string
	Token string // for Standard the secret, which is made when there is none
}

const maxGlobs = 50

// Set makes a webhook, or changes that of the name. The secret is returned when it was made just now: nobody can show it again.
func (s *Service) Set(ctx context.Context, in Setting) (w Webhook, secret string, created bool, err error) {
	if _, err := tenant.Require(ctx, tenant.ScopeCatalog); err != nil {
		return w, "", false, err //nolint:wrapcheck // a fault that speaks for itself
	}
	if err := s.check(&in); err != nil {
		return w, "", false, err
	}
	var formatBefore Format
	if old, err := s.store.Webhook(ctx, in.Name); err == nil {
		formatBefore = old.Format
		in.Address = old.Address
	} else if !fault.Is(err, fault.NotFound) {
		return w, "", false, fmt.Errorf("read webhook: %w", err)
	}
	if in.URL != "" {
		in.Address = shown(in.URL)
	}
	w, created, err = s.store.SetWebhook(ctx, in.Webhook, func(old Secrets) (Secrets, error) {
		secret = ""
		switch {
		case in.URL == "" && old.URL == "":
			return old, fault.New(fault.Invalid, "a webhook needs an address").WithField("url")
		case in.URL != "" && old.URL != "" && host(in.URL) != host(old.URL):
			old.Tokens = nil // they are not shown to another server
		}
		old.URL = cmp.Or(in.URL, old.URL)
		if formatBefore != "" && formatBefore != in.Format {
			old.Tokens = nil
		}
		if in.Token != "" {
			old.Tokens = []string{in.Token}
		}
		if in.Format == Standard && len(old.Tokens) == 0 {
			secret = NewSecret()
			old.Tokens = []string{secret}
		}
		return old, nil
	})
	if err != nil {
		return w, "", false, fmt.Errorf("store webhook: %w", err)
	}
	return w, secret, created, nil
}

// Rotate gives a webhook of Standard a new secret. The one before signs as well for a day.
func (s *Service) Rotate(ctx context.Context, name string) (w Webhook, secret string, err error) {
	if w, err = s.mine(ctx, name); err != nil {
		return w, "", err
	}
	if w.Format != Standard {
		return w, "", fault.New(fault.Conflict, "the secret of %s is its receiver's", name).WithHint("Make a new one there and set it: seatrial webhook set %s --token-stdin.", name)
	}
	w.RotatedAt = s.sender.Clock()
	w, _, err = s.store.SetWebhook(ctx, w, func(old Secrets) (Secrets, error) {
		secret = NewSecret()
		old.Tokens = append([]string{secret}, old.Tokens[:min(1, len(old.Tokens))]...)
		return old, nil
	})
	if err != nil {
		return w, "", fmt.Errorf("store webhook: %w", err)
	}
	return w, secret, nil
}

// Test sends a message to a webhook now, once, and returns what became of it.
func (s *Service) Test(ctx context.Context, name string) (Delivery, error) {
	w, err := s.mine(ctx, name)
	if err != nil {
		return Delivery{}, err
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

func (s *Service) check(in *Setting) error {
	if !validName(in.Name) {
		return fault.New(fault.Invalid, "%q is no name: small letters, digits and hyphens, 63 at most", in.Name).WithField("name")
	}
	if in.Format = cmp.Or(in.Format, Standard); !slices.Contains(Formats(), in.Format) {
		return fault.New(fault.Invalid, "there is no format %q", in.Format).WithField("format").WithHint("Formats are %v.", Formats())
	}
	if in.URL != "" {
		if err := s.rules.Check(in.URL); err != nil {
			var f *fault.Error
			if errors.As(err, &f) {
				return f.WithField("url")
			}
			return err //nolint:wrapcheck // a fault that speaks for itself
		}
	}
	if in.Format == Standard && in.Token != "" {
		if err := CheckSecret(in.Token); err != nil {
			return err
		}
	}
	if len(in.Events) == 0 {
		in.Events = []Event{Failed, Fixed, Flaky, Verdict}
	}
	for _, e := range in.Events {
		if !slices.Contains(Events(), e) {
			return fault.New(fault.Invalid, "there is no event %q", e).WithField("events").WithHint("Events are %v.", Events())
		}
	}
	return in.Filter.check(in.Template)
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
