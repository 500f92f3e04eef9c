package viewfake

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/view"
)

// Link is the secret of the invitation that is open in the sample, Code the only right one of a second factor.
const (
	Link = "st_inv_sample"
	Code = "123456"
)

// People returns the members, teams and tokens of the organization, and the account of its member.
func (w *World) People() *People { return &w.people }

// People is who belongs to a world. Fill it before it is served.
type People struct {
	world       *World
	Mates       []tenant.Member // the first is who is signed in
	Groups      []tenant.Team
	Open        []tenant.Invitation
	Credentials []tenant.Token
	Signed      []tenant.Session
	Proposed    bool // a second factor is being set up
	Refuse      error
}

func newPeople(w *World) People {
	team := tenant.TeamRef{ID: ID("team"), Name: "payments"}
	v := w.Member.Viewer
	return People{
		world: w, Groups: []tenant.Team{{TeamRef: team, Members: 1, CreatedAt: w.Now().AddDate(0, -3, 0)}},
		Mates: []tenant.Member{{
			ID: v.Subject, Organization: v.Organization, Team: team.ID, Teams: []tenant.TeamRef{team}, Email: v.Name, Role: v.Role,
			CreatedAt: w.Now().AddDate(0, -3, 0),
		}},
		Signed: []tenant.Session{{
			ID: v.Credential, Remote: "192.0.2.14", Browser: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
			CreatedAt: w.Now().Add(-2 * time.Hour), SeenAt: w.Now().Add(-time.Minute), ExpiresAt: w.Now().Add(10 * time.Hour),
		}},
	}
}

func (p *People) allowed(ctx context.Context) error {
	if err := p.world.allowed(ctx); err != nil {
		return err
	}
	return p.Refuse
}

// Teams lists the teams.
func (p *People) Teams(ctx context.Context) ([]tenant.Team, error) {
	return p.Groups, p.world.allowed(ctx)
}

// CreateTeam makes a team.
func (p *People) CreateTeam(ctx context.Context, name string) (tenant.Team, error) {
	if err := p.allowed(ctx); err != nil {
		return tenant.Team{}, err
	}
	if slices.ContainsFunc(p.Groups, func(t tenant.Team) bool { return t.Name == name }) {
		return tenant.Team{}, fault.New(fault.Conflict, "there is a team %q already", name).WithField("name").WithHint("Choose another name.")
	}
	t := tenant.Team{TeamRef: tenant.TeamRef{ID: ID("team " + name), Name: name}, CreatedAt: p.world.Now()}
	p.Groups = append(p.Groups, t)
	return t, nil
}

// RenameTeam renames a team.
func (p *People) RenameTeam(ctx context.Context, name, to string) error {
	return p.group(ctx, name, func(i int) { p.Groups[i].Name = to })
}

// DeleteTeam deletes a team.
func (p *People) DeleteTeam(ctx context.Context, name string) error {
	return p.group(ctx, name, func(i int) { p.Groups = slices.Delete(p.Groups, i, i+1) })
}

func (p *People) group(ctx context.Context, name string, do func(i int)) error {
	if err := p.allowed(ctx); err != nil {
		return err
	}
	i := slices.IndexFunc(p.Groups, func(t tenant.Team) bool { return t.Name == name })
	if i < 0 {
		return fault.New(fault.NotFound, "there is no team %q", name)
	}
	do(i)
	return nil
}

// Members lists the members.
func (p *People) Members(ctx context.Context) ([]tenant.Member, error) {
	return p.Mates, p.world.allowed(ctx)
}

// SetRole changes a role.
func (p *People) SetRole(ctx context.Context, email string, role tenant.Role) error {
	return p.mate(ctx, email, func(i int) { p.Mates[i].Role = role })
}

// JoinTeam adds a team.
func (p *People) JoinTeam(ctx context.Context, email, team string) error {
	return p.mate(ctx, email, func(i int) { p.Mates[i].Teams = append(p.Mates[i].Teams, tenant.TeamRef{Name: team}) })
}

// LeaveTeam takes a team away.
func (p *People) LeaveTeam(ctx context.Context, email, team string) error {
	return p.mate(ctx, email, func(i int) {
		p.Mates[i].Teams = slices.DeleteFunc(p.Mates[i].Teams, func(t tenant.TeamRef) bool { return t.Name == team })
	})
}

// Remove removes a member.
func (p *People) Remove(ctx context.Context, email string, _ bool) (int, error) {
	return 0, p.mate(ctx, email, func(i int) { p.Mates = slices.Delete(p.Mates, i, i+1) })
}

func (p *People) mate(ctx context.Context, email string, do func(i int)) error {
	if err := p.allowed(ctx); err != nil {
		return err
	}
	i := slices.IndexFunc(p.Mates, func(m tenant.Member) bool { return m.Email == email })
	if i < 0 {
		return fault.New(fault.NotFound, "there is no member %q", email)
	}
	do(i)
	return nil
}

