package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// Write writes a backup. The database is copied first, so that each file which it knows of is there when the files are copied, but for those
// that retention deletes meanwhile.
func (in Instance) Write(ctx context.Context, to io.Writer) (m Manifest, err error) {
	dir, err := os.MkdirTemp(in.Temp, ".seatrial-backup-*")
	if err != nil {
		return m, fmt.Errorf("make room for a copy of the database: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m = Manifest{Format: Format, Version: in.Version, Made: in.Now().UTC(), Database: in.Records.Kind()}
	records := filepath.Join(dir, "records")
	if m.Schema, err = in.Records.Snapshot(ctx, records); err != nil {
		return m, fmt.Errorf("copy the database: %w", err)
	}
	packed, err := zstd.NewWriter(to, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return m, fmt.Errorf("compress: %w", err)
	}
	w := &writer{tar: tar.NewWriter(packed), manifest: &m}
	for _, step := range []func() error{
		func() error { return w.file(recordsName, records) },
		func() error { return in.authority(w) },
		func() error { return in.blobs(ctx, w) },
		func() error { return w.finish(in.Box) },
		w.tar.Close,
	} {
		if err := step(); err != nil {
			return m, errors.Join(err, packed.Close())
		}
	}
	if err := packed.Close(); err != nil {
		return m, fmt.Errorf("write the backup: %w", err)
	}
	return m, nil
}

// writer writes members and takes their digests.
type writer struct {
	tar      *tar.Writer
	manifest *Manifest
	sums     bytes.Buffer
}

// member writes one and lists it.
func (w *writer) member(name string, size int64, body io.Reader) error {
	sum := sha256.New()
	if err := w.put(name, size, io.TeeReader(body, sum)); err != nil {
		return err
	}
	w.sums.WriteString(line(sum.Sum(nil), name))
	w.manifest.Members++
	w.manifest.Bytes += size
	return nil
}

// line is that of a member in SHA256SUMS.
func line(sum []byte, name string) string { return hex.EncodeToString(sum) + "  " + name + "\n" }

func (w *writer) put(name string, size int64, body io.Reader) error {
	if err := w.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, Typeflag: tar.TypeReg, ModTime: w.manifest.Made}); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	n, err := io.Copy(w.tar, body)
	if err == nil && n != size {
		err = fmt.Errorf("%w: %d of %d bytes", io.ErrUnexpectedEOF, n, size)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func (w *writer) file(name, path string) error {
	f, err := os.Open(path) //nolint:gosec // G304: of a folder that was just made
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	info, err := f.Stat()
	if err == nil {
		err = w.member(name, info.Size(), f)
	}
	return errors.Join(err, f.Close())
}

// finish writes what the backup says of itself.
func (w *writer) finish(box Box) error {
	sum := sha256.Sum256(w.sums.Bytes())
	w.manifest.Sums = hex.EncodeToString(sum[:])
	if err := w.put(sumsName, int64(w.sums.Len()), &w.sums); err != nil {
		return err
	}
	text, err := json.MarshalIndent(w.manifest, "", "  ")
	if err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	if err := w.put(manifestName, int64(len(text)), bytes.NewReader(text)); err != nil {
		return err
	}
	sum = sha256.Sum256(text)
	seal, err := box.Seal(place, sum[:])
	if err != nil {
		return fmt.Errorf("seal the backup: %w", err)
	}
	return w.put(sealName, int64(len(seal)), bytes.NewReader(seal))
}

// authority writes the files of the authority, encrypted: they hold its private key.
func (in Instance) authority(w *writer) error {
	for _, name := range in.Authority {
		text, err := os.ReadFile(filepath.Join(in.Folder, name)) //nolint:gosec // G304: the operator's own folder
		if errors.Is(err, fs.ErrNotExist) {
			if in.OwnAuthority {
				return fault.New(fault.Invalid, "the authority of the agents' port is not in %s", in.Folder).WithField("data-dir").
					WithHint("Name the data folder with --data-dir, or copy agent-ca.key and agent-ca.crt there, or give --agent-tls-cert.")
			}
			continue // the port has a certificate of somebody else
		}
		if err != nil {
			return fmt.Errorf("read the authority of the agents' port: %w", err)
		}
		sealed, err := in.Box.Seal(authorityDir+name, text)
		if err != nil {
			return fmt.Errorf("seal the authority of the agents' port: %w", err)
		}
		if err := w.member(authorityDir+name, int64(len(sealed)), bytes.NewReader(sealed)); err != nil {
			return err
		}
	}
	return nil
}

func (in Instance) blobs(ctx context.Context, w *writer) error {
	for key, err := range in.Blobs.All(ctx) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("list the files: %w", err)
		}
		if err := in.blob(ctx, w, key); err != nil {
			return err
		}
	}
	return nil
}

// blob writes a file of the store. One that was deleted since it was listed is left out.
func (in Instance) blob(ctx context.Context, w *writer, key string) error {
	body, err := in.Blobs.Open(ctx, key)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read a file: %w", err)
	}
	size, err := body.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = body.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = w.member(blobsDir+key, size, body)
	}
	if err = errors.Join(err, body.Close()); err != nil {
		return fmt.Errorf("copy the file %s: %w", key, err)
	}
	w.manifest.Blobs++
	return nil
}
