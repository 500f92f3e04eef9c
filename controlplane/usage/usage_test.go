package usage_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/usage"
)

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := usage.Parse(strings.NewReader(usage.Header + "\n1.000,0.250,1024,0,0\n2.001,1.5,512,4096,1\n"))
	want := []usage.Sample{
		{At: time.Second, CPU: 250 * time.Millisecond, Memory: 1024},
		{At: 2001 * time.Millisecond, CPU: 1500 * time.Millisecond, Memory: 512, Read: 4096, Written: 1},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestParse_Refuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, reason string }{
		"Header":   {"a,b\n", "another file"},
		"Columns":  {usage.Header + "\n1,2,3\n", "a line that was cut"},
		"Negative": {usage.Header + "\n1,-2,3,4,5\n", "nothing takes negative time"},
		"NaN":      {usage.Header + "\nNaN,2,3,4,5\n", "a number that no chart can draw"},
		"Inf":      {usage.Header + "\nInf,2,3,4,5\n", "a number that no chart can draw"},
		"Bytes":    {usage.Header + "\n1,2,9223372036854775807,4,5\n", "sums would overflow"},
		"Back":     {usage.Header + "\n2,2,3,4,5\n1,2,3,4,5\n", "time does not run back"},
		"Long":     {usage.Header + "\n" + strings.Repeat("1", 300) + ",1,1,1,1\n", "a line without end"},
		"Many":     {usage.Header + "\n" + strings.Repeat("1,1,1,1,1\n", usage.MaxSamples+1), "a record without end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := usage.Parse(strings.NewReader(tc.text)); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: got %d samples, %v", tc.reason, len(got), err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(usage.Header + "\n1.000,0.250,1024,0,0\n")
	f.Add(usage.Header + "\n1e300,0,0,0,0\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := usage.Parse(strings.NewReader(text))
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		var last usage.Sample
		for _, s := range got {
			if s.At < last.At || s.CPU < last.CPU || s.Memory < 0 || s.Read < last.Read || s.Written < last.Written {
				t.Fatalf("%v follows %v", s, last)
			}
			last = s
		}
	})
}
