package gate_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/forge"
	"github.com/seatrial/seatrial/controlplane/gate"
	"github.com/seatrial/seatrial/controlplane/gate/githubfake"
	"github.com/seatrial/seatrial/controlplane/outbound"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const commit = "95790bf891e76fee5e1747ab589903a6a1f80f22"

// memory keeps one app and deployments, and is what the verdicts are.
type memory struct {
	gate.Store

	mu       sync.Mutex
	app      gate.App
	held     map[string]gate.Deployment // by key
	releases map[string]release.Release // by application; each of the target production
	now      time.Time
}

func (m *memory) SetReceiverApp(_ context.Context, _ string, app gate.App) error {
	m.app = app
	return nil
}

func (m *memory) ReceiverApp(context.Context, uuid.UUID) (gate.App, error) {
	if m.app.ID == "" {
		return m.app, fault.New(fault.NotFound, "there is none")
	}
	return m.app, nil
}

func (m *memory) AddDeployment(_ context.Context, d gate.Deployment) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.held[d.Key]; known {
		return false, nil
	}
	d.ID, d.State, d.At, d.Name = uuid.New(), gate.Waiting, m.now, "acme"
	m.held[d.Key] = d
	return true, nil
}

func (m *memory) ClaimDeployments(context.Context, int, time.Duration) (list []gate.Deployment, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.held {
		if d.State == gate.Waiting && !d.NextAt.After(m.now) {
			list = append(list, d)
		}
	}
	return list, nil
}

func (m *memory) FinishDeployment(_ context.Context, d gate.Deployment) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held[d.Key] = d
	return nil
}

func (m *memory) ReleasesFor(ctx context.Context, of, target string) (out []gate.Name, err error) {
	if v, ok := tenant.FromContext(ctx); !ok || v.Name != "receiver forge" {
		return nil, fault.New(fault.Forbidden, "nobody asks")
	}
	for application, r := range m.releases {
		if r.Commit == of && target == "production" {
			out = append(out, gate.Name{Application: application, Version: r.Version})
		}
	}
	slices.SortFunc(out, func(a, b gate.Name) int { return strings.Compare(a.Application, b.Application) })
	return out, nil
}

func (m *memory) Get(_ context.Context, application, _ string) (release.Release, error) {
	return m.releases[application], nil
}

// bench is a service with a fake GitHub.
type bench struct {
	*memory
	*gate.Service
	github *githubfake.GitHub
	ctx    context.Context //nolint:containedctx // carries the viewer
	pem    string
	url    string
}

func setup(t *testing.T) *bench {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{held: map[string]gate.Deployment{}, releases: map[string]release.Release{}, now: time.Now()}
	b := &bench{memory: m, pem: string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))}
	clock := func() time.Time {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.now
	}
	b.github = &githubfake.GitHub{App: "Iv23", Key: &key.PublicKey, Installation: "42", Repository: "acme/shop", Clock: clock}
	server := httptest.NewServer(b.github)
	t.Cleanup(server.Close)
	b.url = server.URL
	allow := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	viewer := tenant.Viewer{Kind: tenant.KindMember, Organization: uuid.New(), Name: "owner", Role: tenant.RoleOwner}
	b.Service = gate.New(gate.Config{
		Store: m, Releases: m, Client: outbound.New(outbound.Options{Allow: allow}), Rules: outbound.Rules{Allow: allow}, Log: slog.New(slog.DiscardHandler),
		Address: "https://seatrial.test/", Clock: clock,
		Viewer: func(_ context.Context, org tenant.ID, _ uuid.UUID, _ string) (tenant.Viewer, error) {
			return tenant.Viewer{Kind: tenant.KindMember, Organization: org, Name: "receiver forge", Role: tenant.RoleMaintainer}, nil
		},
	})
	b.ctx = tenant.WithViewer(t.Context(), viewer)
	if err := b.SetApp(b.ctx, "forge", gate.App{ID: "Iv23", Key: b.pem, URL: b.url + "/"}); err != nil {
		t.Fatal(err)
	}
	return b
}

// question is what GitHub asks about a run.
func (b *bench) question(run string) forge.Deployment {
	return forge.Deployment{
		ID: "delivery-" + run, Repository: "acme/shop", Environment: "Production", Commit: commit, Installation: 42, Actor: "octocat",
		Callback: b.url + "/repos/acme/shop/actions/runs/" + run + "/deployment_protection_rule",
	}
}

func (b *bench) hold(t *testing.T, run string) {
	t.Helper()
	if added, err := b.Hold(b.ctx, uuid.New(), "forge", b.question(run)); err != nil || !added {
		t.Fatalf("%t, %v", added, err)
	}
}

// after lets time pass, looks, and returns what GitHub knows of a run.
func (b *bench) after(t *testing.T, pause time.Duration, run string) []githubfake.Review {
	t.Helper()
	b.mu.Lock()
	b.now = b.now.Add(pause)
	b.mu.Unlock()
	if err := b.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b.github.Reviews(run)
}

func of(application string, state verdict.State) release.Release {
	return release.Release{Application: application, Version: "1.42.0", Commit: commit, State: state}
}