// Invite makes an invitation.
func (p *People) Invite(ctx context.Context, n tenant.NewInvitation) (tenant.Invitation, string, error) {
	if err := p.allowed(ctx); err != nil {
		return tenant.Invitation{}, "", err
	}
	if !strings.Contains(n.Email, "@") {
		return tenant.Invitation{}, "", fault.New(fault.Invalid, "%q is no e-mail address", n.Email).WithField("email")
	}
	i := tenant.Invitation{
		ID: ID("invitation " + n.Email), OrganizationName: "acme", Email: n.Email, Role: n.Role, Team: tenant.TeamRef{Name: n.Team}, Maker: p.Mates[0].Email,
		CreatedAt: p.world.Now(), ExpiresAt: p.world.Now().AddDate(0, 0, 7),
	}
	p.Open = append(p.Open, i)
	return i, "st_inv_secret", nil
}

// Invitations lists the open invitations.
func (p *People) Invitations(ctx context.Context) ([]tenant.Invitation, error) {
	return p.Open, p.world.allowed(ctx)
}

// Withdraw removes an invitation.
func (p *People) Withdraw(ctx context.Context, id uuid.UUID) error {
	p.Open = slices.DeleteFunc(p.Open, func(i tenant.Invitation) bool { return i.ID == id })
	return p.allowed(ctx)
}

// Invitation returns the first open invitation for the sample's link.
func (p *People) Invitation(_ context.Context, secret string) (tenant.Invitation, error) {
	if secret != Link || len(p.Open) == 0 {
		return tenant.Invitation{}, fault.New(fault.Invalid, "this invitation has been used already").WithHint("Sign in with the password that you chose then.")
	}
	return p.Open[0], nil
}

// Accept uses the link up and signs in.
func (p *People) Accept(ctx context.Context, secret, name string, e tenant.Entry) (view.Ticket, error) {
	if _, err := p.Invitation(ctx, secret); err != nil {
		return view.Ticket{}, err
	}
	if len(e.Password) < 10 {
		return view.Ticket{}, fault.New(fault.Invalid, "the password is shorter than 10 characters").WithField("password")
	}
	p.Mates = append(p.Mates, tenant.Member{Email: p.Open[0].Email, Name: name, Role: p.Open[0].Role})
	p.Open = p.Open[1:]
	return view.Ticket{Cookie: "valid", ExpiresAt: p.world.Now().Add(time.Hour)}, nil
}

// Self returns who is signed in.
func (p *People) Self(ctx context.Context) (tenant.Member, error) {
	return p.Mates[0], p.world.allowed(ctx)
}

// ChangePassword checks the one password there is.
func (p *People) ChangePassword(ctx context.Context, password, next string) error {
	if err := p.allowed(ctx); err != nil {
		return err
	}
	if password != p.world.Password {
		return fault.New(fault.Invalid, "this is not your password").WithField("password")
	}
	p.world.Password = next
	p.Signed = p.Signed[:1]
	return nil
}

// Sessions lists the sessions.
func (p *People) Sessions(ctx context.Context) ([]tenant.Session, error) {
	return p.Signed, p.world.allowed(ctx)
}

// EndSession ends a session.
func (p *People) EndSession(ctx context.Context, id uuid.UUID) error {
	p.Signed = slices.DeleteFunc(p.Signed, func(s tenant.Session) bool { return s.ID == id })
	return p.allowed(ctx)
}

// ProposeFactor returns the same secret every time.
func (p *People) ProposeFactor(ctx context.Context, organization string) (string, error) {
	p.Proposed = true
	return "otpauth://totp/Seatrial%20" + organization + ":ada@acme.example?algorithm=SHA1&digits=6&issuer=Seatrial%20acme&period=30&secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", p.allowed(ctx)
}

// ConfirmFactor takes the one code there is.
func (p *People) ConfirmFactor(ctx context.Context, code string) ([]string, error) {
	if err := p.allowed(ctx); err != nil {
		return nil, err
	}
	if code != Code {
		return nil, fault.New(fault.Invalid, "the code does not belong to this secret").WithField("code")
	}
	p.Mates[0].Factor = tenant.Factor{Since: p.world.Now(), Recovery: []string{"1", "2"}}
	return []string{"abcd-efgh-ijkl-mnop", "qrst-uvwx-yz23-4567"}, nil
}

// DropFactor turns the second factor off.
func (p *People) DropFactor(ctx context.Context, password string) error {
	if password != p.world.Password {
		return fault.New(fault.Invalid, "this is not your password").WithField("password")
	}
	p.Mates[0].Factor = tenant.Factor{}
	return p.allowed(ctx)
}

// Tokens lists the tokens.
func (p *People) Tokens(ctx context.Context) ([]tenant.Token, error) {
	return p.Credentials, p.world.allowed(ctx)
}

// CreateToken makes a token.
func (p *People) CreateToken(ctx context.Context, n tenant.NewToken) (string, tenant.Token, error) {
	if err := p.allowed(ctx); err != nil {
		return "", tenant.Token{}, err
	}
	if err := n.Limits.Check(); err != nil {
		return "", tenant.Token{}, err
	}
	t := tenant.Token{
		ID: ID("token " + n.Name), Name: n.Name, TeamName: n.Team, Maker: p.Mates[0].Email, Hint: "st_abcdef", Scopes: n.Scopes, Limits: n.Limits,
		CreatedAt: p.world.Now(), ExpiresAt: p.world.Now().Add(n.Lifetime),
	}
	p.Credentials = append([]tenant.Token{t}, p.Credentials...)
	return "st_abcdefghijklmnopqrstuvwxyz", t, nil
}

