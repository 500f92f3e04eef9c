package workfake

import (
	"context"
	"crypto/ed25519"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// Names that the control plane gives to every agent.
const (
	AgentID     = "0190a000-0000-7000-8000-00000000a9e1"
	ClusterID   = AgentID
	ClusterName = "trial"
	Bootstrap   = "stb_once"
)

// patience bounds everything that a test waits for.
const patience = 20 * time.Second

// ControlPlane is the other end of an agent's connection.
type ControlPlane struct {
	agentv1.UnimplementedAgentIdentityServer
	agentv1.UnimplementedAgentGatewayServer

	// Welcome is sent to each session; set it before the first.
	Welcome *agentv1.Welcome
	// Patience is how long Report waits.
	Patience time.Duration

	address string
	running sync.WaitGroup

	mu       sync.Mutex
	server   *grpc.Server
	key      ed25519.PublicKey
	next     ed25519.PublicKey // registered and not used yet
	asks     bool              // for another key
	serial   int               // of the newest token
	oldest   int               // tokens with a lower serial are refused
	revoked  bool
	faults   map[string]error
	calls    map[string]int
	held     chan struct{} // log answers wait while it is not nil
	streams  map[string]*Stream
	files    map[string][]byte
	stored   map[string]*agentv1.FetchAttemptResponse // assignments by attempt
	epoch    int64
	sessions chan *Session
	reports  chan *agentv1.AttemptReport
}

// NewControlPlane returns one that listens on a loopback port until the test ends.
func NewControlPlane(tb testing.TB) *ControlPlane {
	tb.Helper()
	return ListenControlPlane(tb, "127.0.0.1:0")
}

// ListenControlPlane returns one that listens at an address until the test ends.
func ListenControlPlane(tb testing.TB, address string) *ControlPlane {
	tb.Helper()
	c := &ControlPlane{
		Patience: patience,
		Welcome: &agentv1.Welcome{
			Protocol: 1, PingEvery: durationpb.New(time.Minute), InventoryEvery: durationpb.New(time.Hour),
		},
		faults: map[string]error{}, calls: map[string]int{}, streams: map[string]*Stream{}, files: map[string][]byte{}, stored: map[string]*agentv1.FetchAttemptResponse{},
		sessions: make(chan *Session, 64), reports: make(chan *agentv1.AttemptReport, 4096), address: address,
	}
	c.Up(tb)
	tb.Cleanup(c.Down)
	return c
}

// Address is host:port.
func (c *ControlPlane) Address() string { return c.address }

// Up listens again after Down, at the same address.
func (c *ControlPlane) Up(tb testing.TB) {
	tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", c.address)
	if err != nil {
		tb.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(c.unary), grpc.StreamInterceptor(c.stream), grpc.WaitForHandlers(true),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second})) // as the real one
	agentv1.RegisterAgentIdentityServer(server, c)
	agentv1.RegisterAgentGatewayServer(server, c)
	c.mu.Lock()
	c.address, c.server = listener.Addr().String(), server
	c.mu.Unlock()
	c.running.Go(func() { _ = server.Serve(listener) })
}

// Down breaks every connection, as a killed process does.
func (c *ControlPlane) Down() {
	c.mu.Lock()
	server := c.server
	c.mu.Unlock()
	server.Stop()
	c.running.Wait()
}

// Fail makes a method, such as "ReportAttempt", return err until it is called with nil.
func (c *ControlPlane) Fail(method string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[method] = err
}

// Calls returns how often a method was called.
func (c *ControlPlane) Calls(method string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[method]
}

// ExpireTokens refuses every token that was issued so far.
func (c *ControlPlane) ExpireTokens() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.oldest = c.serial + 1
}

// Revoke refuses the agent's key, or takes that back.
func (c *ControlPlane) Revoke(revoked bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.revoked = revoked
	c.oldest = c.serial + 1
}

