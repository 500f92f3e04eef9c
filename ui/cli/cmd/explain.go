package cmd

import (
	"errors"

	"connectrpc.com/connect"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// explain writes one message: what went wrong, where, and what to do.
func (a *app) explain(err error) {
	var wire *connect.Error
	var late *gaveUpError
	var told *toldError
	switch {
	case errors.As(err, &told):
		return
	case errors.As(err, &late):
		a.say("Error: gave up after waiting %s for %s: %s", late.waited, a.target.Server, reason(late.cause))
		a.say("Nothing was stopped. Try again when the control plane is back.")
		return
	case !errors.As(err, &wire):
		a.say("Error: %v", err)
		return
	}
	d := detail(wire)
	switch {
	case !connect.IsWireError(wire) && wire.Code() != connect.CodeCanceled:
		a.say("Error: the control plane at %s cannot be reached: %s", a.target.Server, render.Line(wire.Message()))
		a.say("Check that it runs, that the address is right, and that no proxy or firewall is in between.")
		return
	case wire.Code() == connect.CodeUnauthenticated:
		a.say("Error: %s", render.Line(wire.Message()))
		a.say("The token is missing, expired or revoked: run `seatrial login --server %s` again, or set SEATRIAL_TOKEN.", a.target.Server)
		return
	}
	a.say("Error: %s", render.Line(wire.Message()))
	if d.GetField() != "" {
		a.say("At: %s", render.Line(d.GetField()))
	}
	if d.GetHint() != "" {
		a.say("%s", render.Line(d.GetHint()))
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

// reason returns the text of an error without the words of the protocol around it.
func reason(err error) string {
	var wire *connect.Error
	if errors.As(err, &wire) {
		return render.Line(wire.Message())
	}
	return err.Error()
}

// toldError is an outcome that was printed already: it has an exit code and nothing more to say.
type toldError struct{ sentence string }

func (e *toldError) Error() string { return e.sentence }

func coded(code int, err error) error { return &exitcode.Error{Code: code, Err: err} }
