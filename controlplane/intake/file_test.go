package intake_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/intake"
)

func file(b *bench, kind execution.FileKind, text string) execution.File {
	sum := sha256.Sum256([]byte(text))
	f := execution.File{
		Attempt: b.store.own, Kind: kind, Path: "out/r.xml", Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:]), ContentType: "text/xml",
	}
	if kind == execution.FileReport {
		f.Format = "junit"
	}
	return f
}

func TestIntake_File_ArtifactIsStoredUnderItsDigest(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"Bytes": "hello", "Empty": ""} {
		for how, short := range map[string]bool{"StoreReadsToTheEnd": false, "StoreReadsTheSizeOnly": true} {
			t.Run(name+how, func(t *testing.T) {
				t.Parallel()
				b := setup(t, intake.Limits{})
				b.blobs.short = short
				f := file(b, execution.FileArtifact, text)
				for range 2 { // an upload whose answer was lost comes again
					if err := b.intake.File(b.ctx, f, iotest.OneByteReader(strings.NewReader(text))); err != nil {
						t.Fatal(err)
					}
				}
				if len(b.store.files) != 1 || string(b.blobs.kept[b.store.files[0].Blob]) != text {
					t.Fatalf("files %+v, blobs %q", b.store.files, b.blobs.kept)
				}
				if key := b.store.files[0].Blob; !strings.HasPrefix(key, "org/"+b.viewer.Organization.String()+"/") {
					t.Errorf("key %q is not under the organization", key)
				}
			})
		}
	}
}

func TestIntake_File_Refuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*execution.File)
		kind   fault.Kind
		reason string
	}{
		"Foreign":     {func(f *execution.File) { f.Attempt = uuid.New() }, fault.NotFound, "another cluster's attempt"},
		"Digest":      {func(f *execution.File) { f.SHA256 = strings.Repeat("0", 64) }, fault.Invalid, "damaged on the way"},
		"NoDigest":    {func(f *execution.File) { f.SHA256 = "" }, fault.Invalid, "cannot be checked"},
		"TooLong":     {func(f *execution.File) { f.Size-- }, fault.Invalid, "more bytes than declared"},
		"TooShort":    {func(f *execution.File) { f.Size++ }, fault.Invalid, "fewer bytes than declared"},
		"Negative":    {func(f *execution.File) { f.Size = -1 }, fault.Invalid, "no such size"},
		"Large":       {func(f *execution.File) { f.Size = 1 << 40 }, fault.Exhausted, "over the limit"},
		"Kind":        {func(f *execution.File) { f.Kind = "secret" }, fault.Invalid, "no such kind"},
		"Format":      {func(f *execution.File) { f.Kind, f.Format = execution.FileReport, "trx" }, fault.Unsupported, "not built yet"},
		"Absolute":    {func(f *execution.File) { f.Path = "/etc/passwd" }, fault.Invalid, "outside the workspace"},
		"Parent":      {func(f *execution.File) { f.Path = "../x" }, fault.Invalid, "outside the workspace"},
		"ParentOnly":  {func(f *execution.File) { f.Path = ".." }, fault.Invalid, "outside the workspace"},
		"NotClean":    {func(f *execution.File) { f.Path = "a//b" }, fault.Invalid, "two names for one file"},
		"HeaderBreak": {func(f *execution.File) { f.Path = "a\r\nb" }, fault.Invalid, "the name goes into a header"},
		"NoPath":      {func(f *execution.File) { f.Path = "" }, fault.Invalid, "no name"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, intake.Limits{})
			f := file(b, execution.FileArtifact, "hello")
			tc.change(&f)
			if err := b.intake.File(b.ctx, f, strings.NewReader("hello")); !fault.Is(err, tc.kind) {
				t.Errorf("error %v, want %s: %s", err, tc.kind, tc.reason)
			}
			if len(b.blobs.kept) != 0 || len(b.store.files) != 0 {
				t.Errorf("stored %v, %v: %s", slices.Collect(maps.Keys(b.blobs.kept)), b.store.files, tc.reason)
			}
		})
	}
}

func TestIntake_File_Report(t *testing.T) {
	t.Parallel()
	one := 1
	tests := map[string]struct {
		xml      string
		exit     *int
		limits   intake.Limits
		grade    string
		outcomes string // of the stored results, in order
		reason   string
	}{
		"Consistent": {
			`<testsuite name="s" tests="2" failures="1"><testcase name="a"/><testcase name="b"><failure message="no"/></testcase></testsuite>`,
			&one,
			intake.Limits{},
			"consistent", "passed failed", "declared as listed, and the exit code agrees",
		},
		"HiddenFailure": {
			`<testsuite name="s" tests="1" failures="1"><testcase name="a"/></testsuite>`,
			nil,
			intake.Limits{},
			"contradictory", "passed errored", "a synthetic case stands for what is not listed",
		},
		"ExitCode": {
			`<testsuite name="s" tests="1"><testcase name="a"/></testsuite>`,
			&one,
			intake.Limits{},
			"contradictory", "passed errored", "the tool failed and the report says nothing of it",
		},
		"Unreadable": {
			`<testsuite name="s"><testcase name="a"/>`, nil,
			intake.Limits{},
			"unreadable", "passed errored",
			"what was read is kept, and it cannot look complete",
		},
		"Many": {
			`<testsuite name="s">` + strings.Repeat(`<testcase name="a"/>`, 3) + `<testcase name="b"><failure/></testcase></testsuite>`,
			nil,
			intake.Limits{Cases: 2},
			"lossy", "passed passed errored", "a failure beyond the limit still counts",
		},
		"LongDetails": {
			`<testsuite name="s"><testcase name="a"><failure message="m">` + strings.Repeat("x", 100) + `</failure></testcase></testsuite>`,
			nil,
			intake.Limits{Detail: 10},
			"consistent", "failed", "only the detail is dropped",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, tc.limits)
			b.store.exit = tc.exit
			if err := b.intake.File(b.ctx, file(b, execution.FileReport, tc.xml), strings.NewReader(tc.xml)); err != nil {
				t.Fatal(err)
			}
			if got := b.store.files[0]; got.Grade != tc.grade || (tc.grade != "consistent" && got.GradeReason == "") {
				t.Errorf("grade %q because %q: %s", got.Grade, got.GradeReason, tc.reason)
			}
			var outcomes []string
			for _, r := range b.store.results {
				if r.Attempt != b.store.own || r.ID == uuid.Nil || len(r.Detail) > 64<<10 {
					t.Errorf("result %+v", r)
				}
				outcomes = append(outcomes, r.Outcome)
			}
			if got := strings.Join(outcomes, " "); got != tc.outcomes {
				t.Errorf("results %q, want %q: %s", got, tc.outcomes, tc.reason)
			}
		})
	}
}

func FuzzIntake_File_Path(f *testing.F) {
	for _, p := range []string{"a/b", "../a", "a/../b", "/a", "a\\b", ".", "a/./b"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, path string) {
		b := setup(t, intake.Limits{})
		one := file(b, execution.FileArtifact, "x")
		one.Path = path
		if b.intake.File(b.ctx, one, strings.NewReader("x")) != nil {
			return
		}
		for part := range strings.SplitSeq(path, "/") {
			if part == "" || part == "." || part == ".." {
				t.Error(fmt.Errorf("accepted %q", path))
			}
		}
	})
}