// enter counts a call, checks its token and returns the fault that a test wants.
func (c *ControlPlane) enter(ctx context.Context, fullMethod string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	service, method := split(fullMethod)
	c.calls[method]++
	if err := c.faults[method]; err != nil {
		return err
	}
	if service == agentv1.AgentIdentity_ServiceDesc.ServiceName {
		return nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	for _, bearer := range md.Get("authorization") {
		if n, err := strconv.Atoi(bearer[len("Bearer "):]); err == nil && n >= c.oldest {
			return nil
		}
	}
	return status.Error(codes.Unauthenticated, "token has expired")
}

func split(fullMethod string) (service, method string) {
	for i := len(fullMethod) - 1; i > 0; i-- {
		if fullMethod[i] == '/' {
			return fullMethod[1:i], fullMethod[i+1:]
		}
	}
	return "", fullMethod
}

func (c *ControlPlane) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := c.enter(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (c *ControlPlane) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := c.enter(s.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(srv, s)
}

// token issues the next one; the caller holds the lock.
func (c *ControlPlane) token() (string, *timestamppb.Timestamp) {
	c.serial++
	return strconv.Itoa(c.serial), timestamppb.New(time.Now().Add(time.Hour))
}

// Enrol implements AgentIdentityServer.
func (c *ControlPlane) Enrol(_ context.Context, r *agentv1.EnrolRequest) (*agentv1.EnrolResponse, error) {
	if r.GetBootstrapToken() != Bootstrap {
		return nil, status.Error(codes.Unauthenticated, "the bootstrap token is unknown")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key = r.GetPublicKey()
	token, expires := c.token()
	return &agentv1.EnrolResponse{
		AgentId: AgentID, ClusterId: ClusterID, ClusterName: ClusterName, OrganizationId: "org", Token: token, TokenExpiresAt: expires,
	}, nil
}

// Challenge implements AgentIdentityServer.
func (c *ControlPlane) Challenge(context.Context, *agentv1.ChallengeRequest) (*agentv1.ChallengeResponse, error) {
	return &agentv1.ChallengeResponse{Nonce: []byte("nonce")}, nil
}

// Renew implements AgentIdentityServer.
func (c *ControlPlane) Renew(_ context.Context, r *agentv1.RenewRequest) (*agentv1.RenewResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	signed := append([]byte("seatrial-agent-renew:"), r.GetNonce()...)
	byNext := c.next != nil && ed25519.Verify(c.next, signed, r.GetSignature())
	if c.revoked || (c.key != nil && !byNext && !ed25519.Verify(c.key, signed, r.GetSignature())) {
		return nil, status.Error(codes.Unauthenticated, "the key is refused")
	}
	if byNext {
		c.key, c.next, c.asks = c.next, nil, false
	}
	token, expires := c.token()
	return &agentv1.RenewResponse{Token: token, TokenExpiresAt: expires, RotateKey: c.asks}, nil
}

// AskForKey makes the agent hear at its next renewal that it is to take another key.
func (c *ControlPlane) AskForKey() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asks = true
	c.oldest = c.serial + 1
}

// Keys returns the key that holds, and the one that is registered beside it.
func (c *ControlPlane) Keys() (key, next ed25519.PublicKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.key, c.next
}

// RotateKey implements AgentIdentityServer.
func (c *ControlPlane) RotateKey(_ context.Context, r *agentv1.RotateKeyRequest) (*agentv1.RotateKeyResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	message := slices.Concat([]byte("seatrial-agent-rotate:"), r.GetNewPublicKey(), r.GetNonce())
	if !ed25519.Verify(c.key, message, r.GetSignature()) || !ed25519.Verify(r.GetNewPublicKey(), message, r.GetNewSignature()) {
		return nil, status.Error(codes.Unauthenticated, "the signatures do not fit")
	}
	c.next = r.GetNewPublicKey()
	return &agentv1.RotateKeyResponse{}, nil
}

// ReportAttempt implements AgentGatewayServer.
func (c *ControlPlane) ReportAttempt(ctx context.Context, r *agentv1.ReportAttemptRequest) (*agentv1.ReportAttemptResponse, error) {
	select {
	case c.reports <- proto.CloneOf(r.GetReport()):
	case <-ctx.Done(): // nobody reads them
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	return &agentv1.ReportAttemptResponse{Status: r.GetReport().GetStatus()}, nil
}

// Store keeps an assignment for FetchAttempt.
func (c *ControlPlane) Store(a *agentv1.Assignment, digest string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored[a.GetAttemptId()] = &agentv1.FetchAttemptResponse{Assignment: a, SpecDigest: digest}
}

// FetchAttempt implements AgentGatewayServer.
func (c *ControlPlane) FetchAttempt(_ context.Context, r *agentv1.FetchAttemptRequest) (*agentv1.FetchAttemptResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, ok := c.stored[r.GetAttemptId()]; ok {
		return a, nil
	}
	return nil, status.Error(codes.NotFound, "there is no such attempt")
}

// Report returns the next report that matches, passing over others.
func (c *ControlPlane) Report(tb testing.TB, match func(*agentv1.AttemptReport) bool) *agentv1.AttemptReport {
	tb.Helper()
	return receive(tb, "a report", c.Patience, c.reports, match)
}

// receive returns the next element that matches.
func receive[T any](tb testing.TB, what string, wait time.Duration, from <-chan T, match func(T) bool) T {
	tb.Helper()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case x, ok := <-from:
			if !ok {
				tb.Fatalf("%s: the connection ended first", what)
			}
			if match == nil || match(x) {
				return x
			}
		case <-timer.C:
			tb.Fatalf("%s did not come within %s", what, wait)
		}
	}
}
