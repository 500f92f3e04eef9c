package sim

import (
	"fmt"
	"time"
)

// Trouble is a kind of fault that lasts for a while.
type Trouble string

// The kinds of trouble, with the rows of the fault matrix that they are for.
const (
	AgentDies    Trouble = "agent dies"         // F1
	SplitBrain   Trouble = "split brain"        // F2: a second agent with the same identity
	ReplicaDies  Trouble = "replica dies"       // F3
	AllDie       Trouble = "all replicas die"   // F3
	Rolls        Trouble = "replica is drained" // F3, F24
	StoreAway    Trouble = "store is away"      // F5
	Partition    Trouble = "partition"          // F7: nothing gets through either way, and nobody is told
	HalfOpen     Trouble = "half open"          // F7: what the control plane says does not arrive
	Cut          Trouble = "connections cut"    // F7
	ClockJumps   Trouble = "clock jumps"        // F10
	KubeAway     Trouble = "API server is away" // F14
	StaleReads   Trouble = "stale reads"        // F14
	PodEvicted   Trouble = "pod is evicted"     // F13
	JobRemoved   Trouble = "Job is deleted"     // F15
	NodeDies     Trouble = "node dies"          // F13, F26: spool and termination message are lost
	HintsAreLost Trouble = "hints are lost"     // F4
)

// Troubles lists all kinds.
func Troubles() []Trouble {
	return []Trouble{
		AgentDies, SplitBrain, ReplicaDies, AllDie, Rolls, StoreAway, Partition, HalfOpen, Cut, ClockJumps, KubeAway, StaleReads,
		PodEvicted, JobRemoved, NodeDies, HintsAreLost,
	}
}

// Timed is a trouble with its time.
type Timed struct {
	Trouble Trouble
	At, For time.Duration
	Target  int // of whatever it strikes, counted round
}

// Start is an execution that a client asks for.
type Start struct {
	At       time.Duration
	Site     int
	Workflow string
	Again    time.Duration // when the client asks once more with the same key; 0 for never
	Cancel   time.Duration // when it cancels after that; 0 for never
}

// Plan is everything that a seed decides beforehand.
type Plan struct {
	Seed    uint64
	Starts  []Start
	Timed   []Timed
	Rules   []Rule
	Horizon time.Duration // when the faults end

	// Probabilities of the fate of each message and request until then.
	Drop, Double, Late, Break, Kube, Store float64
}

// String says what the plan holds, for a person who looks for the cause of a failure.
func (p Plan) String() string {
	return fmt.Sprintf("seed %d: starts %+v; troubles %+v; points %+v; until %s; drop %.2f double %.2f late %.2f break %.2f kube %.2f store %.2f",
		p.Seed, p.Starts, p.Timed, p.Rules, p.Horizon, p.Drop, p.Double, p.Late, p.Break, p.Kube, p.Store)
}

// horizon is how long faults go on at most.
const horizon = 75 * time.Second

// NewPlan makes the plan of a seed. One seed in eight is calm, so that what fails there is no matter of faults.
func NewPlan(seed uint64) Plan {
	c := newChance(seed)
	p := Plan{Seed: seed, Horizon: c.within("horizon", horizon/3, horizon)}
	p.Starts = starts(c, 1+c.among("starts", 3))
	if c.happens("calm", 1.0/8) {
		return p
	}
	if c.happens("messages", 0.6) {
		p.Drop, p.Double, p.Late, p.Break = 0.1*c.share("drop"), 0.1*c.share("double"), 0.3*c.share("late"), 0.05*c.share("break")
	}
	if c.happens("requests", 0.4) {
		p.Kube, p.Store = 0.1*c.share("kube"), 0.05*c.share("store")
	}
	for range c.among("troubles", 5) {
		at := c.within("trouble.at", 0, p.Horizon*3/4)
		p.Timed = append(p.Timed, Timed{
			Trouble: Troubles()[c.among("trouble", len(Troubles()))], At: at, For: c.within("trouble.for", time.Second, p.Horizon-at), Target: c.among("target", 64),
		})
	}
	for range c.among("rules", 4) {
		p.Rules = append(p.Rules, Rule{
			Point: Points()[c.among("point", len(Points()))], Nth: 1 + c.among("nth", 4), Action: Actions()[c.among("action", len(Actions()))],
		})
	}
	return p
}

// share returns a number between 0 and 1.
func (c *chance) share(purpose string) float64 { return float64(c.bits(purpose)>>11) / (1 << 53) }

func starts(c *chance, n int) []Start {
	var out []Start
	for range n {
		s := Start{
			At: c.within("start.at", 0, 20*time.Second), Site: c.among("start.site", sites),
			Workflow: workflowNames()[c.among("start.workflow", len(workflowNames()))],
		}
		if c.happens("start.again?", 0.3) {
			s.Again = c.within("start.again", time.Millisecond, 30*time.Second)
		}
		if c.happens("start.cancel?", 0.25) {
			s.Cancel = c.within("start.cancel", time.Millisecond, 30*time.Second)
		}
		out = append(out, s)
	}
	return out
}

// Mutants are bugs put in on purpose, to prove that the checker finds them. Each is one that a real system of this kind has had.
type Mutants struct {
	// Unfenced lets a session that was superseded take commands as if it were the newest.
	Unfenced bool
	// FireAndForget takes a command as carried out once it was sent.
	FireAndForget bool
	// RandomNames gives each try to create a Job a name of its own, so that nothing tells a duplicate.
	RandomNames bool
	// Overlapping lets whoever resumes a log begin anew, and stores chunks wherever they begin.
	Overlapping bool
	// EarlyAck acknowledges log chunks that were not stored.
	EarlyAck bool
	// KeepJobs forgets to delete Jobs that were released.
	KeepJobs bool
	// NoKeys forgets idempotency keys.
	NoKeys bool
}
