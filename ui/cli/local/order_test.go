package local

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/workflow"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// said is a view that writes down what it is told.
type said struct{ lines []string }

func (s *said) Begins(string, []workflow.PlanStep, []string) {}
func (s *said) Note(string)                                  {}
func (s *said) File(*runnerv1.FileHeader, string)            {}

func (s *said) Step(st *runnerv1.StepState) {
	s.lines = append(s.lines, fmt.Sprint(st.GetIndex(), " ", strings.ToLower(strings.TrimPrefix(st.GetStatus().String(), "STEP_STATUS_"))))
}

func (s *said) Log(step int, text []byte, _ int64) {
	s.lines = append(s.lines, fmt.Sprintf("%d %s", step, text))
}

// TestInOrder shows steps in their order, each with all of its log before its end, however they come; those of a group are together.
func TestInOrder(t *testing.T) {
	t.Parallel()
	steps := []workflow.PlanStep{{Name: "one"}, {Name: "left", Group: "g"}, {Name: "right", Group: "g"}, {Name: "last"}}
	ending := func(i int32, status runnerv1.StepStatus, bytes int64) *runnerv1.StepState {
		return &runnerv1.StepState{Index: i, Status: status, Log: &runnerv1.LogTotals{Bytes: bytes}}
	}
	for seed := range uint64(50) {
		v := &said{}
		o := newInOrder(v, steps)
		text := func(step int, text string) func() {
			return func() { o.log(step, int64(len(text)), func() ([]byte, int64) { return []byte(text), 0 }) }
		}
		end := func(s *runnerv1.StepState) func() { return func() { o.end(s) } }
		// chunks of one log come in order; all else does not
		logs := [][]func(){{text(0, "a"), text(0, "b")}, {text(1, "l")}, {text(2, "r")}, {text(3, "z")}}
		ends := []func(){
			end(ending(0, runnerv1.StepStatus_STEP_STATUS_PASSED, 2)), end(ending(1, runnerv1.StepStatus_STEP_STATUS_PASSED, 1)),
			end(ending(2, runnerv1.StepStatus_STEP_STATUS_FAILED, 1)), end(ending(3, runnerv1.StepStatus_STEP_STATUS_SKIPPED, 1)),
			end(ending(0, runnerv1.StepStatus_STEP_STATUS_PASSED, 2)), // a snapshot comes again
		}
		for _, e := range ends {
			logs = append(logs, []func(){e})
		}
		for random := rand.New(rand.NewPCG(seed, 1)); len(logs) > 0; {
			i := random.IntN(len(logs))
			logs[i][0]()
			if logs[i] = logs[i][1:]; len(logs[i]) == 0 {
				logs = append(logs[:i], logs[i+1:]...)
			}
		}
		got := strings.Join(v.lines, ", ")
		if !strings.HasPrefix(got, "0 a, 0 b, 0 passed, ") || !strings.HasSuffix(got, ", 3 z, 3 skipped") || len(v.lines) != 9 ||
			strings.Index(got, "1 l") > strings.Index(got, "1 passed") || strings.Index(got, "2 r") > strings.Index(got, "2 failed") {
			t.Fatalf("seed %d: %s", seed, got)
		}
	}
}

// TestInOrder_Rest shows what never became complete.
func TestInOrder_Rest(t *testing.T) {
	t.Parallel()
	v := &said{}
	o := newInOrder(v, []workflow.PlanStep{{Name: "one"}, {Name: "two"}})
	o.log(1, 1, func() ([]byte, int64) { return []byte("x"), 0 })
	o.end(&runnerv1.StepState{Index: 0, Status: runnerv1.StepStatus_STEP_STATUS_PASSED, Log: &runnerv1.LogTotals{Bytes: 9}})
	if len(v.lines) != 0 {
		t.Errorf("shown too early: %v", v.lines)
	}
	o.rest()
	if got := strings.Join(v.lines, ", "); got != "0 passed, 1 x" {
		t.Errorf("shown: %s", got)
	}
}
