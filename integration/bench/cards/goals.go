package cards

// Arms that are compared.
const (
	Seatrial = "seatrial"              // as it is shipped
	Copied   = "seatrial, init copy"   // its runner copied into the pod by an init container, where images cannot be mounted
	Bare     = "client-go"             // a program that posts the Job and watches its pod
	Kubectl  = "kubectl"               // kubectl create, wait and logs
	Plain    = "plain SQL"             // the same question, written by hand
	Copying  = "COPY"                  // the same rows by PostgreSQL's COPY
	Standard = "encoding/xml"          // the same report by the standard library
	Calm     = "while others are idle" // the same work without a noisy neighbour
)

// How the samples of an arm become one figure.
const (
	byPairs  = "pairs"  // the median of the ratios to the base of the same round
	byMedian = "median" // of the samples
	byP99    = "p99"
	byMost   = "most"
	byLeast  = "least"
	byDelta  = "delta"    // the median of the arm without that of the base
	byP99Of  = "p99delta" // the 99th percentile without that of the base
	byTails  = "tails"    // the ratio of the 99th percentiles
)

// Row is one line of the table.
type Row struct {
	Card, What string
	Metric     string
	Arm, Base  string
	By         string
	Goal       float64
	AtLeast    bool // the goal is a least value, not a most
	NoGoal     bool // printed for comparison only
}

