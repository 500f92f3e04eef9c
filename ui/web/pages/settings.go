package pages

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/qr"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/words"
)

const passwordHint = "At least 10 characters; a few words are easy to keep in mind and hard to guess."

// InvitationProps are what an invitation shows to whom it is for.
type InvitationProps struct {
	Frame      parts.Frame
	Invitation tenant.Invitation
	Action     string // address of the page
	Name       string
	Wrong      Wrong
}

// SettingsProps are what all pages of the settings have.
type SettingsProps struct {
	Frame parts.Frame
	Here  string // part of the address
	Admin bool   // the viewer administers the organization
	Owner bool
	Email string // of the viewer
	Wrong Wrong
}

// Path is the address of the page.
func (p SettingsProps) Path() string { return settingsPath(p.Frame, p.Here) }

// AccountProps are what the page of the own account shows.
type AccountProps struct {
	SettingsProps
	Member   tenant.Member
	Sessions []tenant.Session
	Current  uuid.UUID
	Changed  bool     // the password was changed just now
	Address  string   // of the second factor that is being set up
	Recovery []string // shown once, right after the second factor was turned on
}

// MembersProps are what the page of members shows.
type MembersProps struct {
	SettingsProps
	Members     []tenant.Member // of this page
	Next        string          // address of the next page
	Invitations []tenant.Invitation
	Teams       []tenant.Team
	Asked       tenant.NewInvitation
	Link        string // of the invitation just made, shown once
	Invited     tenant.Invitation
}

// TeamsProps are what the page of teams shows.
type TeamsProps struct {
	SettingsProps
	Teams []tenant.Team
	Asked string
}

// TokensProps are what the page of API tokens shows.
type TokensProps struct {
	SettingsProps
	Tokens []tenant.Token   // of this page
	Next   string           // address of the next page
	Teams  []tenant.TeamRef // those that the viewer may make tokens for
	Scopes []tenant.Scope   // those that the viewer has
	Asked  TokenForm
	Secret string // of the token just made, shown once
	Made   tenant.Token
}

// UsageProps are what the page of quotas shows.
type UsageProps struct {
	SettingsProps
	Usage []tenant.Usage
}

// RetentionProps are what the page of retention shows.
type RetentionProps struct {
	SettingsProps
	Kept []view.Kept
}

// keptFor says how long something is kept.
func keptFor(k view.Kept) string {
	switch days := words.Count(int64(k.For/(24*time.Hour)), "day"); {
	case k.For == 0:
		return "for good"
	case k.AtMost:
		return "at most " + days
	default:
		return days
	}
}

// usageKind is a class of the style sheet and a word for a quota.
func usageKind(u tenant.Usage) (kind, word string) {
	switch {
	case u.Limit == 0:
		return "passed", "no limit"
	case u.Used >= u.Limit:
		return "failed", "used up"
	case u.Used*10 >= u.Limit*9:
		return "flaky", "nearly used up"
	}
	return "passed", "free"
}

func usageClass(u tenant.Usage) string { k, _ := usageKind(u); return k }
func usageWord(u tenant.Usage) string  { _, w := usageKind(u); return w }

// usageAmount says how much of a quota it is.
func usageAmount(u tenant.Usage, n int64) string {
	if u.Name == "log-bytes" {
		return words.Size(n)
	}
	return strconv.FormatInt(n, 10)
}

// TokenForm is what somebody filled in for a token.
type TokenForm struct {
	Name, Team, Workflows, Environments, Days string
	Scopes                                    []string
}

// tab is a page of the settings.
type tab struct{ Part, Word string }

// tabs are the pages that somebody may see.
func tabs(admin bool) []tab {
	out := []tab{{"account", "Your account"}, {"members", "Members"}, {"teams", "Teams"}, {"tokens", "API tokens"}, {"repositories", "Repositories"}, {"webhooks", "Webhooks"}, {"policies", "Policies"}, {"snapshots", "Snapshots"}, {"usage", "Usage"}, {"retention", "Retention"}}
	if admin {
		out = append(out, tab{"pipelines", "Pipelines"}, tab{"access", "Sign-in"}, tab{"audit", "Audit log"})
	}
	return out
}

