package tail_test

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/tail"
	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/agent/workfake"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const attempt = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"

// stream is what the control plane has of a log; lost bytes are dots.
type stream struct {
	text  string
	final *runnerv1.LogTotals
}

// uplink commits to memory what continues a stream.
type uplink struct {
	streams map[string]*stream
	faults  []error // of the next calls of Streams
	asked   int
	rotated bool // nobody knows how many lines were lost
	odd     error
}

func (u *uplink) Streams(context.Context, string) (*agentv1.StreamStateResponse, error) {
	u.asked++
	if len(u.faults) > 0 {
		err := u.faults[0]
		u.faults = u.faults[1:]
		return nil, err
	}
	out := &agentv1.StreamStateResponse{Committed: map[string]int64{}}
	for name, s := range u.streams {
		out.Committed[name] = int64(len(s.text))
		if s.final != nil {
			out.Final = append(out.Final, name)
		}
	}
	return out, nil
}

func (u *uplink) Append(_ context.Context, _ string, c *runnerv1.LogChunk, done func(*runnerv1.LogAck, error)) error {
	raw, err := workfake.Decompress(c)
	s := u.streams[c.GetStream()]
	if s == nil {
		s = &stream{}
		u.streams[c.GetStream()] = s
	}
	switch {
	case err != nil:
		u.odd = err
	case !c.GetViaKubeApi():
		u.odd = errors.New("a chunk does not say where it comes from")
	case int(c.GetFirstLine()) != strings.Count(s.text, "\n") && len(raw) > 0 && !u.rotated:
		u.odd = errors.New("lines are counted wrong")
	}
	if int(c.GetStartOffset()) == len(s.text) && s.final == nil {
		s.text += string(raw) + strings.Repeat(".", int(c.GetGapBytes()))
		s.final = c.GetFinal()
	}
	done(&runnerv1.LogAck{Stream: c.GetStream(), Committed: int64(len(s.text)), Final: s.final != nil}, nil)
	return nil
}

// source is a pod whose only container "c" has run the steps of its plan.
type source struct {
	log   string
	steps int32
}

func (s source) Plan(context.Context, work.PodIdentity) (*runnerv1.Plan, error) {
	plan := &runnerv1.Plan{}
	for i := range s.steps {
		plan.Steps = append(plan.Steps, &runnerv1.Step{Index: i, Container: "c"})
	}
	return plan, nil
}

func (s source) Log(context.Context, work.PodIdentity, string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(s.log)), nil
}

func pod() work.Pod {
	return work.Pod{Ended: true, Containers: []work.Container{{Name: "c", Started: true, Terminated: true}}}
}

// ran is a step that has run; a text of "" stands for a runner that did not live to count.
func ran(index int32, text string) *runnerv1.StepState {
	s := &runnerv1.StepState{Index: index, Status: runnerv1.StepStatus_STEP_STATUS_RUNNING}
	if text != "" {
		s.Log = &runnerv1.LogTotals{
			Bytes: int64(len(text)), Lines: int64(strings.Count(text, "\n")), Crc32C: crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)),
		}
	}
	return s
}

