package api_test

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/usage"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// packed stores a text compressed and returns its record.
func (b *bench) packed(t *testing.T, kind execution.FileKind, path, text string) execution.File {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	f := execution.File{
		ID: uuid.New(), Attempt: b.attempt().ID, Kind: kind, Path: path, Blob: path, ContentType: "text/plain; charset=utf-8", SHA256: "ab",
		Size: int64(len(text)), Encoding: execution.Zstandard, CreatedAt: time.Unix(1e9, 0),
	}
	b.world.blobs[path] = string(enc.EncodeAll([]byte(text), nil))
	b.world.files = append(b.world.files, f)
	return f
}

// answer is what came of a request.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

func (b *bench) get(t *testing.T, path string, header ...string) (answer, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := b.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, body}, err
}

// TestAPI_Download_Compressed holds that a person gets a file as the test wrote it, however it is stored.
func TestAPI_Download_Compressed(t *testing.T) {
	t.Parallel()
	b := setup(t, "read", api.Timing{})
	text := strings.Repeat("a line\n", 1000)
	f := b.packed(t, execution.FileArtifact, "out/a.txt", text)
	got, err := b.get(t, "/files/"+f.ID.String())
	h := got.header
	if err != nil || string(got.body) != text || h.Get("Content-Encoding") != "" || h.Get("Content-Length") != strconv.Itoa(len(text)) ||
		h.Get("Content-Type") != f.ContentType {
		t.Errorf("%d bytes with %v, %v", len(got.body), h, err)
	}
	if got, _ := b.get(t, "/files/"+f.ID.String(), "If-None-Match", h.Get("ETag")); got.code != http.StatusNotModified {
		t.Errorf("the same file again is %d", got.code)
	}
	b.world.blobs["out/a.txt"] = b.world.blobs["out/a.txt"][:20]
	if got, err := b.get(t, "/files/"+f.ID.String()); err == nil && len(got.body) == len(text) {
		t.Error("a damaged file came as a whole one")
	}
}

func TestAPI_Archive(t *testing.T) {
	t.Parallel()
	b := setup(t, "read", api.Timing{})
	b.packed(t, execution.FileArtifact, "out/a.txt", "the text")
	list, err := b.executions.ListFiles(t.Context(), &apiv1.ListFilesRequest{ExecutionId: b.world.execution.ID.String()})
	if err != nil || list.GetArchive() == "" || list.GetFiles()[0].GetEncoding() != "zstd" || list.GetFiles()[0].GetName() != "artifacts/out/a.txt" {
		t.Fatalf("%v, %v", list, err)
	}
	whole, err := b.get(t, list.GetArchive())
	if err != nil || whole.code != http.StatusOK || whole.header.Get("Content-Type") != "application/zip" {
		t.Fatalf("%d: %s, %v", whole.code, whole.body, err)
	}
	z, err := zip.NewReader(bytes.NewReader(whole.body), int64(len(whole.body)))
	if err != nil {
		t.Fatal(err)
	}
	from, err := z.Open("artifacts/out/a.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(from); err != nil || string(got) != "the text" {
		t.Errorf("%q, %v", got, err)
	}
	b.world.blobs = map[string]string{} // the store of bytes fails
	got, err := b.get(t, list.GetArchive())
	if err != nil || got.code != http.StatusInternalServerError || got.header.Get("Content-Type") != "application/json" ||
		got.header.Get("Content-Disposition") != "" || !strings.Contains(string(got.body), "Look for the reference") {
		t.Errorf("what failed before the first byte: %d with %v, %v: %s", got.code, got.header, err, got.body)
	}
	for token, want := range map[string]int{"": http.StatusUnauthorized, "none": http.StatusForbidden, "foreign": http.StatusNotFound} {
		other := setup(t, token, api.Timing{})
		if got, _ := other.get(t, "/archives/"+other.world.execution.ID.String()); got.code != want {
			t.Errorf("token %q: %d, want %d", token, got.code, want)
		}
	}
}

func TestAPI_ListMetrics(t *testing.T) {
	t.Parallel()
	b := setup(t, "read", api.Timing{})
	b.packed(t, execution.FileMetrics, "0-test.csv", usage.Header+"\n1.000,0.500,1024,1,2\n2.000,0.750,512,3,4\n")
	b.world.execution.Runs[0].Attempts[0].Steps[0].Usage = &execution.Usage{CPU: 750 * time.Millisecond, MemoryPeak: 1024}
	ask := &apiv1.ListMetricsRequest{ExecutionId: b.world.execution.ID.String()}
	res, err := b.executions.ListMetrics(t.Context(), ask)
	if err != nil || len(res.GetSteps()) != 1 {
		t.Fatalf("%v, %v", res, err)
	}
	s := res.GetSteps()[0]
	if s.GetStep() != "test" || s.GetUsage().GetMemoryPeak() != 1024 || len(s.GetSamples()) != 2 || s.GetSamples()[1].GetCpu().AsDuration() != 750*time.Millisecond {
		t.Errorf("got %v", s)
	}
	ask.AttemptIds = []string{uuid.NewString()}
	if res, err := b.executions.ListMetrics(t.Context(), ask); err != nil || len(res.GetSteps()) != 0 {
		t.Errorf("of another attempt: %v, %v", res, err)
	}
	ask.AttemptIds = nil
	attempt := &b.world.execution.Runs[0].Attempts[0]
	one := attempt.Steps[0]
	for i := range 600 {
		f := b.world.files[len(b.world.files)-1]
		f.Step = 1000 + i
		b.world.files = append(b.world.files, f)
		attempt.Steps = append(attempt.Steps, execution.Step{Index: f.Step, Name: "more"})
	}
	if res, err := b.executions.ListMetrics(t.Context(), ask); err != nil || len(res.GetSteps()) != 500 || !res.GetCut() {
		t.Errorf("of 601 records: %d, cut %t, %v", len(res.GetSteps()), res.GetCut(), err)
	}
	attempt.Steps, b.world.files = []execution.Step{one}, b.world.files[:1]
	b.world.blobs["0-test.csv"] = "no record"
	if res, err := b.executions.ListMetrics(t.Context(), ask); err != nil || len(res.GetSteps()) != 1 || len(res.GetSteps()[0].GetSamples()) != 0 {
		t.Errorf("a record that nobody can read: %v, %v", res, err)
	}
}
