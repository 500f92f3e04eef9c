//go:build !linux

package local

import (
	"context"
	"errors"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// Supported says that this system cannot run the runner.
const Supported = false

var errSystem = errors.New("workflows are run locally on Linux only: the runner watches its processes in ways that other systems do not have")

// Runner fails.
func Runner(context.Context, []string, string) (int, error) { return 1, errSystem }

func (s *session) run(context.Context) (Result, error) { return Result{}, errSystem }

func (s *session) answer(*runnerv1.StepState) *runnerv1.Resume { return nil }
