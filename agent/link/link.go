// Package link is the agent's one outbound connection: enrolment, tokens, the session with its commands, and what is delivered
// over it. It translates between the wire and the agent's stages and decides nothing about attempts.
package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// ErrRevoked means that the control plane refuses the agent's key.
var ErrRevoked = errors.New("credential revoked: the control plane refuses this agent's key; " +
	"tests that run go on; enrol the cluster again with `seatrial cluster enroll` to use it further")

// State is what an operator wants to know of the connection.
type State string

// The states.
const (
	StateNotEnrolled  State = "not enrolled"
	StateDisconnected State = "disconnected"
	StateConnected    State = "connected"
	StateRevoked      State = "credential revoked"
)

// Options are what a Link needs to dial.
type Options struct {
	Log     *slog.Logger
	Address string
	// TLS is nil for plaintext.
	TLS     *tls.Config
	Version string
	// Said in Hello.
	KubernetesVersion string
	RunnerDelivery    string
	Namespaces        []string
	// Rules say what the agent allows, a sentence each; said in Hello.
	Rules []string
	// Vault keeps the agent's key; without Secrets the key never changes.
	Vault Vault
	// Rotate is how old a key may become until the agent takes another one by itself; 0 means never.
	Rotate time.Duration
	// Clock is time.Now when nil.
	Clock func() time.Time
	// Starts is how many starts the agent takes at a time.
	Starts int
	// Recheck is how long after a cancellation an inventory is sent, although its time has not come; 0 means 70 seconds. The start of what was
	// cancelled may have been lost, and then the inventory alone tells that nothing runs.
	Recheck time.Duration
	// OnState is told of every change; it may be nil.
	OnState func(State, error)
	// DialOptions are added to the Link's own.
	DialOptions []grpc.DialOption
}

// Stages are the parts of the agent that commands go to. Cancel, Resume and Release must not block.
type Stages struct {
	Start   work.Handler
	Cancel  func(attemptID, reason string)
	Resume  func(attemptID string, word *runnerv1.Resume)
	Release func(attemptID string)
	// Again reports an attempt anew: the control plane has lost reports that it took.
	Again     func(attemptID string)
	Inventory func(ctx context.Context) ([]*agentv1.InventoryItem, error)
	// Documents is told that states of custom resources have changed, or that everything is to be compared: at the begin of a session and
	// from time to time. It must not block, and is nil in a cluster without documents.
	Documents func(compare bool)
	// Watches is told that there may be something else to look at: at the begin of a session, from time to time, and when the control plane
	// says so. It must not block, and may be nil.
	Watches func()
	// Examine looks at the agent and its cluster. It may block, for less than half a minute; nil for an agent that cannot.
	Examine func(ctx context.Context) []*agentv1.Check
}

// Link implements work.Uplink.
type Link struct {
	o      Options
	tokens *tokens
	stages Stages
	logs   *logs

	mu      sync.Mutex
	current *session
	changed chan struct{} // closed and replaced when current changes

	telling  sync.Mutex // held while current changes and OnState is told, so that states come in order
	starting atomic.Int32
	stopping atomic.Bool
	// a look at the agent is under way
	examining atomic.Bool
	// when something was cancelled last, in nanoseconds of Unix; 0 for never
	cancelled atomic.Int64
	cancel    context.CancelFunc
	running   sync.WaitGroup
}

// New returns a Link for an enrolled agent; it dials when it is started.
func New(o Options, i Identity) *Link {
	return &Link{
		o: o,
		tokens: &tokens{
			dial: o.dial, key: i.Key, next: i.Next, since: i.Since, agentID: i.AgentID, address: o.Address, secure: o.TLS != nil,
			rotate: o.Rotate, now: o.now, turn: make(chan struct{}, 1),
		},
		logs:    newLogs(),
		changed: make(chan struct{}),
	}
}

// Start begins to connect and keeps the connection until Stop.
func (l *Link) Start(ctx context.Context, stages Stages) {
	l.stages = stages
	ctx, l.cancel = context.WithCancel(ctx)
	l.running.Go(func() { l.connect(ctx) })
	l.running.Go(func() { l.logs.run(ctx, l) })
	l.running.Go(func() { l.keepKeys(ctx) })
}

