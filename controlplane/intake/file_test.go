package intake_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

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

// TestIntake_File_Compressed holds that a compressed file is stored as it comes, under the digest of that, and known by what it is.
func TestIntake_File_Compressed(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a line of a trace\n", 500)
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := string(enc.EncodeAll([]byte(text), nil))
	for name, tc := range map[string]struct {
		change func(*execution.File)
		ok     bool
		reason string
	}{
		"OK":       {func(*execution.File) {}, true, "what runners send"},
		"Metrics":  {func(f *execution.File) { f.Kind = execution.FileMetrics }, true, "what runners send, too"},
		"Report":   {func(f *execution.File) { f.Kind = execution.FileReport }, false, "reports are read as they come"},
		"Unknown":  {func(f *execution.File) { f.Encoding = "lz4" }, false, "nobody could read it"},
		"Larger":   {func(f *execution.File) { f.Size = 3 }, false, "it declares to be less than it is compressed"},
		"Content":  {func(f *execution.File) { f.SHA256 = strings.Repeat("0", 64) }, false, "it holds another file than it says"},
		"Shorter":  {func(f *execution.File) { f.Size += 5 }, false, "it holds less than it says"},
		"NoDigest": {func(f *execution.File) { f.StoredSum = "" }, false, "it cannot be checked"},
		"Stored":   {func(f *execution.File) { f.StoredSum = strings.Repeat("0", 64) }, false, "it was damaged on the way"},
		"Huge":     {func(f *execution.File) { f.Size = 1 << 40 }, false, "it would be over the limit when it is read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, intake.Limits{})
			f := file(b, execution.FileArtifact, text)
			stored := file(b, execution.FileArtifact, packed)
			f.Encoding, f.StoredSize, f.StoredSum = execution.Zstandard, stored.Size, stored.SHA256
			tc.change(&f)
			err := b.intake.File(b.ctx, f, iotest.HalfReader(strings.NewReader(packed)))
			if (err == nil) != tc.ok {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if !tc.ok {
				if len(b.blobs.kept) != 0 || len(b.store.files) != 0 {
					t.Errorf("%s: stored %v", tc.reason, b.store.files)
				}
				return
			}
			kept := b.store.files[0]
			if string(b.blobs.kept[kept.Blob]) != packed || !strings.HasSuffix(kept.Blob, stored.SHA256) || kept.Size != int64(len(text)) {
				t.Errorf("kept %+v", kept)
			}
		})
	}
}

