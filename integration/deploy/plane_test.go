package deploy_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/app"
	"github.com/seatrial/seatrial/controlplane/config"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
	"github.com/seatrial/seatrial/ui/cli/cmd"
)

// asCommand has the test binary be the command seatrial, asOperator those of the operator of a control plane.
const (
	asCommand  = "SEATRIAL_TEST_IS_COMMAND"
	asOperator = "SEATRIAL_TEST_IS_OPERATOR"
)

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Exit(cmd.Main(context.Background(), os.Args[1:], cmd.Options{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Getenv, PipedOut: true}))
	}
	if os.Getenv(asOperator) != "" {
		err := app.Operate(context.Background(), app.Operation{Args: os.Args[1:], Env: os.LookupEnv, Version: "v1", Out: os.Stdout, Err: os.Stderr})
		if err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// plane is a control plane as it ships, and an agent without a cluster: `checkout` passes there, and `broken` fails.
type plane struct {
	url, token string
	dir        string // of its data
	http       *http.Client
	commit     string // of the release shop 1.42.0
}

// bearer adds the token to every request.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

var shownToken = regexp.MustCompile(`API token +(st_\S+)`)

func newPlane(t *testing.T) *plane {
	t.Helper()
	dir := t.TempDir()
	c, err := config.Parse([]string{"--data-dir", dir, "--listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0"},
		func(string) (string, bool) { return "", false }, "v1", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer // read once it is ready, after which nothing is written
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan [2]net.Addr, 1), make(chan error, 1)
	go func() {
		done <- app.Run(ctx, app.Options{
			Config: c, Version: "v1", Out: &out, Log: io.Discard, Ready: func(http, agents net.Addr) { ready <- [2]net.Addr{http, agents} },
		})
	}()
	var at [2]net.Addr
	select {
	case at = <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	p := &plane{dir: dir, url: "http://" + at[0].String(), commit: strings.Repeat("c0ffee", 10)[:40]}
	p.token = shownToken.FindStringSubmatch(out.String())[1]
	p.http = &http.Client{Transport: bearer(p.token)}
	var agent sync.WaitGroup
	p.catalog(t)
	s, gateway := p.connect(t, ctx, at[1].String())
	agent.Go(func() { work(ctx, t, s, gateway) })
	t.Cleanup(func() {
		cancel()
		agent.Wait()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return p
}

// catalog applies what pipelines name.
func (p *plane) catalog(t *testing.T) {
	t.Helper()
	workflows := apiv1connect.NewWorkflowServiceClient(p.http, p.url)
	for _, name := range []string{"checkout", "broken"} {
		source := fmt.Sprintf("apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: %s}\nspec:\n  container: {image: debian}\n"+
			"  steps:\n    - {name: test, run: pytest, reports: [{format: junit, paths: [r.xml]}]}\n", name)
		if _, err := workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: source}); err != nil {
			t.Fatal(err)
		}
	}
}

// release makes a release that needs `checkout` to pass.
func (p *plane) release(t *testing.T) {
	t.Helper()
	gate := "apiVersion: seatrial.dev/v1\nkind: ReadinessPolicy\nmetadata: {name: gate}\nspec:\n  appliesTo: {applications: [shop]}\n" +
		"  require: [{suites: [checkout], environments: [staging]}]\n"
	if _, err := apiv1connect.NewWorkflowServiceClient(p.http, p.url).ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: gate}); err != nil {
		t.Fatal(err)
	}
	releases := apiv1connect.NewReleaseServiceClient(p.http, p.url)
	if _, err := releases.CreateRelease(t.Context(), &apiv1.CreateReleaseRequest{Application: "shop", Version: "1.42.0", Commit: p.commit}); err != nil {
		t.Fatal(err)
	}
}

type session = grpc.BidiStreamingClient[agentv1.AgentFrame, agentv1.ServerFrame]

