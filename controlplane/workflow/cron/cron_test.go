package cron_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/seatrial/seatrial/controlplane/workflow/cron"
)

var update = flag.Bool("update", false, "write golden files")

func zone(tb testing.TB, name string) *time.Location {
	tb.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		tb.Fatal(err)
	}
	return loc
}

func TestNext(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cron, after, want, reason string
	}{
		"Minute":         {"* * * * *", "2026-03-01T10:00:30Z", "2026-03-01T10:01:00Z", "seconds are zero without a field"},
		"Strictly":       {"0 10 * * *", "2026-03-01T10:00:00Z", "2026-03-02T10:00:00Z", "after means after"},
		"Fraction":       {"0 10 * * *", "2026-03-01T09:59:59.9Z", "2026-03-01T10:00:00Z", "a fraction of a second is before"},
		"Seconds":        {"*/10 * * * * *", "2026-03-01T10:00:11Z", "2026-03-01T10:00:20Z", "six fields begin with seconds"},
		"Step":           {"5/20 * * * *", "2026-03-01T10:26:00Z", "2026-03-01T10:45:00Z", "a step from a value on goes to the end"},
		"Range":          {"0 9-17/4 * * *", "2026-03-01T13:00:00Z", "2026-03-01T17:00:00Z", "a step in a range"},
		"List":           {"0 0 1,15 * *", "2026-03-02T00:00:00Z", "2026-03-15T00:00:00Z", "a list"},
		"Names":          {"0 0 * feb MON-fri", "2026-03-02T00:00:00Z", "2027-02-01T00:00:00Z", "names in any case"},
		"SundayIsSeven":  {"0 0 * * 7", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z", "7 is Sunday"},
		"SundayIsZero":   {"0 0 * * 0", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z", "so is 0"},
		"EitherDay":      {"0 0 13 * fri", "2026-03-02T00:00:00Z", "2026-03-06T00:00:00Z", "both days restricted: either is enough"},
		"BothDays":       {"0 0 */2 * fri", "2026-03-02T00:00:00Z", "2026-03-13T00:00:00Z", "a field with a star has to hold as well"},
		"Question":       {"0 0 ? * fri", "2026-03-02T00:00:00Z", "2026-03-06T00:00:00Z", "a question mark is any day"},
		"LeapDay":        {"0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z", "2100 has none"},
		"Daily":          {"@daily", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", "a word"},
		"Midnight":       {"@midnight", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", "a word"},
		"Weekly":         {"@weekly", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z", "a word"},
		"Monthly":        {"@monthly", "2026-03-02T00:00:00Z", "2026-04-01T00:00:00Z", "a word"},
		"Yearly":         {"@annually", "2026-03-02T00:00:00Z", "2027-01-01T00:00:00Z", "a word"},
		"Hourly":         {"@hourly", "2026-03-02T00:00:00Z", "2026-03-02T01:00:00Z", "a word"},
		"Every":          {"@every 90m", "2026-03-02T00:10:00Z", "2026-03-02T01:30:00Z", "multiples since 1970"},
		"EverySecond":    {"@every 1s", "2026-03-02T00:10:00.5Z", "2026-03-02T00:10:01Z", "the shortest"},
		"EveryBefore":    {"@every 1h", "1969-12-31T22:30:00Z", "1969-12-31T23:00:00Z", "before 1970 as well"},
		"EndOfYear":      {"59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z", "over the end of a year"},
		"SecondsCarry":   {"30 59 23 * * *", "2026-03-31T23:59:30Z", "2026-04-01T23:59:30Z", "over the end of a month"},
		"SecondOfMinute": {"15,45 1 * * * *", "2026-03-31T10:01:20Z", "2026-03-31T10:01:45Z", "later in the same minute"},
		"MinuteCarries":  {"15 10,20 * * * *", "2026-03-31T10:10:20Z", "2026-03-31T10:20:15Z", "the next minute starts its seconds anew"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := cron.Parse(c.cron, "key", time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			after, err := time.Parse(time.RFC3339, c.after)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := s.Next(after); !ok || got.UTC().Format(time.RFC3339) != c.want {
				t.Errorf("next of %q after %s = %s, %v; want %s: %s", c.cron, c.after, got, ok, c.want, c.reason)
			}
		})
	}
}

func TestParse_Err(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "0 fields", "* * *": "3 fields", "* * * * * * *": "7 fields", "60 * * * *": "not a minute", "* 24 * * *": "not a hour",
		"* * 0 * *": "not a day of the month", "* * * 13 *": "not a month", "* * * * 8": "not a day of the week", "5-1 * * * *": "not a minute",
		"*/0 * * * *": "not a minute", "-1 * * * *": "not a minute", "+1 * * * *": "not a minute", "1, * * * *": "not a minute",
		"H(5) * * * *": "not a minute", "H(5-70) * * * *": "not a minute", "Hx * * * *": "not a minute", "? * * * *": "not a minute",
		"0 0 30 2 *": "never due", "0 0 31 4,6 *": "never due", "@reboot": "is not one of", "@every": "whole seconds", "@every 1ms": "whole seconds",
		"@every -1h": "whole seconds", "@every 1.5s": "whole seconds", "@every 100000h": "whole seconds", "@daily 5": "is not one of",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			if _, err := cron.Parse(text, "", time.UTC); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("err = %v, want one that says %q", err, want)
			}
		})
	}
}

