// Package federate believes what servers of others say of who somebody is, as far as organizations trust them: people sign in by an identity
// provider (OpenID Connect, authorization code with PKCE), and pipelines exchange the token of their own provider for one of a team.
//
// All requests go by the client that New is given, which is that of package outbound: issuers are addresses that people of organizations
// enter.
package federate

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// MaxBody is how long an answer of an issuer may be, in bytes: key lists of large ones have some dozens of KiB.
const MaxBody = 1 << 20

const (
	discovered = 10 * time.Minute // how long what an issuer says of itself is believed
	maxIssuers = 500
)

// Store keeps what organizations trust.
type Store interface {
	// Provider and ProvidersOf find those of an organization by its name, whoever asks. Provider returns the secret as well.
	Provider(ctx context.Context, org, name string) (tenant.IdentityProvider, error)
	ProvidersOf(ctx context.Context, org string) ([]tenant.IdentityProvider, error)
	// AdmitIdentity returns the member, with the role and the teams that the groups stand for.
	AdmitIdentity(ctx context.Context, p tenant.IdentityProvider, who tenant.Identity) (tenant.Member, error)
	RuleStore
	SettingsStore
}

// Box encrypts what a browser keeps between the two halves of a sign-in.
type Box interface {
	Seal(place string, value []byte) ([]byte, error)
	Open(place string, sealed []byte) ([]byte, error)
}

// Config is what a Service is made of. Clock may be left out.
type Config struct {
	Store   Store
	Box     Box
	Secrets Secrets
	Client  *http.Client // of package outbound
	Log     *slog.Logger
	Clock   func() time.Time
}

// Service checks what issuers say. It may be used from many goroutines.
type Service struct {
	store   Store
	box     Box
	secrets Secrets
	client  *http.Client
	log     *slog.Logger
	now     func() time.Time
	tries   *tries

	mu      sync.Mutex
	issuers map[string]issuer
}

// issuer is what is known of one.
type issuer struct {
	*oidc.Provider
	since time.Time
}

// New returns a service.
func New(c Config) *Service {
	s := &Service{
		store: c.Store, box: c.Box, secrets: c.Secrets, log: c.Log.With("component", "federate"), now: c.Clock, issuers: map[string]issuer{},
	}
	if s.now == nil {
		s.now = time.Now
	}
	client := *c.Client
	client.Transport = &recalling{next: c.Client.Transport, now: s.now, kept: map[string]answer{}}
	s.client, s.tries = &client, newTries(s.now)
	return s
}

// with returns a context by which go-oidc and oauth2 use the client.
func (s *Service) with(ctx context.Context) context.Context { return oidc.ClientContext(ctx, s.client) }

// issuer asks an issuer for what it says of itself, or recalls it.
func (s *Service) issuer(ctx context.Context, url string) (*oidc.Provider, error) {
	s.mu.Lock()
	known, ok := s.issuers[url]
	s.mu.Unlock()
	if ok && s.now().Sub(known.since) < discovered {
		return known.Provider, nil
	}
	p, err := oidc.NewProvider(s.with(ctx), url)
	if err != nil {
		if fault.Is(err, fault.Invalid) {
			return nil, fault.Wrap(fault.Invalid, err, "the issuer cannot be asked").WithField("issuer")
		}
		return nil, fault.Wrap(fault.Unavailable, err, "the identity provider does not answer as one").WithField("issuer").
			WithHint("Its address with /.well-known/openid-configuration at the end has to show its settings, with the very same issuer.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.issuers) >= maxIssuers {
		clear(s.issuers)
	}
	s.issuers[url] = issuer{p, s.now()}
	return p, nil
}

// algorithms are those of signatures that are believed: none with a shared secret, so that nobody signs with a key that is public.
func algorithms() []string {
	return []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}
}

// texts returns a claim as a list of texts: one text, a list, a number or a truth value.
func texts(claims map[string]json.RawMessage, name string) []string {
	raw, ok := claims[name]
	if !ok {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	var out []string
	for _, one := range list {
		var text string
		switch {
		case json.Unmarshal(one, &text) == nil:
		case len(one) > 0 && slices.Contains([]byte("-0123456789tf"), one[0]):
			text = string(one)
		default:
			continue
		}
		out = append(out, text)
	}
	return out
}

// first returns the first text of a claim.
func first(claims map[string]json.RawMessage, name string) string {
	if list := texts(claims, name); len(list) > 0 {
		return strings.TrimSpace(list[0])
	}
	return ""
}
