package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"connectrpc.com/connect"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// codeOf maps the kinds of fault to those of Connect. This file is the one place where errors become what callers see.
func codeOf(k fault.Kind) connect.Code {
	switch k {
	case fault.Invalid:
		return connect.CodeInvalidArgument
	case fault.NotFound:
		return connect.CodeNotFound
	case fault.Unauthenticated:
		return connect.CodeUnauthenticated
	case fault.Forbidden:
		return connect.CodePermissionDenied
	case fault.Conflict:
		return connect.CodeFailedPrecondition
	case fault.Exhausted:
		return connect.CodeResourceExhausted
	case fault.Unavailable:
		return connect.CodeUnavailable
	case fault.Unsupported:
		return connect.CodeUnimplemented
	case fault.Internal:
	}
	return connect.CodeInternal
}

// httpOf maps the kinds to HTTP statuses for downloads.
func httpOf(k fault.Kind) int {
	switch k {
	case fault.Invalid, fault.Unsupported:
		return http.StatusBadRequest
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.Conflict:
		return http.StatusConflict
	case fault.Exhausted:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Internal:
	}
	return http.StatusInternalServerError
}

// errorMapper turns the errors of handlers, and their panics, into Connect errors with a detail.
type errorMapper struct{ log *slog.Logger }

// WrapUnary implements connect.Interceptor.
func (m *errorMapper) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (res connect.AnyResponse, err error) {
		defer func() {
			if p := recover(); p != nil {
				res, err = nil, m.visible(ctx, req.Spec().Procedure, fmt.Errorf("the handler broke: %v", p))
			}
		}()
		res, err = next(ctx, req)
		return res, m.visible(ctx, req.Spec().Procedure, err)
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (m *errorMapper) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements connect.Interceptor.
func (m *errorMapper) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = m.visible(ctx, conn.Spec().Procedure, fmt.Errorf("the handler broke: %v", p))
			}
		}()
		return m.visible(ctx, conn.Spec().Procedure, next(ctx, conn))
	}
}

// visible returns what the caller may see of an error. A defect gets a reference by which the log can be searched.
func (m *errorMapper) visible(ctx context.Context, procedure string, err error) error {
	if err == nil {
		return nil
	}
	var wire *connect.Error
	if errors.As(err, &wire) { // Connect's own: a body that cannot be read, a stream that broke
		return wire
	}
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return connect.NewError(connect.CodeCanceled, errors.New("the call was cancelled"))
	}
	return wireError(seen(ctx, m.log, procedure, err))
}

// seen returns the fault in an error, or one with a reference for a defect, which it logs.
func seen(ctx context.Context, log *slog.Logger, where string, err error) *fault.Error {
	var f *fault.Error
	if errors.As(err, &f) && f.Kind != fault.Internal {
		if f.Kind == fault.Unavailable {
			log.WarnContext(ctx, "call not possible now", "call", where, "error", err)
		}
		return f
	}
	reference := uuid.NewString()
	log.ErrorContext(ctx, "call failed", "call", where, "reference", reference, "error", err)
	return fault.New(fault.Internal, "the control plane failed").
		WithHint("Look for the reference %s in the log of the control plane.", reference)
}

func wireError(f *fault.Error) *connect.Error {
	e := connect.NewError(codeOf(f.Kind), errors.New(f.Message))
	detail := &apiv1.ErrorDetail{Kind: string(f.Kind), Field: f.Field, Hint: f.Hint}
	for _, p := range f.Places {
		detail.Faults = append(detail.Faults, &apiv1.Fault{
			Field: p.Field, Line: int32Of(p.Line), Column: int32Of(p.Column), Message: p.Message,
		})
	}
	if d, err := connect.NewErrorDetail(detail); err == nil {
		e.AddDetail(d)
	}
	return e
}
