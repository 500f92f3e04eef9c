package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/agent/source/archive"
)

// entry is one name of an archive.
type entry struct {
	name    string
	kind    byte // a file when 0
	content string
	target  string
	mode    int64
}

var changed = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)

func pack(tb testing.TB, entries ...entry) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Size: int64(len(e.content)), Linkname: e.target, Mode: e.mode, ModTime: changed}
		switch e.kind {
		case 0:
			h.Typeflag = tar.TypeReg
		case tar.TypeXGlobalHeader:
			*h = tar.Header{Typeflag: e.kind, Name: e.name, PAXRecords: map[string]string{"comment": "c"}}
		}
		if err := w.WriteHeader(h); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func gzipped(tb testing.TB, plain []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(plain); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(tb testing.TB, plain []byte) []byte {
	tb.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(plain, nil)
}

// unpack unpacks into a folder inside of another one, and returns that.
func unpack(tb testing.TB, raw []byte, strip int) (outer string, files int, err error) {
	tb.Helper()
	outer = tb.TempDir()
	if err := os.Mkdir(filepath.Join(outer, "in"), 0o750); err != nil {
		tb.Fatal(err)
	}
	root, err := os.OpenRoot(filepath.Join(outer, "in"))
	if err != nil {
		tb.Fatal(err)
	}
	defer root.Close()
	files, err = archive.Unpack(root, bytes.NewReader(raw), strip)
	return outer, files, err
}

// tree lists a folder: "a/b -rw-r--r-- content", "link -> target".
func tree(tb testing.TB, dir string) (out []string) {
	tb.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, name)
		switch {
		case err != nil || rel == ".":
			return err
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(name)
			out = append(out, rel+" -> "+target)
			return err
		case d.IsDir():
			out = append(out, rel+"/")
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(name)
		out = append(out, fmt.Sprintf("%s %v %s", rel, info.Mode()&0o100 != 0, b))
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// corrupt is an archive whose compression is damaged within a large file.
func corrupt(tb testing.TB) []byte {
	tb.Helper()
	var content strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&content, "%x", sha256.Sum256([]byte{byte(i), byte(i >> 8)}))
	}
	raw := gzipped(tb, pack(tb, entry{name: "a", content: content.String()}))
	for i := len(raw) / 2; i < len(raw)/2+64; i++ {
		raw[i] = 0xff
	}
	return raw
}