func TestIntake_File_Report(t *testing.T) {
	t.Parallel()
	const failing = `<testsuite name="s"><testcase name="a"><failure message="m">` + "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" + `</failure></testcase></testsuite>`
	tests := map[string]struct {
		format   string
		text     string
		limits   intake.Limits
		want     execution.File // format, grade, a part of the reason, and what it accounts for
		outcomes string         // of the stored results, in order
		reason   string
	}{
		"Consistent": {
			"junit", `<testsuite name="s" tests="2" failures="1"><testcase name="a"/><testcase name="b"><failure message="no"/></testcase></testsuite>`,
			intake.Limits{},
			execution.File{Format: "junit", Grade: "consistent", Bad: 1},
			"passed failed", "declared as listed",
		},
		"HiddenFailure": {
			"junit", `<testsuite name="s" tests="1" failures="1"><testcase name="a"/></testsuite>`,
			intake.Limits{},
			execution.File{Format: "junit", Grade: "contradictory", GradeReason: "declared 1 failures", Bad: 1},
			"passed errored",
			"a synthetic case stands for what is not listed",
		},
		"Unreadable": {
			"junit", `<testsuite name="s"><testcase name="a"/>`,
			intake.Limits{},
			execution.File{Format: "junit", Grade: "unreadable", GradeReason: "unreadable report", Bad: 1},
			"passed errored",
			"what was read is kept, and it cannot look complete",
		},
		"OtherThanNamed": {
			"trx", `<testsuite name="s"><testcase name="a"/></testsuite>`,
			intake.Limits{},
			execution.File{Format: "trx", Grade: "unreadable", GradeReason: "unreadable report", Bad: 1},
			"errored",
			"the workflow says what it is",
		},
		"Auto": {
			"auto", "TAP version 14\n1..2\nok 1 - a\nnot ok 2 - b\n",
			intake.Limits{},
			execution.File{Format: "tap", Grade: "consistent", Bad: 1},
			"passed failed", "the content tells the format, and the record says which",
		},
		"NoName": {
			"", `{"results":{"tool":{"name":"x"},"summary":{},"tests":[{"name":"a","status":"passed"}]}}`,
			intake.Limits{},
			execution.File{Format: "ctrf", Grade: "consistent"},
			"passed", "the content tells the format",
		},
		"AutoUnknown": {
			"auto", "Segmentation fault\n",
			intake.Limits{},
			execution.File{Format: "auto", Grade: "unreadable", GradeReason: "of no format that is known", Bad: 1},
			"errored",
			"the file is kept, and somebody learns of it",
		},
		"AutoEmpty": {
			"auto", "", intake.Limits{}, execution.File{Format: "auto", Grade: "unreadable", GradeReason: "the file is empty", Bad: 1}, "errored", "nothing is no result",
		},
		"FormatOfLater": {
			"dance", "<x/>",
			intake.Limits{},
			execution.File{Format: "dance", Grade: "unreadable", GradeReason: `no format "dance"`, Bad: 1},
			"errored",
			"a runner may be newer than the control plane",
		},
		"EveryOutcome": {
			"playwright", `{"config":{"projects":[]},"suites":[{"title":"f","specs":[` +
				`{"title":"a","tests":[{"expectedStatus":"passed","results":[{"status":"timedOut"}]}]},` +
				`{"title":"b","tests":[{"expectedStatus":"passed","status":"skipped","results":[{"status":"skipped"}]}]},` +
				`{"title":"c","tests":[{"expectedStatus":"passed","results":[{"status":"interrupted"}]}]}]}]}`,
			intake.Limits{},
			execution.File{Format: "playwright", Grade: "consistent", Bad: 1},
			"timed_out blocked cancelled", "they are stored as they are",
		},
		"Many": {
			"junit", `<testsuite name="s">` + strings.Repeat(`<testcase name="a"/>`, 3) + `<testcase name="b"><failure/></testcase></testsuite>`,
			intake.Limits{Cases: 2},
			execution.File{Format: "junit", Grade: "lossy", GradeReason: "2 cases beyond the first 2", Bad: 2},
			"passed passed errored", "a failure beyond the limit still counts",
		},
		"LongDetails": {
			"junit", failing,
			intake.Limits{Texts: 10},
			execution.File{Format: "junit", Grade: "consistent", GradeReason: "details of 1 cases were left out", Bad: 1},
			"failed", "only the detail is dropped",
		},
		"LongNames": {
			"junit", `<testsuite name="s"><testcase name="` + strings.Repeat("n", 100) + `"><failure/></testcase><testcase name="a"/></testsuite>`,
			intake.Limits{Texts: 50},
			execution.File{Format: "junit", Grade: "lossy", GradeReason: "1 cases beyond the first 1", Bad: 2},
			"passed errored", "names have no other bound together",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, tc.limits)
			f := file(b, execution.FileReport, tc.text)
			f.Format = tc.format
			if err := b.intake.File(b.ctx, f, strings.NewReader(tc.text)); err != nil {
				t.Fatal(err)
			}
			got := b.store.files[0]
			if got.Format != tc.want.Format || got.Grade != tc.want.Grade || got.Bad != tc.want.Bad || !strings.Contains(got.GradeReason, tc.want.GradeReason) {
				t.Errorf("format %s, grade %q because %q, %d bad: %s", got.Format, got.Grade, got.GradeReason, got.Bad, tc.reason)
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

// TestIntake_File_RealJUnit holds the grades that were worked out by hand for what real tools wrote.
func TestIntake_File_RealJUnit(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		grade       string
		listed, bad int // the synthetic cases among them
		reason      string
	}{
		"newman-n3.xml":    {"contradictory", 8, 4, "failures are declared and not listed, once per suite"},
		"gotestsum.xml":    {"consistent", 10, 6, "more is listed than declared"},
		"jest.xml":         {"consistent", 5, 1, "a file that did not compile leaves no trace"},
		"mocha.xml":        {"lossy", 7, 2, "two tests are declared only"},
		"node.xml":         {"consistent", 4, 1, "the failure of a todo is listed and no failure"},
		"pw-default.xml":   {"consistent", 16, 4, "flaky and blocked tests leave no trace"},
		"pytest.xml":       {"lossy", 12, 5, "one test is declared only"},
		"pytest-rerun.xml": {"lossy", 14, 4, "one test is declared only"},
		"robot-xunit.xml":  {"consistent", 4, 2, "plain"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join("..", "results", "format", "junit", "testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			b := setup(t, intake.Limits{})
			if err := b.intake.File(b.ctx, file(b, execution.FileReport, string(data)), bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			bad := 0
			for _, r := range b.store.results {
				if r.Outcome == "failed" || r.Outcome == "errored" {
					bad++
				}
			}
			if got := b.store.files[0]; got.Grade != tc.grade || len(b.store.results) != tc.listed || bad != tc.bad {
				t.Errorf("%s, %d cases, %d bad, because %q; want %+v", got.Grade, len(b.store.results), bad, got.GradeReason, tc)
			}
		})
	}
}

// TestIntake_File_TextsAreBounded holds that no text of a case escapes the budget of the report.
func TestIntake_File_TextsAreBounded(t *testing.T) {
	t.Parallel()
	const budget = 20_000
	long := strings.Repeat("x", 3_000)
	for name, attr := range map[string]string{
		"Name": `name="%d` + long + `"`, "Class": `name="a" classname="%d` + long + `"`, "File": `name="a" file="%d` + long + `"`,
		"Message": `name="a%d"><failure message="` + long + `"/></testcase><testcase name="b"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, intake.Limits{Texts: budget})
			var xml strings.Builder
			xml.WriteString("<testsuites>")
			for i := range 100 {
				fmt.Fprintf(&xml, "<testsuite><testcase "+attr+"/></testsuite>", i)
			}
			xml.WriteString("</testsuites>")
			if err := b.intake.File(b.ctx, file(b, execution.FileReport, xml.String()), strings.NewReader(xml.String())); err != nil {
				t.Fatal(err)
			}
			total := 0
			for _, r := range b.store.results {
				total += len(r.Suite) + len(r.Name) + len(r.File) + len(r.Message) + len(r.Detail)
			}
			if total > budget || total < budget/2 {
				t.Errorf("%d bytes of texts are kept, want nearly %d", total, budget)
			}
			if reason := b.store.files[0].GradeReason; !strings.Contains(reason, "report file") {
				t.Errorf("reason %q says nothing of texts that were left out", reason)
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
