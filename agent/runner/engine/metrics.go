package engine

import (
	"context"
	"fmt"

	"github.com/seatrial/seatrial/agent/runner/spool"
	"github.com/seatrial/seatrial/agent/runner/termination"
	"github.com/seatrial/seatrial/agent/runner/usage"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// lastUsage is what the termination message says of a step.
func lastUsage(u *runnerv1.Usage) *termination.Usage {
	if u == nil {
		return nil
	}
	return &termination.Usage{
		CPU: u.GetCpuMicros(), Throttled: u.GetThrottledMicros(), Memory: u.GetMemoryPeak(), Read: u.GetReadBytes(), Written: u.GetWrittenBytes(),
		Note: u.GetNote(),
	}
}

// measured runs the command of a step and records what its container uses meanwhile. A record that cannot be made never changes how the
// step ends.
func (e *engine) measured(ctx context.Context, s *runnerv1.Step, before *course, sp *spool.Spool, end *runnerv1.StepState) {
	if !s.GetMetrics() {
		e.execute(ctx, s, before, sp, end)
		return
	}
	recorder := usage.Start()
	e.execute(ctx, s, before, sp, end)
	record := recorder.Stop()
	end.Usage = record.Usage
	table := record.CSV()
	if table == nil {
		return
	}
	files, err := e.gatherer.Keep(s, runnerv1.FileKind_FILE_KIND_METRICS, fmt.Sprintf("%d-%s.csv", s.GetIndex(), s.GetName()), "text/csv; charset=utf-8", table)
	if err != nil {
		e.ship.Note(fmt.Sprintf("step %q: what it used over time was not kept: %v", s.GetName(), err))
		return
	}
	e.ship.Files(files)
}