// TestService_Look: a deployment is answered by all releases of its commit that go there, and by nothing else.
func TestService_Look(t *testing.T) {
	t.Parallel()
	const link = "[shop 1.42.0](https://seatrial.test/o/acme/releases/shop/1.42.0) is "
	stale := of("shop", verdict.Ready)
	stale.Stale = true
	broken := of("shop", verdict.NotReady)
	broken.Verdict = []byte(`{"state":"NOT_READY","rules":[{"id":"no-failures","kind":"negative","result":"failed","failing":[{"environment":"staging"}]}]}`)
	for name, tc := range map[string]struct {
		releases []release.Release
		state    string
		said     string
		reason   string
	}{
		"Ready":         {[]release.Release{of("shop", verdict.Ready)}, "approved", link + "**READY**.", "the only release is ready"},
		"Waived":        {[]release.Release{of("shop", verdict.ReadyWithWaivers)}, "approved", link + "**READY_WITH_WAIVERS**.", "somebody has approved the exception"},
		"NotReady":      {[]release.Release{of("shop", verdict.NotReady)}, "rejected", link + "**NOT_READY**.", "the run must not go on"},
		"Incomplete":    {[]release.Release{of("shop", verdict.Incomplete)}, "", link + "**INCOMPLETE**: evidence is missing, and it is waited for.", "nobody knows yet"},
		"OneNotReady":   {[]release.Release{of("shop", verdict.Ready), of("cart", verdict.NotReady)}, "rejected", "is **NOT_READY**", "all go there together"},
		"OneIncomplete": {[]release.Release{of("shop", verdict.Ready), of("cart", verdict.Incomplete)}, "", "is **INCOMPLETE**", "all go there together"},
		"NotAndMissing": {[]release.Release{of("cart", verdict.Incomplete), of("shop", verdict.NotReady)}, "rejected", "is **NOT_READY**", "what is missing does not mend it"},
		"None":          {nil, "", "    seatrial release create APPLICATION VERSION --commit " + commit + " --target production", "a release may still be made"},
		"Stale":         {[]release.Release{stale}, "-", "", "a verdict that does not know all evidence answers nothing"},
		"Rules":         {[]release.Release{broken}, "rejected", "is **NOT_READY** by `no-failures`.", "the rule is named where the verdict says it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			for _, r := range tc.releases {
				b.releases[r.Application] = r
			}
			b.hold(t, "7")
			got := b.after(t, 0, "7")
			if tc.state == "-" {
				if len(got) != 0 {
					t.Errorf("%+v: %s", got, tc.reason)
				}
				return
			}
			if len(got) != 1 || got[0].State != tc.state || got[0].Environment != "Production" || !strings.Contains(got[0].Comment, tc.said) {
				t.Fatalf("%+v, %v: %s", got, b.github.Refused(), tc.reason)
			}
			if again := b.after(t, 24*time.Hour, "7"); len(again) != 1 {
				t.Errorf("said again: %+v", again)
			}
		})
	}
}

// TestService_Look_Later: what is missing is said once, and the verdict when it is there.
func TestService_Look_Later(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.hold(t, "7")
	b.after(t, 0, "7")
	b.releases["shop"] = of("shop", verdict.Incomplete)
	for range 3 {
		b.after(t, time.Hour, "7")
	}
	b.releases["shop"] = of("shop", verdict.Ready)
	got := b.after(t, time.Hour, "7")
	if len(got) != 3 || got[0].State+got[1].State != "" || got[2].State != "approved" {
		t.Errorf("%+v", got)
	}
	if d := b.held["delivery-7"]; d.State != gate.Approved || d.Answered.IsZero() || d.Said != got[2].Comment {
		t.Errorf("%+v", d)
	}
}

// TestService_Look_Away: an answer that GitHub does not take is tried until it does.
func TestService_Look_Away(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.releases["shop"] = of("shop", verdict.Ready)
	b.hold(t, "7")
	b.github.Away(3)
	for range 3 {
		if got := b.after(t, 2*time.Hour, "7"); len(got) != 0 {
			t.Fatalf("%+v", got)
		}
	}
	if d := b.held["delivery-7"]; d.Attempts != 3 || !strings.Contains(d.Error, "503") || d.State != gate.Waiting {
		t.Errorf("%+v", d)
	}
	if got := b.after(t, 2*time.Hour, "7"); len(got) != 1 || got[0].State != "approved" {
		t.Errorf("%+v, %v", got, b.github.Refused())
	}
	if d := b.held["delivery-7"]; d.Attempts != 0 || d.Error != "" || d.State != gate.Approved {
		t.Errorf("%+v", d)
	}
}

// TestService_Look_Token: a token serves many deployments, and one that was revoked is replaced at once.
func TestService_Look_Token(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.releases["shop"] = of("shop", verdict.Ready)
	b.hold(t, "7")
	b.after(t, 0, "7")
	b.github.Revoke()
	b.hold(t, "8")
	if got := b.after(t, 0, "8"); len(got) != 1 || got[0].State != "approved" {
		t.Errorf("%+v, %v", got, b.github.Refused())
	}
}

