package usage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// lay writes files below a folder and returns it.
func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	cpuStat    = "usage_usec 2000000\nuser_usec 1\nsystem_usec 1\nnr_throttled 2\nthrottled_usec 500\n"
	memoryStat = "anon 1\ninactive_file 100\nactive_file 3\n"
)

func TestFind(t *testing.T) {
	t.Parallel()
	want := reading{cpu: 2 * time.Second, throttled: 500 * time.Microsecond, memory: 900, read: 30, written: 4}
	v1 := map[string]string{
		"cpuacct.usage": "2000000000\n", "cpu.stat": "nr_periods 1\nthrottled_time 500000\n", "memory.usage_in_bytes": "1000\n",
		"memory.stat": "inactive_file 1\ntotal_inactive_file 100\n",
		"blkio":       "8:0 Read 10\n8:0 Write 4\n8:0 Total 14\n8:16 Read 20\n8:16 Write 0\nTotal 34\n",
	}
	for name, tc := range map[string]struct {
		files  map[string]string
		self   string
		want   reading
		fault  error
		reason string
	}{
		"Two": {map[string]string{
			"cgroup.controllers": "cpu", "cgroup.type": "domain\n", "cpu.stat": cpuStat, "memory.current": "1000\n", "memory.stat": memoryStat,
			"io.stat": "8:0 rbytes=10 wbytes=4 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=20 wbytes=0\n",
		}, "0::/\n", want, nil, "a container with a namespace of its own"},
		"TwoBelow": {map[string]string{
			"cgroup.controllers": "cpu", "pods/a/cgroup.type": "domain\n", "pods/a/cpu.stat": cpuStat, "pods/a/memory.current": "1000\n",
			"pods/a/memory.stat": memoryStat, "pods/a/io.stat": "8:0 rbytes=30 wbytes=4\n",
		}, "0::/pods/a\n", want, nil, "a container that sees the whole tree"},
		"TwoWithout": {
			map[string]string{"cgroup.controllers": "", "cgroup.type": "domain\n", "cpu.stat": cpuStat},
			"0::/\n",
			reading{cpu: 2 * time.Second, throttled: 500 * time.Microsecond, memory: -1, read: -1, written: -1},
			nil, "controllers that are not delegated",
		},
		"TwoMachine": {map[string]string{"cgroup.controllers": "cpu", "cpu.stat": cpuStat}, "0::/\n", reading{}, errWhole, "numbers of the machine are no step's"},
		"One": {map[string]string{
			"cpuacct/cpuacct.usage": v1["cpuacct.usage"], "cpu/cpu.stat": v1["cpu.stat"], "memory/memory.usage_in_bytes": v1["memory.usage_in_bytes"],
			"memory/memory.stat": v1["memory.stat"], "blkio/blkio.throttle.io_service_bytes": v1["blkio"],
		}, "4:memory:/kubepods/x\n3:cpu,cpuacct:/kubepods/x\n", want, nil, "each mount is the container's own"},
		"OneJoined": {map[string]string{
			"cpu,cpuacct/k/cpuacct.usage": v1["cpuacct.usage"], "cpu,cpuacct/k/cpu.stat": v1["cpu.stat"], "memory/k/memory.usage_in_bytes": v1["memory.usage_in_bytes"],
			"memory/k/memory.stat": v1["memory.stat"], "blkio/k/blkio.throttle.io_service_bytes_recursive": v1["blkio"],
		}, "4:memory:/k\n3:cpu,cpuacct:/k\n2:blkio:/k\n", want, nil, "one mount of two controllers, and the whole tree"},
		"None":  {map[string]string{"x": ""}, "0::/\n", reading{}, errNone, "a machine without"},
		"Blind": {map[string]string{"cgroup.controllers": "cpu"}, "", reading{}, errNone, "a container that may not look"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			self := filepath.Join(t.TempDir(), "self")
			if tc.self != "" {
				self = filepath.Join(lay(t, map[string]string{"self": tc.self}), "self")
			}
			from, err := find(lay(t, tc.files), self)
			if err != tc.fault { //nolint:errorlint // they are never wrapped
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if err == nil && from.read() != tc.want {
				t.Errorf("%s: got %+v, want %+v", tc.reason, from.read(), tc.want)
			}
		})
	}
}

// steps is a source whose readings come one after the other.
type steps struct {
	list []reading
	next int
}

