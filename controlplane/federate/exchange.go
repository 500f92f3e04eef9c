package federate

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/time/rate"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// RuleStore keeps trust rules.
type RuleStore interface {
	// TrustRulesOf lists those of an organization for an issuer, whoever asks; none for an unknown organization.
	TrustRulesOf(ctx context.Context, org, issuer string) ([]tenant.TrustRule, error)
	// Exchanged stores the token that a rule makes, for the viewer that the rule stands for.
	Exchanged(ctx context.Context, r tenant.TrustRule, t tenant.Token) (tenant.Token, error)
	// OrganizationID returns fault.NotFound for a name that there is not.
	OrganizationID(ctx context.Context, name string) (tenant.ID, error)
}

// Secrets makes what only one party may know.
type Secrets interface {
	// NewTokenSecret returns the secret of an API token with its hash and the part that is shown.
	NewTokenSecret() (secret string, hash []byte, hint string, err error)
}

const (
	maxToken     = 16 << 10 // bytes
	maxTokenName = 100
)

// Exchange is what a pipeline presents.
type Exchange struct {
	Organization string // by name
	Rule         string // by name; empty when only one can fit
	Token        string // of the pipeline's own identity provider
	Remote       string // network address
}

// refusal is why a token is not taken. The caller is told nothing of it, so that every refusal looks alike; the record has it.
type refusal struct{ why string }

func (r refusal) Error() string { return r.why }

// Exchange returns a token of a team for that of a pipeline, when a trust rule of the organization fits. Every refusal is the same
// fault.Unauthenticated; the record of the organization has the reason.
func (s *Service) Exchange(ctx context.Context, x Exchange) (secret string, made tenant.Token, err error) {
	if !s.tries.allow(x.Remote) {
		return "", made, fault.New(fault.Exhausted, "too many tokens were refused").WithHint("Wait a minute, then try again.")
	}
	if id, err := s.store.OrganizationID(ctx, x.Organization); err == nil {
		audit.Of(ctx).By(tenant.Viewer{Kind: tenant.KindToken, Organization: id, Name: "a pipeline"}) // until it is known which
	}
	rule, subject, err := s.rule(ctx, x)
	var why refusal
	switch {
	case asRefusal(err, &why):
		s.tries.failed(x.Remote)
		audit.Of(ctx).Detail("cause", why.why)
		s.log.InfoContext(ctx, "a pipeline's token is refused", "why", why.why)
		return "", made, fault.New(fault.Unauthenticated, "no trust rule of the organization %q takes this token", x.Organization).
			WithHint("The audit log of the organization says why. Issuer, audience and every condition of the rule have to fit, and the token must not have expired.")
	case err != nil:
		return "", made, err
	}
	return s.give(ctx, rule, subject)
}

// give makes the token.
func (s *Service) give(ctx context.Context, rule tenant.TrustRule, subject string) (secret string, made tenant.Token, err error) {
	secret, hash, hint, err := s.secrets.NewTokenSecret()
	if err != nil {
		return "", made, err
	}
	name := strings.ToValidUTF8(rule.Name+": "+subject, "")
	name = strings.ToValidUTF8(name[:min(len(name), maxTokenName)], "")
	v := tenant.Viewer{Kind: tenant.KindToken, Organization: rule.Organization, Team: rule.Team.ID, Name: name, Maker: rule.Maker, Scopes: rule.Scopes, Limits: rule.Limits}
	audit.Of(ctx).By(v)
	made, err = s.store.Exchanged(tenant.WithViewer(ctx, v), rule, tenant.Token{
		Name: name, Maker: rule.Maker, Hash: hash, Hint: hint, Scopes: rule.Scopes, Limits: rule.Limits, ExpiresAt: s.now().Add(rule.Lifetime),
	})
	if err != nil {
		return "", made, err
	}
	s.log.InfoContext(ctx, "a pipeline's token is exchanged", "rule", rule.ID, "token", made.ID)
	return secret, made, nil
}

