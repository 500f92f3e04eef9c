package backup_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/controlplane/backup"
	"github.com/seatrial/seatrial/controlplane/blob"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/secretbox"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// records is a database that is one text.
type records struct {
	text   string
	schema int64
	kind   string
	fails  error
	taken  string // what somebody else has it hold by the time of Load
}

func (r *records) Kind() string           { return r.kind }
func (r *records) Latest() (int64, error) { return 7, nil }
func (r *records) Snapshot(_ context.Context, file string) (int64, error) {
	return r.schema, os.WriteFile(file, []byte(r.text), 0o600)
}

func (r *records) Empty(context.Context) error {
	if r.text != "" {
		return backup.Occupied("the database has rows")
	}
	return nil
}

func (r *records) Load(_ context.Context, file string) error {
	text, err := os.ReadFile(file)
	r.text = r.taken
	if err == nil && r.fails == nil {
		r.text = string(text)
	}
	return errors.Join(err, r.fails)
}

func box(tb testing.TB, id string) *secretbox.Box {
	tb.Helper()
	ring, err := secretbox.Parse(id + ":" + strings.Repeat("A", 43) + "=")
	if err != nil {
		tb.Fatal(err)
	}
	return secretbox.New(ring)
}

func blobs(tb testing.TB, dir string) *blob.Dir {
	tb.Helper()
	d, err := blob.NewDir(filepath.Join(dir, "blobs"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = d.Close() })
	return d
}

func instance(tb testing.TB) (backup.Instance, *records) {
	tb.Helper()
	dir := tb.TempDir()
	r := &records{schema: 7, kind: "sqlite"}
	return backup.Instance{
		Records: r, Blobs: blobs(tb, dir), Box: box(tb, "k"), Folder: dir, Authority: []string{"ca.key", "ca.crt"}, Version: "v1", Temp: dir,
		Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
	}, r
}

// filled is an instance with something of everything, and its backup.
func filled(tb testing.TB) (in backup.Instance, r *records, file []byte) {
	tb.Helper()
	in, r = instance(tb)
	r.text = "rows"
	for key, text := range map[string]string{"org/a/report.xml": "<testsuite/>", "org/a/empty": "", "org/b/big": strings.Repeat("log line\n", 9000)} {
		if err := in.Blobs.Put(tenant.System(tb.Context()), key, strings.NewReader(text), int64(len(text)), ""); err != nil {
			tb.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(in.Folder, "ca.key"), []byte("PRIVATE KEY"), 0o600); err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := in.Write(tenant.System(tb.Context()), &out); err != nil {
		tb.Fatal(err)
	}
	return in, r, out.Bytes()
}

func TestInstance_Restore(t *testing.T) {
	t.Parallel()
	_, _, file := filled(t)
	if bytes.Contains(unpacked(t, file), []byte("PRIVATE KEY")) {
		t.Error("the key of the authority can be read in the backup")
	}
	in, r := instance(t)
	m, err := in.Restore(tenant.System(t.Context()), bytes.NewReader(file))
	if err != nil || m.Blobs != 3 || m.Members != 5 || m.Version != "v1" {
		t.Fatalf("%+v, %v", m, err)
	}
	key, err := os.ReadFile(filepath.Join(in.Folder, "ca.key"))
	if err != nil || string(key) != "PRIVATE KEY" || r.text != "rows" {
		t.Errorf("key %q, %v, rows %q", key, err, r.text)
	}
	body, err := in.Blobs.Open(tenant.System(t.Context()), "org/b/big")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if text, err := io.ReadAll(body); err != nil || len(text) != 81000 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

// TestInstance_Write_Authority: a backup without the authority that the port has is none.
func TestInstance_Write_Authority(t *testing.T) {
	t.Parallel()
	in, _, _ := filled(t) // which has one of its two files
	in.OwnAuthority = true
	if _, err := in.Write(tenant.System(t.Context()), io.Discard); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), in.Folder) {
		t.Error(err)
	}
}