func (s *steps) read() reading {
	r := s.list[min(s.next, len(s.list)-1)]
	s.next++
	return r
}

func recorder(list ...reading) *Recorder {
	from := &steps{list: list}
	done := make(chan struct{})
	close(done)
	clock := time.Unix(0, 0)
	r := &Recorder{
		from: from, begun: clock, stop: make(chan struct{}), done: done, stride: 1, peak: -1,
		now: func() time.Time { clock = clock.Add(time.Second); return clock },
	}
	r.first = from.read()
	r.last = r.first
	return r
}

func TestRecorder_Stop(t *testing.T) {
	t.Parallel()
	r := recorder(
		reading{cpu: time.Second, memory: 50, read: 7, written: 1}, reading{cpu: 2 * time.Second, memory: 500, read: 7, written: 2},
		reading{cpu: -1, throttled: 3 * time.Millisecond, memory: -1, read: -1, written: 9},
	)
	r.look()
	got := r.Stop()
	u := got.Usage
	if u.GetCpuMicros() != 1e6 || u.GetThrottledMicros() != 3000 || u.GetMemoryPeak() != 500 || u.GetReadBytes() != 0 || u.GetWrittenBytes() != 8 || u.GetNote() != "" {
		t.Errorf("usage is %v", u)
	}
	want := header + "1.000,1.000,500,0,1\n2.000,1.000,0,0,8\n"
	if text := string(got.CSV()); text != want {
		t.Errorf("got %q, want %q: what cannot be read any more keeps its last value", text, want)
	}
}

func TestRecorder_SaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	nothing := reading{cpu: -1, throttled: -1, memory: -1, read: -1, written: -1}
	if got := recorder(nothing, nothing).Stop().Usage.GetNote(); !strings.HasSuffix(got, "CPU, memory, I/O") {
		t.Errorf("the note is %q", got)
	}
	r := begin(t.TempDir(), filepath.Join(t.TempDir(), "none"), time.Now).Stop()
	if r.CSV() != nil || !strings.Contains(r.Usage.GetNote(), "not measured") {
		t.Errorf("got %v", r.Usage)
	}
}

// TestRecorder_Bounded holds that a step that takes for days has a record of the same size, with its peak.
func TestRecorder_Bounded(t *testing.T) {
	t.Parallel()
	r := recorder(reading{memory: 1}, reading{memory: 9}, reading{memory: 2})
	for range 10 * maxSamples {
		r.look()
	}
	got := r.Stop()
	n := len(got.samples)
	if n > maxSamples || n < maxSamples/2 || got.samples[0].memory != 9 {
		t.Errorf("%d samples, the first of %d bytes", n, got.samples[0].memory)
	}
	for i := 1; i < n; i++ {
		if got.samples[i].at <= got.samples[i-1].at {
			t.Fatalf("sample %d does not follow", i)
		}
	}
	if last := got.samples[n-1].at; last != (10*maxSamples+1)*time.Second {
		t.Errorf("the last is at %s", last)
	}
}

// TestStart measures the test itself, or says why it cannot.
func TestStart(t *testing.T) {
	t.Parallel()
	r := Start()
	for until := time.Now().Add(50 * time.Millisecond); time.Now().Before(until); { //nolint:revive // work
	}
	got := r.Stop()
	if got.Usage.GetNote() == "" && (got.Usage.GetCpuMicros() == 0 || got.Usage.GetMemoryPeak() == 0) {
		t.Errorf("nothing was used: %v", got.Usage)
	}
}

func FuzzFiles(f *testing.F) {
	f.Add(cpuStat)
	f.Add("8:0 rbytes=9223372036854775807 wbytes=1\n8:1 rbytes=9223372036854775807\n")
	f.Add("8:0 Read 9223372036854775807\n8:0 Read 2\n8:0 Write -1\n")
	f.Add("3:cpu,cpuacct:/a\n0::/../..\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) (int64, int64){ioStat, serviceBytes} {
			if read, written := parse(text); read < 0 || written < 0 {
				t.Fatalf("%d read, %d written", read, written)
			}
		}
		for name := range fields(text) {
			if d := micros(fields(text), name); d < -1 {
				t.Fatalf("%s is %s", name, d)
			}
		}
		for _, path := range memberships(text) {
			if dir := below("/nowhere", path); dir != "/nowhere" {
				t.Fatalf("%q leads out to %s", path, dir)
			}
		}
	})
}
