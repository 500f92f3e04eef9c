// Command seatrial applies, runs and follows tests from a terminal or a pipeline.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/seatrial/seatrial/ui/cli/cmd"
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second key ends it at once
	return cmd.Main(ctx, os.Args[1:], cmd.Options{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Getenv,
		Terminal: term.IsTerminal(int(os.Stderr.Fd())),
		PipedOut: !term.IsTerminal(int(os.Stdout.Fd())),
	})
}
