package packed_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/packed"
)

func pack(tb testing.TB, text string) []byte {
	tb.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return enc.EncodeAll([]byte(text), nil)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestCheck(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a line of a log\n", 10_000)
	whole := pack(t, text)
	for name, tc := range map[string]struct {
		bytes  []byte
		size   int64
		digest string
		ok     bool
		reason string
	}{
		"OK":       {whole, int64(len(text)), digest(text), true, "what was declared"},
		"Digest":   {whole, int64(len(text)), digest("x"), false, "another file"},
		"Shorter":  {whole, int64(len(text)) + 1, digest(text), false, "a file that is shorter than declared"},
		"Bomb":     {whole, 10, digest(text[:10]), false, "a small file that gets large when it is read"},
		"Cut":      {whole[:len(whole)-5], int64(len(text)), digest(text), false, "a part of a file"},
		"Plain":    {[]byte(text), int64(len(text)), digest(text), false, "a file that is not compressed"},
		"Trailing": {append(bytes.Clone(whole), "x"...), int64(len(text)), digest(text), false, "bytes that nobody would read"},
		"Nothing":  {nil, int64(len(text)), digest(text), false, "no bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := packed.NewCheck(tc.size, tc.digest)
			defer c.Close()
			_, err := io.Copy(c, iotestReader{bytes.NewReader(tc.bytes)})
			if err == nil {
				err = c.Verdict()
			}
			if (err == nil) != tc.ok || err != nil && !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", tc.reason, err)
			}
		})
	}
}

// iotestReader hides that it can write itself, so that bytes come in pieces.
type iotestReader struct{ from *bytes.Reader }

func (r iotestReader) Read(p []byte) (int, error) { return r.from.Read(p[:min(len(p), 100)]) }

// TestCheck_GivenUp holds that nothing stays behind of a file that never came to its end.
func TestCheck_GivenUp(t *testing.T) {
	t.Parallel()
	c := packed.NewCheck(1, digest("x"))
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Verdict(); err == nil {
		t.Error("half a file is not a whole one")
	}
}

type blobs map[string][]byte

type opened struct{ *bytes.Reader }

func (opened) Close() error { return nil }

func (b blobs) Open(_ context.Context, key string) (io.ReadSeekCloser, error) {
	if text, ok := b[key]; ok {
		return opened{bytes.NewReader(text)}, nil
	}
	return nil, fault.New(fault.NotFound, "nothing is stored under %s", key)
}

func TestOpen(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("abc", 1000)
	store := blobs{"plain": []byte(text), "packed": pack(t, text)}
	for name, tc := range map[string]struct {
		f    execution.File
		kind fault.Kind
	}{
		"Plain":   {execution.File{Blob: "plain", Size: 3000}, ""},
		"Packed":  {execution.File{Blob: "packed", Size: 3000, Encoding: execution.Zstandard}, ""},
		"Gone":    {execution.File{Blob: "gone"}, fault.NotFound},
		"Unknown": {execution.File{Blob: "plain", Encoding: "lz4"}, fault.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := packed.Open(t.Context(), store, tc.f)
			if tc.kind != "" {
				if !fault.Is(err, tc.kind) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(body)
			if err != nil || string(got) != text || body.Close() != nil {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(pack(f, "hello"), int64(5))
	f.Add([]byte("hello"), int64(5))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd}, int64(0))
	f.Fuzz(func(t *testing.T, text []byte, size int64) {
		if size < 0 || size > 1<<20 {
			return
		}
		c := packed.NewCheck(size, digest("hello"))
		defer c.Close()
		_, err := c.Write(text)
		if err == nil {
			err = c.Verdict()
		}
		if err == nil && size != 5 {
			t.Fatal("only one file has this digest")
		}
	})
}