func settingsPath(f parts.Frame, more ...string) string {
	for i := range more {
		more[i] = url.PathEscape(more[i])
	}
	return home(f) + "/settings/" + strings.Join(more, "/")
}

// roleWords says what each role may do.
func roleWords(r tenant.Role) string {
	switch r {
	case tenant.RoleOwner:
		return "may everything, and makes owners"
	case tenant.RoleAdmin:
		return "members, teams, tokens and clusters"
	case tenant.RoleMaintainer:
		return "changes and runs what the own teams have"
	case tenant.RoleViewer:
		return "looks"
	}
	return ""
}

// rolesFor lists the roles that the viewer may give.
func rolesFor(p SettingsProps) []tenant.Role {
	return slices.DeleteFunc(tenant.Roles(), func(r tenant.Role) bool { return r == tenant.RoleOwner && !p.Owner })
}

// mayTouch reports whether the viewer may change a member: only owners change owners.
func mayTouch(p SettingsProps, m tenant.Member) bool {
	return p.Admin && (p.Owner || m.Role != tenant.RoleOwner)
}

// joinable lists the teams that a member is not in.
func joinable(m tenant.Member, all []tenant.Team) []tenant.Team {
	return slices.DeleteFunc(slices.Clone(all), func(t tenant.Team) bool {
		return slices.ContainsFunc(m.Teams, func(own tenant.TeamRef) bool { return own.ID == t.ID })
	})
}

func scopeWords(s tenant.Scope) string {
	switch s {
	case tenant.ScopeRead:
		return "look at everything"
	case tenant.ScopeRun:
		return "start and cancel executions"
	case tenant.ScopeCatalog:
		return "apply workflows and policies"
	case tenant.ScopeRelease:
		return "releases, waivers, quarantine"
	case tenant.ScopeAdmin:
		return "members, teams, tokens, clusters"
	}
	return ""
}

func scopeList(t tenant.Token) string {
	words := make([]string, len(t.Scopes))
	for i, s := range t.Scopes {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}

// tokenState is a class of the style sheet and a word.
func tokenState(t tenant.Token, now time.Time) (kind, word string) {
	const soon = 7 * 24 * time.Hour
	switch left := t.ExpiresAt.Sub(now); {
	case left <= 0:
		return "failed", "expired"
	case left < soon:
		return "flaky", "expires soon"
	}
	return "passed", "valid"
}

func tokenKind(t tenant.Token, now time.Time) string { k, _ := tokenState(t, now); return k }
func tokenWord(t tenant.Token, now time.Time) string { _, w := tokenState(t, now); return w }

// browserName makes a name of what a browser calls itself: which one, and on what.
func browserName(agent string) string {
	find := func(of ...string) string {
		for i := 0; i < len(of); i += 2 {
			if strings.Contains(agent, of[i]) {
				return of[i+1]
			}
		}
		return ""
	}
	browser := find("Edg/", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "HeadlessChrome/", "Chrome", "Chrome/", "Chrome", "Safari/", "Safari")
	system := find("Android", "Android", "iPhone", "iPhone", "iPad", "iPad", "Windows", "Windows", "Mac OS X", "macOS", "CrOS", "ChromeOS", "Linux", "Linux")
	switch {
	case browser == "":
		return "A browser"
	case system == "":
		return browser
	}
	return browser + " on " + system
}

// secretOf is the secret of a second factor, for those who cannot scan, in groups that can be typed.
func secretOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	secret := u.Query().Get("secret")
	var groups []string
	for len(secret) > 4 {
		groups, secret = append(groups, secret[:4]), secret[4:]
	}
	return strings.Join(append(groups, secret), " ")
}

// code draws the address of a second factor; empty when it is too long to be drawn.
func code(address string) qr.Code {
	c, err := qr.Draw(address)
	if err != nil {
		return qr.Code{}
	}
	return c
}

func lines(list []string) string { return strings.Join(list, "\n") }
