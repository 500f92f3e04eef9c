package cmd

import (
	"bytes"
	"fmt"

	"github.com/seatrial/seatrial/controlplane/workflow"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// trialView shows a local run: what steps write goes to standard output, what is said of them beside it.
type trialView struct {
	app   *app
	steps []workflow.PlanStep

	open    map[int]bool   // steps whose heading was shown
	part    bool           // the output is in the midst of a line
	lines   map[int][]byte // of steps that run beside others, what is in the midst of a line
	dropped int            // artifacts that were not kept
}

func newTrialView(a *app) *trialView {
	return &trialView{app: a, open: map[int]bool{}, lines: map[int][]byte{}}
}

// Begins implements local.View.
func (v *trialView) Begins(workspace string, steps []workflow.PlanStep, notes []string) {
	v.steps = steps
	v.app.say("Runs on this machine, in %s", workspace)
	for _, n := range notes {
		v.app.say("  %s", render.Line(n))
	}
}

// Step implements local.View.
func (v *trialView) Step(s *runnerv1.StepState) {
	i := int(s.GetIndex())
	switch s.GetStatus() {
	case runnerv1.StepStatus_STEP_STATUS_WAITING:
		return
	case runnerv1.StepStatus_STEP_STATUS_RUNNING, runnerv1.StepStatus_STEP_STATUS_PAUSED:
		v.heading(i)
		return
	default:
	}
	v.heading(i)
	v.rest(i)
	v.newLine()
	text := words(statusOf(s.GetStatus()))
	if s.GetAllowed() && s.GetStatus() != runnerv1.StepStatus_STEP_STATUS_PASSED {
		text += ", which is allowed"
	}
	if span := render.Span(s.GetStartedAt(), s.GetFinishedAt()); span != "-" {
		text += " in " + span
	}
	if s.GetReason() != "" {
		text += ": " + render.Line(s.GetReason())
	}
	v.app.say("   %s%s", v.mark(i), text)
}

// heading begins a step.
func (v *trialView) heading(i int) {
	if v.open[i] || i >= len(v.steps) {
		return
	}
	v.open[i] = true
	v.newLine()
	v.app.say("── %d/%d %s", i+1, len(v.steps), v.steps[i].Name)
}

// mark says of a step of a group which one it is.
func (v *trialView) mark(i int) string {
	if i >= len(v.steps) || v.steps[i].Group == "" {
		return ""
	}
	return v.steps[i].Name + " | "
}

// Log implements local.View.
func (v *trialView) Log(i int, text []byte, gap int64) {
	v.heading(i)
	if gap > 0 {
		v.newLine()
		v.app.say("   %d bytes of the log are missing here", gap)
	}
	mark := v.mark(i)
	if mark == "" {
		v.write(text)
		return
	}
	text = append(v.lines[i], text...)
	for {
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			break
		}
		v.write([]byte(mark + string(text[:end+1])))
		text = text[end+1:]
	}
	v.lines[i] = bytes.Clone(text)
}

// rest writes what a step of a group has left in the midst of a line.
func (v *trialView) rest(i int) {
	if text := v.lines[i]; len(text) > 0 {
		v.write([]byte(v.mark(i) + string(text) + "\n"))
		delete(v.lines, i)
	}
}

func (v *trialView) write(text []byte) {
	if len(text) == 0 {
		return
	}
	_, _ = v.app.Out.Write(text) // a reader that went away must not end the test
	v.part = text[len(text)-1] != '\n'
}

func (v *trialView) newLine() {
	if v.part {
		v.write([]byte("\n"))
	}
}

// File implements local.View.
func (v *trialView) File(h *runnerv1.FileHeader, path string) {
	switch {
	case path != "":
		v.newLine()
		v.app.say("   kept %s", render.Line(path))
	case h.GetKind() == runnerv1.FileKind_FILE_KIND_ARTIFACT:
		v.dropped++
	}
}

// Note implements local.View.
func (v *trialView) Note(text string) {
	v.newLine()
	v.app.say("   %s", render.Line(text))
}

func (v *trialView) close() {
	v.newLine()
	if v.dropped > 0 {
		files := fmt.Sprintf("%d artifacts are", v.dropped)
		if v.dropped == 1 {
			files = "1 artifact is"
		}
		v.app.say("%s not kept: name a folder with --files", files)
	}
}
