package tenant

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// Visibility is what members see of an organization.
type Visibility string

// The visibilities.
const (
	VisibleAll   Visibility = "all"   // what all teams have
	VisibleTeams Visibility = "teams" // what the own teams have; who administers sees all
)

// Access is how an organization lets its people in.
type Access struct {
	SSORequired bool       // passwords do not sign in
	BreakGlass  bool       // but those of owners do, for the day on which the identity provider is away
	Visibility  Visibility // what members see
}

// Mapping gives what a group of an identity provider stands for here: a team, or a role.
type Mapping struct {
	Group string `json:"group"`
	To    string `json:"to"`
}

// IdentityProvider is a server whose word on who somebody is an organization takes.
type IdentityProvider struct {
	ID               uuid.UUID
	Organization     ID
	OrganizationName string
	Name             string // stands in addresses
	Issuer           string // URL
	ClientID         string
	ClientSecret     string    // empty for a public client, and wherever it is not needed: nobody is shown it
	SecretKept       bool      // there is a secret
	Domains          []string  // of e-mail addresses that it speaks for; all when empty
	Scopes           []string  // asked for beside openid, email and profile
	GroupsClaim      string    // "groups" when empty
	Teams            []Mapping // group to team
	Roles            []Mapping // group to role
	DefaultRole      Role      // of those whom no group gives one; empty: only who was invited gets in
	DefaultTeam      string    // of those whom no group gives one; the organization's first when empty
	TrustEmail       bool      // its e-mail addresses count though it does not say that they are verified
	Owners           bool      // it may say who is an owner; owners alone decide on that
}

// Claim is the claim that holds the groups.
func (p IdentityProvider) Claim() string { return cmp.Or(p.GroupsClaim, "groups") }

// Role returns the highest role that groups give, empty when they give none.
func (p IdentityProvider) Role(groups []string) Role {
	for _, r := range Roles() {
		for _, m := range p.Roles {
			if m.To == string(r) && slices.Contains(groups, m.Group) {
				return r
			}
		}
	}
	return ""
}

// Placed returns the teams that groups give, and those that some group stands for but none of these.
func (p IdentityProvider) Placed(groups []string) (in, out []string) {
	for _, m := range p.Teams {
		if slices.Contains(groups, m.Group) && !slices.Contains(in, m.To) {
			in = append(in, m.To)
		}
	}
	for _, m := range p.Teams {
		if !slices.Contains(in, m.To) && !slices.Contains(out, m.To) {
			out = append(out, m.To)
		}
	}
	return in, out
}

// SpeaksFor reports whether the provider may say who has an e-mail address.
func (p IdentityProvider) SpeaksFor(email string) bool {
	_, domain, ok := strings.Cut(email, "@")
	return ok && (len(p.Domains) == 0 || slices.ContainsFunc(p.Domains, func(d string) bool { return strings.EqualFold(d, domain) }))
}

const (
	maxMappings = 200
	maxText     = 500 // bytes of an issuer, a client id, a claim
)

// label is what names look like that stand in addresses.
var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// Check returns fault.Invalid for settings that cannot work.
func (p IdentityProvider) Check() error {
	if err := checkName(p.Name); err != nil {
		return err
	}
	if err := CheckIssuer(p.Issuer); err != nil {
		return err
	}
	if p.ClientID == "" || len(p.ClientID) > maxText {
		return fault.New(fault.Invalid, "a client id has 1 to %d bytes", maxText).WithField("client_id").
			WithHint("Register an application at the provider; it shows the id.")
	}
	if p.DefaultRole != "" {
		if err := p.DefaultRole.Check(); err != nil {
			return fault.Wrap(fault.Invalid, err, "the default role").WithField("default_role")
		}
		if p.DefaultRole == RoleOwner {
			return fault.New(fault.Invalid, "nobody is an owner by default").WithField("default_role")
		}
	}
	if len(p.Teams)+len(p.Roles) > maxMappings {
		return fault.New(fault.Invalid, "a provider has at most %d mappings of groups", maxMappings).WithField("teams")
	}
	for _, m := range p.Roles {
		if err := Role(m.To).Check(); err != nil || m.Group == "" {
			return fault.New(fault.Invalid, "%q is no mapping of a group to a role", m.Group+"="+m.To).WithField("roles").WithHint("Write GROUP=ROLE; roles are owner, admin, maintainer and viewer.")
		}
	}
	for _, m := range p.Teams {
		if m.Group == "" || m.To == "" {
			return fault.New(fault.Invalid, "%q is no mapping of a group to a team", m.Group+"="+m.To).WithField("teams").WithHint("Write GROUP=TEAM.")
		}
	}
	for _, d := range p.Domains {
		if d == "" || strings.ContainsAny(d, "@ /") || !strings.Contains(d, ".") {
			return fault.New(fault.Invalid, "%q is no domain of e-mail addresses", d).WithField("domains").WithHint("Write it as example.com.")
		}
	}
	return nil
}

func checkName(name string) error {
	if !label.MatchString(name) {
		return fault.New(fault.Invalid, "%q cannot be the name", name).WithField("name").WithHint("Lower-case letters, digits and dashes, at most 63.")
	}
	return nil
}

// CheckIssuer returns fault.Invalid for what is no address of an OpenID Connect issuer. Where it may be is judged when it is asked.
func CheckIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "https" && u.Scheme != "http") || len(issuer) > maxText {
		return fault.New(fault.Invalid, "%q is no issuer", issuer).WithField("issuer").WithHint("It is an address such as https://login.example.com, without query.")
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return fault.New(fault.Invalid, "the issuer %q is not encrypted", issuer).WithField("issuer").WithHint("Its keys would come over plaintext. Use https.")
	}
	return nil
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// Condition is what a claim of a token must be: one of the patterns. In a pattern, * stands for anything without a slash and ** for anything.
type Condition struct {
	Claim    string   `json:"claim"`
	Patterns []string `json:"patterns"`
}

