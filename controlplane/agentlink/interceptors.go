package agentlink

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/selector"
	"google.golang.org/grpc"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// A call that is not a stream ends within it.
const unaryTimeout = 30 * time.Second

// interceptors are, from the outside in: errors become statuses, defects become errors, credentials become viewers.
func (s *Server) interceptors() []grpc.ServerOption {
	gateway := selector.MatchFunc(func(_ context.Context, c interceptors.CallMeta) bool { // all but those that give credentials
		return c.Service != agentv1.AgentIdentity_ServiceDesc.ServiceName
	})
	defect := recovery.WithRecoveryHandlerContext(func(_ context.Context, p any) error {
		return fmt.Errorf("the handler broke: %v", p)
	})
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(
			func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				bounded, cancel := context.WithTimeout(ctx, unaryTimeout)
				defer cancel()
				reply, err := next(bounded, req)
				return reply, toStatus(ctx, s.o.Log, info.FullMethod, err)
			},
			recovery.UnaryServerInterceptor(defect),
			selector.UnaryServerInterceptor(auth.UnaryServerInterceptor(s.authenticate), gateway),
		),
		grpc.ChainStreamInterceptor(
			func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
				return toStatus(stream.Context(), s.o.Log, info.FullMethod, next(srv, stream))
			},
			recovery.StreamServerInterceptor(defect),
			selector.StreamServerInterceptor(auth.StreamServerInterceptor(s.authenticate), gateway),
		),
	}
}

// authenticate takes the viewer from the credential and from nothing else.
func (s *Server) authenticate(ctx context.Context) (context.Context, error) {
	token, err := auth.AuthFromMD(ctx, "bearer")
	if err != nil || strings.TrimSpace(token) == "" {
		return nil, fault.New(fault.Unauthenticated, "the call carries no agent token")
	}
	viewer, err := s.o.Identity.Agent(ctx, token)
	if err != nil {
		return nil, fmt.Errorf("agent token: %w", err)
	}
	if viewer.Kind != tenant.KindAgent {
		return nil, fault.New(fault.Unauthenticated, "the token is not an agent's")
	}
	return tenant.WithViewer(ctx, viewer), nil
}
