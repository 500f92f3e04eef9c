package federate

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const (
	// BegunFor is how long somebody may take at the identity provider.
	BegunFor = 10 * time.Minute

	begunPlace = "sign-in that has begun"
	maxGroups  = 1000
	startAgain = "Start again from the sign-in page."
)

// Path is the address by which somebody signs in by an identity provider. The provider sends people back to an address below it.
func Path(org, provider string) string {
	return "/login/sso/" + url.PathEscape(org) + "/" + url.PathEscape(provider)
}

// CallbackPath is where the provider sends people back to. Each has an address of its own, so that one cannot pass for another.
func CallbackPath(org, provider string) string { return Path(org, provider) + "/callback" }

// begun is what the browser keeps meanwhile, encrypted.
type begun struct {
	Organization, Provider string
	State, Nonce, Verifier string
	Base, Next             string
	Ends                   time.Time
}

// Providers lists the names of the identity providers of an organization; none for an unknown one.
func (s *Service) Providers(ctx context.Context, org string) ([]string, error) {
	list, err := s.store.ProvidersOf(ctx, org)
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.Name
	}
	return out, err
}

// Begin returns the address of the identity provider to send a browser to, and what the browser keeps until it comes back. Base is the
// address of this control plane, next where to go in the end.
func (s *Service) Begin(ctx context.Context, org, provider, base, next string) (to, kept string, err error) {
	p, err := s.store.Provider(ctx, org, provider)
	if err != nil {
		return "", "", err
	}
	config, _, err := s.party(ctx, p, base)
	if err != nil {
		return "", "", err
	}
	b := begun{
		Organization: org, Provider: provider, State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Base: base, Next: next,
		Ends: s.now().Add(BegunFor),
	}
	text, err := json.Marshal(b)
	if err != nil {
		return "", "", fault.Wrap(fault.Internal, err, "keep the sign-in")
	}
	sealed, err := s.box.Seal(begunPlace, text)
	if err != nil {
		return "", "", err
	}
	return config.AuthCodeURL(b.State, oidc.Nonce(b.Nonce), oauth2.S256ChallengeOption(b.Verifier)), base64.RawURLEncoding.EncodeToString(sealed), nil
}

