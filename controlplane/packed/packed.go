// Package packed reads files that runners have compressed, and checks that they are what their headers say.
package packed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
)

// maxWindow is what reading a file may take of memory; runners stay far below.
const maxWindow = 8 << 20

// Blobs reads bytes.
type Blobs interface {
	// Open returns the bytes under key, or fault.NotFound.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)
}

// Open returns a file as its test wrote it; the caller closes it.
func Open(ctx context.Context, blobs Blobs, f execution.File) (io.ReadCloser, error) {
	body, err := blobs.Open(ctx, f.Blob)
	switch {
	case err != nil:
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	case f.Encoding == "":
		return body, nil
	case f.Encoding != execution.Zstandard:
		return nil, errors.Join(fault.New(fault.Unsupported, "%s is stored as %q, which this version cannot read", f.Path, f.Encoding), body.Close())
	}
	dec, err := decoder(body)
	if err != nil {
		return nil, errors.Join(err, body.Close())
	}
	return &unpacked{io.LimitReader(dec, f.Size), dec, body}, nil
}

type unpacked struct {
	io.Reader
	dec  *zstd.Decoder
	body io.Closer
}

// Close implements io.Closer.
func (u *unpacked) Close() error {
	u.dec.Close()
	return u.body.Close() //nolint:wrapcheck // transparent
}

func decoder(from io.Reader) (*zstd.Decoder, error) {
	dec, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, fmt.Errorf("read compressed file: %w", err)
	}
	return dec, nil
}

// Check takes the bytes of a compressed file as they come and tells whether they hold the file that was declared. Close it in the end.
type Check struct {
	pipe *io.PipeWriter
	done chan struct{}
	err  error // once done is closed
}

// NewCheck returns a check for a file of a size and hex digest.
func NewCheck(size int64, digest string) *Check {
	from, to := io.Pipe()
	c := &Check{pipe: to, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.err = verify(from, size, digest)
		_ = from.CloseWithError(c.err) // never fails; without an error whoever writes on is told that nobody reads
	}()
	return c
}

// Write implements io.Writer.
func (c *Check) Write(p []byte) (int, error) {
	n, err := c.pipe.Write(p)
	if errors.Is(err, io.ErrClosedPipe) {
		err = fault.New(fault.Invalid, "something follows the compressed file")
	}
	return n, err //nolint:wrapcheck // of verify
}

// Verdict says that all bytes were written, and returns what is wrong with them.
func (c *Check) Verdict() error {
	_ = c.pipe.Close() // never fails
	<-c.done
	return c.err
}

// Close gives up what was not brought to its verdict, and returns when nothing is left of it.
func (c *Check) Close() error {
	_ = c.pipe.CloseWithError(io.ErrUnexpectedEOF) // never fails
	<-c.done
	return nil
}

func verify(from io.Reader, size int64, digest string) error {
	dec, err := decoder(from)
	if err != nil {
		return err
	}
	defer dec.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(dec, size+1)) // one that says it is small and is not, is not read on
	switch {
	case err != nil:
		return fault.Wrap(fault.Invalid, err, "the bytes are not a Zstandard stream").WithField("encoding")
	case n != size:
		return fault.New(fault.Invalid, "the compressed file does not have the declared size of %d bytes", size).WithField("original_size")
	case hex.EncodeToString(sum.Sum(nil)) != digest:
		return fault.New(fault.Invalid, "the compressed file does not have the declared SHA-256").WithField("original_sha256")
	}
	return nil
}
