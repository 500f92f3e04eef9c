package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/backup"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// stdio stands for the standard output in place of a file.
const stdio = "-"

func (c *commands) backup() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "backup", Short: "Write everything of the instance to a file, while it runs", Args: cobra.NoArgs,
		Long: "Write everything of the instance to a file, while it runs: the database as of one moment, the files, and the authority of the agents' port, " +
			"each with its digest, and sealed with the newest encryption key. The encryption keys are not in it: keep them apart, and as long as the " +
			"backup, since nothing can restore it without them. A copy of PostgreSQL is made by pg_dump, which has to be on this machine.",
		Example: "  seatrial-controlplane backup --out /backups/seatrial-$(date +%F).tar.zst",
	}
	cmd.Flags().StringVar(&file, "out", "", "file to write; - for the standard output (required)")
	_ = cmd.MarkFlagRequired("out")
	cmd.RunE = c.do("", func(ctx context.Context, _ []string) error {
		m, err := c.write(ctx, file)
		entry := instanceEntry("Backup", err)
		if err == nil {
			entry.Details = map[string]string{"manifest": m.Sums, "bytes": fmt.Sprint(m.Bytes), "key": c.in.Keys.IDs()[0]}
		}
		if err = errors.Join(err, c.in.Store.AppendAudit(ctx, entry)); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.Err, "Wrote the database and %d files, %d bytes before compression. It is restored with the encryption key %s, which is not in it.\n", m.Blobs, m.Bytes, c.in.Keys.IDs()[0])
		return err //nolint:wrapcheck // there is nobody to tell
	})
	cmd.AddCommand(c.verify())
	return cmd
}

func instanceEntry(action string, err error) audit.Entry {
	return audit.Entry{
		Actor: audit.Actor{Kind: tenant.KindSystem, Name: "operator " + whoami()}, Action: action, Object: audit.Object{Kind: "instance"}, Outcome: audit.OutcomeOf(err),
	}
}

// write writes a backup to a file that has its name only once all of it is on disk.
func (c *commands) write(ctx context.Context, file string) (m backup.Manifest, err error) {
	if file == stdio {
		in := c.in.Backup
		in.Temp = in.Folder         // where the database has room, and not in the memory that the folder of the system often is
		return in.Write(ctx, c.Out) //nolint:wrapcheck // it speaks for itself
	}
	if _, err := os.Lstat(file); err == nil {
		return m, fault.New(fault.Conflict, "--out: %s exists already, and no backup takes the place of another", file)
	}
	out, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.part") // for its owner only
	if err != nil {
		return m, fmt.Errorf("--out: %w", err)
	}
	in := c.in.Backup
	in.Temp = filepath.Dir(file) // where there is room for a backup there is room for a database
	m, err = in.Write(ctx, out)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = backup.Place(out.Name(), file) // which refuses where a rename would replace
	}
	if gone := os.Remove(out.Name()); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return m, err
}

func (c *commands) verify() *cobra.Command {
	return &cobra.Command{
		Use: "verify FILE", Short: "Check that a backup is whole and that its encryption key is here", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			box, err := c.Box()
			if err != nil {
				return err
			}
			file, err := os.Open(args[0])
			if err != nil {
				return err //nolint:wrapcheck // it names the file
			}
			defer file.Close() //nolint:errcheck // it was only read
			m, err := backup.Verify(file, box)
			if err != nil {
				return err //nolint:wrapcheck // a fault that speaks for itself
			}
			return c.print("%s is whole: version %s, %s, made %s, the database and %d files, %d bytes", args[0], m.Version, m.Database, m.Made.Format("2006-01-02 15:04:05Z07:00"), m.Blobs, m.Bytes)
		},
	}
}

