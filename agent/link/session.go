package link

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	protocol        = 1
	welcomeTimeout  = 20 * time.Second
	defaultPing     = 15 * time.Second
	defaultInvEvery = 5 * time.Minute
	// An attempt may be absent from inventories for its first minute: only then the control plane concludes something from that.
	defaultRecheck = 70 * time.Second
	// Calls in flight on the connection of an old session get so long to end.
	handover = 20 * time.Second
	// A control plane that is told that the agent stops gets so long to take notice.
	goodbyeFor = time.Second
	// Attempts in one inventory frame: well below the 256 KiB that a frame may have.
	inventoryPage = 500
)

var (
	errSilent    = errors.New("the control plane fell silent")
	errNoSession = errors.New("the connection ended just now")
)

// session is one Session stream on a connection of its own.
type session struct {
	conn    *grpc.ClientConn
	gateway agentv1.AgentGatewayClient
	catalog agentv1.AgentCatalogClient
	watch   agentv1.AgentWatchClient
	stream  grpc.BidiStreamingClient[agentv1.AgentFrame, agentv1.ServerFrame]
	cancel  context.CancelFunc
	welcome *agentv1.Welcome
	// offset is server time minus local time.
	offset time.Duration

	frames chan *agentv1.ServerFrame
	away   chan *agentv1.GoAway // receives one GoAway at most
	done   chan struct{}        // closed when the session has ended and is no longer the current one
	err    error                // why frames was closed

	// The inventory after a cancellation, of the goroutine that serves the session: nil while none is arranged, and when the last is due.
	recheck   *time.Timer
	recheckAt time.Time

	silent  atomic.Bool
	listing atomic.Bool // an inventory is under way: the pages of two must not mix
	sending sync.Mutex
	closed  bool // guarded by sending
}

// connect keeps a session open. It is the owner of every session.
func (l *Link) connect(ctx context.Context) {
	l.o.state(StateDisconnected, nil)
	renewed := false // since a token was last accepted
	for try := 0; ctx.Err() == nil; try++ {
		s, err := l.open(ctx)
		if err != nil {
			wait := l.afterFailure(ctx, try, renewed, err)
			renewed = renewed || status.Code(err) == codes.Unauthenticated
			if pause(ctx, wait) != nil {
				break
			}
			continue
		}
		renewed = false
		since := time.Now()
		l.adopt(ctx, s)
		l.running.Go(func() { l.serve(ctx, s) })
		if g := s.wait(); g != nil {
			l.o.Log.InfoContext(ctx, "control plane asks to reconnect", "reason", g.GetReason())
			try = -1
			_ = pause(ctx, between(g.GetReconnectAfterMin().AsDuration(), g.GetReconnectAfterMax().AsDuration()))
			continue
		}
		if time.Since(since) > healthyAfter {
			try = -1
		}
		_ = pause(ctx, backoff(max(try, 0)))
	}
}

// wait returns when the session has ended, or with the control plane's wish that the agent come again. That wish counts as well
// when the session was ended right behind it.
func (s *session) wait() *agentv1.GoAway {
	select {
	case g := <-s.away:
		return g
	case <-s.done:
	}
	select {
	case g := <-s.away:
		return g
	default:
		return nil
	}
}

// afterFailure logs why no session came about and returns how long to wait.
func (l *Link) afterFailure(ctx context.Context, try int, renewed bool, err error) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	if !errors.Is(err, ErrRevoked) && status.Code(err) == codes.Unauthenticated {
		l.tokens.drop()
		if !renewed {
			return 0
		}
		err = fmt.Errorf("%w: %w", ErrRevoked, err) // a fresh token was refused as well
	}
	if errors.Is(err, ErrRevoked) {
		l.o.state(StateRevoked, err)
		l.o.Log.ErrorContext(ctx, "not connected", "error", err, "in", revokedWait.String())
		return revokedWait
	}
	wait := backoff(try)
	l.o.state(StateDisconnected, err)
	l.o.Log.WarnContext(ctx, "not connected", "error", err, "in", wait.String())
	return wait
}

