package gather_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// TestGather_Compress holds that files that get smaller are compressed, with what they were beside what they are, and no others.
func TestGather_Compress(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 6<<20)
	_, _ = rand.Read(noise)
	text := strings.Repeat("one line of a trace\n", 1000)
	files := map[string]string{
		"trace.txt": text, "short.txt": "short", "noise.bin": string(noise), "shot.png": "\x89PNG\r\n\x1a\n" + strings.Repeat("0", 5000), "empty.txt": "",
	}
	g := setup(t, files)
	spec := &runnerv1.ArtifactSpec{Paths: []string{"*"}, Compress: true, MaxSize: int64(len(noise)) + 100_000}
	s := &runnerv1.Step{Name: "test", Artifacts: spec, Reports: []*runnerv1.ReportSpec{{Format: "auto", Paths: []string{"trace.txt"}}}}
	got, notes := g.Gather(s, true)
	if len(got) != len(files)+1 || len(notes) != 0 {
		t.Fatalf("got %v, %q", paths(got), notes)
	}
	for _, f := range got {
		h := f.Header
		stored, err := os.ReadFile(f.Copy)
		if sum := sha256.Sum256(stored); err != nil || int64(len(stored)) != h.GetSize() || !bytes.Equal(sum[:], h.GetSha256()) {
			t.Errorf("%s: %d bytes are not as declared: %v", h.GetPath(), len(stored), err)
		}
		packed := h.GetPath() == "trace.txt" && h.GetKind() == runnerv1.FileKind_FILE_KIND_ARTIFACT
		if (h.GetEncoding() == "zstd") != packed {
			t.Errorf("%s %s has the encoding %q", h.GetKind(), h.GetPath(), h.GetEncoding())
			continue
		}
		original := stored
		if packed {
			original = unpack(t, stored)
			sum := sha256.Sum256(original)
			if h.GetOriginalSize() != int64(len(original)) || !bytes.Equal(sum[:], h.GetOriginalSha256()) || len(stored) > len(original)/10 {
				t.Errorf("%s: %d of %d bytes, declared %d", h.GetPath(), len(stored), len(original), h.GetOriginalSize())
			}
			if h.GetContentType() != "text/plain; charset=utf-8" {
				t.Errorf("the type is that of the file, not %s", h.GetContentType())
			}
		}
		if string(original) != files[h.GetPath()] {
			t.Errorf("%s: the content is another", h.GetPath())
		}
	}
}

// TestGather_Hurry holds that compression does not hold up an attempt that was cancelled, before or meanwhile.
func TestGather_Hurry(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("one line of a trace\n", 200_000) // some times what is compressed at once
	for after := range 4 {
		g := setup(t, map[string]string{"trace.txt": text})
		asked := 0
		g.Hurry = func() bool { asked++; return asked > after }
		spec := &runnerv1.ArtifactSpec{Paths: []string{"*"}, Compress: true}
		got, notes := g.Gather(&runnerv1.Step{Name: "test", Artifacts: spec}, true)
		if len(got) != 1 || len(notes) != 0 || asked != after+1 {
			t.Fatalf("asked %d times, got %v, %q", asked, paths(got), notes)
		}
		stored, err := os.ReadFile(got[0].Copy)
		if h := got[0].Header; err != nil || string(stored) != text || h.GetEncoding() != "" || h.GetSize() != int64(len(text)) {
			t.Errorf("in a hurry after %d: %d bytes with %v, %v", after, len(stored), h, err)
		}
	}
}

// TestGather_CompressLimit holds that limits count what the test wrote.
func TestGather_CompressLimit(t *testing.T) {
	t.Parallel()
	g := setup(t, map[string]string{"a.txt": strings.Repeat("a", 5000), "b.txt": strings.Repeat("b", 5000)})
	spec := &runnerv1.ArtifactSpec{Paths: []string{"*"}, Compress: true, MaxSize: 6000}
	got, notes := g.Gather(&runnerv1.Step{Name: "test", Artifacts: spec}, true)
	if len(got) != 1 || !strings.Contains(strings.Join(notes, ""), "6000 bytes in all") {
		t.Errorf("got %v, %q", paths(got), notes)
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	g := setup(t, nil)
	text := strings.Repeat("1,2,3\n", 500)
	got, err := g.Keep(&runnerv1.Step{Index: 3}, runnerv1.FileKind_FILE_KIND_METRICS, "3-test.csv", "text/csv", []byte(text))
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	stored, err := os.ReadFile(got[0].Copy)
	if h := got[0].Header; err != nil || h.GetStepIndex() != 3 || h.GetAttemptId() != "a" || h.GetOriginalSize() != 3000 || string(unpack(t, stored)) != text {
		t.Errorf("%v, %v", h, err)
	}
}

func unpack(t *testing.T, stored []byte) []byte {
	t.Helper()
	dec, err := zstd.NewReader(nil, zstd.WithDecoderMaxWindow(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	out, err := dec.DecodeAll(stored, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