func (c *commands) restore() *cobra.Command {
	return &cobra.Command{
		Use: "restore FILE", Short: "Bring a backup back into an empty instance", Args: cobra.ExactArgs(1),
		Long: "Bring a backup back into an empty instance: a database without tables, a data folder without a database, a store of files without files. " +
			"The encryption keys of the instance that was backed up have to be there before, as " +
			"encryption.keys in the data folder or by --encryption-key-file. Nothing is touched before all of the backup was found to be whole. Afterwards every chain " +
			"of the audit log is checked, and that each file is there. Start the control plane then: agents come back by themselves.",
		Example: "  seatrial-controlplane restore /backups/seatrial-2026-03-01.tar.zst --data-dir /var/lib/seatrial",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := tenant.System(cmd.Context())
			m, err := c.bring(ctx, args[0])
			if err != nil {
				return err
			}
			return c.do("", func(ctx context.Context, _ []string) error { return c.check(ctx, m) })(cmd, nil)
		},
	}
}

func (c *commands) bring(ctx context.Context, name string) (m backup.Manifest, err error) {
	file, err := os.Open(name) //nolint:gosec // G304: the operator's own path
	if err != nil {
		return m, err //nolint:wrapcheck // it names the file
	}
	defer file.Close() //nolint:errcheck // it was only read
	target, done, err := c.Empty(ctx)
	if err != nil {
		return m, err
	}
	m, err = target.Restore(ctx, file)
	return m, errors.Join(err, done())
}

// check looks at what was restored as its users will, and puts the restore on record.
func (c *commands) check(ctx context.Context, m backup.Manifest) error {
	organizations, err := c.in.Store.Organizations(ctx)
	if err != nil {
		return fmt.Errorf("list organizations: %w", err)
	}
	entries := 0
	for _, o := range slices.Concat(organizations, []tenant.Organization{{Name: "the instance"}}) {
		n, err := c.chain(ctx, o)
		if err != nil {
			return fmt.Errorf("check the audit log of %s: %w", o.Name, err)
		}
		entries += n
	}
	var missing []string
	if err := c.in.Store.StoredFiles(ctx, func(key string, size int64) error {
		why, err := c.there(ctx, key, size)
		if why != "" {
			missing = append(missing, key+why)
		}
		return err
	}); err != nil {
		return fmt.Errorf("check the files: %w", err)
	}
	entry := instanceEntry("Restore", nil)
	entry.Details = map[string]string{"manifest": m.Sums, "made": m.Made.String(), "missing-files": fmt.Sprint(len(missing))}
	if err := c.in.Store.AppendAudit(ctx, entry); err != nil {
		return fmt.Errorf("put on record: %w", err)
	}
	if len(missing) > 0 {
		return fault.New(fault.NotFound, "everything else was restored, but %d files that the database knows of are not as it says:\n%s", len(missing), strings.Join(missing, "\n")).
			WithHint("They were deleted while the backup was made, or before. The instance can be used.")
	}
	return c.print("Restored what %s had at %s: %d organizations, %d files. %d entries of the audit log hold.",
		m.Version, m.Made.Format("2006-01-02 15:04:05Z07:00"), len(organizations), m.Blobs, entries)
}

// chain checks the audit log of an organization and returns how many entries it has.
func (c *commands) chain(ctx context.Context, of tenant.Organization) (int, error) {
	ctx = tenant.WithViewer(ctx, tenant.Viewer{Kind: tenant.KindSystem, Organization: of.ID})
	var verifier audit.Verifier
	for f := (audit.Filter{}); ; {
		page, err := c.in.Store.AuditEntries(ctx, f)
		if err != nil {
			return 0, err //nolint:wrapcheck // the caller says what for
		}
		for _, e := range page.Entries {
			if err := verifier.Next(e); err != nil {
				return 0, err //nolint:wrapcheck // a fault that speaks for itself
			}
		}
		if f.After = page.Next; f.After == "" {
			return int(verifier.End().Number), verifier.Finish(page.Head) //nolint:wrapcheck // a fault that speaks for itself
		}
	}
}

// there says what is wrong with a stored file.
func (c *commands) there(ctx context.Context, key string, size int64) (why string, err error) {
	body, err := c.in.Blobs.Open(ctx, key)
	if fault.Is(err, fault.NotFound) {
		return " is not there", nil
	}
	if err != nil {
		return "", err //nolint:wrapcheck // it names the file
	}
	n, err := body.Seek(0, io.SeekEnd)
	if n != size {
		why = fmt.Sprintf(" has %d bytes and should have %d", n, size)
	}
	return why, errors.Join(err, body.Close())
}
