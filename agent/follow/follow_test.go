package follow_test

import (
	"errors"
	"hash/crc32"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/work"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

func TestFollower_Follow_Live(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, &uplink{}, newPod(process{wrote(0, "one"), true}))
		pass(time.Second)
		if got := b.now(); got != "one\n" {
			t.Errorf("while it runs %q is there", got)
		}
		b.pod.set(func(p *pod) { p.processes[0].log += wrote(time.Minute, "two", "") })
		pass(time.Second)
		if got := b.now(); got != "one\ntwo\n\n" {
			t.Errorf("while it runs %q is there", got)
		}
		b.pod.set(func(p *pod) { p.processes[0].log += strings.TrimSuffix(wrote(2*time.Minute, "no end"), "\n") })
		pass(time.Second)
		if got := b.now(); got != "one\ntwo\n\n" {
			t.Errorf("half a line is there: %q", got)
		}
		text := b.end(t)
		if want := "one\ntwo\n\nno end\n"; text != want || b.final.GetCrc32C() != crc32.Checksum([]byte(want), crc32.MakeTable(crc32.Castagnoli)) {
			t.Errorf("%q, %v", text, b.final)
		}
	})
}

// TestFollower_Follow_Resumes holds that no line is lost and none comes twice, whatever breaks.
func TestFollower_Follow_Resumes(t *testing.T) {
	t.Parallel()
	const first, second = "one\ntwo\n", "three\nfour\n"
	for name, c := range map[string]struct {
		why    string
		breaks func(t *testing.T, b *bench) *bench
	}{
		"agent restarts": {"another agent goes on", func(t *testing.T, b *bench) *bench {
			t.Helper()
			b.kill()
			return begin(t, b.uplink, b.pod)
		}},
		"answer lost": {"what is committed is not sent again", func(_ *testing.T, b *bench) *bench {
			b.mu.Lock()
			b.breaks = 1
			b.mu.Unlock()
			b.pod.set(func(p *pod) { p.processes[0].log += wrote(30*time.Second, "half") })
			pass(10 * time.Second)
			return b
		}},
		"log closed": {"the kubelet closes logs when it likes", func(_ *testing.T, b *bench) *bench {
			b.pod.set(func(p *pod) { p.cut = true })
			pass(time.Second)
			b.pod.set(func(p *pod) { p.cut = false })
			return b
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := begin(t, &uplink{}, newPod(process{wrote(0, "one", "two"), true}))
				pass(time.Second)
				b = c.breaks(t, b)
				b.pod.set(func(p *pod) { p.processes[0].log += wrote(time.Minute, "three", "four") })
				pass(time.Second)
				want := first + second
				if name == "answer lost" {
					want = first + "half\n" + second
				}
				if got := b.end(t); got != want {
					t.Errorf("%s: %q, want %q", c.why, got, want)
				}
				if len(b.notes) > 0 {
					t.Errorf("noted %q", b.notes)
				}
			})
		})
	}
}

func TestFollower_Follow_Restarts(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]bool{"WhileThere": false, "WhileAway": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := begin(t, &uplink{}, newPod(process{wrote(0, "one"), true}))
				pass(time.Second)
				if away {
					b.kill()
				}
				b.pod.set(func(p *pod) { p.processes[0] = process{p.processes[0].log + wrote(time.Second, "last words"), false} })
				pass(10 * time.Second)
				b.pod.set(func(p *pod) { p.processes = append(p.processes, process{wrote(2*time.Hour, "again"), true}) })
				if away {
					b = begin(t, b.uplink, b.pod)
				}
				pass(10 * time.Second)
				if got := b.end(t); got != "one\nlast words\nagain\n" {
					t.Errorf("%q", got)
				}
			})
		})
	}
}

