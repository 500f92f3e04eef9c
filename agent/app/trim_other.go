//go:build !linux

package app

import (
	"context"
	"log/slog"
)

// trim is of use in a cluster only.
func trim(context.Context, *slog.Logger) {}
