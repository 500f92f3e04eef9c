package view

import (
	"context"

	"github.com/seatrial/seatrial/controlplane/testcase"
)

// Tests reads how tests behave over time and keeps quarantines, for the viewer of the context. What is absent or foreign is
// fault.NotFound.
type Tests interface {
	// Unreliable returns the tests that cannot be relied on, those that waste most time first, and those in quarantine however they
	// behave; workflow may be empty.
	Unreliable(ctx context.Context, workflow string) ([]testcase.History, error)
	// Standing returns how the tests of a workflow have done lately, the worst first.
	Standing(ctx context.Context, workflow string) (testcase.Standing, error)
	Test(ctx context.Context, key string) (testcase.History, error)
	// Quarantine has the failures of a test not count against a release. What is at fault in the form is fault.Invalid with its field.
	Quarantine(ctx context.Context, a testcase.Ask) (testcase.Quarantine, error)
	// Release ends the quarantine of a test.
	Release(ctx context.Context, key string) error
}
