package attest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest"
	"github.com/seatrial/seatrial/controlplane/release/attest/canonical"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
)

func TestBundle_Golden(t *testing.T) {
	t.Parallel()
	file := write(t, envelopes(t))
	golden(t, "bundle.golden.jsonl", file)
	b := read(t, file)
	if diff := cmp.Diff(envelopes(t), b.Envelopes()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	v, err := b.Verify(trusted(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Statements) != 3 || len(v.Keys) != 1 || !v.CreatedAt.Equal(day(3)) {
		t.Errorf("%v", v)
	}
	if attest.Digest(v.Readiness.Input) != v.Readiness.InputSHA256 || attest.Digest(v.Readiness.Output) != v.Readiness.OutputSHA256 {
		t.Errorf("%s, %s: the bytes are not those that were signed", v.Readiness.Input, v.Readiness.Output)
	}
}

// No byte is unprotected, and nobody needs a key to see that one was changed.
func TestRead_EveryByte(t *testing.T) {
	t.Parallel()
	small := signed(t, made(t)(attest.NewTestResult(subject(t)[3:], smoke())))
	file := write(t, []attest.Envelope{small, small}, private(t, seed1), private(t, seed2))
	header := bytes.IndexByte(file, '\n') + 1
	r := bytes.NewReader(file)
	for i := range file {
		masks := []byte{1, 2, 4, 8, 16, 32, 64, 128}
		if i >= header { // covered by a digest: one bit is as good as another
			masks = masks[i%8:][:1]
		}
		for _, mask := range masks {
			file[i] ^= mask
			r.Reset(file)
			if _, err := attest.Read(r); !fault.Is(err, fault.Invalid) {
				t.Errorf("byte %d, changed by %d: %v", i, mask, err)
			}
			file[i] ^= mask
		}
	}
}

func TestRead_EveryLength(t *testing.T) {
	t.Parallel()
	file := write(t, envelopes(t))
	for n := range file {
		if _, err := attest.Read(bytes.NewReader(file[:n])); !fault.Is(err, fault.Invalid) {
			t.Errorf("cut to %d of %d bytes: %v", n, len(file), err)
		}
	}
}

func TestRead_Err(t *testing.T) {
	t.Parallel()
	lines := bytes.SplitAfter(write(t, envelopes(t)), []byte("\n"))
	join := func(of ...int) []byte {
		var file []byte
		for _, i := range of {
			file = append(file, lines[i]...)
		}
		return file
	}
	tests := map[string]struct {
		file   []byte
		kind   fault.Kind
		says   string
		reason string
	}{
		"Empty":       {nil, fault.Invalid, "cut off", "not even a header"},
		"Blank":       {[]byte("\n"), fault.Invalid, "header", "not even a header"},
		"NoHeader":    {join(1, 2, 3), fault.Invalid, "format", "envelopes alone are no bundle"},
		"Dropped":     {join(0, 1, 2), fault.Invalid, "2 lines follow", "the last one is missing"},
		"DroppedMid":  {join(0, 1, 3), fault.Invalid, "2 lines follow", "one is missing"},
		"Moved":       {join(0, 2, 1, 3), fault.Invalid, "line 2", "another order"},
		"Doubled":     {join(0, 1, 1, 2, 3), fault.Invalid, "4 lines follow", "one too many"},
		"BlankAtEnd":  {append(join(0, 1, 2, 3), '\n'), fault.Invalid, "4 lines follow", "one too many"},
		"CRLF":        {bytes.ReplaceAll(join(0, 1, 2, 3), []byte("\n"), []byte("\r\n")), fault.Invalid, "line 1", "other bytes"},
		"HeaderSpace": {append([]byte(" "), join(0, 1, 2, 3)...), fault.Invalid, "line 1", "other bytes"},
		"Later":       {bytes.Replace(join(0, 1, 2, 3), []byte("bundles/v1"), []byte("bundles/v2"), 1), fault.Invalid, "bundles/v2", "a later format is named"},
		"LongLine":    {append(bytes.Repeat([]byte("a"), attest.MaxLine+1), '\n'), fault.Exhausted, "line 1", "bounded"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := attest.Read(bytes.NewReader(tc.file))
			if !fault.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v, want %s that says %q: %s", err, tc.kind, tc.says, tc.reason)
			}
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestRead_Bounded(t *testing.T) {
	t.Parallel()
	if _, err := attest.Read(endless{}); !fault.Is(err, fault.Exhausted) {
		t.Errorf("%v: a file without end", err)
	}
	broken := errors.New("broken")
	if _, err := attest.Read(iotest.ErrReader(broken)); !fault.Is(err, fault.Unavailable) || !errors.Is(err, broken) {
		t.Errorf("%v: it may work the next time", err)
	}
}

func TestWrite_Err(t *testing.T) {
	t.Parallel()
	all := envelopes(t)
	k := private(t, seed1)
	large := all[0]
	large.Payload = make([]byte, attest.MaxLine)
	fits := all[0]
	fits.Payload = make([]byte, attest.MaxLine/2)
	tests := map[string]struct {
		w      io.Writer
		in     []attest.Envelope
		keys   []key.Private
		kind   fault.Kind
		reason string
	}{
		"NoKey": {io.Discard, all, nil, fault.Invalid, "the header would say nothing"},
		"Many":  {io.Discard, make([]attest.Envelope, attest.MaxEnvelopes+1), []key.Private{k}, fault.Exhausted, "no reader would take it"},
		"Line":  {io.Discard, []attest.Envelope{large}, []key.Private{k}, fault.Exhausted, "no reader would take it"},
		"Total": {io.Discard, []attest.Envelope{fits, fits, fits, fits, fits, fits}, []key.Private{k}, fault.Exhausted, "no reader would take it"},
		"Full":  {full{}, all, []key.Private{k}, fault.Unavailable, "the writer's error"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := attest.Write(tc.w, day(3), tc.in, tc.keys...); !fault.Is(err, tc.kind) {
				t.Errorf("%v, want %s: %s", err, tc.kind, tc.reason)
			}
		})
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// remade changes the header of a bundle and takes its checksum anew, as somebody without a key can.
func remade(t *testing.T, file []byte, change func(header map[string]any, lines [][]byte) [][]byte) []byte {
	t.Helper()
	lines := bytes.Split(bytes.TrimSuffix(file, []byte("\n")), []byte("\n"))
	var header map[string]any
	if err := json.Unmarshal(lines[0], &header); err != nil {
		t.Fatal(err)
	}
	rest := change(header, lines[1:])
	header["checksum"] = ""
	for _, last := range []bool{false, true} {
		text, err := canonical.JSON(header)
		if err != nil {
			t.Fatal(err)
		}
		if last {
			return append(bytes.Join(append([][]byte{text}, rest...), []byte("\n")), '\n')
		}
		header["checksum"] = attest.Digest(text)
	}
	return nil
}

func TestBundle_Verify_Err(t *testing.T) {
	t.Parallel()
	file := write(t, envelopes(t))
	stranger := private(t, seed2)
	foreign := envelopes(t)
	foreign[2] = signed(t, made(t)(attest.NewTestResult(subject(t), smoke())), stranger)
	retired := private(t, seed1).Public()
	retired.RetiredAt = day(3)
	drop := func(h map[string]any, lines [][]byte) [][]byte {
		h["count"], h["lines"] = 2, h["lines"].([]any)[:2]
		return lines[:2]
	}
	redate := func(h map[string]any, lines [][]byte) [][]byte {
		h["createdAt"] = day(2)
		return lines
	}
	swap := func(h map[string]any, lines [][]byte) [][]byte {
		l := h["lines"].([]any)
		h["lines"] = []any{l[1], l[0], l[2]}
		return [][]byte{lines[1], lines[0], lines[2]}
	}
	unsigned := func(h map[string]any, lines [][]byte) [][]byte {
		h["signatures"] = []any{}
		return lines
	}
	tests := map[string]struct {
		file   []byte
		ring   key.Ring
		says   string
		reason string
	}{
		"Dropped":   {remade(t, file, drop), trusted(t), "line 1", "the header is signed"},
		"Redated":   {remade(t, file, redate), trusted(t), "line 1", "the header is signed"},
		"Moved":     {remade(t, file, swap), trusted(t), "line 1", "the header is signed"},
		"Unsigned":  {remade(t, file, unsigned), trusted(t), "line 1: 0 signatures", "the header is signed"},
		"Stranger":  {write(t, envelopes(t), stranger), trusted(t), "line 1", "anybody can put envelopes of ours together"},
		"OneLine":   {write(t, foreign), trusted(t), "line 4", "every statement is signed by a trusted key"},
		"Retired":   {file, ring(t, retired), "line 1: key 06e3", "the bundle was made later"},
		"EmptyRing": {file, key.Ring{}, "line 1", "nobody is trusted"},
		"NoRelease": {write(t, envelopes(t)[:1]), trusted(t), "0 statements on the readiness", "not a release's"},
		"Two":       {write(t, append(envelopes(t), envelopes(t)[1])), trusted(t), "2 statements on the readiness", "which one?"},
		"Nothing":   {write(t, nil), trusted(t), "0 statements", "not a release's"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, tc.file).Verify(tc.ring)
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v, want Invalid that says %q: %s", err, tc.says, tc.reason)
			}
		})
	}
	if _, err := (attest.Bundle{}).Verify(trusted(t)); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v: a bundle that was never read", err)
	}
}

func TestBundle_Verify_Rotation(t *testing.T) {
	t.Parallel()
	old, now := private(t, seed1).Public(), private(t, seed2).Public()
	old.RetiredAt, now.NotBefore = day(4), day(4)
	var file bytes.Buffer
	if err := attest.Write(&file, day(9), envelopes(t), private(t, seed2)); err != nil {
		t.Fatal(err)
	}
	v, err := read(t, file.Bytes()).Verify(ring(t, old, now))
	if err != nil || cmp.Diff([]string{now.ID(), old.ID()}, ids(v.Keys)) != "" {
		t.Errorf("%v, %v: statements of the old key in a bundle of the new one", ids(v.Keys), err)
	}
}

func FuzzRead(f *testing.F) {
	good := write(f, envelopes(f))
	f.Add(good)
	r := trusted(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		b, err := attest.Read(bytes.NewReader(file))
		if err != nil {
			if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Exhausted) {
				t.Errorf("%v is not classified", err)
			}
			return
		}
		if _, err := b.Verify(r); err == nil && !bytes.Equal(file, good) {
			t.Error("this bundle was never signed")
		}
	})
}
