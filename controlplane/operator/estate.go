package operator

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

func (c *commands) export() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "export NAME", Short: "Write everything of an organization to a file", Args: cobra.ExactArgs(1),
		Long: "Write everything of an organization to a tar file: each table as lines of JSON, and the files under the keys that they have in the store. " +
			"What opens something is left out: hashes of passwords and tokens, and private keys.",
	}
	cmd.Flags().StringVar(&file, "out", "", "file to write, such as acme.tar.gz (required)")
	_ = cmd.MarkFlagRequired("out")
	cmd.RunE = c.do("ExportOrganization", func(ctx context.Context, args []string) error {
		o, err := c.organization(ctx, args[0])
		if err != nil {
			return err
		}
		out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // G304: the operator's own path
		if err != nil {
			return fmt.Errorf("--out: %w", err)
		}
		n, err := c.archive(ctx, o, out)
		if err = errors.Join(err, out.Close()); err != nil {
			return errors.Join(err, os.Remove(file))
		}
		audit.Of(ctx).Detail("rows", fmt.Sprint(n))
		return c.print("Wrote %d rows of %s to %s", n, o.Name, file)
	})
	return cmd
}

// archive writes an organization as a compressed tar. Tables are written to a temporary file each, since a tar says sizes first.
func (c *commands) archive(ctx context.Context, o tenant.Organization, to io.Writer) (rows int, err error) {
	zipped := gzip.NewWriter(to)
	tarred := tar.NewWriter(zipped)
	temp, err := os.CreateTemp("", "seatrial-export-*")
	if err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	defer func() { err = errors.Join(err, temp.Close(), os.Remove(temp.Name())) }()
	buffered := bufio.NewWriter(temp)
	current := ""
	var blobs []string
	flush := func() error {
		if current == "" {
			return nil
		}
		return errors.Join(buffered.Flush(), c.member(tarred, "tables/"+current+".jsonl", temp), temp.Truncate(0))
	}
	err = c.in.Store.ExportOrganization(ctx, o.ID, func(table string, row json.RawMessage) error {
		if table != current {
			if err := flush(); err != nil {
				return err
			}
			current = table
		}
		if table == "files" {
			var f struct {
				Blob string `json:"blob"`
			}
			if err := json.Unmarshal(row, &f); err != nil {
				return fmt.Errorf("read a file's row: %w", err)
			}
			blobs = append(blobs, f.Blob)
		}
		rows++
		_, err := buffered.Write(append(row, '\n'))
		return err //nolint:wrapcheck // of a temporary file; the caller says what for
	})
	if err == nil {
		err = flush()
	}
	for i := 0; err == nil && i < len(blobs); i++ {
		err = c.blob(ctx, tarred, blobs[i])
	}
	return rows, errors.Join(err, tarred.Close(), zipped.Close())
}

// member writes what is in a temporary file as a file of the archive, and goes back to its start.
func (c *commands) member(to *tar.Writer, name string, from io.ReadSeeker) error {
	size, err := from.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("export %s: %w", name, err)
	}
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("export %s: %w", name, err)
	}
	if err := to.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, Typeflag: tar.TypeReg}); err != nil {
		return fmt.Errorf("export %s: %w", name, err)
	}
	if _, err := io.Copy(to, from); err != nil {
		return fmt.Errorf("export %s: %w", name, err)
	}
	_, err = from.Seek(0, io.SeekStart)
	return err //nolint:wrapcheck // of a file that was just read
}

// blob writes a file of the store. One that is gone is said, and stops nothing.
func (c *commands) blob(ctx context.Context, to *tar.Writer, key string) error {
	body, err := c.in.Blobs.Open(ctx, key)
	if fault.Is(err, fault.NotFound) {
		_, err := fmt.Fprintf(c.Err, "%s is not in the store of files, and is left out\n", key)
		return err //nolint:wrapcheck // there is nobody to tell
	}
	if err != nil {
		return fmt.Errorf("export a file: %w", err)
	}
	return errors.Join(c.member(to, "files/"+key, body), body.Close())
}

func (c *commands) remove() *cobra.Command {
	var confirm string
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete an organization and everything it has, for good", Args: cobra.ExactArgs(1),
		Long: "Delete an organization and everything it has, for good: rows, files, keys and its audit log. It is suspended first. Interrupted, the same " +
			"command goes on. That it was deleted, with the end of its audit log, stays in the record of the instance.",
	}
	cmd.Flags().StringVar(&confirm, "confirm", "", "the name of the organization once more (required)")
	cmd.RunE = c.do("", func(ctx context.Context, args []string) error {
		o, err := c.organization(ctx, args[0])
		if err != nil {
			return err
		}
		if confirm != o.Name {
			return fault.New(fault.Invalid, "everything of %s would be gone for good: confirm with --confirm %s", o.Name, o.Name)
		}
		return c.erase(ctx, o)
	})
	return cmd
}

// erase deletes an organization. It is on record before anything goes, and after everything is gone.
func (c *commands) erase(ctx context.Context, o tenant.Organization) error {
	entry := audit.Entry{
		Actor: audit.Actor{Kind: tenant.KindSystem, Name: "operator " + whoami()}, Action: "DeleteOrganization",
		Object: audit.Object{Kind: "organization", ID: o.ID.String(), Name: o.Name}, Outcome: audit.Done, Details: map[string]string{"step": "begun"},
	}
	page, err := c.in.Store.AuditEntries(tenant.WithViewer(ctx, tenant.Viewer{Kind: tenant.KindSystem, Organization: o.ID}), audit.Filter{Size: 1})
	if err != nil {
		return fmt.Errorf("read the end of the audit log: %w", err)
	}
	entry.Details["audit-log"] = fmt.Sprintf("%d:%x", page.Head.Number, page.Head.Hash)
	if err := c.in.Store.AppendAudit(ctx, entry); err != nil {
		return fmt.Errorf("put on record: %w", err)
	}
	if _, err := c.in.Store.SetOrganizationState(ctx, o.Name, tenant.Deleting); err != nil {
		return fmt.Errorf("suspend: %w", err)
	}
	total := int64(0)
	if err := c.in.Blobs.DeleteAll(ctx, "org/"+o.ID.String()); err != nil {
		return fmt.Errorf("delete the files: %w", err)
	}
	if err := c.in.Store.DeleteOrganization(ctx, o.ID, func(_ string, n int64) { total += n }); err != nil {
		return fmt.Errorf("delete the rows, which the same command goes on with: %w", err)
	}
	entry.Details = map[string]string{"step": "finished", "rows": fmt.Sprint(total)}
	if err := c.in.Store.AppendAudit(ctx, entry); err != nil {
		return fmt.Errorf("put on record: %w", err)
	}
	return c.print("Deleted %s: %d rows, and its files", o.Name, total)
}