// party is this control plane as a client of a provider.
func (s *Service) party(ctx context.Context, p tenant.IdentityProvider, base string) (*oauth2.Config, *oidc.Provider, error) {
	issuer, err := s.issuer(ctx, p.Issuer)
	if err != nil {
		return nil, nil, err
	}
	var metadata struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := issuer.Claims(&metadata); err != nil {
		return nil, nil, fault.Wrap(fault.Unavailable, err, "the settings of the identity provider cannot be read")
	}
	endpoint := issuer.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader // not found out by trying: a code is good for one try
	if p.ClientSecret == "" || (len(metadata.Methods) > 0 && !slices.Contains(metadata.Methods, "client_secret_basic")) {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	scopes := []string{oidc.ScopeOpenID, "profile", "email"}
	for _, scope := range p.Scopes {
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: endpoint, RedirectURL: base + CallbackPath(p.OrganizationName, p.Name), Scopes: scopes,
	}, issuer, nil
}

// Back is how a browser comes back from an identity provider.
type Back struct {
	Organization, Provider string     // of the address
	Kept                   string     // what Begin gave the browser
	Query                  url.Values // what the provider added to the address
}

// Finish returns the member who comes back, and where to go on to. Every refusal is fault.Unauthenticated or fault.Forbidden with what to do.
func (s *Service) Finish(ctx context.Context, back Back) (m tenant.Member, next string, err error) {
	b, err := s.begun(back)
	if err != nil {
		return m, "", err
	}
	p, err := s.store.Provider(ctx, b.Organization, b.Provider)
	if err != nil {
		return m, "", err
	}
	audit.Of(ctx).By(tenant.Viewer{Kind: tenant.KindMember, Organization: p.Organization, Name: "identity provider " + p.Name}) // until it is known who
	if code := back.Query.Get("error"); code != "" {
		s.log.InfoContext(ctx, "the identity provider refused a sign-in", "provider", p.ID, "code", code)
		return m, "", fault.New(fault.Unauthenticated, "the identity provider has not signed you in").WithHint("%s", startAgain)
	}
	who, err := s.identity(ctx, p, b, back.Query.Get("code"))
	if err != nil {
		return m, "", err
	}
	if m, err = s.store.AdmitIdentity(ctx, p, who); err != nil {
		return m, "", err
	}
	s.log.InfoContext(ctx, "signed in by an identity provider", "provider", p.ID, "member", m.ID)
	return m, b.Next, nil
}

// begun opens what the browser kept, and checks that this is the way back from it.
func (s *Service) begun(back Back) (begun, error) {
	refused := fault.New(fault.Unauthenticated, "this sign-in was not begun in this browser, or it took too long").WithHint("%s", startAgain)
	sealed, err := base64.RawURLEncoding.DecodeString(back.Kept)
	if err != nil || len(sealed) == 0 {
		return begun{}, refused
	}
	text, err := s.box.Open(begunPlace, sealed)
	if err != nil {
		return begun{}, refused
	}
	var b begun
	if err := json.Unmarshal(text, &b); err != nil {
		return b, refused
	}
	if b.Organization != back.Organization || b.Provider != back.Provider || !s.now().Before(b.Ends) ||
		subtle.ConstantTimeCompare([]byte(b.State), []byte(back.Query.Get("state"))) != 1 {
		return b, refused
	}
	return b, nil
}

// identity exchanges the code and returns who the provider says it is.
func (s *Service) identity(ctx context.Context, p tenant.IdentityProvider, b begun, code string) (who tenant.Identity, err error) {
	config, issuer, err := s.party(ctx, p, b.Base)
	if err != nil {
		return who, err
	}
	refuse := func(err error, why string) error {
		s.log.WarnContext(ctx, "an identity provider's word is not taken", "provider", p.ID, "why", why, "error", safe(err))
		return fault.New(fault.Unauthenticated, "the identity provider's answer is not accepted: %s", why).
			WithHint("%s If it happens again, an admin should check the settings of the provider.", startAgain)
	}
	token, err := config.Exchange(s.with(ctx), code, oauth2.VerifierOption(b.Verifier))
	if err != nil {
		return who, refuse(err, "it gave no token for the code")
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := issuer.VerifierContext(s.with(ctx), &oidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: algorithms(), Now: s.now}).Verify(ctx, raw)
	if err != nil {
		return who, refuse(err, "its token does not hold")
	}
	claims := map[string]json.RawMessage{}
	if err := id.Claims(&claims); err != nil {
		return who, refuse(err, "its token cannot be read")
	}
	switch azp := first(claims, "azp"); {
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(b.Nonce)) != 1:
		return who, refuse(nil, "its token is of another sign-in")
	case azp != "" && azp != p.ClientID, azp == "" && len(id.Audience) > 1:
		return who, refuse(nil, "its token is for another program")
	case id.Subject == "" || len(id.Subject) > 255:
		return who, refuse(nil, "its token names nobody")
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return who, refuse(err, "its tokens do not belong together")
		}
	}
	if err := s.complete(ctx, p, issuer, token, id.Subject, claims); err != nil {
		return who, refuse(err, "it says too little of you")
	}
	return identityOf(p, id.Subject, claims), nil
}

// complete adds what the provider says of somebody only when it is asked.
func (s *Service) complete(ctx context.Context, p tenant.IdentityProvider, issuer *oidc.Provider, token *oauth2.Token, subject string, claims map[string]json.RawMessage) error {
	mapped := len(p.Teams)+len(p.Roles) > 0
	if _, ok := claims[p.Claim()]; (ok || !mapped) && first(claims, "email") != "" {
		return nil
	}
	if issuer.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := issuer.UserInfo(s.with(ctx), oauth2.StaticTokenSource(token))
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it was about
	}
	if info.Subject != subject {
		return errors.New("its account page is of somebody else")
	}
	more := map[string]json.RawMessage{}
	if err := info.Claims(&more); err != nil {
		return err //nolint:wrapcheck // the caller says what it was about
	}
	if _, ok := claims["email"]; !ok {
		delete(claims, "email_verified") // it belongs to the address
	} else {
		delete(more, "email_verified")
	}
	for name, value := range more {
		if _, ok := claims[name]; !ok {
			claims[name] = value
		}
	}
	return nil
}

// identityOf reads the claims. An address counts when it is verified, and of a domain that the provider speaks for.
func identityOf(p tenant.IdentityProvider, subject string, claims map[string]json.RawMessage) tenant.Identity {
	who := tenant.Identity{Subject: subject, Name: first(claims, "name"), Groups: texts(claims, p.Claim())}
	who.Groups = who.Groups[:min(len(who.Groups), maxGroups)]
	email := strings.ToLower(first(claims, "email"))
	if (first(claims, "email_verified") == "true" || p.TrustEmail) && p.SpeaksFor(email) && len(email) <= 254 {
		who.Email = email
	}
	return who
}

// safe leaves out what a provider said when it refused a code: it may repeat the code or the secret.
func safe(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return errors.New("oauth2: " + refused.ErrorCode)
	}
	return err
}
