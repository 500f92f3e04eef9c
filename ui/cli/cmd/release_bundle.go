package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

const stdio = "-" // standard input or output in the place of a file

func (a *app) releaseBundle() *cobra.Command {
	var to target
	c := &cobra.Command{
		Use: "bundle APPLICATION VERSION", Short: "Take away the signed evidence of a release", Args: cobra.ExactArgs(2),
		Long: "Take away the signed evidence of a release: what was tested, the verdict, and all that it rests upon, signed with the key of " +
			"the organization. Whoever has the file and the key can check it without asking Seatrial: seatrial release verify.",
		Example: "  seatrial release bundle shop 1.42.0\n  seatrial release keys --out keys.json\n  seatrial release verify shop-1.42.0.seatrial.jsonl --key keys.json",
	}
	to.flags(c, "file to write, or - for standard output; APPLICATION-VERSION.seatrial.jsonl when not given")
	c.RunE = func(c *cobra.Command, args []string) error {
		if to.file == "" {
			to.file = fileName(args[0]) + "-" + fileName(args[1]) + ".seatrial.jsonl"
		}
		if err := to.check(); err != nil {
			return err
		}
		cl, err := a.connect()
		if err != nil {
			return err
		}
		stream, err := cl.releases.GetReleaseBundle(c.Context(), &apiv1.GetReleaseBundleRequest{Application: args[0], Version: args[1]})
		if err != nil {
			return err
		}
		defer stream.Close() //nolint:errcheck // it was only read
		var file bytes.Buffer
		for stream.Receive() {
			file.Write(stream.Msg().GetData())
		}
		if err := stream.Err(); err != nil {
			return err
		}
		return a.save(to, file.Bytes())
	}
	return c
}

// fileName makes a part of a file's name of what may have slashes.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:`, r) || r < ' ' {
			return '-'
		}
		return r
	}, name)
}

// target is where a command writes to.
type target struct {
	file  string
	force bool
}

func (t *target) flags(c *cobra.Command, usage string) {
	c.Flags().StringVar(&t.file, "out", "", usage)
	c.Flags().BoolVar(&t.force, "force", false, "overwrite the file when there is one")
}

// check refuses early what save would refuse.
func (t *target) check() error {
	if t.file == stdio || t.force {
		return nil
	}
	if _, err := os.Lstat(t.file); err == nil {
		return t.taken()
	}
	return nil
}

func (t *target) taken() error {
	return fmt.Errorf("%s is there already: overwrite it with --force", t.file)
}

// save writes a file as a whole or not at all, and says so.
func (a *app) save(to target, data []byte) error {
	if to.file == stdio {
		_, err := a.Out.Write(data)
		return err
	}
	write := writeNew
	if to.force {
		write = replace
	}
	err := write(to.file, data)
	switch {
	case errors.Is(err, fs.ErrExist):
		return to.taken()
	case err != nil:
		return err
	}
	a.say("Wrote %s (%d bytes)", to.file, len(data))
	return nil
}

const shared = 0o644 // what is written is for others to read

func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, shared) //nolint:gosec // the user's own path
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// replace puts a new file in the place of an old one, which stays as it is when that fails.
func replace(name string, data []byte) error {
	fresh := name + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(fresh, data); err != nil {
		return err
	}
	return os.Rename(fresh, name)
}