// TestService_Look_Over: somebody else has decided, or GitHub holds the deployment no longer.
func TestService_Look_Over(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.releases["shop"] = of("shop", verdict.Ready)
	b.hold(t, "7")
	b.after(t, 0, "7")
	again := b.question("7")
	again.ID = "delivery-other"
	if _, err := b.Hold(b.ctx, uuid.New(), "forge", again); err != nil {
		t.Fatal(err)
	}
	b.after(t, 0, "7")
	if d := b.held["delivery-other"]; d.State != gate.Failed || !strings.Contains(d.Error, "422") {
		t.Errorf("%+v", d)
	}
	b.releases["shop"] = of("shop", verdict.Incomplete)
	b.hold(t, "8")
	b.after(t, 31*24*time.Hour, "8")
	if d := b.held["delivery-8"]; d.State != gate.Failed || !strings.Contains(d.Error, "30 days") {
		t.Errorf("%+v", d)
	}
}

// TestService_Look_Talkative: GitHub takes ten reports of a deployment, of which the answer must never be short.
func TestService_Look_Talkative(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.hold(t, "7")
	for i := range 15 {
		r := of("shop", verdict.Incomplete)
		r.Version = "1.0." + string(rune('a'+i))
		b.releases["shop"] = r
		b.after(t, time.Hour, "7")
	}
	b.releases["shop"] = of("shop", verdict.Ready)
	got := b.after(t, time.Hour, "7")
	if len(got) != 10 || got[9].State != "approved" || len(b.github.Refused()) != 0 {
		t.Errorf("%+v, %v", got, b.github.Refused())
	}
}

// TestService_Hold: a question is kept once, and only one whose answer goes to the app's own GitHub, about the repository that asks.
func TestService_Hold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.hold(t, "7")
	if added, err := b.Hold(b.ctx, uuid.New(), "forge", b.question("7")); err != nil || added {
		t.Errorf("sent again: %t, %v", added, err)
	}
	for name, callback := range map[string]string{
		"OtherHost":       "https://evil.test/repos/acme/shop/actions/runs/7/deployment_protection_rule",
		"HostAsPrefix":    b.url + ".evil.test/repos/acme/shop/actions/runs/7/deployment_protection_rule",
		"HostAsUser":      b.url + "@evil.test/repos/acme/shop/actions/runs/7/deployment_protection_rule",
		"OtherRepository": b.url + "/repos/acme/cart/actions/runs/7/deployment_protection_rule",
		"OtherMethod":     b.url + "/repos/acme/shop/actions/runs/7/approvals",
		"Upwards":         b.url + "/repos/acme/shop/actions/runs/../../../../app/deployment_protection_rule",
		"Query":           b.url + "/repos/acme/shop/actions/runs/7/deployment_protection_rule?x=1",
	} {
		d := b.question("9")
		d.Callback = callback
		if _, err := b.Hold(b.ctx, uuid.New(), "forge", d); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.app = gate.App{}
	if _, err := b.Hold(b.ctx, uuid.New(), "forge", b.question("9")); !fault.Is(err, fault.Conflict) {
		t.Errorf("without an app: %v", err)
	}
}

func TestService_SetApp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := gate.App{ID: "123", Key: b.pem, URL: "https://github.example.test/api/v3"}
	for name, tc := range map[string]struct {
		change func(*gate.App)
		kind   fault.Kind
		reason string
	}{
		"OK":        {func(*gate.App) {}, "", "an app of a GitHub Enterprise Server"},
		"Public":    {func(a *gate.App) { a.URL = "" }, "", "github.com is meant"},
		"NoKey":     {func(a *gate.App) { a.Key = "secret" }, fault.Invalid, "not a key"},
		"NoID":      {func(a *gate.App) { a.ID = "my app" }, fault.Invalid, "its name is no id"},
		"Plaintext": {func(a *gate.App) { a.URL = "http://github.example.test" }, fault.Invalid, "tokens would be read on the way"},
		"Private":   {func(a *gate.App) { a.URL = "https://169.254.169.254" }, fault.Invalid, "nobody is sent to the metadata service"},
		"Query":     {func(a *gate.App) { a.URL += "?x" }, fault.Invalid, "paths are added to it"},
	} {
		app := good
		tc.change(&app)
		err := b.SetApp(b.ctx, "forge", app)
		if fault.KindOf(err) != tc.kind && (err != nil || tc.kind != "") || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v: %s", name, err, tc.reason)
		}
	}
	if b.app.URL != gate.PublicURL && b.app.URL != good.URL {
		t.Errorf("%s", b.app.URL)
	}
	viewer := tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindMember, Organization: uuid.New(), Role: tenant.RoleMaintainer})
	if err := b.SetApp(viewer, "forge", good); !fault.Is(err, fault.Forbidden) {
		t.Errorf("by a maintainer: %v", err)
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for environment, want := range map[string]string{"production": "production", "Production EU": "production-eu", "prod/eu-1": "prod-eu-1", " .x. ": "x", "…": ""} {
		if got := gate.Target(environment); got != want {
			t.Errorf("%q: %q, want %q", environment, got, want)
		}
	}
}
