package cmd

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// wish is what of the files of an execution is wanted, and where.
type wish struct {
	dir     string
	archive target
	kind    string
}

func (a *app) download() *cobra.Command {
	var w wish
	c := &cobra.Command{
		Use:   "download EXECUTION [PATTERN…]",
		Short: "Save reports, artifacts and metrics of an execution, each as a file or all as one archive",
		Long: "Files are saved as the test wrote them, and each is checked against its SHA-256. A pattern is one of a path, such as 'shots/*.png'; " +
			"without one all files are saved. " +
			"Each lies where it does in the archive.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if w.archive.file != "" && (w.dir != "" || w.kind != "" || len(args) > 1) {
				return errors.New("--archive saves all files: it goes with neither --to, --kind nor patterns")
			}
			cl, err := a.connect()
			if err != nil {
				return err
			}
			return a.fetchFiles(c.Context(), cl, args[0], args[1:], w)
		},
	}
	c.Flags().StringVar(&w.dir, "to", "", "folder for the files; the current one when absent")
	c.Flags().StringVar(&w.kind, "kind", "", "only report, artifact or metrics")
	c.Flags().StringVar(&w.archive.file, "archive", "", "save one zip archive of all files; - for stdout")
	c.Flags().BoolVar(&w.archive.force, "force", false, "overwrite files that are there already")
	return c
}

func (a *app) fetchFiles(ctx context.Context, cl clients, id string, patterns []string, w wish) error {
	res, err := cl.executions.ListFiles(ctx, &apiv1.ListFilesRequest{ExecutionId: id})
	if err != nil {
		return err
	}
	if w.archive.file != "" {
		return a.fetchArchive(ctx, res, w.archive)
	}
	wanted, err := matching(res.GetFiles(), patterns, w.kind)
	if err != nil {
		return err
	}
	if len(wanted) == 0 {
		return fmt.Errorf("no file of the execution is wanted; what there is: seatrial get files %s", id)
	}
	for _, f := range wanted {
		name := placeOf(f)
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("%s leads out of the folder", name)
		}
		file := filepath.Join(w.dir, filepath.FromSlash(name))
		if err := a.fetchFile(ctx, f, file, w.archive.force); err != nil {
			return err
		}
		if err := a.print("%s", render.Line(file)); err != nil {
			return err
		}
	}
	return nil
}

// matching returns the files of a kind that one of the patterns names.
func matching(files []*apiv1.File, patterns []string, kind string) (out []*apiv1.File, err error) {
	for _, f := range files {
		if kind != "" && f.GetKind() != kind {
			continue
		}
		found := len(patterns) == 0
		for _, p := range patterns {
			one, err := path.Match(p, f.GetPath())
			if err != nil {
				return nil, fmt.Errorf("%q is no pattern of a path", p)
			}
			found = found || one || strings.HasPrefix(f.GetPath(), strings.TrimSuffix(p, "/")+"/")
		}
		if found {
			out = append(out, f)
		}
	}
	return out, nil
}

// placeOf returns where a file goes: where it is in the archive of all files, too. A control plane that does not say that is an older one.
func placeOf(f *apiv1.File) string { return cmp.Or(f.GetName(), path.Join(f.GetKind(), f.GetPath())) }

// bytesAt asks the control plane for the bytes at a path.
func (a *app) bytesAt(ctx context.Context, where string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(a.target.Server, "/")+where, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+a.target.Token)
	res, err := a.HTTP.Do(r)
	if err != nil {
		return nil, &exitcode.Error{Code: exitcode.Errored, Err: fmt.Errorf("the control plane cannot be reached: %w", err)}
	}
	if res.StatusCode == http.StatusOK {
		return res.Body, nil
	}
	defer res.Body.Close() //nolint:errcheck // read only
	var refused struct{ Message, Hint string }
	_ = json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&refused) // a proxy may answer anything
	if refused.Message == "" {
		refused.Message = "the control plane answers " + res.Status
	}
	return nil, &exitcode.Error{Code: exitcode.Errored, Err: errors.New(strings.TrimSpace(refused.Message + " " + refused.Hint))}
}

// fetchFile saves a file as a whole or not at all.
func (a *app) fetchFile(ctx context.Context, f *apiv1.File, name string, force bool) error {
	body, err := a.bytesAt(ctx, f.GetDownload())
	if err != nil {
		return fmt.Errorf("%s: %w", f.GetPath(), err)
	}
	defer body.Close()                                             //nolint:errcheck // read only
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // for others to read, as the files are
		return err
	}
	sum := sha256.New()
	return store(name, force, io.TeeReader(body, sum), func() error {
		if got := hex.EncodeToString(sum.Sum(nil)); got != f.GetSha256() {
			return fmt.Errorf("%s came damaged: its SHA-256 is %s and not %s", f.GetPath(), got, f.GetSha256())
		}
		return nil
	})
}

func (a *app) fetchArchive(ctx context.Context, res *apiv1.ListFilesResponse, to target) error {
	if res.GetArchive() == "" {
		return errors.New("the execution has no files")
	}
	if err := to.check(); err != nil {
		return err
	}
	body, err := a.bytesAt(ctx, res.GetArchive())
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // read only
	if to.file == stdio {
		_, err := io.Copy(a.Out, body)
		return err
	}
	if err := store(to.file, to.force, body, func() error { return nil }); err != nil {
		return err
	}
	a.say("Wrote %s (%d files)", to.file, len(res.GetFiles()))
	return nil
}

// store writes a file under another name, which becomes its own once it is whole and right.
func store(name string, force bool, from io.Reader, right func() error) error {
	if _, err := os.Lstat(name); err == nil && !force {
		return fmt.Errorf("%s is there already: overwrite it with --force", name)
	}
	part, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.part")
	if err != nil {
		return err
	}
	_, err = io.Copy(part, from)
	if err = errors.Join(err, part.Chmod(shared), part.Close()); err == nil {
		err = right()
	}
	if err == nil {
		err = os.Rename(part.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	return nil
}
