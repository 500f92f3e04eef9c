package engine

import (
	"time"

	"github.com/seatrial/seatrial/agent/runner/state"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// ParseOutputs lets tests reach the parser of what steps write.
var ParseOutputs = parseOutputs

// Due is when the time of all steps is over that would be over at a deadline without pauses.
func Due(p *runnerv1.Plan, dir *state.Dir, deadline time.Time) time.Time {
	e := &engine{Config: Config{Plan: p}, dir: dir, deadline: deadline}
	return e.due()
}
