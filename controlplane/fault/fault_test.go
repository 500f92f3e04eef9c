package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/seatrial/seatrial/controlplane/fault"
)

func TestKindOf(t *testing.T) {
	t.Parallel()
	base := fault.New(fault.NotFound, "workflow %q does not exist", "shop")
	tests := map[string]struct {
		err    error
		want   fault.Kind
		reason string
	}{
		"Direct":      {base, fault.NotFound, "its own kind"},
		"Wrapped":     {fmt.Errorf("run: %w", base), fault.NotFound, "wrapping keeps the kind"},
		"OutermostOf": {fault.Wrap(fault.Unavailable, base, "store"), fault.Unavailable, "whoever wraps with a kind knows better"},
		"Foreign":     {io.EOF, fault.Internal, "what nobody classified is a defect"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fault.KindOf(tc.err); got != tc.want {
				t.Errorf("KindOf = %s, want %s: %s", got, tc.want, tc.reason)
			}
		})
	}
	if fault.Is(nil, fault.Internal) {
		t.Error("no error has a kind")
	}
}

func TestError_Copies(t *testing.T) {
	t.Parallel()
	base := fault.Wrap(fault.Invalid, io.ErrUnexpectedEOF, "document ends early")
	full := base.WithField("spec.steps").WithHint("add %d more", 2)
	if base.Field != "" || base.Hint != "" {
		t.Error("the original was changed")
	}
	if full.Field != "spec.steps" || full.Hint != "add 2 more" || !errors.Is(full, io.ErrUnexpectedEOF) {
		t.Errorf("copy lost something: %+v", full)
	}
}
