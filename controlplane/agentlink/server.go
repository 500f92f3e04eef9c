package agentlink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/seatrial/seatrial/controlplane/tenant"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// Options are what a Server is made of. TLS is nil for plaintext, which only tests want.
type Options struct {
	Log      *slog.Logger
	Store    Store
	Identity Identity
	Bus      Bus
	Intake   Intake
	// Documents may be nil: documents of clusters are not taken then.
	Documents Documents
	// Watches may be nil: no agent looks at objects then.
	Watches Watches
	// Examinations may be nil: no agent is asked to look at itself then.
	Examinations Examinations
	Metrics      prometheus.Registerer // nil keeps the metrics to itself
	Traces       trace.TracerProvider  // nil makes none
	Gateway      string                // name of this replica
	TLS          *tls.Config
	Timing       Timing
	Clock        func() time.Time // of the limits on callers; nil for that of the machine
}

// Timing holds the intervals of the protocol; zero values mean the defaults.
type Timing struct {
	Handshake time.Duration // from the open stream to Hello
	Ping      time.Duration // how often an agent pings
	Silence   time.Duration // without a frame a session is given up
	Inventory time.Duration // how often an agent sends its inventory
	Grace     time.Duration // an attempt so young may be absent from an inventory
	Revoked   time.Duration // how often the agents are asked for that lost their right, for the case that a hint was lost
	Touch     time.Duration // how often sessions are stored as alive
	Resend    time.Duration // a command without an answer is sent again
	Expiry    time.Duration // how long a command may be acted on
	Age       time.Duration // a session so old is asked to come again, elsewhere if there is more than one replica
	Group     time.Duration // at most so long log chunks are gathered for one commit
	Idle      time.Duration // an upload of which nothing comes for so long is given up
	Spread    time.Duration // agents that are sent away come back within it
	Leave     time.Duration // at Stop, how long agents have to move to another replica; zero sends them away at once
}

func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		value     *time.Duration
		otherwise time.Duration
	}{
		{&t.Handshake, 10 * time.Second},
		{&t.Ping, 15 * time.Second},
		{&t.Silence, 45 * time.Second},
		{&t.Inventory, 5 * time.Minute},
		{&t.Grace, time.Minute},
		{&t.Revoked, 3 * time.Second},
		{&t.Touch, 10 * time.Second},
		{&t.Resend, 15 * time.Second},
		{&t.Expiry, time.Minute},
		{&t.Age, 30 * time.Minute},
		{&t.Group, 20 * time.Millisecond},
		{&t.Idle, 2 * time.Minute},
		{&t.Spread, time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.otherwise
		}
	}
	return t
}

// Sizes that bound what one agent can make this process hold.
const (
	maxMessage = 1 << 20
	maxStreams = 128
	maxHeader  = 16 << 10
)

// Server serves AgentIdentity and AgentGateway on one listener.
type Server struct {
	agentv1.UnimplementedAgentGatewayServer
	o        Options
	grpc     *grpc.Server
	sessions registry
	metrics  metrics
	running  sync.WaitGroup       // readers of streams, which end when their handler has returned
	stamps   map[tenant.ID]string // of what agents look at, as the last sweep found it
	stopping chan struct{}        // closed when Stop begins
	closing  chan struct{}        // closed when streams must end
	stop     sync.Once
}

// New returns a Server; Serve starts it.
func New(o Options) *Server {
	o.Timing = o.Timing.withDefaults()
	o.Log = o.Log.With("component", "agentlink")
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Traces == nil {
		o.Traces = noop.NewTracerProvider()
	}
	s := &Server{
		o: o, sessions: registry{byCluster: map[clusterID]*session{}, logs: map[*appending]time.Time{}, files: map[*body]clusterID{}}, metrics: newMetrics(o.Metrics),
		stopping: make(chan struct{}), closing: make(chan struct{}),
	}
	creds := insecure.NewCredentials()
	if o.TLS != nil {
		creds = credentials.NewTLS(o.TLS)
	}
	s.grpc = grpc.NewServer(append(s.interceptors(),
		grpc.Creds(creds),
		grpc.StatsHandler(otelgrpc.NewServerHandler(otelgrpc.WithTracerProvider(o.Traces))),
		grpc.ConnectionTimeout(o.Timing.Handshake),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeader),
		grpc.WaitForHandlers(true),
		// The session itself says goodbye earlier; this ends connections whose agent does not listen.
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: 30 * time.Second, Timeout: 15 * time.Second,
			MaxConnectionAge: o.Timing.Age + 5*time.Minute, MaxConnectionAgeGrace: 5 * time.Minute,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)...)
	agentv1.RegisterAgentIdentityServer(s.grpc, &identityService{identity: o.Identity, limit: newLimiter[string](o.Clock, perSecond, burst)})
	agentv1.RegisterAgentGatewayServer(s.grpc, s)
	if o.Documents != nil {
		agentv1.RegisterAgentCatalogServer(s.grpc, &catalogService{documents: o.Documents})
	}
	if o.Watches != nil {
		agentv1.RegisterAgentWatchServer(s.grpc, newWatchService(o.Watches, o.Clock))
	}
	return s
}

// Serve accepts agents until Stop and returns nil then. The context is that of storing who is alive; cancelling it does not stop the
// server.
func (s *Server) Serve(ctx context.Context, lis net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var alive sync.WaitGroup
	alive.Go(func() { s.keepTouching(ctx) })
	alive.Go(func() { s.keepRevoking(ctx) })
	err := s.grpc.Serve(lis)
	cancel()
	alive.Wait()
	if err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve agents on %s: %w", lis.Addr(), err)
	}
	return nil
}

// Stop sends the agents away, waits for them to move, commits what they have sent, and returns when nothing runs any more. When
// the context ends first, connections are cut: agents resume where commits ended.
func (s *Server) Stop(ctx context.Context) {
	s.stop.Do(func() {
		close(s.stopping)
		s.awaitLeave(ctx)
		close(s.closing)
		graceful := make(chan struct{})
		s.running.Go(func() {
			s.grpc.GracefulStop()
			close(graceful)
		})
		select {
		case <-graceful:
		case <-ctx.Done():
			s.grpc.Stop()
		}
		s.running.Wait()
	})
}

// awaitLeave waits until no session is left, at most Timing.Leave.
func (s *Server) awaitLeave(ctx context.Context) {
	timer := time.NewTimer(s.o.Timing.Leave)
	defer timer.Stop()
	select {
	case <-s.sessions.empty():
	case <-timer.C:
	case <-ctx.Done():
	}
}
