package viewfake

import (
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// Suite is the sample's execution that executes other workflows beside a database: one of them failed, one is under way, one waits, and
// one cannot begin.
const Suite = "suite"

func (w *World) suite() execution.Execution {
	start := ago(6 * time.Minute)
	e := attempt(Suite, "release-suite", execution.Running, start,
		step(0, "build", execution.Passed, start, 41*time.Second, code(0)),
		step(1, "others", execution.Running, start.Add(41*time.Second), 0, nil))
	a := &e.Runs[0].Attempts[0]
	a.Steps[1].Calls = []execution.Call{
		{Workflow: "checkout-api", Execution: ExecutionID(Failed), Status: execution.Failed, Message: "step \"test\": exit code 1"},
		{Workflow: "checkout-browser", Execution: ExecutionID(Matrix), Status: execution.Running},
		{Workflow: "checkout-load", Status: execution.Queued},
		{Status: execution.Errored, Message: "no other workflow has the labels suite=smoke"},
	}
	a.Services = []execution.Service{
		{Name: "cache", Status: execution.ServiceFailed, Message: "Ended with more memory than its limit of 64Mi (OOMKilled): raise resources.limits.memory", Restarts: 2, StartedAt: start},
		{Name: "db", Status: execution.ServiceReady, StartedAt: start, Log: logOf("ready\n", false)},
	}
	w.Write(a.ID, 0, "compiling\nversion 42\n", true)
	a.Steps[0].Log = logOf("compiling\nversion 42\n", true)
	says := "seatrial: executes checkout-api, checkout-browser, checkout-load, suite=smoke\n"
	w.Write(a.ID, 1, says, false)
	a.Steps[1].Log = logOf(says, false)
	w.WriteTo(a.ID, execution.ServiceStream("db"), "ready\n", false)
	return e
}