func TestFollower_Follow_Ends(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		why  string
		pod  *pod
		have *uplink
		want string
		note string
	}{
		"pod gone":       {"nothing more can come", &pod{gone: true, processes: []process{{}}}, &uplink{text: "one\n", lines: 1}, "one\n", "may lack its last lines"},
		"silent":         {"an empty log is complete, too", &pod{over: true, processes: []process{{}}}, &uplink{}, "", ""},
		"complete":       {"nothing is sent again", &pod{over: true, processes: []process{{log: wrote(0, "x")}}}, &uplink{final: &runnerv1.LogTotals{}}, "", ""},
		"of the kubelet": {"it is not the service's", &pod{over: true, processes: []process{{log: wrote(0, "one") + "failed to create fsnotify watcher: too many open files"}}}, &uplink{}, "one\n", ""},
		"rotated away": {
			"the node keeps only the end of a log", &pod{over: true, processes: []process{{log: wrote(time.Minute, "later")}}},
			&uplink{text: "one\n", lines: 1, last: timestamppb.New(epoch.Add(time.Second))}, "one\nlater\n", "may lack lines",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c.pod.changed = make(chan struct{})
				b := begin(t, c.have, c.pod)
				if err := <-b.done; err != nil || b.text != c.want || b.final == nil || b.odd != nil {
					t.Errorf("%s: %q, %v, %v, %v", c.why, b.text, b.final, err, b.odd)
				}
				if notes := strings.Join(b.notes, "\n"); (notes == "") != (c.note == "") || !strings.Contains(notes, c.note) {
					t.Errorf("%s: noted %q", c.why, notes)
				}
				b.cancel()
			})
		})
	}
}

// TestFollower_Follow_AwayAtTheEnd holds that nothing is lost when the control plane is away while the service ends: the node has all of
// it still.
func TestFollower_Follow_AwayAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &uplink{away: make(chan struct{})}
		b := begin(t, u, &pod{over: true, processes: []process{{log: wrote(0, "one", "two")}}, changed: make(chan struct{})})
		close(b.over)
		pass(time.Minute)
		close(u.away)
		if err := <-b.done; err != nil || b.text != "one\ntwo\n" || b.final.GetBytes() != 8 || len(b.notes) != 0 {
			t.Errorf("%q, %v, %v, noted %q", b.text, b.final, err, b.notes)
		}
		b.cancel()
	})
}

// TestFollower_Follow_TroubleAtTheEnd holds that a control plane in trouble is not asked without a pause.
func TestFollower_Follow_TroubleAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &uplink{down: errors.New("the database is away")}
		b := begin(t, u, newPod(process{wrote(0, "one"), true}))
		close(b.over)
		pass(time.Minute)
		u.mu.Lock()
		asked := u.asked
		u.mu.Unlock()
		if asked > 20 {
			t.Errorf("it was asked %d times in a minute", asked)
		}
		b.kill()
	})
}

// TestFollower_Follow_ClosedLog holds that a kubelet which cannot follow a log, and ends it at once, is not asked without a pause.
func TestFollower_Follow_ClosedLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPod(process{wrote(0, "one"), true})
		p.cut = true
		b := begin(t, &uplink{}, p)
		pass(time.Minute)
		p.mu.Lock()
		opened := len(p.opened)
		p.mu.Unlock()
		if opened > 40 {
			t.Errorf("the log was opened %d times in a minute", opened)
		}
		b.kill()
	})
}

// TestFollower_Follow_Late holds that nobody waits for a service that goes on after the steps, and that what it wrote until then is kept.
func TestFollower_Follow_Late(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, &uplink{}, newPod(process{wrote(0, "one"), true}))
		pass(time.Second)
		close(b.over)
		pass(time.Second)
		b.pod.set(func(p *pod) { p.processes[0].log += wrote(time.Minute, "two") })
		if err := <-b.done; err != nil || b.text != "one\ntwo\n" || b.final.GetBytes() != 8 || b.odd != nil {
			t.Errorf("%q, %v, %v, %v", b.text, b.final, err, b.odd)
		}
		if len(b.notes) != 1 || !strings.Contains(b.notes[0], "did not end within 5s") {
			t.Errorf("noted %q", b.notes)
		}
		b.cancel()
	})
}

func TestFollower_Follow_Refused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, &uplink{fail: work.ErrRefused}, newPod(process{wrote(0, "one"), true}))
		if err := <-b.done; !errors.Is(err, work.ErrRefused) {
			t.Errorf("ended with %v", err)
		}
		b.cancel()
	})
}

// TestFollower_Follow_LongLines holds that memory is bounded and what is left out is stated.
func TestFollower_Follow_LongLines(t *testing.T) {
	t.Parallel()
	const most = 256<<10 - 1
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("x", most+1000)
		b := begin(t, &uplink{}, newPod(process{wrote(0, "before", long, "after", strings.Repeat("y", most)), true}))
		pass(time.Second)
		want := "before\n" + long[:most] + "\n" + strings.Repeat(".", 1000) + "after\n" + strings.Repeat("y", most) + "\n"
		if got := b.end(t); got != want || b.final.GetGapBytes() != 1000 {
			t.Errorf("%d bytes, want %d; gap %d", len(got), len(want), b.final.GetGapBytes())
		}
	})
}
