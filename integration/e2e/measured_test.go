package e2e_test

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

const measuring = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: measuring}
spec:
  environments: {select: {region: harbour, tier: lab}}
  container: {image: ` + python + `, imagePullPolicy: Never}
  timeout: 2m
  steps:
    - name: busy
      run: |
        mkdir -p out
        python3 -c 'import time; b = bytearray(96 << 20); e = time.time() + 3
        while time.time() < e or time.process_time() < 1.5: pass'
        seq 1 200000 > out/trace.txt
        head -c 200000 /dev/urandom > out/noise.bin
      artifacts: {paths: ["out/**"]}
    - {name: quiet, run: "true", metrics: false}
`

const lab = `apiVersion: seatrial.dev/v1
kind: Environment
metadata: {name: NAME, labels: {region: harbour}}
spec: {description: Where the bench stands., cluster: CLUSTER, namespace: NAMESPACE, tier: lab}
`

// measured runs where labels say, keeps artifacts compressed and gives them back as they were, and tells what the step has used.
func measured(t *testing.T, p *plane, a *agent) {
	t.Helper()
	p.apply(t, measuring)
	if got := p.cli(t, "run", "measuring"); got.code == 0 || !strings.Contains(got.err, "no environment has the labels region=harbour, tier=lab") {
		t.Errorf("nothing is selected: exit %d, %s%s", got.code, got.out, got.err)
	}
	var places apiv1.ListEnvironmentsResponse
	read(t, p, &places, "get", "environments", "-o", "json")
	place := places.GetEnvironments()[0]
	p.apply(t, strings.NewReplacer("NAMESPACE", a.namespace, "NAME", place.GetName(), "CLUSTER", place.GetCluster()).Replace(lab))

	id := p.run(t, "measuring")
	e := p.ended(t, id)
	if e.GetStatus() != apiv1.Status_STATUS_PASSED || len(e.GetRuns()) != 1 || e.GetRuns()[0].GetEnvironment() != place.GetName() {
		t.Fatalf("%s in %v: %s", e.GetStatus(), e.GetRuns(), e.GetMessage())
	}
	steps := e.GetRuns()[0].GetAttempts()[0].GetSteps()
	busy, quiet := steps[0].GetUsage(), steps[1].GetUsage()
	if busy.GetCpu().AsDuration().Seconds() < 1 || busy.GetMemoryPeak() < 96<<20 || quiet != nil {
		t.Errorf("the steps have used %v and %v", busy, quiet)
	}
	if got := p.must(t, "get", "execution", id); !strings.Contains(got, "Used: peak memory") {
		t.Errorf("the summary: %s", got)
	}
	if rows := strings.Count(p.must(t, "get", "metrics", id, "-o", "csv"), "\n"); rows < 4 {
		t.Errorf("%d rows of a step of three seconds", rows)
	}
	keptCompressed(t, p, id)
}

// keptCompressed compares what is stored with what is downloaded.
func keptCompressed(t *testing.T, p *plane, id string) {
	t.Helper()
	var files apiv1.ListFilesResponse
	read(t, p, &files, "get", "files", id, "-o", "json")
	dir := t.TempDir()
	p.must(t, "download", id, "--to", dir)
	p.must(t, "download", id, "--archive", filepath.Join(dir, "all.zip"))
	archive, err := zip.OpenReader(filepath.Join(dir, "all.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	seen := 0
	for _, f := range files.GetFiles() {
		if f.GetKind() != "artifact" {
			continue
		}
		seen++
		if small := f.GetStoredSize() < f.GetSize()/2; small != (f.GetPath() == "out/trace.txt") {
			t.Errorf("%s has %d bytes and takes %d (%s)", f.GetPath(), f.GetSize(), f.GetStoredSize(), f.GetEncoding())
		}
		alone, err := os.Open(filepath.Join(dir, filepath.FromSlash(f.GetName())))
		if err != nil {
			t.Fatal(err)
		}
		defer alone.Close()
		inside, err := archive.Open(f.GetName())
		if err != nil {
			t.Fatal(err)
		}
		for _, from := range []io.Reader{alone, inside} {
			sum := sha256.New()
			if _, err := io.Copy(sum, from); err != nil || hex.EncodeToString(sum.Sum(nil)) != f.GetSha256() {
				t.Errorf("%s is not what the test wrote: %v", f.GetPath(), err)
			}
		}
	}
	if seen != 2 {
		t.Errorf("the files are %v", files.GetFiles())
	}
}

// read parses what a command prints as JSON.
func read(t *testing.T, p *plane, into proto.Message, args ...string) {
	t.Helper()
	if err := protojson.Unmarshal([]byte(p.must(t, args...)), into); err != nil {
		t.Fatal(err)
	}
}
