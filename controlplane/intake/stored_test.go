package intake_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/intake"
	database "github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/store/storetest"
)

// known is what the golden file of a report says of it.
type known struct {
	format, grade string
	exit          int
	tests         execution.Counts // with the cases that stand for what is not listed
}

var golden = regexp.MustCompile(`(?s)\nformat (\w+), exit code (\d+): (\w+)\n.* observed \{Total:(\d+) Passed:(\d+) Failed:(\d+) Errored:(\d+) Skipped:(\d+)\}(.*)$`)

func goldenOf(t *testing.T, path string) known {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := golden.FindStringSubmatch(string(text))
	if m == nil {
		t.Fatalf("%s is no golden file", path)
	}
	n := make([]int, len(m))
	for _, i := range []int{2, 4, 5, 6, 7, 8} {
		if n[i], err = strconv.Atoi(m[i]); err != nil {
			t.Fatal(err)
		}
	}
	made := strings.Count(m[9], "\n+ errored ")
	return known{
		format: m[1], exit: n[2], grade: m[3],
		tests: execution.Counts{Total: n[4] + made, Passed: n[5], Failed: n[6], Errored: n[7] + made, Skipped: n[8]},
	}
}

// TestIntake_File_ReadBack sends what tools wrote through intake into a store, before and after the exit code of its step, and holds
// that the store says of it what the parsers found.
func TestIntake_File_ReadBack(t *testing.T) {
	t.Parallel()
	s, agent, member, next := storetest.Attempts(t, func(t *testing.T, clock func() time.Time) storetest.Store {
		t.Helper()
		s, err := database.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "seatrial.db"), database.WithClock(clock))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
	data := filepath.Join("..", "results", "format", "testdata")
	reports, err := filepath.Glob(filepath.Join(data, "[rm]*", "*.*")) // real and made
	if err != nil || len(reports) < 27 {
		t.Fatalf("%d reports, %v", len(reports), err)
	}
	for _, path := range reports {
		want := goldenOf(t, filepath.Join(data, "golden", filepath.Base(path)+".golden"))
		for _, named := range []string{"auto", want.format} {
			of, attempt := next()
			t.Run(filepath.Base(path)+"/"+named, func(t *testing.T) {
				t.Parallel()
				in, err := intake.New(s, &blobs{kept: map[string][]byte{}}, &bus{}, slog.New(slog.DiscardHandler), intake.NewHops(prometheus.NewRegistry()), intake.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				exit := func() {
					if _, err := in.Report(agent, execution.Report{Attempt: attempt, Status: execution.Running, Steps: []execution.Step{
						{Index: 1, Name: "test", Status: execution.Failed, ExitCode: &want.exit},
					}}); err != nil {
						t.Fatal(err)
					}
				}
				if named == "auto" {
					exit()
				}
				send(agent, t, in, attempt, named, path)
				if named != "auto" {
					exit()
				}
				files, err := s.Files(member, of)
				if err != nil || len(files) != 1 || files[0].Grade != want.grade || files[0].Format != want.format {
					t.Errorf("stored %+v, %v; want %+v", files, err, want)
				}
				e, err := s.Execution(member, of)
				if err != nil || e.Tests != want.tests {
					t.Errorf("counts %+v, %v; want %+v", e.Tests, err, want.tests)
				}
				list, _, err := s.Results(member, of, nil, 1000, "")
				if err != nil || len(list) != want.tests.Total {
					t.Errorf("%d results, %v; want %d", len(list), err, want.tests.Total)
				}
			})
		}
	}
}

func send(ctx context.Context, t *testing.T, in *intake.Intake, id execution.AttemptID, format, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	f := execution.File{
		Attempt: id, Step: 1, Kind: execution.FileReport, Path: fmt.Sprint("out/", filepath.Base(path)), Size: int64(len(data)),
		SHA256: hex.EncodeToString(sum[:]), ContentType: "application/octet-stream", Format: format,
	}
	if err := in.File(ctx, f, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
}