// Rows are the lines of the table in their order. A card without samples is printed as not measured: nothing is left out for looking bad.
func Rows() []Row {
	return []Row{
		{Card: "P1", What: "trigger to the test's first line, beside a bare Job", Metric: "trigger to line", Arm: Seatrial, Base: Bare, By: byPairs, Goal: 1.03},
		{Card: "P1", What: "the same as a difference, p50", Metric: "trigger to line", Arm: Seatrial, Base: Bare, By: byDelta, Goal: 25},
		{Card: "P1", What: "the same as a difference, p99", Metric: "trigger to line", Arm: Seatrial, Base: Bare, By: byP99Of, Goal: 60},
		{Card: "P2", What: "end of the test to its result, beside kubectl wait", Metric: "line to result", Arm: Seatrial, Base: Kubectl, By: byPairs, Goal: 0.5},
		{Card: "P2", What: "the same, beside a watch of the pod, p50", Metric: "line to result", Arm: Seatrial, Base: Bare, By: byDelta, Goal: 20},
		{Card: "P3", What: "trigger to result, a test of no length, beside kubectl create and wait", Metric: "trigger to result, 0 s", Arm: Seatrial, Base: Kubectl, By: byPairs, Goal: 1},
		{Card: "P3", What: "trigger to result, a test of 5 s, beside kubectl create and wait", Metric: "trigger to result, 5 s", Arm: Seatrial, Base: Kubectl, By: byPairs, Goal: 1},
		{Card: "P3", What: "the first with the runner copied into the pod", Metric: "trigger to result, 0 s", Arm: Copied, Base: Kubectl, By: byPairs, Goal: 1},
		{Card: "P4", What: "first line to whoever watches, beside kubectl logs -f", Metric: "first line", Arm: Seatrial, Base: Kubectl, By: byPairs, Goal: 0.1},
		{Card: "P5", What: "line to whoever watches, 10 lines/s, p50", Metric: "lag at 10 lines/s", Arm: Seatrial, Base: Kubectl, By: byMedian, Goal: 20},
		{Card: "P5", What: "line to whoever watches, 10 lines/s, p99", Metric: "lag at 10 lines/s", Arm: Seatrial, Base: Kubectl, By: byP99, Goal: 100},
		{Card: "P5", What: "line to whoever watches, 1,000 lines/s, p50", Metric: "lag at 1000 lines/s", Arm: Seatrial, Base: Kubectl, By: byMedian, Goal: 20},
		{Card: "P5", What: "line to whoever watches, 1,000 lines/s, p99", Metric: "lag at 1000 lines/s", Arm: Seatrial, Base: Kubectl, By: byP99, Goal: 100},
		{Card: "P6", What: "lines of a burst that are lost or doubled", Metric: "lines missing", Arm: Seatrial, Base: Kubectl, By: byMost, Goal: 0},
		{Card: "P6", What: "log delivered a second, beside kubectl logs -f", Metric: "log delivered", Arm: Seatrial, Base: Kubectl, By: byPairs, Goal: 0.95, AtLeast: true},
		{Card: "P7", What: "calls of the API server for an execution, beside a bare Job", Metric: "calls for each execution", Arm: Seatrial, Base: Bare, By: byDelta, Goal: 2},
		{Card: "P7", What: "more of them for ten viewers of its log", Metric: "calls for ten viewers", Arm: Seatrial, By: byMedian, Goal: 0},
		{Card: "P8", What: "memory of an idle agent", Metric: "idle agent", Arm: Seatrial, By: byMedian, Goal: 25},
		{Card: "P8", What: "memory of an agent with many tests", Metric: "busy agent", Arm: Seatrial, By: byMost, Goal: 60},
		{Card: "P8", What: "processor that an idle agent uses", Metric: "idle processor", Arm: Seatrial, By: byMedian, Goal: 0.3},
		{Card: "P8", What: "processor time of the agent for 1,000 executions", Metric: "processor of 1000", Arm: Seatrial, By: byMedian, NoGoal: true},
		{Card: "P9", What: "many at once, to the last result, beside bare Jobs", Metric: "burst", Arm: Seatrial, Base: Bare, By: byPairs, Goal: 1.05},
		{Card: "P10", What: "start of the agent to ready", Metric: "start of the agent", Arm: Seatrial, By: byMedian, Goal: 150},
		{Card: "P10", What: "start of the control plane to ready", Metric: "start of the control plane", Arm: Seatrial, By: byMedian, Goal: 400},
		{Card: "P10", What: "its restart until all agents are back", Metric: "agents back", Arm: Seatrial, By: byMost, Goal: 30},
		{Card: "P11", What: "memory with all agents connected", Metric: "connected", Arm: Seatrial, By: byMedian, Goal: 500},
		{Card: "P11", What: "executions a second, each durable when it is answered", Metric: "dispatched", Arm: Seatrial, By: byMedian, Goal: 500, AtLeast: true},
		{Card: "P11", What: "call to agent at that rate, p99", Metric: "call to agent", Arm: Seatrial, By: byP99, Goal: 50},
		{Card: "P11", What: "log taken in for each second of its processor time", Metric: "log per core", Arm: Seatrial, By: byMedian, Goal: 50, AtLeast: true},
		{Card: "P12", What: "newest page of results that did not pass, beside plain SQL", Metric: "query", Arm: Seatrial, Base: Plain, By: byPairs, Goal: 1.5},
		{Card: "P12", What: "slowest of the questions, p99", Metric: "slowest query", Arm: Seatrial, By: byMost, Goal: 25},
		{Card: "P13", What: "cases of a report stored a second", Metric: "cases stored", Arm: Seatrial, By: byMedian, Goal: 50000, AtLeast: true},
		{Card: "P14", What: "a line of a log of 1 GiB opened, p99 of the server", Metric: "line of 1 GiB", Arm: Seatrial, By: byMost, Goal: 100},
		{Card: "P14", What: "memory of the browser for it", Metric: "heap of 1 GiB", Arm: Seatrial, By: byMost, Goal: 50},
		{Card: "P15", What: "bytes at rest for each case", Metric: "bytes for each case", Arm: Seatrial, By: byMedian, Goal: 25},
		{Card: "P15", What: "log text for each byte at rest", Metric: "log compression", Arm: Seatrial, By: byMedian, Goal: 4.2, AtLeast: true},
		{Card: "P16", What: "call to agent beside a noisy neighbour, p99", Metric: "calm organization", Arm: Seatrial, Base: Calm, By: byTails, Goal: 1.5},
	}
}