// TrustRule says which tokens of a pipeline's own identity provider are exchanged for a token of a team.
type TrustRule struct {
	ID           uuid.UUID
	Organization ID
	Name         string
	Team         TeamRef
	Issuer       string
	Audience     string
	Conditions   []Condition // all must hold
	Scopes       []Scope
	Limits       Limits
	Lifetime     time.Duration // of the tokens that it makes
	Maker        string        // e-mail of the member who made it
	CreatedAt    time.Time
	UsedAt       time.Time // zero when never; to the minute
}

// MaxExchanged is how long a token of a pipeline that was exchanged lives at most.
const MaxExchanged = time.Hour

const maxConditions = 20

// Check returns fault.Invalid for a rule that cannot work, or that would let strangers in.
func (r TrustRule) Check() error {
	if err := checkName(r.Name); err != nil {
		return err
	}
	if err := CheckIssuer(r.Issuer); err != nil {
		return err
	}
	switch {
	case r.Audience == "" || len(r.Audience) > maxText:
		return fault.New(fault.Invalid, "a trust rule names the audience of the tokens").WithField("audience").
			WithHint("Use the address of this control plane: a token for somebody else must not open it.")
	case r.Lifetime <= 0 || r.Lifetime > MaxExchanged:
		return fault.New(fault.Invalid, "tokens of a trust rule live at most %s", MaxExchanged).WithField("lifetime")
	case len(r.Scopes) == 0 || slices.Contains(r.Scopes, ScopeAdmin):
		return fault.New(fault.Invalid, "a trust rule gives the scopes read, run, catalog and release, or some of them").WithField("scopes")
	case len(r.Conditions) == 0 || len(r.Conditions) > maxConditions:
		return fault.New(fault.Invalid, "a trust rule has 1 to %d conditions", maxConditions).WithField("claims").
			WithHint("Say whose pipelines it trusts, such as repository=acme/shop.")
	}
	for _, s := range r.Scopes {
		if !slices.Contains(Scopes(), s) {
			return fault.New(fault.Invalid, "there is no scope %q", s).WithField("scopes")
		}
	}
	for _, c := range r.Conditions {
		if err := c.check(); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(r.Conditions, func(c Condition) bool { return c.pins(r.Issuer) }) {
		return fault.New(fault.Invalid, "the conditions say nothing of whose pipelines may come").WithField("claims").
			WithHint("%s", pinHint(r.Issuer))
	}
	return r.Limits.Check()
}

func (c Condition) check() error {
	if c.Claim == "" || len(c.Claim) > maxText || len(c.Patterns) == 0 || len(c.Patterns) > maxPatterns {
		return fault.New(fault.Invalid, "a condition names a claim, and 1 to %d values", maxPatterns).WithField("claims").WithHint("Write CLAIM=VALUE.")
	}
	for _, p := range c.Patterns {
		if p == "" || len(p) > maxText {
			return fault.New(fault.Invalid, "a value of the claim %s is empty or too long", c.Claim).WithField("claims")
		}
	}
	return nil
}

// Holds reports whether a claim's value is one of the patterns.
func (c Condition) Holds(value string) bool {
	return slices.ContainsFunc(c.Patterns, func(p string) bool { return globbed(p, value) })
}

// globbed matches a whole value. Letters count as they are.
func globbed(pattern, value string) bool {
	text := regexp.QuoteMeta(pattern)
	text = strings.ReplaceAll(text, `\*\*`, `(?s:.*)`)
	text = strings.ReplaceAll(text, `\*`, `[^/]*`)
	re, err := regexp.Compile(`\A(?:` + text + `)\z`)
	return err == nil && re.MatchString(value)
}

// shared are issuers that make tokens for everybody in the world. There a rule must name the owner: with what claims, and whether a
// pattern may stand for a part of the value.
func shared(issuer string) (claims map[string]bool, ok bool) {
	switch {
	case strings.HasPrefix(issuer, "https://token.actions.githubusercontent.com"):
		return map[string]bool{"sub": true, "repository": true, "repository_owner": false, "repository_id": false, "repository_owner_id": false}, true
	case issuer == "https://gitlab.com":
		return map[string]bool{"sub": true, "project_path": true, "namespace_path": false, "project_id": false, "namespace_id": false}, true
	}
	return nil, false
}

func pinHint(issuer string) string {
	if strings.HasPrefix(issuer, "https://token.actions") {
		return "Name the repository, such as repository=acme/shop or repository_owner=acme: everybody in the world gets tokens of this issuer."
	}
	if _, ok := shared(issuer); ok {
		return "Name the project, such as project_path=acme/shop or namespace_path=acme: everybody in the world gets tokens of this issuer."
	}
	return "Give a claim a value that does not begin with *."
}

// pins reports whether a condition leaves out strangers.
func (c Condition) pins(issuer string) bool {
	claims, everybody := shared(issuer)
	partial, known := claims[c.Claim]
	for _, p := range c.Patterns {
		literal, _, pattern := strings.Cut(p, "*")
		switch {
		case !everybody && literal != "":
		case !everybody || !known:
			return false
		case !pattern:
		case !partial || !strings.Contains(literal, "/"): // the owner's name has to be whole
			return false
		}
	}
	return true
}

// Identity is who somebody is by the word of an identity provider.
type Identity struct {
	Subject string // never changes, and never goes to somebody else
	Email   string // empty when the provider does not vouch for one
	Name    string
	Groups  []string
}