// Stop says goodbye and returns when everything has ended.
func (l *Link) Stop() {
	if l.cancel == nil {
		return
	}
	l.stopping.Store(true)
	// Whoever does not listen any more is not waited for.
	timer := time.AfterFunc(goodbyeFor, l.cancel)
	if s := l.session(); s != nil {
		s.send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Draining{Draining: &agentv1.Draining{}}})
		s.closeSend()
		<-s.done
	}
	timer.Stop()
	l.cancel()
	l.running.Wait()
}

func (o Options) dial() (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if o.TLS != nil {
		transport = credentials.NewTLS(o.TLS)
	}
	opts := append([]grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		// Pings of the session come more often; these find a dead connection while only logs flow.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
	}, o.DialOptions...)
	conn, err := grpc.NewClient(o.Address, opts...)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", o.Address, err)
	}
	return conn, nil
}

func (o Options) now() time.Time {
	if o.Clock == nil {
		return time.Now()
	}
	return o.Clock()
}

func (o Options) state(s State, err error) {
	if o.OnState != nil {
		o.OnState(s, err)
	}
}

func (l *Link) session() *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// gateway returns the client of the current connection, waiting for one.
func (l *Link) gateway(ctx context.Context) (agentv1.AgentGatewayClient, error) {
	client, _, err := l.await(ctx)
	return client, err
}

// await returns the client of the current connection, and what is closed when another one takes its place.
func (l *Link) await(ctx context.Context) (agentv1.AgentGatewayClient, <-chan struct{}, error) {
	for {
		l.mu.Lock()
		s, changed := l.current, l.changed
		l.mu.Unlock()
		if s != nil {
			return s.gateway, changed, nil
		}
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("wait for the control plane: %w", ctx.Err())
		case <-changed:
		}
	}
}

// Committed implements work.Uplink.
func (l *Link) Committed(ctx context.Context, attemptID string) (map[string]int64, error) {
	reply, err := l.Streams(ctx, attemptID)
	if err != nil {
		return nil, err
	}
	return reply.GetCommitted(), nil
}

// Streams returns how far the log streams of an attempt are committed, and which are final.
func (l *Link) Streams(ctx context.Context, attemptID string) (*agentv1.StreamStateResponse, error) {
	gateway, err := l.gateway(ctx)
	if err != nil {
		return nil, err
	}
	reply, err := gateway.StreamState(ctx, &agentv1.StreamStateRequest{AttemptId: attemptID})
	if err != nil {
		return nil, l.failed("ask for committed offsets", err)
	}
	return reply, nil
}

// Report sends a snapshot of an attempt. work.ErrRefused means that it will never be taken.
func (l *Link) Report(ctx context.Context, r *agentv1.AttemptReport) error {
	gateway, err := l.gateway(ctx)
	if err != nil {
		return err
	}
	if _, err = gateway.ReportAttempt(ctx, &agentv1.ReportAttemptRequest{Report: r}); err != nil {
		return l.failed("report attempt", err)
	}
	return nil
}

// proxySaid is how gRPC words an HTTP error that it had to translate. It comes from a proxy whose control plane is away, and says
// nothing of what was sent.
const proxySaid = "unexpected HTTP status code received from server"

// cannotSend is how gRPC words that a message cannot be written, such as for a text that is no UTF-8. It could not be the next time.
const cannotSend = "error while marshaling"

// failed gives an error of a call the meaning that the stages know.
func (l *Link) failed(what string, err error) error {
	code := status.Code(err)
	if strings.Contains(err.Error(), proxySaid) {
		code = codes.Unavailable
	}
	if code == codes.Internal && strings.Contains(err.Error(), cannotSend) {
		code = codes.InvalidArgument
	}
	switch code { //nolint:exhaustive // the rest is worth another try
	case codes.NotFound, codes.InvalidArgument, codes.PermissionDenied, codes.FailedPrecondition, codes.OutOfRange,
		codes.ResourceExhausted, codes.Unimplemented: // a limit that it exceeds, a kind that is not known there
		return fmt.Errorf("%s: %w: %w", what, work.ErrRefused, err)
	case codes.Unauthenticated:
		l.tokens.drop()
	}
	return fmt.Errorf("%s: %w: %w", what, work.ErrUplinkLost, err)
}