func project(tb testing.TB) []byte {
	tb.Helper()
	return pack(tb,
		entry{name: "pax_global_header", kind: tar.TypeXGlobalHeader},
		entry{name: "./shop/", kind: tar.TypeDir, mode: 0o755},
		entry{name: "./shop/run.sh", content: "#!/bin/sh\n", mode: 0o755},
		entry{name: "shop/e2e/test_it.py", content: "pass\n", mode: 0o600},
		entry{name: "shop/link", kind: tar.TypeSymlink, target: "e2e/test_it.py"},
		entry{name: "shop/same", kind: tar.TypeLink, target: "shop/run.sh"},
		entry{name: "top.txt", content: "t", mode: 0o644},
	)
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	whole := []string{
		"shop/", "shop/e2e/", "shop/e2e/test_it.py false pass\n", "shop/link -> e2e/test_it.py", "shop/run.sh true #!/bin/sh\n",
		"shop/same true #!/bin/sh\n", "top.txt false t",
	}
	for name, tc := range map[string]struct {
		reason string
		raw    []byte
		strip  int
		files  int
		want   []string
	}{
		"Plain": {"no compression", project(t), 0, 5, whole},
		"Gzip":  {"the usual one", gzipped(t, project(t)), 0, 5, whole},
		"Zstd":  {"the better one", zstandard(t, project(t)), 0, 5, whole},
		"Strip": {
			"archives of forges have one folder on top", gzipped(t, project(t)), 1, 4,
			[]string{"e2e/", "e2e/test_it.py false pass\n", "link -> e2e/test_it.py", "run.sh true #!/bin/sh\n", "same true #!/bin/sh\n"},
		},
		"Empty": {"an archive may hold nothing", pack(t), 0, 0, nil},
		"Twice": {"the later of two wins, as with tar", pack(t, entry{name: "a", content: "1"}, entry{name: "a", content: "2"}), 0, 2, []string{"a false 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outer, files, err := unpack(t, tc.raw, tc.strip)
			if err != nil || files != tc.files {
				t.Fatalf("%s: %d files, want %d, error %v", tc.reason, files, tc.files, err)
			}
			if diff := cmp.Diff(tc.want, tree(t, filepath.Join(outer, "in"))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if info, err := os.Stat(filepath.Join(outer, "in/top.txt")); tc.files == 5 && (err != nil || !info.ModTime().Equal(changed)) {
				t.Errorf("the time of a file is lost: %v %v", info, err)
			}
		})
	}
}

// TestUnpack_Err shows that nothing leaves the folder and that each fault has its words.
func TestUnpack_Err(t *testing.T) {
	t.Parallel()
	long := gzipped(t, project(t))
	damaged := bytes.Clone(long)
	damaged[len(damaged)-6] ^= 1 // the checksum
	for name, tc := range map[string]struct {
		reason string
		raw    []byte
		strip  int
		says   string
	}{
		"Parent":      {"the classic", pack(t, entry{name: "../evil", content: "x"}), 0, "outside of its folder"},
		"Inner":       {"also in the midst", pack(t, entry{name: "a/../../evil", content: "x"}), 0, "outside of its folder"},
		"Absolute":    {"not below the folder", pack(t, entry{name: "/evil", content: "x"}), 0, "outside of its folder"},
		"Through":     {"a link out, then a file through it", pack(t, entry{name: "l", kind: tar.TypeSymlink, target: ".."}, entry{name: "l/evil", content: "x"}), 0, "escapes"},
		"HardOutside": {"a second name for what is outside", pack(t, entry{name: "l", kind: tar.TypeLink, target: "../secret"}), 0, "outside of its folder"},
		"Whiteout":    {"what an image deletes would come back", pack(t, entry{name: "a/.wh.b"}), 0, "a layer of an image"},
		"LinkToTop":   {"its target is left out", pack(t, entry{name: "a", content: "x"}, entry{name: "d/l", kind: tar.TypeLink, target: "a"}), 1, "which strip leaves out"},
		"Corrupt":     {"in the midst of a file", corrupt(t), 0, "is damaged"},
		"Device":      {"not a file", pack(t, entry{name: "null", kind: tar.TypeChar}), 0, "neither a file nor a folder nor a link"},
		"Pipe":        {"would hang its reader", pack(t, entry{name: "p", kind: tar.TypeFifo}), 0, "neither a file nor a folder nor a link"},
		"Zip":         {"another archive", []byte("PK\x03\x04 and more"), 0, "looks like a zip archive"},
		"Page":        {"a log-in page instead of the file", []byte("\n<!doctype html><p>Sign in"), 0, "looks like a web page"},
		"Nothing":     {"no byte at all", nil, 0, "it is empty"},
		"CutOff":      {"half of it", long[:len(long)/2], 0, "is cut off"},
		"Damaged":     {"a wrong checksum", damaged, 0, "is damaged"},
		"TooDeep":     {"strip leaves nothing", pack(t, entry{name: "a/b", content: "x"}), 2, "no file below 2 folders"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outer, _, err := unpack(t, tc.raw, tc.strip)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: error %v, want one that says %q", tc.reason, err, tc.says)
			}
			var own *archive.Error
			if tc.says != "escapes" && !errors.As(err, &own) {
				t.Errorf("%s: %T is not a fault of the archive", tc.reason, err)
			}
			if entries, err := os.ReadDir(outer); err != nil || len(entries) != 1 {
				t.Errorf("%s: something was written outside of the folder: %v %v", tc.reason, entries, err)
			}
		})
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(project(f), 0)
	f.Add(gzipped(f, project(f)), 1)
	f.Add(zstandard(f, project(f)), 0)
	f.Add(pack(f, entry{name: "l", kind: tar.TypeSymlink, target: ".."}, entry{name: "l/evil", content: "x"}), 0)
	f.Fuzz(func(t *testing.T, raw []byte, strip int) {
		outer, _, _ := unpack(t, raw, max(strip, 0)%4)
		if entries, err := os.ReadDir(outer); err != nil || len(entries) != 1 {
			t.Errorf("something was written outside of the folder: %v %v", entries, err)
		}
	})
}
