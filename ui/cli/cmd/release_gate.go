package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) releaseGate() *cobra.Command {
	var wait bool
	var timeout time.Duration
	var targets []string
	c := &cobra.Command{
		Use: "gate APPLICATION VERSION", Short: "Let a pipeline go on only when the release is ready", Args: cobra.ExactArgs(2),
		Long: "Exit codes: 0 READY or READY_WITH_WAIVERS · 1 NOT_READY · 5 INCOMPLETE · 2 wrong usage · 3 unreachable or refused.\n\n" +
			"With --wait it goes on looking until the release is ready or not ready; when the time is over it ends with what it is then.\n\n" +
			"A pipeline that takes the release somewhere says so with --target: a release that was created for other targets, or for none, was\n" +
			"never held to the policy of this one. It is INCOMPLETE here, whatever its verdict: exit code 5.",
		Example: "  seatrial release gate shop 1.42.0 --target production --wait --timeout 30m",
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait while evidence is missing")
	c.Flags().DurationVar(&timeout, "timeout", 0, "with --wait: how long at most; no limit when not given")
	c.Flags().StringArrayVar(&targets, "target", nil, "where it is about to go: nothing passes that was not created for it; may be given more than once")
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case timeout != 0 && !wait:
			return errors.New("--timeout limits the waiting: use it with --wait")
		case timeout < 0:
			return fmt.Errorf("--timeout %s: write a duration such as 30m", timeout)
		}
		cl, err := a.connect()
		if err != nil {
			return err
		}
		first, err := releaseNamed(c.Context(), cl, args[0], args[1])
		if err != nil {
			return err
		}
		if err := meant(first, targets); err != nil { // it never changes, so that there is nothing to wait for
			return err
		}
		r, err := a.gated(c.Context(), cl, first, wait, timeout)
		if err != nil {
			return err
		}
		return a.gate(r)
	}
	return c
}

// meant refuses a release that was not created for all of the targets.
func meant(r *apiv1.Release, targets []string) error {
	for _, target := range targets {
		if !slices.Contains(r.GetTargets(), target) {
			return coded(exitcode.Missing, fmt.Errorf("%s was created for %s and is held to the policy %s; nothing says that it is ready for %s: "+
				"a release never changes, so create one of a new version with --target %s", nameOf(r), cmp.Or(strings.Join(r.GetTargets(), ", "), "no target"), r.GetPolicy().GetName(), target, target))
		}
	}
	return nil
}

// gated returns a release, with wait only once evidence is complete or the time is over.
func (a *app) gated(ctx context.Context, cl clients, last *apiv1.Release, wait bool, timeout time.Duration) (*apiv1.Release, error) {
	watching, stop := ctx, func() {}
	if timeout > 0 {
		watching, stop = context.WithTimeout(ctx, timeout)
	}
	defer stop()
	if !wait || settled(last) {
		return last, nil
	}
	a.say("%s is %s; waiting for evidence", nameOf(last), render.State(last.GetState()))
	err := a.persist(watching, func(progress func()) error {
		stream, err := cl.releases.WatchRelease(watching, &apiv1.WatchReleaseRequest{Application: last.GetApplication(), Version: last.GetVersion()})
		if err != nil {
			return err
		}
		defer stream.Close() //nolint:errcheck // it was only read
		for stream.Receive() {
			progress()
			if last = stream.Msg().GetRelease(); settled(last) {
				return nil
			}
		}
		if err := stream.Err(); err != nil {
			return err
		}
		return errCut
	})
	if over(watching, err) && ctx.Err() == nil {
		a.say("No verdict within %s", timeout)
		return last, nil
	}
	return last, err
}

// over reports whether a call ended because the time for it was over. The control plane is told of the deadline, and may say so a moment before
// the clock of this process does.
func over(watching context.Context, err error) bool {
	_, limited := watching.Deadline()
	return watching.Err() != nil || limited && (connect.CodeOf(err) == connect.CodeDeadlineExceeded || connect.CodeOf(err) == connect.CodeCanceled)
}

// settled reports whether the evidence suffices for an answer.
func settled(r *apiv1.Release) bool {
	return !r.GetStale() && r.GetState() != apiv1.State_STATE_INCOMPLETE && r.GetState() != apiv1.State_STATE_UNSPECIFIED
}

// gate prints the release and returns its verdict as an exit code.
func (a *app) gate(r *apiv1.Release) error {
	if a.format != render.Table {
		if err := render.Message(a.Out, a.format, r); err != nil {
			return err
		}
	} else if err := a.showRelease(r); err != nil {
		return err
	}
	code := exitcode.OfState(r.GetState())
	if code == exitcode.Passed && r.GetStale() {
		return coded(exitcode.Missing, &toldError{nameOf(r) + " was " + render.State(r.GetState()) + " before more evidence came in; ask again"})
	}
	if code == exitcode.Passed {
		return nil
	}
	return coded(code, &toldError{nameOf(r) + " is " + render.State(r.GetState())})
}