// RevokeToken removes a token.
func (p *People) RevokeToken(ctx context.Context, id uuid.UUID) error {
	p.Credentials = slices.DeleteFunc(p.Credentials, func(t tenant.Token) bool { return t.ID == id })
	return p.allowed(ctx)
}

// samplePeople fills in who works at the sample's organization.
func samplePeople(p *People) {
	now := p.world.Now()
	payments := p.Groups[0].TeamRef
	web := tenant.TeamRef{ID: ID("team web"), Name: "storefront-and-search"}
	p.Groups[0].Members, p.Groups[0].Owns, p.Groups[0].Tokens = 2, 11, 2
	p.Groups = append(p.Groups, tenant.Team{TeamRef: web, Members: 2, Owns: 4, Tokens: 1, CreatedAt: now.AddDate(0, -1, 0)},
		tenant.Team{TeamRef: tenant.TeamRef{ID: ID("team old"), Name: "retired"}, CreatedAt: now.AddDate(-1, 0, 0)})
	p.Mates[0].Name = "Ada Lovelace"
	p.Mates[0].Teams = []tenant.TeamRef{payments, web}
	p.Mates = append(p.Mates,
		tenant.Member{ID: ID("bea"), Email: "beatrice.van.der.meer@acme.example", Name: "Beatrice van der Meer", Role: tenant.RoleMaintainer, Teams: []tenant.TeamRef{web}, Factor: tenant.Factor{Since: now}, CreatedAt: now.AddDate(0, -2, 0)},
		tenant.Member{ID: ID("cyd"), Email: "cyd@acme.example", Role: tenant.RoleViewer, Teams: []tenant.TeamRef{payments}, CreatedAt: now.AddDate(0, 0, -3)})
	p.Open = []tenant.Invitation{{
		ID: ID("invitation"), OrganizationName: "acme", Email: "dan@acme.example", Role: tenant.RoleMaintainer, Team: web, Maker: "ada@acme.example",
		CreatedAt: now.AddDate(0, 0, -1), ExpiresAt: now.AddDate(0, 0, 6),
	}}
	p.Credentials = []tenant.Token{
		{ID: ID("token ci"), Name: "GitHub Actions of checkout", TeamName: "payments", Maker: "ada@acme.example", Hint: "st_k3v9qa", Scopes: []tenant.Scope{"read", "run"}, Limits: tenant.Limits{Workflows: []string{"checkout-*", "smoke"}, Environments: []string{"staging-*"}}, CreatedAt: now.AddDate(0, -2, 0), ExpiresAt: now.AddDate(0, 1, 0), LastUsedAt: now.Add(-4 * time.Minute)},
		{ID: ID("token login"), Name: "seatrial login", TeamName: "payments", Member: &tenant.Member{Email: "ada@acme.example"}, Hint: "st_pp02fw", Scopes: tenant.Scopes(), CreatedAt: now.AddDate(0, 0, -85), ExpiresAt: now.AddDate(0, 0, 5), LastUsedAt: now.Add(-26 * time.Hour)},
		{ID: ID("token old"), Name: "nightly", TeamName: "storefront-and-search", Hint: "st_zz81mm", Scopes: []tenant.Scope{"read", "release"}, CreatedAt: now.AddDate(0, -4, 0), ExpiresAt: now.AddDate(0, 0, -2)},
	}
	p.Signed = append(p.Signed, tenant.Session{
		ID: ID("session phone"), Remote: "2001:db8::7", Browser: "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1",
		CreatedAt: now.Add(-9 * time.Hour), SeenAt: now.Add(-8 * time.Hour), ExpiresAt: now.Add(3 * time.Hour),
	})
}

// SetOwner hands something to another team; of workflows only.
func (p *People) SetOwner(ctx context.Context, of tenant.Thing, team string) error {
	for i := range p.world.Workflows {
		if r := &p.world.Workflows[i].Record; r.Name == of.Name {
			r.Team = team
		}
	}
	return p.allowed(ctx)
}

// RestrictWorkflow keeps a workflow to its team.
func (p *People) RestrictWorkflow(ctx context.Context, name string, restricted bool) error {
	for i := range p.world.Workflows {
		if r := &p.world.Workflows[i].Record; r.Name == name {
			r.Restricted = restricted
		}
	}
	return p.allowed(ctx)
}

// Usage is that of a busy day.
func (p *People) Usage(ctx context.Context) ([]tenant.Usage, error) {
	quota := tenant.Quota{Runs: 200, Queued: 5000, LogBytes: 20 << 30}
	return tenant.Usages(quota, tenant.Quota{Runs: 183, Queued: 512, LogBytes: 20 << 30, Clusters: 3, Calls: 41}), p.world.allowed(ctx)
}
