package execution

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Executions that a step has started. A step with execute asks for them once its turn has come; each is a call. Calls are begun in
// their order, as many at a time as the step allows, and once all have ended the step is told how.

// What bounds them.
const (
	MaxCalls = 100 // of one step, those that a selector finds included
	MaxDepth = 5   // executions above one another

	MaxDescendants = 1000 // executions below one that a person or a pipeline has started
)

// CallsTopic is what is published when there may be something to decide about calls.
const CallsTopic = "calls"

// Execute is what a step executes according to its workflow.
type Execute struct {
	Callees     []Callee `json:"callees"`
	Parallelism int      `json:"parallelism,omitempty"` // how many are active at once; 0 for all
	Wait        bool     `json:"wait,omitempty"`        // for their end
}

// Callee is a workflow by its name, or all that have some labels.
type Callee struct {
	Name     string            `json:"name,omitempty"`
	Selector map[string]string `json:"selector,omitempty"`
}

// Call is one execution that a step has asked for.
type Call struct {
	ID        uuid.UUID
	Workflow  string // empty when nothing was found to execute
	Execution ID     // zero until it has begun
	Status    Status // of the execution; Queued until it has begun, Errored when it cannot
	Message   string // why it could not begin, or how the execution ended
}

// Over reports whether nothing more will become of a call: it has ended, or it has begun and nobody waits for its end.
func (c Call) Over(wait bool) bool { return c.Status.Terminal() || !wait && c.Execution != uuid.Nil }

// Parent is the step that an execution was started by.
type Parent struct {
	Execution ID
	Workflow  string
	Step      string
	Above     []Above // the executions above, the outermost first; the parent is the last
	Call      uuid.UUID
}

// Above is an execution above another one.
type Above struct {
	Execution ID     `json:"execution"`
	Workflow  string `json:"workflow"`
	Waits     bool   `json:"waits,omitempty"` // for the end of the one below it
}

// CallStep names a step that has calls.
type CallStep struct {
	Organization tenant.ID
	Attempt      AttemptID
	Step         int
}

// Beginning is a call that is to begin now.
type Beginning struct {
	Call        uuid.UUID
	Workflow    string
	Params      map[string]string
	Environment string // of the run whose step calls
	Actor       string // of the execution whose step calls, as all below
	Commit      string
	Application string // with Version: the release that its trigger has named
	Version     string
	Parent      Parent
}

// Lease is how long whoever settles calls has to begin them, or to have their executions cancelled, before it is decided anew.
const Lease = 30 * time.Second

// Settled is what is to be done about the calls of a step.
type Settled struct {
	Begin  []Beginning // nobody else looks for Lease, or until the first of them has begun
	Cancel []ID        // executions that nobody waits for any more
	Effects
}

// Verdict says how a step ends whose calls are all over: failed when a test was, else errored when it is not known how one would have
// ended.
func Verdict(calls []Call, wait bool) (Status, string) {
	var bad []string
	status := Passed
	for _, c := range calls {
		begun := c.Execution != uuid.Nil
		switch {
		case c.Status == Passed || c.Status == Skipped || begun && !wait:
			continue
		case c.Status == Failed || c.Status == TimedOut:
			status = Failed
		case status == Passed:
			status = Errored
		}
		if !begun {
			bad = append(bad, cut(c.Message, maxProblem))
		} else {
			bad = append(bad, fmt.Sprintf("%s is %s", c.Workflow, strings.ReplaceAll(string(c.Status), "_", " ")))
		}
	}
	switch n := len(calls); {
	case status == Passed && !wait:
		return Passed, count(n) + " started"
	case status == Passed:
		return Passed, count(n) + " passed"
	}
	const shown = 3
	more := ""
	if len(bad) > shown {
		more = fmt.Sprintf(", and %d more", len(bad)-shown)
	}
	return status, fmt.Sprintf("%d of %s did not pass: %s%s", len(bad), count(len(calls)), strings.Join(bad[:min(shown, len(bad))], "; "), more)
}

// maxProblem is how many bytes the reason of a step tells of one call.
const maxProblem = 300

func cut(text string, size int) string {
	if len(text) <= size {
		return text
	}
	return strings.ToValidUTF8(text[:size], "") + "…"
}

func count(n int) string {
	if n == 1 {
		return "1 execution"
	}
	return fmt.Sprintf("%d executions", n)
}

// NextCalls returns which of the calls of a step may begin now, by their places. Nothing holds back those that nobody waits for.
func NextCalls(calls []Call, parallelism int, wait bool) []int {
	var next []int
	active := 0
	for i, c := range calls {
		switch {
		case c.Status.Terminal():
		case c.Execution != uuid.Nil:
			active++
		default:
			next = append(next, i)
		}
	}
	if parallelism > 0 && wait {
		next = next[:max(0, min(len(next), parallelism-active))]
	}
	return next
}

// Refuse says why a workflow may not be executed by a step of an execution, empty when it may.
func (p Parent) Refuse(workflow string) string {
	names := make([]string, len(p.Above))
	for i, a := range p.Above {
		names[i] = a.Workflow
	}
	way := strings.Join(names, ", ")
	switch {
	case slices.Contains(names, workflow):
		return fmt.Sprintf("%s cannot be executed here: it executes itself by way of %s", workflow, way)
	case len(names) >= MaxDepth:
		return fmt.Sprintf("%s cannot be executed here: %d executions are above it already (%s)", workflow, len(names), way)
	}
	return ""
}

// Waiting returns those above that go on only when this one has ended, as an execution that waits for one that waits does.
func (p Parent) Waiting() []ID {
	var ids []ID
	for _, a := range slices.Backward(p.Above) {
		if !a.Waits {
			break
		}
		ids = append(ids, a.Execution)
	}
	return ids
}

// Root is the execution that a person or a pipeline has started.
func (p Parent) Root() ID { return p.Above[0].Execution }
