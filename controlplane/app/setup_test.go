package app_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"regexp"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/seatrial/seatrial/controlplane/app"
	"github.com/seatrial/seatrial/controlplane/config"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// shown collects what a person sees.
type shown struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *shown) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *shown) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// program is a running control plane.
type program struct {
	out    *shown
	log    *shown
	url    string
	agents string
	token  string
	stop   func() error
}

func configure(t *testing.T, dir string, args ...string) config.Config {
	t.Helper()
	args = append([]string{"--data-dir", dir, "--listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0"}, args...)
	c, err := config.Parse(args, func(string) (string, bool) { return "", false }, "v1", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var secret = regexp.MustCompile(`API token +(st_\S+)`)

// start runs the program until its stop is called, which the end of the test does too.
func start(t *testing.T, dir string, args ...string) *program {
	t.Helper()
	p := &program{out: &shown{}, log: &shown{}}
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan [2]net.Addr, 1), make(chan error, 1)
	go func() {
		done <- app.Run(ctx, app.Options{
			Config: configure(t, dir, args...), Version: "v1", Out: p.out, Log: p.log,
			Ready: func(http, agents net.Addr) { ready <- [2]net.Addr{http, agents} },
		})
	}()
	p.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	select {
	case addrs := <-ready:
		p.url, p.agents = "http://"+addrs[0].String(), addrs[1].String()
	case err := <-done:
		t.Fatalf("not started: %v", err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	if m := secret.FindStringSubmatch(p.out.String()); m != nil {
		p.token = m[1]
	}
	return p
}

// bearer adds the token to every request.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

type clients struct {
	http       *http.Client
	workflows  apiv1connect.WorkflowServiceClient
	executions apiv1connect.ExecutionServiceClient
	clusters   apiv1connect.ClusterServiceClient
}

func (p *program) clients(token string) clients {
	c := &http.Client{Transport: bearer(token)}
	return clients{
		c, apiv1connect.NewWorkflowServiceClient(c, p.url), apiv1connect.NewExecutionServiceClient(c, p.url),
		apiv1connect.NewClusterServiceClient(c, p.url),
	}
}

// agent is an enrolled agent with its connection.
type agent struct {
	key     ed25519.PrivateKey
	id      string
	ctx     context.Context //nolint:containedctx // carries the agent's token
	gateway agentv1.AgentGatewayClient
}

func (p *program) dial(t *testing.T, ca string, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(ca)) {
		t.Fatal("no authority to trust")
	}
	options = append(options, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13})))
	conn, err := grpc.NewClient(p.agents, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// agentPatience ends what an agent of a test does, its session too, when the test hangs. It is far longer than any of them takes on a busy
// machine.
const agentPatience = 10 * time.Minute

// enrol spends a bootstrap token as an agent does.
func (p *program) enrol(t *testing.T, ca, token string, options ...grpc.DialOption) *agent {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	conn := p.dial(t, ca, options...)
	ctx, cancel := context.WithTimeout(t.Context(), agentPatience)
	t.Cleanup(cancel)
	res, err := agentv1.NewAgentIdentityClient(conn).Enrol(ctx, &agentv1.EnrolRequest{
		BootstrapToken: token, PublicKey: public, ClusterUid: "uid-1", AgentVersion: "v1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return &agent{
		key: private, id: res.GetAgentId(), gateway: agentv1.NewAgentGatewayClient(conn),
		ctx: metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+res.GetToken()),
	}
}

// renew comes back to a program that was started again, with the key alone.
func (p *program) renew(t *testing.T, ca string, a *agent) {
	t.Helper()
	conn := p.dial(t, ca)
	names := agentv1.NewAgentIdentityClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), agentPatience)
	t.Cleanup(cancel)
	challenge, err := names.Challenge(ctx, &agentv1.ChallengeRequest{AgentId: a.id})
	if err != nil {
		t.Fatal(err)
	}
	res, err := names.Renew(ctx, &agentv1.RenewRequest{
		AgentId: a.id, Nonce: challenge.GetNonce(),
		Signature: ed25519.Sign(a.key, append([]byte("seatrial-agent-renew:"), challenge.GetNonce()...)),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.gateway = agentv1.NewAgentGatewayClient(conn)
	a.ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+res.GetToken())
}

type session = grpc.BidiStreamingClient[agentv1.AgentFrame, agentv1.ServerFrame]

// connect opens a session that takes one start.
func (a *agent) connect(t *testing.T) session {
	t.Helper()
	s, err := a.gateway.Session(a.ctx)
	if err != nil {
		t.Fatal(err)
	}
	send(t, s, &agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Hello{Hello: &agentv1.Hello{
		ProtocolMin: 1, ProtocolMax: 1, AgentVersion: "v1", KubernetesVersion: "v1.37", Namespaces: []string{"tests"},
	}}})
	if f := receive(t, s); f.GetWelcome() == nil {
		t.Fatalf("no Welcome: %v", f)
	}
	send(t, s, &agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Credit{Credit: &agentv1.Credit{Starts: 1}}})
	return s
}

func send(t *testing.T, s session, f *agentv1.AgentFrame) {
	t.Helper()
	if err := s.Send(f); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, s session) *agentv1.ServerFrame {
	t.Helper()
	f, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return f
}
