package usage

import (
	"fmt"
	"strings"
	"time"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	// maxSamples bounds a record, however long the step takes: when it is full, each two become one.
	maxSamples = 3600

	every = time.Second
	// early is when the first look is taken, for steps that end before the second.
	early = 100 * time.Millisecond

	header = "seconds,cpu_seconds,memory_bytes,read_bytes,written_bytes\n"
)

// sample is a moment of a step. All but memory, the most since the sample before, count since the step began.
type sample struct {
	at, cpu               time.Duration
	memory, read, written int64
}

// Record is what a step has used.
type Record struct {
	Usage   *runnerv1.Usage
	samples []sample
}

// CSV returns the samples as a table, nil when there are none.
func (r Record) CSV() []byte {
	if len(r.samples) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString(header)
	for _, s := range r.samples {
		_, _ = fmt.Fprintf(&b, "%.3f,%.3f,%d,%d,%d\n", s.at.Seconds(), s.cpu.Seconds(), s.memory, s.read, s.written) // a builder never fails
	}
	return []byte(b.String())
}

// Recorder records until Stop.
type Recorder struct {
	from    source
	first   reading
	begun   time.Time
	now     func() time.Time
	stop    chan struct{}
	done    chan struct{}
	fault   error
	samples []sample
	stride  int // looks that make a sample
	looks   int // of the last sample
	peak    int64
	last    reading
}

// Start begins to record what this container uses. It never fails: a record says what it could not measure.
func Start() *Recorder { return begin(Root, Self, time.Now) }

func begin(root, self string, now func() time.Time) *Recorder {
	r := &Recorder{now: now, stop: make(chan struct{}), done: make(chan struct{}), stride: 1, begun: now(), peak: -1}
	if r.from, r.fault = find(root, self); r.fault != nil {
		close(r.done)
		return r
	}
	r.first = r.from.read()
	r.last = r.first
	go r.run()
	return r
}

func (r *Recorder) run() {
	defer close(r.done)
	next := time.NewTimer(early)
	defer next.Stop()
	for at := r.begun; ; {
		select {
		case <-r.stop:
			return
		case <-next.C:
		}
		r.look()
		at = at.Add(every)
		next.Reset(max(time.Until(at), every/10)) // after a standstill nothing is made up for
	}
}

// look takes a sample.
func (r *Recorder) look() {
	got := r.from.read()
	// A counter that went back or away keeps what it said last.
	got.cpu, got.throttled = max(got.cpu, r.last.cpu), max(got.throttled, r.last.throttled)
	got.read, got.written = max(got.read, r.last.read), max(got.written, r.last.written)
	r.last, r.peak = got, max(r.peak, got.memory)
	s := sample{
		at: r.now().Sub(r.begun), cpu: since(got.cpu, r.first.cpu), memory: max(0, got.memory),
		read: since(got.read, r.first.read), written: since(got.written, r.first.written),
	}
	if n := len(r.samples); n > 0 && r.looks < r.stride {
		s.memory = max(s.memory, r.samples[n-1].memory)
		r.samples[n-1] = s
		r.looks++
		return
	}
	if len(r.samples) == maxSamples {
		r.halve()
	}
	r.samples = append(r.samples, s)
	r.looks = 1
}

// halve makes one sample of each two.
func (r *Recorder) halve() {
	for i := 0; i+1 < len(r.samples); i += 2 {
		one := r.samples[i+1]
		one.memory = max(one.memory, r.samples[i].memory)
		r.samples[i/2] = one
	}
	r.samples = r.samples[:len(r.samples)/2]
	r.stride *= 2
}

// since is what a counter has grown by; 0 when it was never seen, or only later.
func since[T int64 | time.Duration](now, first T) T {
	if first < 0 {
		return 0
	}
	return now - first
}

// Stop ends the record with a last look.
func (r *Recorder) Stop() Record {
	close(r.stop)
	<-r.done
	if r.fault != nil {
		return Record{Usage: &runnerv1.Usage{Note: "what the step used was not measured: " + r.fault.Error()}}
	}
	r.looks = r.stride // the last moment is a sample of its own
	r.look()
	return Record{samples: r.samples, Usage: &runnerv1.Usage{
		CpuMicros: since(r.last.cpu, r.first.cpu).Microseconds(), ThrottledMicros: since(r.last.throttled, r.first.throttled).Microseconds(),
		MemoryPeak: max(0, r.peak), ReadBytes: since(r.last.read, r.first.read), WrittenBytes: since(r.last.written, r.first.written),
		Note: r.note(),
	}}
}

// note says what could not be measured.
func (r *Recorder) note() string {
	var missing []string
	if r.first.cpu < 0 {
		missing = append(missing, "CPU")
	}
	if r.peak < 0 {
		missing = append(missing, "memory")
	}
	if r.first.read < 0 {
		missing = append(missing, "I/O")
	}
	if len(missing) == 0 {
		return ""
	}
	return "the kernel does not say of this container: " + strings.Join(missing, ", ")
}
