package agentlink

import (
	"context"
	"errors"
	"log/slog"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// code maps the kinds of fault to those of gRPC.
func code(k fault.Kind) codes.Code {
	switch k {
	case fault.Invalid:
		return codes.InvalidArgument
	case fault.NotFound:
		return codes.NotFound
	case fault.Unauthenticated:
		return codes.Unauthenticated
	case fault.Forbidden:
		return codes.PermissionDenied
	case fault.Conflict:
		return codes.FailedPrecondition
	case fault.Exhausted:
		return codes.ResourceExhausted
	case fault.Unavailable:
		return codes.Unavailable
	case fault.Unsupported:
		return codes.Unimplemented
	case fault.Internal:
	}
	return codes.Internal
}

// toStatus turns an error of a handler into what the agent sees. A defect is logged here and shown as nothing but that.
func toStatus(ctx context.Context, log *slog.Logger, method string, err error) error {
	if err == nil {
		return nil
	}
	if s, ok := status.FromError(err); ok && s.Code() != codes.Unknown {
		return s.Err()
	}
	if errors.Is(err, context.Canceled) || ctx.Err() != nil {
		return status.FromContextError(context.Canceled).Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(context.DeadlineExceeded).Err()
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind == fault.Internal {
		log.ErrorContext(ctx, "agent call failed", "method", method, "error", err)
		return status.Error(codes.Internal, "the control plane failed; its log says why")
	}
	if f.Kind == fault.Unavailable {
		log.WarnContext(ctx, "agent call not possible now", "method", method, "error", err)
	}
	message := f.Message
	if f.Hint != "" {
		message += " (" + f.Hint + ")"
	}
	return status.Error(code(f.Kind), message)
}
