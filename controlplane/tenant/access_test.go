package tenant_test

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

func TestCondition_Holds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, value string
		want           bool
		reason         string
	}{
		{"acme/shop", "acme/shop", true, "the same"},
		{"acme/shop", "acme/shop2", false, "it is the whole value"},
		{"acme/shop", "xacme/shop", false, "it is the whole value"},
		{"acme/shop", "Acme/shop", false, "letters count as they are"},
		{"acme/*", "acme/shop", true, "a part"},
		{"acme/*", "acme/shop/x", false, "not across a slash"},
		{"acme/**", "acme/shop/x", true, "across slashes"},
		{"refs/heads/release/*", "refs/heads/release/", true, "also nothing"},
		{"a.c", "abc", false, "no regular expression"},
		{"a[bc]", "ab", false, "no regular expression"},
		{"(a", "(a", true, "whatever it is"},
		{"prod", "prod\n", false, "no line more"},
		{"**", "x\ny", true, "anything"},
	} {
		if got := (tenant.Condition{Claim: "c", Patterns: []string{"no", tc.pattern}}).Holds(tc.value); got != tc.want {
			t.Errorf("%q of %q: %t, %s", tc.value, tc.pattern, got, tc.reason)
		}
	}
}

func TestTrustRule_Check(t *testing.T) {
	t.Parallel()
	const github, gitlab, own = "https://token.actions.githubusercontent.com", "https://gitlab.com", "https://git.acme.example"
	rule := func(issuer string, claims ...string) tenant.TrustRule {
		r := tenant.TrustRule{Name: "ci", Issuer: issuer, Audience: "a", Lifetime: time.Hour, Scopes: []tenant.Scope{tenant.ScopeRun}}
		for i := 0; i < len(claims); i += 2 {
			r.Conditions = append(r.Conditions, tenant.Condition{Claim: claims[i], Patterns: []string{claims[i+1]}})
		}
		return r
	}
	with := func(r tenant.TrustRule, change func(*tenant.TrustRule)) tenant.TrustRule { change(&r); return r }
	tests := map[string]struct {
		rule   tenant.TrustRule
		ok     bool
		reason string
	}{
		"Repository":     {rule(github, "repository", "acme/shop"), true, "its pipelines"},
		"Owner":          {rule(github, "repository_owner", "acme", "ref", "refs/heads/main"), true, "all of an owner"},
		"OwnersAll":      {rule(github, "repository", "acme/*"), true, "all of an owner"},
		"Subject":        {rule(github, "sub", "repo:acme/shop:*"), true, "the owner is whole"},
		"NoOwner":        {rule(github, "ref", "refs/heads/main"), false, "everybody has a main branch"},
		"OwnerOpen":      {rule(github, "repository", "acme*"), false, "acme-evil begins with it, too"},
		"OwnerStar":      {rule(github, "repository_owner", "ac*"), false, "whoever takes such a name"},
		"AnyRepository":  {rule(github, "repository", "*/shop"), false, "everybody can name one so"},
		"SubjectOpen":    {rule(github, "sub", "repo:acme*"), false, "acme-evil begins with it, too"},
		"Enterprise":     {rule(github+"/acme", "ref", "refs/heads/main"), false, "it is GitHub all the same"},
		"Project":        {rule(gitlab, "project_path", "acme/shop"), true, "its pipelines"},
		"NamespaceStar":  {rule(gitlab, "namespace_path", "ac*"), false, "whoever takes such a name"},
		"OwnIssuer":      {rule(own, "ref", "main"), true, "it knows nobody else"},
		"OwnIssuerStar":  {rule(own, "ref", "**"), false, "it says nothing"},
		"Nothing":        {rule(own), false, "no condition"},
		"AnyOf":          {with(rule(github, "repository", "acme/shop"), func(r *tenant.TrustRule) { r.Conditions[0].Patterns = []string{"acme/shop", "*"} }), false, "one of them lets everybody in"},
		"Plaintext":      {rule("http://git.acme.example", "ref", "main"), false, "its keys are not safe on the way"},
		"Query":          {rule(own+"?a=b", "ref", "main"), false, "no issuer"},
		"NoAudience":     {with(rule(own, "ref", "main"), func(r *tenant.TrustRule) { r.Audience = "" }), false, "tokens for others would do"},
		"TooLong":        {with(rule(own, "ref", "main"), func(r *tenant.TrustRule) { r.Lifetime = time.Hour + 1 }), false, "short-lived"},
		"Administers":    {with(rule(own, "ref", "main"), func(r *tenant.TrustRule) { r.Scopes = []tenant.Scope{tenant.ScopeAdmin} }), false, "too much"},
		"UnknownScope":   {with(rule(own, "ref", "main"), func(r *tenant.TrustRule) { r.Scopes = []tenant.Scope{"fly"} }), false, "there is none"},
		"MalformedLimit": {with(rule(own, "ref", "main"), func(r *tenant.TrustRule) { r.Limits.Workflows = []string{"[a"} }), false, "it matches nothing"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := tc.rule.Check(); (err == nil) != tc.ok || (err != nil && !fault.Is(err, fault.Invalid)) {
				t.Errorf("%v: %s", err, tc.reason)
			}
		})
	}
}
