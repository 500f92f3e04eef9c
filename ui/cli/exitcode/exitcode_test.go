package exitcode_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"connectrpc.com/connect"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

func TestOf(t *testing.T) {
	t.Parallel()
	wire := func(c connect.Code) error { return fmt.Errorf("call: %w", connect.NewError(c, errors.New("x"))) }
	tests := map[string]struct {
		err    error
		want   int
		reason string
	}{
		"None":        {nil, 0, "success"},
		"Plain":       {errors.New("x"), 2, "what says nothing else is usage"},
		"Coded":       {fmt.Errorf("more: %w", &exitcode.Error{Code: 4, Err: errors.New("x")}), 4, "the code travels with the error"},
		"Interrupted": {context.Canceled, 4, "no longer watched"},
		"Deadline":    {context.DeadlineExceeded, 4, "no longer watched"},
		"Invalid":     {wire(connect.CodeInvalidArgument), 2, "the input is wrong"},
		"NotFound":    {wire(connect.CodeNotFound), 2, "the name is wrong"},
		"Unsupported": {wire(connect.CodeUnimplemented), 2, "the input asks for what there is not"},
		"Refused":     {wire(connect.CodePermissionDenied), 3, "refused"},
		"Away":        {wire(connect.CodeUnavailable), 3, "unreachable"},
		"Slow":        {wire(connect.CodeDeadlineExceeded), 3, "unreachable"},
		"Cancelled":   {wire(connect.CodeCanceled), 4, "no longer watched"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := exitcode.Of(tc.err); got != tc.want {
				t.Errorf("got %d, want %d: %s", got, tc.want, tc.reason)
			}
		})
	}
}

// TestOfStatus names a code for every status there is, so that a new one cannot pass by accident.
func TestOfStatus(t *testing.T) {
	t.Parallel()
	want := map[apiv1.Status]int{
		apiv1.Status_STATUS_PASSED: 0, apiv1.Status_STATUS_SKIPPED: 0, apiv1.Status_STATUS_FAILED: 1,
		apiv1.Status_STATUS_TIMED_OUT: 4, apiv1.Status_STATUS_CANCELLED: 4,
	}
	for n := range apiv1.Status_name {
		s := apiv1.Status(n)
		code, known := want[s]
		if !known {
			code = exitcode.Errored
		}
		if got := exitcode.OfStatus(s); got != code {
			t.Errorf("%s gives %d, want %d", s, got, code)
		}
	}
}
