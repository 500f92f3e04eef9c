// Package exitcode maps how a command ended to the exit code that pipelines rely on.
package exitcode

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// The exit codes. They are part of the interface and never change meaning.
const (
	Passed  = 0
	Failed  = 1 // a test or step failed
	Usage   = 2 // the command line or the input is wrong
	Errored = 3 // the infrastructure failed, or the control plane is unreachable or refuses
	Stopped = 4 // timed out, cancelled, or no longer watched
	Missing = 5 // evidence is missing: a release is neither ready nor not ready
)

// Error is an error with its exit code.
type Error struct {
	Code int
	Err  error
}

// Error returns the text of the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Of returns the code for the error a command returned. An error that says nothing else is one of usage.
func Of(err error) int {
	var coded *Error
	var wire *connect.Error
	switch {
	case err == nil:
		return Passed
	case errors.As(err, &coded):
		return coded.Code
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Stopped
	case errors.As(err, &wire):
		return ofWire(wire.Code())
	}
	return Usage
}

func ofWire(c connect.Code) int {
	switch c {
	case connect.CodeInvalidArgument, connect.CodeNotFound, connect.CodeUnimplemented, connect.CodeOutOfRange:
		return Usage
	case connect.CodeCanceled:
		return Stopped
	default:
		return Errored
	}
}

// OfStatus returns the code for the end of an execution.
func OfStatus(s apiv1.Status) int {
	switch s {
	case apiv1.Status_STATUS_PASSED, apiv1.Status_STATUS_SKIPPED:
		return Passed
	case apiv1.Status_STATUS_FAILED:
		return Failed
	case apiv1.Status_STATUS_TIMED_OUT, apiv1.Status_STATUS_CANCELLED:
		return Stopped
	default:
		return Errored
	}
}

// OfState returns the code for the verdict on a release.
func OfState(s apiv1.State) int {
	switch s {
	case apiv1.State_STATE_READY, apiv1.State_STATE_READY_WITH_WAIVERS:
		return Passed
	case apiv1.State_STATE_NOT_READY:
		return Failed
	case apiv1.State_STATE_INCOMPLETE:
		return Missing
	case apiv1.State_STATE_UNSPECIFIED:
	}
	return Errored
}
