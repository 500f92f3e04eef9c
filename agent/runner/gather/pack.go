package gather

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	zstandard = "zstd"

	// leastPacked is the size below which the work is not worth it.
	leastPacked = 512
	// packWindow bounds the memory of whoever reads the file, beside that of the runner.
	packWindow = 1 << 20
	// packProbe is after how many bytes a file is given up that does not get smaller.
	packProbe = 1 << 20
)

// packed is a copy that was compressed.
type packed struct {
	size int64
	sum  []byte
}

// helps reports whether a file of some size got smaller by more than its reader's trouble.
func helps(size, packed int64) bool { return packed < size-size/20 }

// pack replaces a copy by its compressed form, where that helps and nobody is in a hurry.
func (c *copied) pack(hurry func() bool) error {
	if c.size < leastPacked || compressed(c.contentType) {
		return nil
	}
	if hurry == nil {
		hurry = func() bool { return false }
	}
	name := c.name + ".zst"
	p, err := write(name, c.name, c.size, hurry)
	if errors.Is(err, errNoHelp) || errors.Is(err, errHurry) || err == nil && !helps(c.size, p.size) {
		p, err = nil, nil
	}
	if p == nil {
		_ = os.Remove(name) // the volume goes with the pod anyway
		return err
	}
	if err := os.Rename(name, c.name); err != nil {
		return err //nolint:wrapcheck // becomes a note
	}
	c.packed = p
	return nil
}

var (
	errNoHelp = errors.New("it does not get smaller")
	errHurry  = errors.New("there is no time for it")
)

// write compresses one file into another.
func write(to, from string, size int64, hurry func() bool) (*packed, error) {
	src, err := os.Open(from) //nolint:gosec // G304: our own copy
	if err != nil {
		return nil, err //nolint:wrapcheck // becomes a note
	}
	defer src.Close()                                                      //nolint:errcheck // read only
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666) //nolint:gosec // G302: containers may run as different users
	if err != nil {
		return nil, err //nolint:wrapcheck // becomes a note
	}
	out := &counted{to: dst, hash: sha256.New()}
	err = compress(out, src, size, hurry)
	if err := errors.Join(err, dst.Close()); err != nil {
		return nil, err
	}
	return &packed{size: out.size, sum: out.hash.Sum(nil)}, nil
}

func compress(to *counted, from io.Reader, size int64, hurry func() bool) error {
	if hurry() {
		return errHurry
	}
	enc, err := zstd.NewWriter(to, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(packWindow))
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	enc.ResetContentSize(to, size)
	n, err := io.CopyN(enc, from, packProbe)
	switch {
	case errors.Is(err, io.EOF):
		return enc.Close() //nolint:wrapcheck // becomes a note
	case err == nil && !helps(n, to.size):
		return errors.Join(errNoHelp, enc.Close())
	}
	for err == nil {
		if hurry() {
			return errors.Join(errHurry, enc.Close())
		}
		_, err = io.CopyN(enc, from, packProbe)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, enc.Close())
}

// Keep makes a file of what the runner itself has to say about a step.
func (g *Gatherer) Keep(s *runnerv1.Step, kind runnerv1.FileKind, name, contentType string, content []byte) ([]File, error) {
	c := &copied{name: filepath.Join(g.Dest, fmt.Sprintf("%d-%s", s.GetIndex(), strings.ToLower(kind.String()))), contentType: contentType}
	if err := c.fill(bytes.NewReader(content), int64(len(content))); err != nil {
		return nil, err
	}
	if err := c.pack(g.Hurry); err != nil {
		return nil, err
	}
	return []File{{Copy: c.name, Header: c.header(&runnerv1.FileHeader{
		AttemptId: g.AttemptID, Kind: kind, StepIndex: s.GetIndex(), Path: name,
	})}}, nil
}

// header says in a header what the copy is.
func (c *copied) header(h *runnerv1.FileHeader) *runnerv1.FileHeader {
	h.Size, h.Sha256, h.ContentType = c.size, c.sum, c.contentType
	if p := c.packed; p != nil {
		h.Encoding, h.OriginalSize, h.OriginalSha256, h.Size, h.Sha256 = zstandard, c.size, c.sum, p.size, p.sum
	}
	return h
}

// counted passes bytes on and knows how many they were, and their digest.
type counted struct {
	to   io.Writer
	hash hash.Hash
	size int64
}

// Write implements io.Writer.
func (c *counted) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.size += int64(n)
	c.hash.Write(p[:n])
	return n, err //nolint:wrapcheck // becomes a note
}

// compressed reports whether files of a type are compressed already.
func compressed(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	switch kind {
	case "application/zip", "application/x-gzip", "application/gzip", "application/zstd", "application/x-rar-compressed", "application/x-7z-compressed",
		"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "font/woff", "font/woff2", "application/ogg":
		return true
	}
	return strings.HasPrefix(kind, "video/") || strings.HasPrefix(kind, "audio/") && kind != "audio/wave"
}
