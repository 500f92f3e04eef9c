package sim

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/integration/history"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// dialOptions let messages between an agent and the control plane be lost, doubled, held up and reordered.
func (a *agent) dialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithContextDialer(a.dial),
		grpc.WithChainUnaryInterceptor(a.unary),
		grpc.WithChainStreamInterceptor(a.stream),
	}
}

var errLost = status.Error(codes.Unavailable, "lost by the simulation")

// unary decides about calls. A report may also arrive a second time, much later than the agent thinks.
func (a *agent) unary(
	ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	w := a.w
	report, isReport := req.(*agentv1.ReportAttemptRequest)
	if !isReport {
		return invoke(ctx, method, req, reply, conn, opts...)
	}
	w.delay(a, "report")
	if w.happens("report.drop", w.plan.Drop) {
		return errLost
	}
	if w.happens("report.double", w.plan.Double) {
		again := proto.CloneOf(report)
		w.running.Go(func() {
			w.sleep(w.chance.within("report.late", 0, 20*time.Second))
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			_ = invoke(ctx, method, again, &agentv1.ReportAttemptResponse{}, conn, opts...) // nobody waits for the second answer
		})
	}
	err := w.around(a, "wire.report", func() error { return invoke(ctx, method, req, reply, conn, opts...) })
	if err == nil && w.happens("report.ack.drop", w.plan.Drop) {
		return errLost
	}
	if answer, ok := reply.(*agentv1.ReportAttemptResponse); ok && err == nil {
		now := answer.GetStatus()
		w.history.Add(history.Event{
			Kind: history.Reported, Attempt: report.GetReport().GetAttemptId(), Status: now.String(),
			Terminal: now >= agentv1.AttemptStatus_ATTEMPT_STATUS_PASSED,
		})
	}
	if err == errDead || err == errFailed { //nolint:errorlint // its own
		return errLost
	}
	return err
}

func (a *agent) stream(
	ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	ctx, cancel := context.WithCancel(ctx)
	inner, err := open(ctx, desc, conn, method, opts...)
	if err != nil {
		cancel()
		return nil, err //nolint:wrapcheck // transparent
	}
	f := &faulty{ClientStream: inner, agent: a, cancel: cancel, more: make(chan struct{}, 1), session: method == agentv1.AgentGateway_Session_FullMethodName}
	if f.session {
		a.w.running.Go(func() { f.pump(ctx) })
	}
	return f, nil
}

// faulty is a stream of the session, whose frames the protocol may lose, or of logs, which can only break.
type faulty struct {
	grpc.ClientStream
	agent   *agent
	cancel  context.CancelFunc
	session bool

	mu   sync.Mutex
	next []*agentv1.ServerFrame // to be received before anything else
	held *agentv1.ServerFrame   // to be received behind the next

	out  []*agentv1.AgentFrame // to be sent by pump; nil stands for the end
	more chan struct{}
}

// SendMsg implements grpc.ClientStream.
func (f *faulty) SendMsg(m any) error {
	w := f.agent.w
	switch m := m.(type) {
	case *agentv1.AppendLogsRequest:
		if w.happens("logs.break", w.plan.Break) {
			f.cancel()
			return errLost
		}
		return f.send("wire.append-logs", m)
	case *agentv1.AgentFrame:
		f.queue(m)
		return nil
	}
	return f.ClientStream.SendMsg(m) //nolint:wrapcheck // transparent
}

// CloseSend implements grpc.ClientStream.
func (f *faulty) CloseSend() error {
	if f.session {
		f.queue(nil)
		return nil
	}
	return f.ClientStream.CloseSend() //nolint:wrapcheck // transparent
}

// queue hands a frame to pump. Whoever sends holds a lock, and time must not pass under one: it does not pass while others wait for it.
func (f *faulty) queue(m *agentv1.AgentFrame) {
	f.mu.Lock()
	f.out = append(f.out, m)
	f.mu.Unlock()
	select {
	case f.more <- struct{}{}:
	default:
	}
}

// pump sends what is queued, in order, and takes the time for it that the faults want.
func (f *faulty) pump(ctx context.Context) {
	for {
		f.mu.Lock()
		out := f.out
		f.out = nil
		f.mu.Unlock()
		for _, m := range out {
			if m == nil {
				_ = f.ClientStream.CloseSend() // never fails
				return
			}
			if f.sendFrame(m) != nil {
				return // the reader hears why
			}
		}
		select {
		case <-f.more:
		case <-ctx.Done():
			return
		}
	}
}