// connect enrols an agent and opens its session.
func (p *plane) connect(t *testing.T, ctx context.Context, address string) (session, agentv1.AgentGatewayClient) { //nolint:revive // t comes first, as in all helpers
	t.Helper()
	enrolled, err := apiv1connect.NewClusterServiceClient(p.http, p.url).EnrollCluster(ctx, &apiv1.EnrollClusterRequest{Name: "eu-1", Namespace: "tests", Environment: "staging"})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(enrolled.GetAgentCa())) {
		t.Fatal("no authority")
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := agentv1.NewAgentIdentityClient(conn).Enrol(ctx, &agentv1.EnrolRequest{BootstrapToken: enrolled.GetBootstrapToken(), PublicKey: public, ClusterUid: "u", AgentVersion: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	gateway := agentv1.NewAgentGatewayClient(conn)
	s, err := gateway.Session(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+got.GetToken()))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*agentv1.AgentFrame{
		{Frame: &agentv1.AgentFrame_Hello{Hello: &agentv1.Hello{ProtocolMin: 1, ProtocolMax: 1, AgentVersion: "v1", KubernetesVersion: "v1.37", Namespaces: []string{"tests"}}}},
		{Frame: &agentv1.AgentFrame_Credit{Credit: &agentv1.Credit{Starts: 100}}},
	} {
		if err := s.Send(f); err != nil {
			t.Fatal(err)
		}
	}
	return s, gateway
}

// work answers commands until the session ends.
func work(ctx context.Context, t *testing.T, s session, gateway agentv1.AgentGatewayClient) {
	t.Helper()
	for {
		f, err := s.Recv()
		if err != nil {
			return
		}
		command := f.GetCommand()
		if command == nil {
			continue
		}
		if err := s.Send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_CommandAck{CommandAck: &agentv1.CommandAck{
			CommandId: command.GetId(), Outcome: agentv1.CommandOutcome_COMMAND_OUTCOME_DONE,
		}}}); err != nil {
			return
		}
		if a := command.GetStart().GetAssignment(); a != nil {
			if err := finish(s.Context(), gateway, a); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	}
}

// finish reports how an attempt ended, with its report.
func finish(ctx context.Context, gateway agentv1.AgentGatewayClient, a *agentv1.Assignment) error {
	md, _ := metadata.FromOutgoingContext(ctx)
	ctx = metadata.NewOutgoingContext(ctx, md)
	status, step, code, text := agentv1.AttemptStatus_ATTEMPT_STATUS_PASSED, runnerv1.StepStatus_STEP_STATUS_PASSED, int32(0),
		`<testsuite name="cart" tests="1"><testcase name="total"/></testsuite>`
	if a.GetWorkflow() == "broken" {
		status, step, code = agentv1.AttemptStatus_ATTEMPT_STATUS_FAILED, runnerv1.StepStatus_STEP_STATUS_FAILED, 1
		text = `<testsuite name="cart" tests="1" failures="1"><testcase name="total"><failure message="41 is not 42"/></testcase></testsuite>`
	}
	send := func(delivered bool) error {
		_, err := gateway.ReportAttempt(ctx, &agentv1.ReportAttemptRequest{Report: &agentv1.AttemptReport{
			AttemptId: a.GetAttemptId(), Status: status, Delivered: delivered, FromRunner: true, ObservedAt: timestamppb.Now(), StartedAt: timestamppb.Now(),
			Steps: []*runnerv1.StepState{{Index: 0, Name: "test", Status: step, ExitCode: &code, StartedAt: timestamppb.Now()}},
		}})
		return err
	}
	if err := send(false); err != nil {
		return err
	}
	stream, err := gateway.PutFile(ctx)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(text))
	_ = stream.Send(&agentv1.PutFileRequest{Message: &agentv1.PutFileRequest_Header{Header: &runnerv1.FileHeader{
		AttemptId: a.GetAttemptId(), Kind: runnerv1.FileKind_FILE_KIND_REPORT, Path: "r.xml", Size: int64(len(text)), Sha256: sum[:], Format: "junit",
	}}})
	_ = stream.Send(&agentv1.PutFileRequest{Message: &agentv1.PutFileRequest_Data{Data: []byte(text)}})
	if _, err := stream.CloseAndRecv(); err != nil {
		return err
	}
	return send(true)
}

// commands makes a folder with the command, and one with a docker that has an image with it.
func commands(t *testing.T) (bin, docker string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin, docker = t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(bin, "seatrial-controlplane"): "#!/bin/sh\n" + asOperator + "=1 exec " + self + ` "$@"` + "\n",
		filepath.Join(bin, "seatrial"):              "#!/bin/sh\n" + asCommand + "=1 exec " + self + ` "$@"` + "\n",
		filepath.Join(docker, "docker"):             "#!/bin/sh\nset -e\ncase $1 in\ncreate) echo made ;;\ncp) [ $2 = made:/seatrial ]; cp " + bin + `/seatrial "$3" ;;` + "\nrm) [ $2 = made ] ;;\nesac\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return bin, docker
}
