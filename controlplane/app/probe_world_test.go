package app_test

import (
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/seatrial/seatrial/controlplane/app"
	"github.com/seatrial/seatrial/controlplane/auth"
	"github.com/seatrial/seatrial/controlplane/config"
	"github.com/seatrial/seatrial/controlplane/secretbox"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/apitoken"
	"github.com/seatrial/seatrial/integration/harness"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// mark is in every name of the organization that is spied on: an answer to anybody else that has it, and was not asked with it, is a leak.
const mark = "alpha7"

const password = "correct horse battery staple"

// kind is what a value identifies.
type kind string

// values are what identifies things of one organization.
type values map[kind]string

// absent identifies nothing.
func absent() values {
	return values{
		"execution": uuid.NewString(), "attempt": uuid.NewString(), "run": uuid.NewString(), "file": uuid.NewString(), "waiver": uuid.NewString(),
		"cluster": uuid.NewString(), "workflow": "checkout-zeta9", "template": "template-zeta9", "environment": "quay-zeta9", "application": "shop-zeta9", "version": "9.9.9",
		"test": strings.Repeat("f", 32), "fingerprint": "fp1:ffffffffffffffff", "organization": "org-zeta9", "policy": "gate-zeta9", "schedule": "nightly-zeta9", "trigger": "onpush-zeta9", "receiver": "forge-zeta9", "webhook": "chat-zeta9", "snapshot": "00000000-0000-4000-8000-000000000009", "source": policyOf("zeta9"),
	}
}

func policyOf(whose string) string {
	return strings.NewReplacer("gate", "gate-"+whose, `"shop"`, `"shop-`+whose+`"`, "checkout", "checkout-"+whose, "staging", "quay-"+whose).Replace(gate)
}

// world is a running program with two organizations on one PostgreSQL, where the program has a role of its own.
type world struct {
	*program
	theirs  values            // of the organization that is spied on
	tokens  map[string]string // API tokens and other bearers, by caller
	cookies map[string]*http.Cookie
	agent   *agent            // of the organization that is spied on
	spy     *agent            // of the other one
	agents  map[string]string // tokens for the agents' port, by caller
	conn    *grpc.ClientConn  // to that port
	known   []string          // what nobody else may be told
	forms   int               // how many were sent
}

func newWorld(t *testing.T) *world {
	t.Helper()
	owner := harness.Postgres(t)
	dir := t.TempDir()
	p := start(t, dir, "--database", harness.PostgresUser(t, owner), "--database-system", owner, "--admin-password", password)
	w := &world{program: p, tokens: map[string]string{}, cookies: map[string]*http.Cookie{}, agents: map[string]string{}}
	w.fill(t)
	keys, err := app.Keys(config.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	records, err := store.Open(t.Context(), owner, store.WithSecrets(secretbox.New(keys)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = records.Close() })
	d, err := database.Open(t.Context(), owner, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	w.people(t, records, d)
	w.credentialsOfAgents(t, records)
	return w
}

// fill gives the first organization one of everything.
func (w *world) fill(t *testing.T) {
	t.Helper()
	c := w.clients(w.token)
	releases, tests := apiv1connect.NewReleaseServiceClient(c.http, w.url), apiv1connect.NewTestServiceClient(c.http, w.url)
	enrolled, err := c.clusters.EnrollCluster(t.Context(), &apiv1.EnrollClusterRequest{Name: "cluster-" + mark, Namespace: "tests", Environment: "quay-" + mark})
	worked(t, err)
	w.agent = w.enrol(t, enrolled.GetAgentCa(), enrolled.GetBootstrapToken())
	s := w.agent.connect(t)
	template := "apiVersion: seatrial.dev/v1\nkind: TestWorkflowTemplate\nmetadata: {name: template-" + mark + "}\nspec: {container: {image: debian}}\n"
	policy := policyOf(mark)
	yearly := "apiVersion: seatrial.dev/v1\nkind: Schedule\nmetadata: {name: nightly-" + mark + "}\nspec: {cron: \"@yearly\", workflows: [{name: checkout-" + mark + "}]}\n"
	onPush := "apiVersion: seatrial.dev/v1\nkind: Trigger\nmetadata: {name: onpush-" + mark + "}\nspec: {git: {repository: acme/" + mark + "}, workflows: [{name: checkout-" + mark + "}]}\n"
	_, err = apiv1connect.NewTriggerServiceClient(c.http, w.url).CreateReceiver(t.Context(), &apiv1.CreateReceiverRequest{Name: "forge-" + mark, Kind: "github"})
	worked(t, err)
	after := "apiVersion: seatrial.dev/v1\nkind: Trigger\nmetadata: {name: after-" + mark + "}\nspec: {workflow: {name: checkout-" + mark + ", when: [cancelled]}, workflows: [{name: checkout-" + mark + "}]}\n"
	_, err = apiv1connect.NewWebhookServiceClient(c.http, w.url).SetWebhook(t.Context(), &apiv1.SetWebhookRequest{
		Name: "chat-" + mark, Url: "https://hooks-" + mark + ".invalid/secret", Events: []string{"execution.finished"},
	})
	worked(t, err)
	for _, source := range []string{template, yearly, onPush, after, strings.Replace(document, "name: checkout", "name: checkout-"+mark, 1), policy} {
		_, err := c.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: source})
		worked(t, err)
	}
	name := &apiv1.ReleaseName{Application: "shop-" + mark, Version: "1.42.0-" + mark}
	commit := strings.Repeat("c0ffee", 10)[:40]
	_, err = releases.CreateRelease(t.Context(), &apiv1.CreateReleaseRequest{Application: name.GetApplication(), Version: name.GetVersion(), Commit: commit})
	worked(t, err)
	run, err := c.executions.RunWorkflow(t.Context(), &apiv1.RunWorkflowRequest{Workflow: "checkout-" + mark, Commit: commit, Release: name})
	worked(t, err)
	command := receive(t, s).GetCommand()
	acknowledge(t, s, command.GetId())
	attempt := command.GetStart().GetAssignment().GetAttemptId()
	deliver(t, w.agent, attempt, c, run.GetExecution().GetId())
	e, err := c.executions.GetExecution(t.Context(), &apiv1.GetExecutionRequest{Id: run.GetExecution().GetId()})
	worked(t, err)
	files, err := c.executions.ListFiles(t.Context(), &apiv1.ListFilesRequest{ExecutionId: e.GetExecution().GetId()})
	worked(t, err)
	results, err := c.executions.ListTestResults(t.Context(), &apiv1.ListTestResultsRequest{ExecutionId: e.GetExecution().GetId(), Outcomes: []string{"failed"}})
	worked(t, err)
	failed := results.GetResults()[0]
	_, err = tests.QuarantineTest(t.Context(), &apiv1.QuarantineTestRequest{Key: failed.GetKey(), Owner: "owner-" + mark, Reason: "reason-" + mark})
	worked(t, err)
	shared, err := releases.ShareRelease(t.Context(), &apiv1.ShareReleaseRequest{Application: name.GetApplication(), Version: name.GetVersion()})
	worked(t, err)
	w.theirs = values{
		"execution": e.GetExecution().GetId(), "attempt": attempt, "run": e.GetExecution().GetRuns()[0].GetId(), "file": files.GetFiles()[0].GetId(),
		"waiver": uuid.NewString(), "cluster": enrolled.GetCluster().GetId(), "workflow": "checkout-" + mark, "template": "template-" + mark,
		"environment": "quay-" + mark, "application": name.GetApplication(), "version": name.GetVersion(), "test": failed.GetKey(),
		"fingerprint": failed.GetFingerprint(), "organization": "default", "policy": "gate-" + mark, "schedule": "nightly-" + mark, "trigger": "onpush-" + mark, "receiver": "forge-" + mark, "webhook": "chat-" + mark, "source": policy, "snapshot": shared.GetSnapshot().GetId(),
	}
	w.known = []string{mark, "expected 1, got 2"}
	for _, k := range []kind{"execution", "attempt", "run", "file", "cluster", "snapshot"} {
		w.known = append(w.known, w.theirs[k])
	}
}

func worked(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// people adds a second organization, and callers of each kind.
func (w *world) people(t *testing.T, records *store.Store, d *database.Database) {
	t.Helper()
	system := tenant.System(t.Context())
	all := []tenant.Scope{tenant.ScopeRead, tenant.ScopeRun, tenant.ScopeCatalog, tenant.ScopeRelease, tenant.ScopeAdmin}
	m, err := records.MembersByEmail(t.Context(), "admin@localhost")
	worked(t, err)
	first := m[0]
	var other, team, strangers uuid.UUID
	worked(t, d.Write(system, func(tx *db.Tx) error {
		org, err := tx.Organization.Create().SetName("other").Save(system)
		if err != nil {
			return err
		}
		group, err := tx.Team.Create().SetOrganizationID(org.ID).SetName("spies").Save(system)
		if err != nil {
			return err
		}
		other, team = org.ID, group.ID
		apart, err := tx.Team.Create().SetOrganizationID(first.Organization).SetName("strangers").Save(system)
		if err != nil {
			return err
		}
		strangers = apart.ID
		stranger, err := tx.Member.Create().SetOrganizationID(first.Organization).SetTeamID(apart.ID).SetEmail("stranger@example.test").
			SetPasswordHash(first.PasswordHash).SetRole(string(tenant.RoleMaintainer)).Save(system)
		if err != nil {
			return err
		}
		if err := tx.TeamMember.Create().SetOrganizationID(first.Organization).SetTeamID(apart.ID).SetMemberID(stranger.ID).Exec(system); err != nil {
			return err
		}
		if err := tx.Member.Create().SetOrganizationID(org.ID).SetTeamID(group.ID).SetEmail("spy@example.test").SetPasswordHash(first.PasswordHash).
			SetRole(string(tenant.RoleOwner)).Exec(system); err != nil {
			return err
		}
		return tx.Member.Create().SetOrganizationID(first.Organization).SetTeamID(first.Team).SetEmail("viewer@example.test").
			SetPasswordHash(first.PasswordHash).SetRole(string(tenant.RoleViewer)).Exec(system)
	}))
	give := func(caller string, org, team uuid.UUID, expires time.Duration, scopes ...tenant.Scope) {
		secret := "st_" + caller + strings.Repeat("x", 40)
		sum := sha256.Sum256([]byte(secret))
		worked(t, d.Write(system, func(tx *db.Tx) error {
			names := make([]string, len(scopes))
			for i, s := range scopes {
				names[i] = string(s)
			}
			return tx.APIToken.Create().SetOrganizationID(org).SetTeamID(team).SetName(caller).SetMaker("maker@example.test").SetHash(sum[:]).SetScopes(names).SetExpiresAt(time.Now().Add(expires)).Exec(system)
		}))
		w.tokens[caller] = secret
	}
	give("wrong organization", other, team, time.Hour, all...)
	give("wrong team", first.Organization, strangers, time.Hour, all[:len(all)-1]...)
	give("viewer", first.Organization, first.Team, time.Hour, tenant.ScopeRead)
	give("expired token", first.Organization, first.Team, -time.Hour, all...)
	give("revoked token", first.Organization, first.Team, time.Hour, all...)
	worked(t, d.Write(system, func(tx *db.Tx) error {
		_, err := tx.APIToken.Delete().Where(apitoken.Name("revoked token")).Exec(system)
		return err
	}))
	w.tokens["owner"] = w.token
	for caller, email := range map[string]string{"owner": "admin@localhost", "wrong organization": "spy@example.test", "viewer": "viewer@example.test", "wrong team": "stranger@example.test", "expired token": "viewer@example.test"} {
		w.cookies[caller] = w.signIn(t, email)
	}
	w.signOut(t, w.cookies["expired token"])
	c := w.clients(w.tokens["wrong organization"])
	enrolled, err := c.clusters.EnrollCluster(t.Context(), &apiv1.EnrollClusterRequest{Name: "spy", Namespace: "tests", Environment: "lair"})
	worked(t, err)
	w.spy = w.enrol(t, enrolled.GetAgentCa(), enrolled.GetBootstrapToken())
	w.conn = w.dial(t, enrolled.GetAgentCa())
}

// credentialsOfAgents makes tokens of agents that do not hold, and has people's credentials tried as such and the other way round.
func (w *world) credentialsOfAgents(t *testing.T, records *store.Store) {
	t.Helper()
	token := func(clock func() time.Time, of string) string {
		a, err := auth.New(t.Context(), auth.Config{Accounts: records, Agents: records, Keys: records, Log: slog.New(slog.DiscardHandler), Clock: clock})
		worked(t, err)
		id, err := records.AgentIdentity(t.Context(), uuid.MustParse(of))
		worked(t, err)
		out, _, err := a.Token(t.Context(), id)
		worked(t, err)
		return out
	}
	w.agents["expired token"] = token(func() time.Time { return time.Now().Add(-24 * time.Hour) }, w.agent.id)
	w.agents["wrong organization"] = token(time.Now, w.spy.id)
	w.agents["owner"] = token(time.Now, w.agent.id)
	w.agents["wrong audience"] = w.cookies["owner"].Value // signed by the same program, for browsers
	w.agents["API token"] = w.token
	w.tokens["wrong audience"] = w.agents["owner"]
	w.cookies["wrong audience"] = &http.Cookie{Name: w.cookies["owner"].Name, Value: w.agents["owner"]}
}

func (w *world) signIn(t *testing.T, email string) *http.Cookie {
	t.Helper()
	jar, err := cookiejar.New(nil)
	worked(t, err)
	client := &http.Client{Jar: jar}
	res, err := client.PostForm(w.url+"/login", url.Values{"email": {email}, "password": {password}})
	worked(t, err)
	_ = res.Body.Close()
	at, err := url.Parse(w.url)
	worked(t, err)
	for _, c := range jar.Cookies(at) {
		if strings.Contains(c.Name, "session") {
			return c
		}
	}
	t.Fatalf("%s got no session: %s", email, res.Status)
	return nil
}

func (w *world) signOut(t *testing.T, c *http.Cookie) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/logout", http.NoBody)
	worked(t, err)
	req.AddCookie(c)
	res, err := http.DefaultTransport.RoundTrip(req)
	worked(t, err)
	_ = res.Body.Close()
}