// rule returns the trust rule that takes a token, and whose token it is. Which issuers are asked at all, the rules say, and not the token.
func (s *Service) rule(ctx context.Context, x Exchange) (rule tenant.TrustRule, subject string, err error) {
	claimed, err := issuerOf(x.Token)
	if err != nil {
		return rule, "", err
	}
	all, err := s.store.TrustRulesOf(ctx, x.Organization, claimed)
	if err != nil {
		return rule, "", err
	}
	var rules []tenant.TrustRule
	for _, r := range all {
		if x.Rule == "" || r.Name == x.Rule {
			rules = append(rules, r)
		}
	}
	if len(rules) == 0 {
		return rule, "", refusal{"no rule is for its issuer"}
	}
	issuer, err := s.issuer(ctx, claimed)
	if err != nil {
		return rule, "", err
	}
	token, err := issuer.VerifierContext(s.with(ctx), &oidc.Config{SkipClientIDCheck: true, SupportedSigningAlgs: algorithms(), Now: s.now}).Verify(ctx, x.Token)
	if err != nil {
		return rule, "", refusal{"it does not hold: " + err.Error()}
	}
	claims := map[string]json.RawMessage{}
	if err := token.Claims(&claims); err != nil {
		return rule, "", refusal{"it cannot be read"}
	}
	fits, err := fitting(rules, token.Audience, claims)
	return fits, token.Subject, err
}

// fitting returns the one rule whose audience and conditions a token meets.
func fitting(rules []tenant.TrustRule, audience []string, claims map[string]json.RawMessage) (found tenant.TrustRule, err error) {
	var missed []string
	for _, r := range rules {
		claim := misses(r, claims)
		switch {
		case !slices.Contains(audience, r.Audience):
			missed = append(missed, "its audience is not that of the rule "+r.Name)
		case claim != "":
			missed = append(missed, "the claim "+claim+" is not what the rule "+r.Name+" asks for")
		case found.Name != "":
			return found, fault.New(fault.Invalid, "several trust rules take this token").WithField("rule").WithHint("Name the one that is meant, with --rule.")
		default:
			found = r
		}
	}
	if found.Name == "" {
		return found, refusal{strings.Join(missed, "; ")}
	}
	return found, nil
}

// misses returns the first claim that is not what a rule asks for, empty when all are.
func misses(r tenant.TrustRule, claims map[string]json.RawMessage) string {
	for _, c := range r.Conditions {
		holds := false
		for _, value := range texts(claims, c.Claim) {
			holds = holds || c.Holds(value)
		}
		if !holds {
			return c.Claim
		}
	}
	return ""
}

// issuerOf reads the issuer of a token that nobody has checked yet.
func issuerOf(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 {
		return "", refusal{"it is no signed token"}
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", refusal{"it is no signed token"}
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(body, &claims); err != nil || claims.Issuer == "" || len(claims.Issuer) > maxTokenName*5 {
		return "", refusal{"it names no issuer"}
	}
	return claims.Issuer, nil
}

func asRefusal(err error, into *refusal) bool {
	r, ok := err.(refusal) //nolint:errorlint // it is never wrapped
	*into = r
	return ok
}

// Tokens that are refused, of one network address: a pipeline that is set up wrong does not notice, a program that guesses does.
const (
	refusedTries = 30
	refusedEvery = 2 * time.Second
	maxRemotes   = 10_000
)

// tries counts refusals by network address. Each replica counts for itself. What is accepted costs nothing: runners of a whole company come
// by one address.
type tries struct {
	now func() time.Time

	mu   sync.Mutex
	from map[string]*rate.Limiter
}

func newTries(now func() time.Time) *tries { return &tries{now: now, from: map[string]*rate.Limiter{}} }

func (t *tries) allow(remote string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.from[remote]
	return l == nil || l.TokensAt(t.now()) >= 1
}

func (t *tries) failed(remote string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.from[remote]
	if l == nil {
		if len(t.from) >= maxRemotes {
			clear(t.from)
		}
		l = rate.NewLimiter(rate.Every(refusedEvery), refusedTries)
		t.from[remote] = l
	}
	l.AllowN(t.now(), 1)
}