func unpacked(t *testing.T, file []byte) []byte {
	t.Helper()
	r, err := zstd.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestVerify_EveryByte: of a changed byte and of a missing end nobody gets a backup that is whole. The tar inside is changed, since its
// compression has a checksum that finds most of it.
func TestVerify_EveryByte(t *testing.T) {
	t.Parallel()
	_, _, file := filled(t)
	plain := unpacked(t, file)
	padding := padded(t, plain)
	for i := 0; i < len(plain); i += 101 {
		if padding[i] {
			continue
		}
		plain[i] ^= 1
		if _, err := backup.Verify(bytes.NewReader(packed(t, plain)), box(t, "k")); err == nil {
			t.Fatalf("byte %d was changed, and nobody says so", i)
		}
		plain[i] ^= 1
	}
	for n := 0; n < len(file); n += 23 {
		if _, err := backup.Verify(bytes.NewReader(file[:n]), box(t, "k")); !fault.Is(err, fault.Invalid) {
			t.Fatalf("after %d of %d bytes: %v", n, len(file), err)
		}
	}
	if _, err := backup.Verify(bytes.NewReader(file), box(t, "k")); err != nil {
		t.Error(err)
	}
}

// padded marks the bytes that a tar has no meaning for: what fills blocks, and what follows its end.
func padded(t *testing.T, plain []byte) map[int]bool {
	t.Helper()
	out := map[int]bool{}
	from := bytes.NewReader(plain)
	at := func() int { return len(plain) - from.Len() }
	for r := tar.NewReader(from); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			for i := at() - 1024; i < len(plain); i++ {
				out[i] = true
			}
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := at() + int(h.Size); i%512 != 0; i++ {
			out[i] = true
		}
	}
}

func packed(t *testing.T, plain []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(plain, nil)
}

func TestInstance_Restore_Refuses(t *testing.T) {
	t.Parallel()
	source, rows, file := filled(t)
	rows.schema = 8
	var newer bytes.Buffer
	if _, err := source.Write(tenant.System(t.Context()), &newer); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		file   []byte
		change func(in *backup.Instance, r *records)
		kind   fault.Kind
		says   string
	}{
		"Newer":    {newer.Bytes(), func(*backup.Instance, *records) {}, fault.Invalid, "newer version v1"},
		"OtherKey": {file, func(in *backup.Instance, _ *records) { in.Box = box(t, "other") }, fault.Unavailable, `"k"`},
		"Occupied": {file, func(_ *backup.Instance, r *records) { r.text = "theirs" }, fault.Conflict, "rows"},
		"OtherDB":  {file, func(_ *backup.Instance, r *records) { r.kind = "postgres" }, fault.Invalid, "postgres"},
		"Garbage":  {[]byte("no backup"), func(*backup.Instance, *records) {}, fault.Invalid, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, r := instance(t)
			tc.change(&in, r)
			held := r.text
			if _, err := in.Restore(tenant.System(t.Context()), bytes.NewReader(tc.file)); !fault.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v", err)
			}
			if r.text != held || left(t, in) != 0 {
				t.Error("something was restored")
			}
		})
	}
}

// left counts the files that an instance has.
func left(t *testing.T, in backup.Instance) (n int) {
	t.Helper()
	for _, err := range in.Blobs.All(tenant.System(t.Context())) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	for _, name := range in.Authority {
		if _, err := os.Stat(filepath.Join(in.Folder, name)); err == nil {
			n++
		}
	}
	return n
}

// TestInstance_Restore_Undoes: what was brought before the database refused is gone, so that another try finds an empty instance.
func TestInstance_Restore_Undoes(t *testing.T) {
	t.Parallel()
	_, _, file := filled(t)
	in, r := instance(t)
	r.fails = errors.New("the disk is full")
	if _, err := in.Restore(tenant.System(t.Context()), bytes.NewReader(file)); !errors.Is(err, r.fails) {
		t.Fatal(err)
	}
	if n := left(t, in); n != 0 {
		t.Errorf("%d files are left", n)
	}
	r.fails = nil
	if _, err := in.Restore(tenant.System(t.Context()), bytes.NewReader(file)); err != nil {
		t.Error(err)
	}
}

// TestInstance_Restore_Taken: who has filled the database meanwhile keeps the files, too.
func TestInstance_Restore_Taken(t *testing.T) {
	t.Parallel()
	_, _, file := filled(t)
	in, r := instance(t)
	r.fails, r.taken = errors.New("there is a table"), "theirs"
	if _, err := in.Restore(tenant.System(t.Context()), bytes.NewReader(file)); !errors.Is(err, r.fails) || !fault.Is(err, fault.Conflict) {
		t.Error(err)
	}
	if n := left(t, in); n != 4 {
		t.Errorf("%d files are left", n)
	}
}

func FuzzVerify(f *testing.F) {
	_, _, file := filled(f)
	f.Add(file)
	f.Add([]byte{})
	sealed := box(f, "k")
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := backup.Verify(bytes.NewReader(text), sealed); err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Unavailable) {
			t.Errorf("%v", err)
		}
	})
}
