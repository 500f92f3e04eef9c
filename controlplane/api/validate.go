package api

import (
	"context"
	"errors"
	"fmt"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// validation checks requests against the rules in their definition.
type validation struct{ validator protovalidate.Validator }

func (v *validation) check(message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return nil
	}
	err := v.validator.Validate(m)
	var broken *protovalidate.ValidationError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &broken) || len(broken.Violations) == 0:
		return fmt.Errorf("validate request: %w", err)
	}
	f := &fault.Error{Kind: fault.Invalid}
	for _, one := range broken.Violations {
		f.Places = append(f.Places, fault.Place{Field: protovalidate.FieldPathString(one.Proto.GetField()), Message: one.Proto.GetMessage()})
	}
	f.Field, f.Message = f.Places[0].Field, f.Places[0].Field+": "+f.Places[0].Message
	return f
}

// WrapUnary implements connect.Interceptor.
func (v *validation) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if err := v.check(req.Any()); err != nil {
			return nil, err
		}
		return next(ctx, req)
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (v *validation) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements connect.Interceptor.
func (v *validation) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return next(ctx, &checkedConn{StreamingHandlerConn: conn, check: v.check})
	}
}

// checkedConn checks each message it receives.
type checkedConn struct {
	connect.StreamingHandlerConn
	check func(any) error
}

// Receive implements connect.StreamingHandlerConn.
func (c *checkedConn) Receive(message any) error {
	if err := c.StreamingHandlerConn.Receive(message); err != nil {
		return err //nolint:wrapcheck // Connect's own error
	}
	return c.check(message)
}
