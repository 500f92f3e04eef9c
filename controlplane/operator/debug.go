package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/controlplane/diagnose"
	"github.com/seatrial/seatrial/controlplane/fault"
)

// defaultSeconds is how long a profile of time takes.
const defaultSeconds = 10

// debug are the commands that look into the replica that runs over the data folder. They open nothing of the instance.
func (c *commands) debug() *cobra.Command {
	cmd := &cobra.Command{
		Use: "debug", Short: "Look into the replica that runs over this data folder",
		Long: "Look into the replica that runs over this data folder. In Kubernetes: kubectl exec POD -- seatrial-controlplane debug … --out - > FILE",
	}
	cmd.AddCommand(c.profile(), c.bundle())
	return cmd
}

func (c *commands) profile() *cobra.Command {
	var file string
	var seconds int
	cmd := &cobra.Command{
		Use: "profile " + strings.Join(diagnose.Kinds(), "|"), Short: "Take a profile, for `go tool pprof` (trace: for `go tool trace`)", Args: cobra.ExactArgs(1),
		Example: "  seatrial-controlplane debug profile cpu --seconds 30 --out cpu.pprof", ValidArgs: diagnose.Kinds(),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !slices.Contains(diagnose.Kinds(), args[0]) {
			return fault.New(fault.Invalid, "there is no profile %q", args[0]).WithHint("Take one of: %s.", strings.Join(diagnose.Kinds(), ", "))
		}
		return c.ask(cmd.Context(), file, seconds, func(ctx context.Context, from *diagnose.Client, to io.Writer) error {
			return from.Profile(ctx, to, args[0], seconds)
		})
	}
	written(cmd, &file, &seconds, "file to write, such as cpu.pprof; - for standard output (required)")
	return cmd
}

func (c *commands) bundle() *cobra.Command {
	var file string
	var seconds int
	cmd := &cobra.Command{
		Use: "bundle", Short: "Write what is needed to find out why a replica is as it is", Args: cobra.NoArgs,
		Long: "Write a zip file with what is needed to find out why a replica is as it is: version, settings without secrets, metrics, the stacks of all " +
			"goroutines, profiles of memory and time. It holds no records, logs or results.",
		Example: "  seatrial-controlplane debug bundle --out seatrial-debug.zip",
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.ask(cmd.Context(), file, seconds, func(ctx context.Context, from *diagnose.Client, to io.Writer) error {
			return from.Bundle(ctx, to, seconds)
		})
	}
	written(cmd, &file, &seconds, "file to write, such as seatrial-debug.zip; - for standard output (required)")
	return cmd
}

func written(cmd *cobra.Command, file *string, seconds *int, help string) {
	cmd.Flags().StringVar(file, "out", "", help)
	cmd.Flags().IntVar(seconds, "seconds", defaultSeconds, fmt.Sprintf("how long a profile of time takes, 1 to %d", diagnose.MaxSeconds))
	_ = cmd.MarkFlagRequired("out")
}

// ask writes an answer of the replica to a file, or to standard output. Of a failure nothing stays.
func (c *commands) ask(ctx context.Context, file string, seconds int, write func(context.Context, *diagnose.Client, io.Writer) error) error {
	if seconds < 1 || seconds > diagnose.MaxSeconds {
		return fault.New(fault.Invalid, "--seconds is %d", seconds).WithHint("Choose from 1 to %d.", diagnose.MaxSeconds)
	}
	socket, err := c.Socket()
	if err != nil {
		return err
	}
	if file == "-" {
		return write(ctx, diagnose.At(socket), c.Out)
	}
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // G304: the operator's own path
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	if err := errors.Join(write(ctx, diagnose.At(socket), out), out.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return c.print("Wrote %s", file)
}
