package app_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/seatrial/seatrial/controlplane/release/attest"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

const gate = `apiVersion: seatrial.dev/v1
kind: ReadinessPolicy
metadata: {name: gate}
spec:
  appliesTo: {applications: ["shop"]}
  require: [{suites: [checkout], environments: [staging]}]
`

// TestRun_Bundle has a release tested, takes its bundle away, and checks it with nothing but the keys that everybody can get.
func TestRun_Bundle(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	c := p.clients(p.token)
	releases := apiv1connect.NewReleaseServiceClient(c.http, p.url)
	tested(t, p, c, releases)

	file := bundle(t, releases)
	old := ring(t, p)
	f := examine(t, file, old)
	if v, err := f.Verified.Readiness.Verdict(); !f.Holds() || err != nil || v != attest.NotReady || len(f.Verified.Statements) != 2 {
		t.Fatalf("%s, %v, %v", v, err, f.Points)
	}
	status, err := releases.GetRelease(t.Context(), &apiv1.GetReleaseRequest{Application: "shop", Version: "1.42.0"})
	if err != nil || status.GetRelease().GetState() != apiv1.State_STATE_NOT_READY {
		t.Errorf("%v, %v: the bundle says another verdict than the page", status, err)
	}
	rotated, err := releases.RotateSigningKey(t.Context(), &apiv1.RotateSigningKeyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	later := ring(t, p)
	if later.Keys()[0].ID() != rotated.GetKeyId() || !examine(t, file, later).Holds() {
		t.Errorf("%v: after the rotation the old bundle no longer holds", later.Keys())
	}
	if fresh := bundle(t, releases); !examine(t, fresh, later).Holds() || examine(t, fresh, old).Holds() {
		t.Error("the new key does not sign")
	}
	for i := 0; i < len(file); i += 17 { // the tests of attest flip every byte
		file[i] ^= 4
		if examine(t, file, later).Holds() {
			t.Fatalf("byte %d was changed, and nobody says so", i)
		}
		file[i] ^= 4
	}
}

// tested makes a release that goes to targets and has its workflow fail against it.
func tested(t *testing.T, p *program, c clients, releases apiv1connect.ReleaseServiceClient, targets ...string) {
	t.Helper()
	enrolled, err := c.clusters.EnrollCluster(t.Context(), &apiv1.EnrollClusterRequest{Name: "kind", Namespace: "tests", Environment: "staging"})
	if err != nil {
		t.Fatal(err)
	}
	a := p.enrol(t, enrolled.GetAgentCa(), enrolled.GetBootstrapToken())
	release(t, a.connect(t), a, c, releases, targets...)
}

// release makes a release that goes to targets and has its workflow fail against it, by an agent that is there.
func release(t *testing.T, s session, a *agent, c clients, releases apiv1connect.ReleaseServiceClient, targets ...string) {
	t.Helper()
	for _, source := range []string{document, gate} {
		if _, err := c.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: source}); err != nil {
			t.Fatal(err)
		}
	}
	commit := strings.Repeat("c0ffee", 10)[:40]
	if _, err := releases.CreateRelease(t.Context(), &apiv1.CreateReleaseRequest{Application: "shop", Version: "1.42.0", Commit: commit, Targets: targets}); err != nil {
		t.Fatal(err)
	}
	run, err := c.executions.RunWorkflow(t.Context(), &apiv1.RunWorkflowRequest{
		Workflow: "checkout", Commit: commit, Release: &apiv1.ReleaseName{Application: "shop", Version: "1.42.0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	command := receive(t, s).GetCommand()
	acknowledge(t, s, command.GetId())
	deliver(t, a, command.GetStart().GetAssignment().GetAttemptId(), c, run.GetExecution().GetId())
}

func bundle(t *testing.T, releases apiv1connect.ReleaseServiceClient) []byte {
	t.Helper()
	s, err := releases.GetReleaseBundle(t.Context(), &apiv1.GetReleaseBundleRequest{Application: "shop", Version: "1.42.0"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var file []byte
	for s.Receive() {
		file = append(file, s.Msg().GetData()...)
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return file
}

// ring reads the key list as somebody without a credential.
func ring(t *testing.T, p *program) key.Ring {
	t.Helper()
	who, err := apiv1connect.NewIdentityServiceClient(&http.Client{Transport: bearer(p.token)}, p.url).WhoAmI(t.Context(), &apiv1.WhoAmIRequest{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := key.ParseRing([]byte(get(t, http.DefaultClient, p.url+key.Path+who.GetOrganization())))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func examine(t *testing.T, file []byte, keys key.Ring) attest.Finding {
	t.Helper()
	f, err := attest.Examine(t.Context(), bytes.NewReader(file), keys, verdict.Recompute)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRun_Keys(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	if r := ring(t, p); len(r.Keys()) != 0 {
		t.Errorf("keys %v before anything was signed", r.Keys())
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+key.Path+"nobody", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("keys of nobody: %s", res.Status)
	}
	releases := apiv1connect.NewReleaseServiceClient(http.DefaultClient, p.url)
	if _, err := releases.RotateSigningKey(t.Context(), &apiv1.RotateSigningKeyRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("rotated by nobody: %v", err)
	}
}