func TestTailer_Tail(t *testing.T) {
	t.Parallel()
	final := &runnerv1.LogTotals{}
	for name, c := range map[string]struct {
		why   string
		log   string // what the cluster has
		have  map[string]*stream
		steps []*runnerv1.StepState
		want  map[string]string
		note  string // empty for none
	}{
		"nothing arrived":  {"the network was shut", "ab\ncd\n", nil, []*runnerv1.StepState{ran(0, "ab\ncd\n")}, map[string]string{"step/0": "ab\ncd\n"}, "completed"},
		"the rest":         {"the runner died while it sent", "ab\ncd\n", map[string]*stream{"step/0": {text: "ab\n"}}, []*runnerv1.StepState{ran(0, "ab\ncd\n")}, map[string]string{"step/0": "ab\ncd\n"}, "completed"},
		"all is there":     {"only its end was not said", "ab\n", map[string]*stream{"step/0": {text: "ab\n", final: final}}, []*runnerv1.StepState{ran(0, "ab\n")}, map[string]string{"step/0": "ab\n"}, ""},
		"two steps":        {"a container's log has no borders", "ab\ncd\n", nil, []*runnerv1.StepState{ran(0, "ab\n"), ran(1, "cd\n")}, map[string]string{"step/0": "ab\n", "step/1": "cd\n"}, "completed"},
		"the second step":  {"the first has arrived", "ab\ncd\n", map[string]*stream{"step/0": {text: "ab\n", final: final}}, []*runnerv1.StepState{ran(0, "ab\n"), ran(1, "")}, map[string]string{"step/0": "ab\n", "step/1": "cd\n"}, "completed"},
		"nobody counted":   {"the container was killed", "ab\ncd", nil, []*runnerv1.StepState{ran(0, "")}, map[string]string{"step/0": "ab\ncd"}, "completed"},
		"rotated away":     {"the kube API keeps the end of a log", "ef\n", nil, []*runnerv1.StepState{ran(0, "ab\ncd\nef\n")}, map[string]string{"step/0": "......ef\n"}, "lost 6 bytes"},
		"rotated, arrived": {"what is lost there is here", "ef\n", map[string]*stream{"step/0": {text: "ab\ncd\n"}}, []*runnerv1.StepState{ran(0, "ab\ncd\nef\n")}, map[string]string{"step/0": "ab\ncd\nef\n"}, "completed"},
		"no log":           {"the node was wiped", "", map[string]*stream{"step/0": {text: "ab\n"}}, []*runnerv1.StepState{ran(0, "ab\ncd\n")}, map[string]string{"step/0": "ab\n..."}, "lost 3 bytes"},
		"first step lost":  {"the loss is the first one's", "d\n", nil, []*runnerv1.StepState{ran(0, "ab\n"), ran(1, "cd\n")}, map[string]string{"step/0": "...", "step/1": ".d\n"}, "lost 4 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := &uplink{streams: c.have, rotated: strings.Contains(name, "rotated") || strings.Contains(name, "lost")}
			if u.streams == nil {
				u.streams = map[string]*stream{}
			}
			tailer := tail.Tailer{Log: slog.New(slog.DiscardHandler), Uplink: u, Source: source{c.log, int32(len(c.steps))}}
			notes, err := tailer.Tail(t.Context(), attempt, pod(), c.steps)
			if err != nil || u.odd != nil {
				t.Fatal(err, u.odd)
			}
			for name, want := range c.want {
				s := u.streams[name]
				if s == nil || s.text != want || s.final == nil {
					t.Fatalf("%s: %s is %+v, want %q", c.why, name, s, want)
				}
				if f := s.final; f != final && (f.GetBytes() != int64(len(want)) || f.GetGapBytes() != int64(strings.Count(want, "."))) {
					t.Errorf("%s ends with %v", name, f)
				}
			}
			if got := strings.Join(notes, "\n"); (c.note == "") != (got == "") || !strings.Contains(got, c.note) {
				t.Errorf("%s: noted %q", c.why, got)
			}
		})
	}
}

func TestTailer_Tail_SkipsWhatNeverStarted(t *testing.T) {
	t.Parallel()
	u := &uplink{streams: map[string]*stream{}}
	p := pod()
	p.Containers[0].Started = false
	tailer := tail.Tailer{Log: slog.New(slog.DiscardHandler), Uplink: u, Source: source{"", 1}}
	notes, err := tailer.Tail(t.Context(), attempt, p, []*runnerv1.StepState{ran(0, "")})
	if err != nil || len(notes) != 0 || len(u.streams) != 0 {
		t.Errorf("noted %q, sent %v, %v", notes, u.streams, err)
	}
}

func TestTailer_Tail_TriesAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		why    string
		faults []error
		asked  int
		want   error
	}{
		"passing": {"the connection comes back", []error{work.ErrUplinkLost, work.ErrUplinkLost}, 3, nil},
		"lasting": {"the loss is noted then", []error{work.ErrUplinkLost, work.ErrUplinkLost, work.ErrUplinkLost, work.ErrUplinkLost, work.ErrUplinkLost}, 5, work.ErrUplinkLost},
		"refused": {"asking again changes nothing", []error{work.ErrRefused}, 1, work.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				u := &uplink{streams: map[string]*stream{}, faults: c.faults}
				tailer := tail.Tailer{Log: slog.New(slog.DiscardHandler), Uplink: u, Source: source{"ab\n", 1}}
				_, err := tailer.Tail(t.Context(), attempt, pod(), []*runnerv1.StepState{ran(0, "")})
				if !errors.Is(err, c.want) || u.asked != c.asked {
					t.Errorf("%s: %v after %d tries", c.why, err, u.asked)
				}
			})
		})
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := workfake.NewCluster(t)
	plan, err := jobspec.EncodePlan(&runnerv1.Plan{AttemptId: attempt, Steps: []*runnerv1.Step{{Name: "unit", Container: "c"}}})
	if err != nil {
		t.Fatal(err)
	}
	cluster.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "tests", Name: "p", Annotations: map[string]string{jobspec.AnnotationPlan: plan},
	}})
	cluster.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "tests", Name: "foreign"}})
	cluster.SetLog("p", "c", "ab\n")
	s := tail.Cluster{Client: cluster.Client(t)}
	id := work.PodIdentity{Namespace: "tests", Pod: "p"}
	if got, err := s.Plan(t.Context(), id); err != nil || got.GetSteps()[0].GetName() != "unit" {
		t.Errorf("plan %v, %v", got, err)
	}
	log, err := s.Log(t.Context(), id, "c")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if b, err := io.ReadAll(log); err != nil || string(b) != "ab\n" {
		t.Errorf("log %q, %v", b, err)
	}
	for _, name := range []string{"foreign", "none"} {
		if _, err := s.Plan(t.Context(), work.PodIdentity{Namespace: "tests", Pod: name}); err == nil {
			t.Errorf("pod %s has a plan", name)
		}
	}
}
