// Command seatrial applies, runs and follows tests from a terminal or a pipeline.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
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
		Plugin:   strings.HasPrefix(filepath.Base(os.Args[0]), "kubectl-seatrial"), // kubectl calls a plugin by such a name
		Terminal: term.IsTerminal(int(os.Stderr.Fd())),
		PipedOut: !term.IsTerminal(int(os.Stdout.Fd())),
	})
}