// open dials, says Hello and waits for Welcome.
func (l *Link) open(ctx context.Context) (*session, error) {
	if _, err := l.tokens.get(ctx); err != nil {
		return nil, err
	}
	conn, err := l.o.dial()
	if err != nil {
		return nil, err
	}
	s := &session{
		conn: conn, frames: make(chan *agentv1.ServerFrame), away: make(chan *agentv1.GoAway, 1), done: make(chan struct{}),
		gateway: agentv1.NewAgentGatewayClient(credentialed{conn, l.tokens}), catalog: agentv1.NewAgentCatalogClient(credentialed{conn, l.tokens}),
		watch: agentv1.NewAgentWatchClient(credentialed{conn, l.tokens}),
	}
	ctx, s.cancel = context.WithCancel(ctx)
	if err := s.greet(ctx, l); err != nil {
		s.cancel()
		if s.stream != nil {
			for range s.frames { // the reader ends with the context
			}
		}
		_ = conn.Close()
		if status.Code(err) == codes.Unavailable {
			err = unreachable(l.o.Address, err)
		}
		return nil, err
	}
	return s, nil
}

func (s *session) greet(ctx context.Context, l *Link) error {
	stream, err := s.gateway.Session(ctx)
	if err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	s.stream = stream
	l.running.Go(s.read)
	s.send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Hello{Hello: &agentv1.Hello{
		SessionNonce: uuid.NewString(), ProtocolMin: protocol, ProtocolMax: protocol, AgentVersion: l.o.Version,
		KubernetesVersion: l.o.KubernetesVersion, Namespaces: l.o.Namespaces, RunnerDelivery: l.o.RunnerDelivery, Rules: l.o.Rules,
		Capabilities: l.capabilities(),
	}}})
	timer := time.NewTimer(welcomeTimeout)
	defer timer.Stop()
	select {
	case f, ok := <-s.frames:
		if !ok {
			return fmt.Errorf("open session: %w", s.err)
		}
		if s.welcome = f.GetWelcome(); s.welcome == nil {
			if g := f.GetGoAway(); g != nil {
				return fmt.Errorf("the control plane turned the session away: %s", g.GetReason())
			}
			return fmt.Errorf("the control plane said %T before Welcome", f.GetFrame())
		}
	case <-timer.C:
		return fmt.Errorf("open session: %w", errSilent)
	}
	if t := s.welcome.GetServerTime(); t != nil {
		s.offset = time.Until(t.AsTime())
	}
	return nil
}

// read moves frames from the stream to the channel; it ends with the stream.
func (s *session) read() {
	defer close(s.frames)
	for {
		f, err := s.stream.Recv()
		if err != nil {
			s.err = err
			return
		}
		select {
		case s.frames <- f:
		case <-s.stream.Context().Done():
			s.err = s.stream.Context().Err()
			return
		}
	}
}

// send writes a frame; a failure shows at the reader.
func (s *session) send(f *agentv1.AgentFrame) {
	s.sendNow(func() *agentv1.AgentFrame { return f })
}

// sendNow writes a frame that is made at the moment of sending, so that a newer one never comes before it.
func (s *session) sendNow(f func() *agentv1.AgentFrame) {
	s.sending.Lock()
	defer s.sending.Unlock()
	if !s.closed {
		_ = s.stream.Send(f()) // Recv returns the stream's error
	}
}

// closeSend ends the agent's half. Sending after that would break the stream off, and with it what is on its way.
func (s *session) closeSend() {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.closed = true
	_ = s.stream.CloseSend() // never fails
}

// adopt makes a session the current one and lets the previous one go: make before break.
func (l *Link) adopt(ctx context.Context, s *session) {
	l.telling.Lock()
	defer l.telling.Unlock()
	if old := l.replace(s); old != nil {
		old.cancel()
		l.closeLater(ctx, old)
	}
	l.o.state(StateConnected, nil)
	l.o.Log.InfoContext(ctx, "connected", "session", s.welcome.GetSessionId(), "epoch", s.welcome.GetEpoch())
}

