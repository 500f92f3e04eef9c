package agentlink_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/seatrial/seatrial/controlplane/agentlink"
	"github.com/seatrial/seatrial/controlplane/tenant"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

type bench struct {
	store   *store
	bus     *bus
	intake  *intake
	viewer  tenant.Viewer
	server  *agentlink.Server
	gateway agentv1.AgentGatewayClient
	names   agentv1.AgentIdentityClient
	catalog agentv1.AgentCatalogClient

	documents *documents
	watches   *watches
	exams     *examinations
	watch     agentv1.AgentWatchClient
}

// setup serves on a listener in memory until the test ends.
func setup(t *testing.T, timing agentlink.Timing) *bench {
	t.Helper()
	b := &bench{
		documents: &documents{}, watches: &watches{}, exams: &examinations{}, store: newStore(), bus: newBus(), intake: newIntake(),
		viewer: tenant.Viewer{Kind: tenant.KindAgent, Organization: uuid.New(), Cluster: uuid.New(), Name: "kind"},
	}
	b.server = agentlink.New(agentlink.Options{
		Log: slog.New(slog.DiscardHandler), Store: b.store, Identity: identity{b.viewer}, Bus: b.bus, Intake: b.intake, Documents: b.documents, Watches: b.watches, Examinations: b.exams,
		Gateway: "replica-1", Timing: timing, Clock: func() time.Time { return time.Unix(1_800_000_000, 0) }, // it stands: nobody waits for a limit
	})
	lis := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- b.server.Serve(t.Context(), lis) }()
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		b.server.Stop(context.WithoutCancel(t.Context()))
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	b.watch = agentv1.NewAgentWatchClient(conn)
	b.catalog = agentv1.NewAgentCatalogClient(conn)
	b.gateway, b.names = agentv1.NewAgentGatewayClient(conn), agentv1.NewAgentIdentityClient(conn)
	return b
}

func as(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// agent is the other end of a session.
type agent struct {
	t       *testing.T
	stream  grpc.BidiStreamingClient[agentv1.AgentFrame, agentv1.ServerFrame]
	welcome *agentv1.Welcome
	cancel  context.CancelFunc
}

func hello() *agentv1.AgentFrame {
	return &agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Hello{Hello: &agentv1.Hello{
		ProtocolMin: 1, ProtocolMax: 1, AgentVersion: "v1", KubernetesVersion: "v1.37", Namespaces: []string{"tests"}, RunnerDelivery: "init-copy",
	}}}
}

// connect opens a session and returns after Welcome.
func (b *bench) connect(t *testing.T) *agent {
	t.Helper()
	ctx, cancel := context.WithTimeout(as(t.Context(), "good"), time.Minute)
	t.Cleanup(cancel)
	stream, err := b.gateway.Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{t: t, stream: stream, cancel: cancel}
	a.send(hello())
	if a.welcome = a.recv().GetWelcome(); a.welcome == nil {
		t.Fatal("no Welcome")
	}
	return a
}

func (a *agent) send(f *agentv1.AgentFrame) {
	a.t.Helper()
	if err := a.stream.Send(f); err != nil {
		a.t.Fatal(err)
	}
}

func (a *agent) recv() *agentv1.ServerFrame {
	a.t.Helper()
	f, err := a.stream.Recv()
	if err != nil {
		a.t.Fatal(err)
	}
	return f
}

// end receives until the stream ends and returns the reasons of GoAway frames and the error.
func (a *agent) end() (reasons []string, err error) {
	for {
		f, err := a.stream.Recv()
		if err != nil {
			return reasons, err
		}
		if g := f.GetGoAway(); g != nil {
			reasons = append(reasons, g.GetReason())
		}
	}
}

func (a *agent) credit(n int32) {
	a.send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Credit{Credit: &agentv1.Credit{Starts: n}}})
}

// ping waits until the server has handled everything sent before.
func (a *agent) ping() {
	a.t.Helper()
	a.send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Ping{Ping: &agentv1.Ping{}}})
	if a.recv().GetPong() == nil {
		a.t.Fatal("no Pong")
	}
}
