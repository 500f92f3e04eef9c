package view

import (
	"context"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

// Releases reads releases and changes their waivers, for the viewer of the context. What is absent or foreign is fault.NotFound.
type Releases interface {
	// List returns heads, newest first; application may be empty.
	List(ctx context.Context, application string, size int, after string) (list []release.Release, next string, err error)
	// Get returns a release with a verdict that knows everything that has come in.
	Get(ctx context.Context, application, version string) (release.Release, error)
	// Waive asks for a waiver. What could never count is fault.Invalid, with the field of the form at fault.
	Waive(ctx context.Context, application, version string, a release.Ask) (verdict.Waiver, error)
	// Approve adds the viewer's consent to a waiver; fault.Forbidden when the policy does not let them.
	Approve(ctx context.Context, application, version, waiver string) error
	// Try says what a policy would have said of past releases. What is wrong with its document is fault.Invalid.
	Try(ctx context.Context, t release.TrialRequest) (release.Trials, error)
	// Revoke ends a waiver.
	Revoke(ctx context.Context, application, version, waiver string) error
}
