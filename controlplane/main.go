// Command seatrial-controlplane serves pages, the API and the agents' port.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/seatrial/seatrial/controlplane/app"
	"github.com/seatrial/seatrial/controlplane/config"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		return operate(ctx, os.Args[1:])
	}
	c, err := config.Parse(os.Args[1:], os.LookupEnv, version, os.Stdout)
	switch {
	case errors.Is(err, config.ErrHelp), errors.Is(err, config.ErrVersion):
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if err := app.Run(ctx, app.Options{Config: c, Version: version, Out: os.Stdout, Log: os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, "seatrial-controlplane:", err)
		return 1
	}
	return 0
}

// operate runs a command of the operator.
func operate(ctx context.Context, args []string) int {
	if err := app.Operate(ctx, app.Operation{Args: args, Env: os.LookupEnv, Version: version, Out: os.Stdout, Err: os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, "seatrial-controlplane:", err)
		return 1
	}
	return 0
}
