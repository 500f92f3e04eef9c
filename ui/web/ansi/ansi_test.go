package ansi_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/ui/web/ansi"
)

var update = flag.Bool("update", false, "write golden files")

func TestDecoder_Line(t *testing.T) {
	t.Parallel()
	const e = "\x1b"
	plain := func(s string) []ansi.Run { return []ansi.Run{{Text: s}} }
	tests := map[string]struct {
		in     string
		want   []ansi.Run
		reason string
	}{
		"Plain":             {"hello", plain("hello"), "most lines"},
		"Empty":             {"", nil, "an empty line has no runs"},
		"Color":             {"a" + e + "[31mb" + e + "[0mc", []ansi.Run{{Text: "a"}, {Text: "b", Class: "f2"}, {Text: "c"}}, "red is the second colour"},
		"Bright":            {e + "[1;92mok", []ansi.Run{{Text: "ok", Class: "f11 sb"}}, "bold and bright green in one sequence"},
		"EmptyMeansReset":   {e + "[31m" + e + "[mx", plain("x"), "no parameter is 0"},
		"Palette":           {e + "[38;5;196mx", []ansi.Run{{Text: "x", Class: "f10"}}, "of 256 colours, the nearest named one"},
		"PaletteGrey":       {e + "[38;5;240mx", []ansi.Run{{Text: "x", Class: "f9"}}, "dark greys are one grey that can be read"},
		"TrueColor":         {e + "[38;2;10;200;30mx", []ansi.Run{{Text: "x", Class: "f3"}}, "green stays green"},
		"TrueColorColons":   {e + "[38:2::10:200:30mx", []ansi.Run{{Text: "x", Class: "f3"}}, "the other way to write it"},
		"TrueColorTooLarge": {e + "[38;2;999;0;0mx", plain("x"), "no such colour"},
		"KindOfUnderline":   {e + "[4:3mx", []ansi.Run{{Text: "x", Class: "su"}}, "3 is the kind of line, not italics"},
		"Background":        {e + "[31;44mx", []ansi.Run{{Text: "x", Class: "g5"}}, "a background brings a foreground that can be read on it"},
		"Inverse":           {e + "[7;31mx", []ansi.Run{{Text: "x", Class: "g2"}}, "swapped"},
		"InversePlain":      {e + "[7mx", []ansi.Run{{Text: "x", Class: "gx"}}, "swapped without a colour"},
		"NotANumber":        {e + "[3<1mx", plain("x"), "nothing is guessed"},
		"HugeNumber":        {e + "[99999999999999999999mx", plain("x"), "no overflow"},
		"TooMany":           {e + "[" + strings.Repeat("31;", 500) + "mx", plain("x"), "bounded work"},
		"CursorMoves":       {"a" + e + "[2K" + e + "[10;10Hb", plain("ab"), "a log has no cursor"},
		"CutSequence":       {"a" + e + "[31", plain("a"), "the line ended within"},
		"CutEscape":         {"a" + e, plain("a"), "the line ended within"},
		"CharacterSet":      {e + "(Ba", plain("a"), "dropped"},
		"Overwrite":         {"10%\r50%\r100%", plain("100%"), "what a terminal would show last"},
		"OverwriteColors":   {e + "[32m10%\r20%", []ansi.Run{{Text: "20%", Class: "f3"}}, "the style outlives the text"},
		"WindowsBreak":      {"done\r", plain("done"), "the rest of a line break"},
		"Tab":               {"a\tb", plain("a\tb"), "tabs stay"},
		"Controls":          {"a\x00\x07\x08\x7fb", plain("a␀␇␈␡b"), "control characters are shown"},
		"SecondControls":    {"a\u009b31mb", plain("a\uFFFD31mb"), "one-character openings are no openings"},
		"BadUTF8":           {"a\xff\xfeb", plain("a\uFFFD\uFFFDb"), "always valid"},
		"Reordering":        {"a\u202Eb", plain("a[U+202E]b"), "text must read as it is stored"},
		"Title":             {"a" + e + "]0;owned\x07b", plain("ab"), "no titles"},
		"TitleUnterminated": {"a" + e + "]0;owned", plain("a"), "the line is its end"},
		"DeviceString":      {"a" + e + "P1$r" + e + "\\b", plain("ab"), "dropped with its body"},
		"Hyperlink":         {e + "]8;;https://example.com/a" + e + "\\see" + e + "]8;;" + e + "\\!", []ansi.Run{{Text: "see", Link: "https://example.com/a"}, {Text: "!"}}, "links survive"},
		"HyperlinkScript":   {e + "]8;;javascript:alert(1)\x07see", plain("see"), "only the web"},
		"HyperlinkQuote":    {e + "]8;;https://x/\"onclick=\x07see", plain("see"), "no quotes"},
		"Address":           {"see https://example.com/a?b=1.", []ansi.Run{{Text: "see "}, {Text: "https://example.com/a?b=1", Link: "https://example.com/a?b=1"}, {Text: "."}}, "addresses become links, full stops do not"},
		"AddressInBrackets": {"(http://a.b/c)", []ansi.Run{{Text: "("}, {Text: "http://a.b/c", Link: "http://a.b/c"}, {Text: ")"}}, "the bracket is the sentence's"},
		"AddressNone":       {"https://", plain("https://"), "nowhere to go"},
		"Markup":            {"<script>alert(1)</script>", plain("<script>alert(1)</script>"), "escaping is the page's, once"},
		"LoneEscape":        {e + "\x01a", plain("␛␁a"), "not a sequence: shown"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, new(ansi.Decoder).Line([]byte(tc.in))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestDecoder_StyleGoesOn(t *testing.T) {
	t.Parallel()
	var d ansi.Decoder
	d.Line([]byte("\x1b[31mfirst \x1b]8;;https://a.b/\x07link"))
	if diff := cmp.Diff([]ansi.Run{{Text: "second", Class: "f2"}}, d.Line([]byte("second"))); diff != "" {
		t.Errorf("colours go on to the next line, links do not (-want +got):\n%s", diff)
	}
}

// TestGolden decodes a log as real tools write it; the golden file is for people to look at when it changes.
func TestGolden(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("testdata", "tools.log"))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	var d ansi.Decoder
	for line := range strings.SplitSeq(strings.TrimSuffix(string(raw), "\n"), "\n") {
		for _, r := range d.Line([]byte(line)) {
			fmt.Fprintf(&got, "{%s|%s|%s}", r.Class, r.Text, r.Link)
		}
		got.WriteByte('\n')
	}
	golden := filepath.Join("testdata", "tools.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

var allowed = regexp.MustCompile(`^(([fg]([1-9]|1[0-6])|gx)( |$))?(s[bfius]( s[bfius])*)?$`)

func FuzzDecoder_Line(f *testing.F) {
	for _, s := range []string{
		"plain", "\x1b[31mred\x1b[0m", "\x1b]8;;https://a.b\x07x\x1b]8;;\x07", "\x1b[38;5;300mx", "\x1b[38;2;1;2m", "a\rb\r", "\x1bP\x1b\\", "https://a.b/).", "\u202e\x9b\xff",
	} {
		f.Add([]byte(s), []byte(s))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var d ansi.Decoder
		d.Line(first)
		runs := d.Line(second)
		if len(runs) > len(second) {
			t.Errorf("%d runs of %d bytes", len(runs), len(second))
		}
		for _, r := range runs {
			checkRun(t, r)
		}
	})
}

func checkRun(t *testing.T, r ansi.Run) {
	t.Helper()
	if r.Text == "" || !utf8.ValidString(r.Text) {
		t.Errorf("text %q is empty or not valid", r.Text)
	}
	if strings.ContainsFunc(r.Text, func(c rune) bool { return c != '\t' && (unicode.IsControl(c) || (c >= 0x202a && c <= 0x202e)) }) {
		t.Errorf("text %q holds a control character", r.Text)
	}
	if !allowed.MatchString(r.Class) {
		t.Errorf("class %q is not on the list", r.Class)
	}
	if r.Link != "" && (!strings.HasPrefix(r.Link, "http") || strings.ContainsAny(r.Link, "\"'<> \x00\n")) {
		t.Errorf("link %q is not safe", r.Link)
	}
}