// leave notes that a session has ended. When it was the current one, calls wait for the next instead of failing on it.
func (l *Link) leave(ctx context.Context, s *session) {
	defer close(s.done)
	l.telling.Lock()
	defer l.telling.Unlock()
	if l.session() != s {
		return
	}
	l.replace(nil)
	l.closeLater(ctx, s)
	if status.Code(s.err) == codes.Unauthenticated { // tokens are looked at when a session opens: this one lost its right
		l.tokens.drop()
		err := fmt.Errorf("%w: %w", ErrRevoked, s.err)
		l.o.state(StateRevoked, err)
		l.o.Log.ErrorContext(ctx, "no new tests are taken", "error", err)
		return
	}
	if ctx.Err() == nil && !l.stopping.Load() {
		l.o.state(StateDisconnected, s.err)
		l.o.Log.WarnContext(ctx, "connection to the control plane lost", "error", s.err)
	}
}

func (l *Link) replace(s *session) (old *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, l.current = l.current, s
	close(l.changed)
	l.changed = make(chan struct{})
	return old
}

// closeLater closes the connection of a session once the calls on it had their time.
func (l *Link) closeLater(ctx context.Context, s *session) {
	l.running.Go(func() {
		_ = pause(ctx, handover) // either way the connection goes
		<-s.done
		_ = s.conn.Close()
	})
}

// serve handles a session's frames until it ends.
func (l *Link) serve(ctx context.Context, s *session) {
	every := orDefault(s.welcome.GetPingEvery().AsDuration(), defaultPing)
	// Ends the session from outside: a peer that takes nothing in holds up whoever sends.
	silence := time.AfterFunc(3*every, func() {
		s.silent.Store(true)
		s.cancel()
	})
	defer func() {
		silence.Stop()
		s.cancel()
		for range s.frames { // the reader ends with the context
		}
		if s.silent.Load() {
			s.err = errSilent
		}
		l.leave(ctx, s)
	}()
	ping := time.NewTicker(every)
	defer ping.Stop()
	inventory := time.NewTicker(orDefault(s.welcome.GetInventoryEvery().AsDuration(), defaultInvEvery))
	defer inventory.Stop()
	l.compare(ctx, s)
	l.credit(s)
	l.recheckLast(s)
	for {
		select {
		case f, ok := <-s.frames:
			if !ok {
				return
			}
			silence.Reset(3 * every)
			l.frame(ctx, s, f)
		case <-ping.C:
			s.send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Ping{Ping: &agentv1.Ping{Time: timestamppb.Now()}}})
		case <-inventory.C:
			l.compare(ctx, s)
		case <-s.rechecked():
			s.recheckNext()
			l.running.Go(func() { l.inventory(ctx, s) })
		}
	}
}

// recheckIn arranges an inventory. One that is arranged already comes first, and another one after it: so there is at most one in d.
func (s *session) recheckIn(d time.Duration) {
	s.recheckAt = time.Now().Add(d)
	if s.recheck == nil {
		s.recheck = time.NewTimer(d)
	}
}

// recheckLast arranges the inventory that a session before this one did not live to send.
func (l *Link) recheckLast(s *session) {
	at := l.cancelled.Load()
	if left := time.Until(time.Unix(0, at).Add(orDefault(l.o.Recheck, defaultRecheck))); at > 0 && left > 0 {
		s.recheckIn(left)
	}
}

// recheckNext arranges the inventory of what was cancelled after the one that is due now had been arranged.
func (s *session) recheckNext() {
	s.recheck = nil
	if wait := time.Until(s.recheckAt); wait > 0 {
		s.recheck = time.NewTimer(wait)
	}
}

// rechecked is when the arranged inventory is due; nil when there is none.
func (s *session) rechecked() <-chan time.Time {
	if s.recheck == nil {
		return nil
	}
	return s.recheck.C
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// credentialed adds the agent's token to every call of a connection.
type credentialed struct {
	*grpc.ClientConn
	tokens *tokens
}

func (c credentialed) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return c.ClientConn.Invoke(ctx, method, args, reply, append(opts, grpc.PerRPCCredentials(c.tokens))...) //nolint:wrapcheck // transparent
}

func (c credentialed) NewStream(
	ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return c.ClientConn.NewStream(ctx, desc, method, append(opts, grpc.PerRPCCredentials(c.tokens))...) //nolint:wrapcheck // transparent
}
