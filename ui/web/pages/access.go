package pages

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/parts"
)

// SSOProps are what the page of single sign-on shows.
type SSOProps struct {
	Frame        parts.Frame
	Organization string
	Ways         []string // names of its identity providers
	Next         string
	Wrong        Wrong
	Refused      Wrong // why somebody was not signed in just now
}

func ssoPath(organization, way, next string) string {
	path := "/login/sso/" + url.PathEscape(organization) + "/" + url.PathEscape(way)
	if next != "" && next != "/" {
		path += "?next=" + url.QueryEscape(next)
	}
	return path
}

// ssoLink leads from the sign-in page to single sign-on.
func ssoLink(next string) string {
	if next == "" || next == "/" {
		return "/login/sso"
	}
	return "/login/sso?next=" + url.QueryEscape(next)
}

// AccessProps are what the page of sign-in shows.
type AccessProps struct {
	SettingsProps
	Base      string // address of the control plane
	Access    tenant.Access
	Providers []tenant.IdentityProvider
	Teams     []tenant.Team
	Asked     tenant.IdentityProvider
}

// PipelinesProps are what the page of trust rules shows.
type PipelinesProps struct {
	SettingsProps
	Base  string // address of the control plane
	Rules []tenant.TrustRule
	Teams []tenant.Team
	Asked tenant.TrustRule
}

func callbackPath(organization, name string) string {
	return "/login/sso/" + url.PathEscape(organization) + "/" + name + "/callback"
}

// letsIn says whom a provider lets in.
func letsIn(p tenant.IdentityProvider) string {
	who := "everybody it knows"
	if len(p.Domains) > 0 {
		who = "addresses of " + strings.Join(p.Domains, ", ")
	}
	if p.DefaultRole != "" {
		return who + ", as " + string(p.DefaultRole)
	}
	if len(p.Roles) > 0 {
		return who + " who is invited or in a group that stands for a role"
	}
	return who + " who is invited"
}

func groupWords(p tenant.IdentityProvider) string {
	var out []string
	for _, m := range slices.Concat(p.Teams, p.Roles) {
		out = append(out, m.Group+" → "+m.To)
	}
	if len(out) == 0 {
		return "stand for nothing"
	}
	return strings.Join(out, ", ")
}

func secretHint(p tenant.IdentityProvider) string {
	if p.SecretKept {
		return "One is kept. When empty, it stays."
	}
	return "Kept encrypted, and never shown again. Empty for a public client."
}

func mappingText(list []tenant.Mapping) string {
	rows := make([]string, len(list))
	for i, m := range list {
		rows[i] = m.Group + "=" + m.To
	}
	return lines(rows)
}

func conditionText(list []tenant.Condition) string {
	rows := make([]string, len(list))
	for i, c := range list {
		rows[i] = c.Claim + "=" + strings.Join(c.Patterns, "|")
	}
	return lines(rows)
}

func defaultRoles() []tenant.Role {
	return []tenant.Role{tenant.RoleViewer, tenant.RoleMaintainer, tenant.RoleAdmin}
}

func ruleScopeChoice() []tenant.Scope {
	return slices.DeleteFunc(tenant.Scopes(), func(s tenant.Scope) bool { return s == tenant.ScopeAdmin })
}

func ruleScopes(r tenant.TrustRule) string { return scopeList(tenant.Token{Scopes: r.Scopes}) }

func askedOfRule(r tenant.TrustRule, s tenant.Scope) bool {
	if len(r.Scopes) == 0 {
		return s == tenant.ScopeRead || s == tenant.ScopeRun
	}
	return slices.Contains(r.Scopes, s)
}

func minutes(d time.Duration) string {
	if d == 0 {
		d = tenant.MaxExchanged
	}
	return strconv.Itoa(int(d / time.Minute))
}
