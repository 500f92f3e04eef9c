package viewfake

import (
	"fmt"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// Matrix is the sample's execution of a matrix with shards: one of its runs failed, one is under way, one waits.
const Matrix = "matrix"

func (w *World) matrix() execution.Execution {
	start := ago(3 * time.Minute)
	e := attempt(Matrix, "checkout-browser", execution.Running, start)
	e.Runs, e.Templates = nil, []execution.Template{{Name: "playwright", Revision: 3, Digest: Digest("playwright")}}
	cells := []struct {
		browser string
		shard   int
		status  execution.Status
	}{
		{"chromium", 1, execution.Passed}, {"chromium", 2, execution.Failed}, {"firefox", 1, execution.Running}, {"firefox", 2, execution.Queued},
	}
	for i, c := range cells {
		name := fmt.Sprintf("%s %d", Matrix, i)
		exit := code(0)
		if c.status == execution.Failed {
			exit = code(1)
		}
		one := attempt(name, e.Workflow, c.status, start, step(0, "test", c.status, start, time.Duration(40+i*13)*time.Second, exit))
		r := one.Runs[0]
		r.Name = fmt.Sprintf("browser=%s, shard %d/2", c.browser, c.shard)
		r.Matrix, r.Shard, r.Shards = map[string]string{"browser": c.browser}, c.shard, 2
		if c.browser == "firefox" {
			r.Environment, r.Cluster = "staging-us", "us-2"
		}
		w.fill(&r.Attempts[0], c.status)
		e.Runs = append(e.Runs, r)
	}
	lost := result("pay by card", "shop.spec", "failed", 3*time.Second, "Expected the receipt within 2 s", "")
	lost.Attempt = e.Runs[1].Attempts[0].ID
	won := result("pay by invoice", "shop.spec", "passed", 2*time.Second, "", "")
	won.Attempt = e.Runs[0].Attempts[0].ID
	w.Tests[e.ID] = []execution.TestResult{lost, won}
	for i, r := range e.Runs[:2] {
		w.Attached[e.ID] = append(w.Attached[e.ID], execution.File{
			ID: ID(fmt.Sprintf("matrix report %d", i)), Attempt: r.Attempts[0].ID, Kind: execution.FileReport, Path: "results/junit.xml", Size: 512,
			Format: "junit", Grade: "consistent",
		})
	}
	e.Tests = execution.Counts{Total: 2, Passed: 1, Failed: 1}
	e.Trigger, e.Parent = "workflow", &execution.Parent{Execution: ExecutionID(Suite), Workflow: "release-suite", Step: "others"}
	return e
}

// fill gives the attempt of a cell what such an attempt has.
func (w *World) fill(a *execution.Attempt, s execution.Status) {
	switch s { //nolint:exhaustive // the sample has no others
	case execution.Queued:
		a.StartedAt, a.Pod, a.Node = time.Time{}, "", ""
		a.Steps = []execution.Step{{Name: "test", Status: execution.Waiting}}
		a.Message = "Waits for its turn: at most 3 runs of the execution are under way at once (maxParallel)."
		return
	case execution.Failed:
		a.Message = "Step test ended with exit code 1."
	}
	text := "Running 12 tests using 1 worker\n"
	w.Write(a.ID, 0, text, s.Terminal())
	a.Steps[0].Log = logOf(text, s.Terminal())
}
