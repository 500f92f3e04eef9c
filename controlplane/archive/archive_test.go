package archive_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/archive"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
)

var first, second, third = uuid.UUID{1}, uuid.UUID{2}, uuid.UUID{3} // of attempts

func attempt(id uuid.UUID, n int) execution.Attempt {
	return execution.Attempt{ID: id, Number: n, Steps: []execution.Step{{Index: 0, Name: "install"}, {Index: 1, Name: "test"}}}
}

func TestNames(t *testing.T) {
	t.Parallel()
	one := execution.Execution{Runs: []execution.Run{{Environment: "staging", Attempts: []execution.Attempt{attempt(first, 1)}}}}
	again := execution.Execution{Runs: []execution.Run{{Environment: "staging", Attempts: []execution.Attempt{attempt(first, 1), attempt(second, 2)}}}}
	many := execution.Execution{Runs: []execution.Run{
		{Name: "browser=firefox, shard 1/2", Attempts: []execution.Attempt{attempt(first, 1)}},
		{Environment: "eu", Attempts: []execution.Attempt{attempt(third, 1)}},
	}}
	artifact := func(a uuid.UUID, step int, path string) execution.File {
		return execution.File{Attempt: a, Step: step, Kind: execution.FileArtifact, Path: path}
	}
	for name, tc := range map[string]struct {
		e      execution.Execution
		files  []execution.File
		want   []string
		reason string
	}{
		"Alone": {one, []execution.File{
			artifact(first, 0, "out/a.txt"), {Attempt: first, Kind: execution.FileReport, Path: "out/a.txt"}, {Attempt: first, Kind: execution.FileMetrics, Path: "0-x.csv"},
		}, []string{"artifacts/out/a.txt", "reports/out/a.txt", "metrics/0-x.csv"}, "nothing to tell apart but kinds"},
		"Steps": {
			one,
			[]execution.File{artifact(first, 0, "a.txt"), artifact(first, 1, "a.txt"), artifact(first, 1, "b.txt")},
			[]string{"artifacts/install/a.txt", "artifacts/test/a.txt", "artifacts/b.txt"},
			"two steps wrote one path",
		},
		"Twice": {
			one,
			[]execution.File{artifact(first, 0, "a.txt"), artifact(first, 0, "a.txt")},
			[]string{"artifacts/install/a.txt", "artifacts/install/a (2).txt"},
			"one step delivered a path twice",
		},
		"Attempts": {
			again,
			[]execution.File{artifact(first, 0, "a.txt"), artifact(second, 0, "a.txt")},
			[]string{"attempt-1/artifacts/a.txt", "attempt-2/artifacts/a.txt"},
			"it was tried anew",
		},
		"Runs": {
			many,
			[]execution.File{artifact(first, 0, "a.txt"), artifact(third, 0, "a.txt")},
			[]string{"browser=firefox, shard 1_2/artifacts/a.txt", "eu/artifacts/a.txt"},
			"a folder for each run, whose name is no path",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := archive.Names(tc.e, tc.files); !slices.Equal(got, tc.want) {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	e := execution.Execution{Runs: []execution.Run{{Attempts: []execution.Attempt{attempt(first, 1)}}}}
	files := []execution.File{
		{Attempt: first, Kind: execution.FileArtifact, Path: "a.txt", Encoding: execution.Zstandard}, {Attempt: first, Kind: execution.FileArtifact, Path: "gone.png"},
	}
	open := func(_ context.Context, f execution.File) (io.ReadCloser, error) {
		if f.Path == "gone.png" {
			return nil, fault.New(fault.NotFound, "gone")
		}
		return io.NopCloser(strings.NewReader("the text")), nil
	}
	var b bytes.Buffer
	if err := archive.Write(t.Context(), &b, e, files, open); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"artifacts/a.txt": "the text", archive.MissingName: "artifacts/gone.png"} {
		from, err := z.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(from); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
}

// TestWrite_CutShort holds that nobody can take an archive for a whole one when it is not.
func TestWrite_CutShort(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	err := archive.Write(t.Context(), &b, execution.Execution{}, []execution.File{{Path: "a"}}, func(context.Context, execution.File) (io.ReadCloser, error) {
		return nil, errors.New("the store is away")
	})
	if _, bad := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len())); err == nil || bad == nil {
		t.Errorf("got %v, and the archive opens: %v", err, bad)
	}
}
