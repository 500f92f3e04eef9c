//go:build !linux

package local

import (
	"context"
	"errors"
)

// Supported says why this system cannot run the runner; nil when it can.
func Supported() error {
	return errors.New("workflows are run locally on Linux only: the runner watches its processes in ways that other systems do not have")
}

// Runner fails.
func Runner(context.Context, []string, string) (int, error) { return 1, Supported() }

func (s *session) run(context.Context) (Result, error) { return Result{}, Supported() }
