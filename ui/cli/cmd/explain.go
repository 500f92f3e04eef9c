package cmd

import (
	"errors"

	"connectrpc.com/connect"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

// explain writes one message: what went wrong, where, and what to do.
func (a *app) explain(err error) {
	var wire *connect.Error
	if !errors.As(err, &wire) {
		a.say("Error: %v", err)
		return
	}
	d := detail(wire)
	switch {
	case !connect.IsWireError(wire) && wire.Code() != connect.CodeCanceled:
		a.say("Error: the control plane at %s cannot be reached: %s", a.target.Server, wire.Message())
		a.say("Check that it runs, that the address is right, and that no proxy or firewall is in between.")
		return
	case wire.Code() == connect.CodeUnauthenticated:
		a.say("Error: %s", wire.Message())
		a.say("The token is missing, expired or revoked: run `seatrial login --server %s` again, or set SEATRIAL_TOKEN.", a.target.Server)
		return
	}
	a.say("Error: %s", wire.Message())
	if d.GetField() != "" {
		a.say("At: %s", d.GetField())
	}
	if d.GetHint() != "" {
		a.say("%s", d.GetHint())
	}
}

func detail(err *connect.Error) *apiv1.ErrorDetail {
	for _, d := range err.Details() {
		v, e := d.Value()
		if e != nil {
			continue
		}
		if found, ok := v.(*apiv1.ErrorDetail); ok {
			return found
		}
	}
	return nil
}

func coded(code int, err error) error { return &exitcode.Error{Code: code, Err: err} }
