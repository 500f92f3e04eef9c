package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/packed"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/identity"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const (
	maxPath   = 1024
	maxFormat = 64 // bytes of the name of a format, known or not

	maxMetrics = 1 << 20 // bytes of what is recorded of a step

	workspace = "/workspace" // where a test finds its files, in every pod
)

// File stores the bytes of a report or artifact under a key that its digest determines, then its record; of a report also the
// test results. Sending a file again changes nothing.
func (i *Intake) File(ctx context.Context, f execution.File, body io.Reader) error {
	viewer, err := agent(ctx)
	if err != nil {
		return err
	}
	if err = i.checkFile(&f); err != nil {
		return err
	}
	// Whose attempt it is must be known before bytes are stored.
	workflow, err := i.store.StepWorkflow(ctx, f.Attempt, f.Step)
	if err != nil {
		return fmt.Errorf("file %s of attempt %s: %w", f.Path, f.Attempt, err)
	}
	if err = i.keep(ctx, viewer, &f, body); err != nil {
		return fmt.Errorf("store file %s of attempt %s: %w", f.Path, f.Attempt, err)
	}
	cases, err := i.read(ctx, &f, identity.Scope{Organization: viewer.Organization.String(), Source: workflow, Root: workspace})
	if err != nil {
		return fmt.Errorf("read report %s of attempt %s: %w", f.Path, f.Attempt, err)
	}
	if f.ID, err = uuid.NewV7(); err != nil {
		return fmt.Errorf("id of file: %w", err)
	}
	f.CreatedAt = time.Now().UTC()
	if _, err = i.store.SaveFile(ctx, f, cases); err != nil {
		return fmt.Errorf("save file %s of attempt %s: %w", f.Path, f.Attempt, err)
	}
	return nil
}

// keep stores the bytes as they came, under a key that their digest determines.
func (i *Intake) keep(ctx context.Context, viewer tenant.Viewer, f *execution.File, body io.Reader) error {
	size, digest := f.Stored()
	f.Blob = fmt.Sprintf("org/%s/attempt/%s/%s/%s", viewer.Organization, f.Attempt, f.Kind, digest)
	contentType := f.ContentType
	bytes := &verifier{body: body, hash: sha256.New(), left: size, want: digest}
	if f.Encoding != "" {
		contentType = "application/zstd" // for whoever looks into the store
		bytes.content = packed.NewCheck(f.Size, f.SHA256)
		defer bytes.content.Close() //nolint:errcheck // never fails
	}
	if err := i.blobs.Put(ctx, f.Blob, bytes, size, contentType); err != nil {
		return err //nolint:wrapcheck // the caller says what it was about
	}
	if !bytes.whole && size > 0 {
		return errors.New("the blob store took a part of it")
	}
	return nil
}

// checkFile refuses what no runner sends and brings the rest into one form.
func (i *Intake) checkFile(f *execution.File) error {
	limit := i.limits.Artifact
	switch f.Kind {
	case execution.FileArtifact:
		f.Format = ""
	case execution.FileMetrics:
		f.Format, limit = "", maxMetrics
	case execution.FileReport:
		limit = i.limits.Report
		f.Format = results.Cut(strings.ToValidUTF8(f.Format, "\uFFFD"), maxFormat)
	default:
		return fault.New(fault.Invalid, "unknown kind of file %q", f.Kind).WithField("kind")
	}
	if err := checkEncoding(f); err != nil {
		return err
	}
	f.SHA256 = strings.ToLower(f.SHA256)
	switch {
	case !isDigest(f.SHA256):
		return fault.New(fault.Invalid, "the digest is not a SHA-256").WithField("sha256")
	case f.Size < 0:
		return fault.New(fault.Invalid, "a file cannot have %d bytes", f.Size).WithField("size")
	case f.Size > limit:
		return fault.New(fault.Exhausted, "%s has %d bytes, at most %d are stored", f.Path, f.Size, limit).
			WithField("size").WithHint("write less, or compress it before the step ends")
	case !cleanPath(f.Path):
		return fault.New(fault.Invalid, "%q is not a clean path inside the workspace", f.Path).WithField("path")
	}
	if kind, params, err := mime.ParseMediaType(f.ContentType); err == nil {
		f.ContentType = mime.FormatMediaType(kind, params)
	} else {
		f.ContentType = "application/octet-stream"
	}
	return nil
}

// checkEncoding refuses what is compressed in a way that nobody could read. Reports are read as they come, so they never are.
func checkEncoding(f *execution.File) error {
	f.StoredSum = strings.ToLower(f.StoredSum)
	switch {
	case f.Encoding == "":
		f.StoredSize, f.StoredSum = 0, ""
	case f.Encoding != execution.Zstandard || f.Kind == execution.FileReport:
		return fault.New(fault.Invalid, "a %s is not stored as %q", f.Kind, f.Encoding).WithField("encoding")
	case !isDigest(f.StoredSum):
		return fault.New(fault.Invalid, "the digest is not a SHA-256").WithField("sha256")
	case f.StoredSize <= 0 || f.StoredSize > f.Size: // what does not get smaller is sent as it is
		return fault.New(fault.Invalid, "a file of %d bytes is not compressed to %d", f.Size, f.StoredSize).WithField("size")
	}
	return nil
}

func isDigest(text string) bool {
	digest, err := hex.DecodeString(text)
	return err == nil && len(digest) == sha256.Size
}

// cleanPath reports whether p names a file below the workspace in its one canonical form.
func cleanPath(p string) bool {
	return p != "" && p != "." && len(p) <= maxPath && utf8.ValidString(p) && path.Clean(p) == p &&
		!path.IsAbs(p) && p != ".." && !strings.HasPrefix(p, "../") && !strings.ContainsAny(p, "\x00\\\r\n")
}

// verifier passes bytes on and fails before the last of them when size or digest are not as declared, so that a blob store never
// takes a damaged file for a whole one, whether or not it reads on to the end.
type verifier struct {
	body  io.Reader
	hash  hash.Hash
	left  int64
	want  string
	whole bool

	content *packed.Check // of a compressed file, else nil
}

// Read implements io.Reader.
func (v *verifier) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := v.body.Read(p)
	if v.left -= int64(n); v.left < 0 {
		return 0, fault.New(fault.Invalid, "the file is longer than declared").WithField("size")
	}
	v.hash.Write(p[:n]) // a hash never fails
	if v.content != nil && n > 0 {
		if _, err := v.content.Write(p[:n]); err != nil {
			return 0, err
		}
	}
	ended := errors.Is(err, io.EOF)
	if ended && v.left > 0 {
		return 0, fault.New(fault.Invalid, "the file ended %d bytes early", v.left).WithField("size")
	}
	if v.left == 0 && !v.whole && (n > 0 || ended) {
		if hex.EncodeToString(v.hash.Sum(nil)) != v.want {
			return 0, fault.New(fault.Invalid, "the bytes do not have the declared SHA-256").WithField("sha256")
		}
		if v.content != nil {
			if err := v.content.Verdict(); err != nil {
				return 0, err
			}
		}
		v.whole = true
	}
	return n, err
}