// TestParse_Hashed: a key has the same values for ever, and many keys spread.
func TestParse_Hashed(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	next := func(text, key string) time.Time {
		s, err := cron.Parse(text, key, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		due, _ := s.Next(start)
		return due
	}
	if got := next("H H(0-6) * * *", "checkout"); got != next("H H(0-6) * * *", "checkout") || got.Hour() > 6 {
		t.Errorf("%s is not the same twice, or not in the range", got)
	}
	// Changing this value moves the schedules of everybody.
	if got := next("H H * * *", "checkout").Format(time.TimeOnly); got != "04:14:00" {
		t.Errorf("the hash of a key has changed: %s", got)
	}
	used := map[int]int{}
	for i := range 6000 {
		used[next("H * * * *", fmt.Sprintf("schedule-%d", i)).Minute()]++
	}
	for minute := range 60 {
		if n := used[minute]; n < 60 || n > 150 {
			t.Errorf("%d of 6000 schedules are due in minute %d; about 100 should be", n, minute)
		}
	}
	s, err := cron.Parse("H/15 * * * *", "checkout", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	at := start
	for range 9 {
		due, _ := s.Next(at)
		if d := due.Sub(at); at != start && d != 15*time.Minute {
			t.Errorf("%s after the one before", d)
		}
		at = due
	}
}

// TestClockChanges writes down what is due around changes of the clock in zones that do it differently.
func TestClockChanges(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	for _, c := range []struct {
		zone, from, why string
		n               int
		crons           []string
	}{
		{"Europe/Berlin", "2026-03-28T20:00:00Z", "02:00 becomes 03:00", 5, []string{"30 2 * * *", "0,30 2 * * *", "0 3 * * *", "0,30 2,3 * * *", "*/30 * * * *", "30 */2 * * *", "0 0 * * *", "@every 12h"}},
		{"Europe/Berlin", "2026-10-24T21:00:00Z", "03:00 becomes 02:00", 6, []string{"30 2 * * *", "0 3 * * *", "0 1-3 * * *", "30 * * * *", "*/20 2 * * *", "@daily"}},
		{"America/New_York", "2026-03-08T04:00:00Z", "02:00 becomes 03:00", 4, []string{"30 2 * * *", "15 * * * *", "0 2 8 3 *"}},
		{"America/New_York", "2026-11-01T04:00:00Z", "02:00 becomes 01:00", 5, []string{"30 1 * * *", "30 * * * *"}},
		{"Australia/Lord_Howe", "2026-10-03T13:00:00Z", "02:00 becomes 02:30", 4, []string{"15 2 * * *", "*/15 * * * *", "45 2 * * *"}},
		{"Australia/Lord_Howe", "2026-04-04T13:00:00Z", "02:00 becomes 01:30", 6, []string{"45 1 * * *", "*/15 1-2 * * *", "*/30 * * * *"}},
		{"Africa/Cairo", "2026-04-23T18:00:00Z", "00:00 becomes 01:00", 4, []string{"0 0 * * *", "@daily", "30 0 24 4 *", "0 * * * *"}},
		{"Pacific/Apia", "2011-12-29T20:00:00Z", "a whole day is skipped", 3, []string{"0 12 * * *", "0 */6 * * *"}},
		{"Asia/Kolkata", "2026-03-28T20:00:00Z", "never changes, half an hour off", 3, []string{"0 2 * * *", "*/30 * * * *"}},
	} {
		in := zone(t, c.zone)
		from, err := time.Parse(time.RFC3339, c.from)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s: %s\n", c.zone, c.why)
		for _, text := range c.crons {
			s, err := cron.Parse(text, "key", in)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "  %s\n", text)
			at := from
			for range c.n {
				at, _ = s.Next(at)
				fmt.Fprintf(&out, "    %s  %s\n", at.Format("Mon 2006-01-02 15:04 -07:00"), at.UTC().Format("15:04Z"))
			}
		}
	}
	golden(t, "clock-changes.golden", out.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("not as %s says:\n%s", file, got)
	}
}

// FuzzNext: whatever is a schedule moves forward, and what it says is due fits when asked from just before.
func FuzzNext(f *testing.F) {
	for _, text := range []string{"0 2 * * *", "*/7 * * * * *", "H H(1-5) 1-7/2 jan-mar mon", "@every 61s", "0 0 29 2 *", "30 2 13 * 5"} {
		f.Add(text, int64(1774656000), uint8(0))
	}
	names := []string{"UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia", "Asia/Kathmandu"}
	zones := make([]*time.Location, len(names))
	for i, name := range names {
		zones[i] = zone(f, name)
	}
	f.Fuzz(func(t *testing.T, text string, unix int64, where uint8) {
		s, err := cron.Parse(text, "key", zones[int(where)%len(zones)])
		if err != nil || unix < -2e9 || unix > 4e9 {
			return
		}
		at := time.Unix(unix, 0)
		for range 5 {
			due, ok := s.Next(at)
			if !ok {
				return
			}
			if !due.After(at) || due.Nanosecond() != 0 {
				t.Fatalf("%q: %s comes after %s", text, due, at)
			}
			if again, _ := s.Next(due.Add(-time.Second)); !again.Equal(due) {
				t.Fatalf("%q: %s is due, and a second before it %s", text, due, again)
			}
			at = due
		}
	})
}
