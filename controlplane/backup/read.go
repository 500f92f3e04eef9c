package backup

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// maxWindow bounds what a file can make the reader hold in memory.
const maxWindow = 64 << 20

// take is told of each member of a backup. What it leaves unread is read for it.
type take func(name string, size int64, body io.Reader) error

// Verify reads a whole backup and returns what it is. It is fault.Invalid when a byte of it is not as it was written, and fault.Unavailable
// when the key that sealed it is not among those of box.
func Verify(from io.Reader, box Box) (Manifest, error) {
	return read(from, box, func(string, int64, io.Reader) error { return nil })
}

// reading is one pass through a backup.
type reading struct {
	sums          hash.Hash // of the lines that SHA256SUMS has to have
	listed        string    // digest of SHA256SUMS
	members       int
	bytes         int64
	blobs         int
	text, seal    []byte // of the manifest
	begun, summed bool
}

func read(from io.Reader, box Box, to take) (Manifest, error) {
	packed, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return Manifest{}, damaged("%v", err)
	}
	defer packed.Close()
	r := reading{sums: sha256.New()}
	for t := tar.NewReader(packed); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Manifest{}, damaged("%v", err)
		}
		if err := r.next(h, t, to); err != nil {
			return Manifest{}, err
		}
	}
	if _, err := io.Copy(io.Discard, packed); err != nil { // the checksum at the end
		return Manifest{}, damaged("%v", err)
	}
	return r.end(box)
}

func (r *reading) next(h *tar.Header, body io.Reader, to take) (err error) {
	switch {
	case h.Typeflag != tar.TypeReg || r.seal != nil:
		return damaged("%q does not belong into it", h.Name)
	case h.Name == sumsName && r.begun && !r.summed:
		r.summed = true
		sum := sha256.New()
		if _, err := io.Copy(sum, body); err != nil {
			return damaged("%v", err)
		}
		r.listed = hex.EncodeToString(sum.Sum(nil))
		return nil
	case h.Name == manifestName && r.summed && r.text == nil:
		r.text, err = small(h, body)
		return err
	case h.Name == sealName && r.text != nil:
		r.seal, err = small(h, body)
		return err
	case r.summed || r.begun == (h.Name == recordsName):
		return damaged("%q is in the wrong place", h.Name)
	}
	return r.member(h, body, to)
}

// small reads a member that is held in memory.
func small(h *tar.Header, body io.Reader) ([]byte, error) {
	if h.Size > maxText {
		return nil, damaged("%s has %d bytes", h.Name, h.Size)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, damaged("%v", err)
	}
	return text, nil
}

func (r *reading) member(h *tar.Header, body io.Reader, to take) error {
	r.begun = true
	if h.Name != recordsName && !strings.HasPrefix(h.Name, authorityDir) && !strings.HasPrefix(h.Name, blobsDir) {
		return damaged("%q does not belong into it", h.Name)
	}
	sum := sha256.New()
	seen := &faulty{from: io.TeeReader(body, sum)}
	if err := to(h.Name, h.Size, seen); err != nil && seen.err == nil {
		return err
	}
	if _, err := io.Copy(io.Discard, seen); err != nil {
		return damaged("%v", err)
	}
	_, _ = r.sums.Write([]byte(line(sum.Sum(nil), h.Name))) // a hash takes everything
	r.members++
	r.bytes += h.Size
	if strings.HasPrefix(h.Name, blobsDir) {
		r.blobs++
	}
	return nil
}

// faulty remembers that the backup could not be read on, whatever its reader makes of that.
type faulty struct {
	from io.Reader
	err  error
}

// Read implements io.Reader.
func (f *faulty) Read(p []byte) (int, error) {
	n, err := f.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err //nolint:wrapcheck // transparent
}

// end compares what was read with what the backup says of itself.
func (r *reading) end(box Box) (m Manifest, err error) {
	if r.seal == nil {
		return m, damaged("it ends too early")
	}
	if err := json.Unmarshal(r.text, &m); err != nil {
		return m, damaged("its manifest cannot be read: %v", err)
	}
	sum := sha256.Sum256(r.text)
	sealed, err := box.Open(place, r.seal)
	switch {
	case fault.Is(err, fault.Unavailable):
		return m, err //nolint:wrapcheck // it names the key that is missing
	case err != nil || !bytes.Equal(sealed, sum[:]):
		return m, damaged("its seal is of another manifest")
	case m.Format != Format:
		return m, fault.New(fault.Invalid, "the backup has the format %q, and this version reads %s", m.Format, Format).
			WithHint("Restore it with version %s of seatrial-controlplane.", m.Version)
	case r.listed != m.Sums || r.listed != hex.EncodeToString(r.sums.Sum(nil)):
		return m, damaged("its members are not those that it lists")
	case r.members != m.Members || r.bytes != m.Bytes || r.blobs != m.Blobs:
		return m, damaged("it has %d members of %d bytes and should have %d of %d", r.members, r.bytes, m.Members, m.Bytes)
	}
	return m, nil
}