func (f *faulty) sendFrame(m *agentv1.AgentFrame) error {
	w, effect := f.agent.w, ""
	switch m.GetFrame().(type) {
	case *agentv1.AgentFrame_Hello:
		return f.send("", m)
	case *agentv1.AgentFrame_CommandAck:
		effect = "wire.ack"
	case *agentv1.AgentFrame_Inventory:
		effect = "wire.inventory"
	}
	w.delay(f.agent, "frame.up")
	if w.happens("frame.up.drop", w.plan.Drop) {
		return nil
	}
	if err := f.send(effect, m); err != nil || !w.happens("frame.up.double", w.plan.Double) {
		return err
	}
	return f.send("", m)
}

func (f *faulty) send(effect string, m any) error {
	if effect == "" {
		return f.ClientStream.SendMsg(m) //nolint:wrapcheck // transparent
	}
	err := f.agent.w.around(f.agent, effect, func() error { return f.ClientStream.SendMsg(m) })
	if err == errDead || err == errFailed { //nolint:errorlint // its own
		f.cancel()
		return errLost
	}
	return err
}

// RecvMsg implements grpc.ClientStream.
func (f *faulty) RecvMsg(m any) error {
	w := f.agent.w
	switch m := m.(type) {
	case *agentv1.AppendLogsResponse:
		if err := f.ClientStream.RecvMsg(m); err != nil {
			f.cancel()
			return err //nolint:wrapcheck // transparent
		}
		if w.happens("logs.ack.break", w.plan.Break) {
			f.cancel()
			return errLost
		}
		if m.GetRefused() == "" {
			w.history.Add(history.Event{Kind: history.Committed, Attempt: m.GetAttemptId(), Stream: m.GetStream(), Offset: m.GetCommitted()})
		}
		return nil
	case *agentv1.ServerFrame:
		return f.recvFrame(m)
	}
	return f.ClientStream.RecvMsg(m) //nolint:wrapcheck // transparent
}

func (f *faulty) recvFrame(m *agentv1.ServerFrame) error {
	w := f.agent.w
	for {
		if frame := f.pop(); frame != nil {
			proto.Merge(m, frame)
			return nil
		}
		proto.Reset(m)
		if err := f.ClientStream.RecvMsg(m); err != nil {
			f.cancel()
			return err //nolint:wrapcheck // transparent
		}
		f.agent.skewed(m)
		effect, fixed := effectOf(m)
		if fixed {
			return nil
		}
		w.delay(f.agent, "frame.down")
		if w.happens("frame.down.drop", w.plan.Drop) {
			continue
		}
		if effect != "" {
			f.agent.site.sent(m)
			if w.at(f.agent, before(effect)) != nil || w.at(f.agent, after(effect)) != nil {
				f.cancel()
				return errLost
			}
		}
		f.mu.Lock()
		if w.happens("frame.down.double", w.plan.Double) {
			f.next = append(f.next, proto.CloneOf(m))
		}
		if f.held != nil {
			f.next, f.held = append(f.next, f.held), nil
		} else if w.happens("frame.down.hold", w.plan.Double) {
			f.held = proto.CloneOf(m)
			f.mu.Unlock()
			continue
		}
		f.mu.Unlock()
		return nil
	}
}

func (f *faulty) pop() *agentv1.ServerFrame {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.next) == 0 {
		return nil
	}
	first := f.next[0]
	f.next = f.next[1:]
	return first
}

// effectOf names what a frame makes the agent do. The frames of which a session consists are fixed: without them there is none.
func effectOf(m *agentv1.ServerFrame) (effect string, fixed bool) {
	switch k := m.GetFrame().(type) {
	case *agentv1.ServerFrame_Welcome:
		return "", true
	case *agentv1.ServerFrame_Command:
		switch k.Command.GetKind().(type) {
		case *agentv1.Command_Start:
			return "wire.start", false
		case *agentv1.Command_Cancel:
			return "wire.cancel", false
		case *agentv1.Command_Release:
			return "wire.release", false
		}
	}
	return "", false
}

// skewed makes a frame's times those of a control plane whose clock differs from the cluster's.
func (a *agent) skewed(m *agentv1.ServerFrame) {
	skew := a.site.skew()
	if skew == 0 {
		return
	}
	move := func(t *timestamppb.Timestamp) *timestamppb.Timestamp {
		if t == nil {
			return nil
		}
		return timestamppb.New(t.AsTime().Add(skew))
	}
	if welcome := m.GetWelcome(); welcome != nil {
		welcome.ServerTime = move(welcome.GetServerTime())
	}
	if command := m.GetCommand(); command != nil {
		command.ExpiresAt = move(command.GetExpiresAt())
	}
}

// delay holds whoever sends up, now and then.
func (w *World) delay(a *agent, what string) {
	if w.happens(what+".late", w.plan.Late) {
		w.pause(a.dead, w.chance.within(what+".by", 0, 3*time.Second))
	}
}
