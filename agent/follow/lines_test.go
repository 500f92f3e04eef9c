package follow_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/agent/follow"
)

func TestScan(t *testing.T) {
	t.Parallel()
	const stamp = "2026-11-24T09:00:00.123456789Z "
	for name, c := range map[string]struct {
		reason string
		log    string
		whole  bool
		want   []string
	}{
		"Plain":         {"the time is no part of the text", stamp + "a b\n" + stamp + "c\n", false, []string{"a b", "c"}},
		"Offset":        {"nodes have time zones", "2026-11-24T10:00:00.123456789+01:00 a\n", false, []string{"a"}},
		"Empty":         {"an empty line is a line", stamp + "\n", false, []string{""}},
		"Half":          {"the rest may follow", stamp + "a\n" + stamp + "b", false, []string{"a"}},
		"HalfAtTheEnd":  {"nothing follows", stamp + "a\n" + stamp + "b", true, []string{"a", "b"}},
		"WithoutTime":   {"it is of the container nevertheless", stamp + "a\nno time\n", false, []string{"a", "no time"}},
		"OfTheKubelet":  {"it is not of the container", stamp + "a\nunable to retrieve container logs for containerd://1f", true, []string{"a"}},
		"Nothing":       {"a log may be empty", "", true, nil},
		"Binary":        {"bytes are kept", stamp + "\x00\xff\n", false, []string{"\x00\xff"}},
		"CarriageKept":  {"progress bars are for who shows the log", stamp + "1%\r2%\n", false, []string{"1%\r2%"}},
		"TimeInTheText": {"only the first is the kubelet's", stamp + stamp + "x\n", false, []string{stamp + "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			err := follow.Scan(strings.NewReader(c.log), c.whole, func(at time.Time, text []byte, _ int64) {
				if !at.Equal(time.Date(2026, 11, 24, 9, 0, 0, 123456000, time.UTC)) {
					t.Errorf("%s: written at %s", c.reason, at)
				}
				got = append(got, string(text))
			})
			if err != nil || strings.Join(got, "|") != strings.Join(c.want, "|") || len(got) != len(c.want) {
				t.Errorf("%s: %q, %v; want %q", c.reason, got, err, c.want)
			}
		})
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("2026-11-24T09:00:00.123456789Z a\n2026-11-24T09:00:00.123456790Z b"), true)
	f.Add([]byte("\n \n2026-11-24T09:00:00Z\n"), false)
	f.Add(bytes.Repeat([]byte("x"), 300<<10), true)
	f.Fuzz(func(t *testing.T, log []byte, whole bool) {
		n, lines := 0, 0
		err := follow.Scan(bytes.NewReader(log), whole, func(_ time.Time, text []byte, cut int64) {
			if len(text) > follow.MaxLine || cut < 0 || bytes.IndexByte(text, '\n') >= 0 {
				t.Fatalf("a line of %d bytes, %d cut", len(text), cut)
			}
			n, lines = n+len(text)+int(cut), lines+1
		})
		if err != nil || n > len(log) || lines > bytes.Count(log, []byte("\n"))+1 {
			t.Errorf("%d bytes in %d lines of %d, %v", n, lines, len(log), err)
		}
	})
}
