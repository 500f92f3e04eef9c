package pages

import (
	"fmt"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/usage"
	"github.com/seatrial/seatrial/ui/web/chart"
	"github.com/seatrial/seatrial/ui/web/words"
)

// Used is what a step has used.
type Used struct {
	Attempt execution.AttemptID
	Step    execution.Step  // with its usage
	File    *execution.File // its record; nil when it is not drawn
	Samples []usage.Sample
}

// cores draws how many CPU cores a step kept busy.
func (u Used) cores() string {
	points, top := make([]chart.Point, 0, len(u.Samples)), 0.0
	var last usage.Sample
	for _, s := range u.Samples {
		if took := s.At - last.At; took > 0 {
			y := float64(s.CPU-last.CPU) / float64(took)
			points, top = append(points, chart.Point{X: s.At.Seconds(), Y: y}), max(top, y)
		}
		last = s
	}
	return chart.Line(fmt.Sprintf("CPU of step %s over time, at most %.2f cores", u.Step.Name, top), points, top)
}

// memory draws how much memory a step had.
func (u Used) memory() string {
	points, top := make([]chart.Point, 0, len(u.Samples)), int64(0)
	for _, s := range u.Samples {
		points, top = append(points, chart.Point{X: s.At.Seconds(), Y: float64(s.Memory)}), max(top, s.Memory)
	}
	return chart.Line(fmt.Sprintf("Memory of step %s over time, at most %s", u.Step.Name, words.Size(top)), points, float64(top))
}

// cpu is CPU time as people read it.
func cpu(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return words.Took(d)
}

// slowed says how long the CPU limit held a step up, empty when it hardly did.
func slowed(u *execution.Usage) string {
	if u.Throttled < 100*time.Millisecond {
		return ""
	}
	return "slowed down for " + cpu(u.Throttled)
}
