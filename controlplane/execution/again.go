package execution

import (
	"maps"
	"slices"
)

// Cell says which of its siblings a run is: environment, values of the matrix as people write them, and shard.
type Cell struct {
	Environment string
	Matrix      map[string]string
	Shard       int
	Shards      int
}

// Cell returns which run it is.
func (r Run) Cell() Cell { return Cell{r.Environment, r.Matrix, r.Shard, r.Shards} }

// Is reports whether both are the same.
func (c Cell) Is(other Cell) bool {
	return c.Environment == other.Environment && c.Shard == other.Shard && c.Shards == other.Shards && maps.Equal(c.Matrix, other.Matrix)
}

// Again asks for an execution that has ended to be run again.
type Again struct {
	Failed         bool   // only those of its runs that did not pass
	IdempotencyKey string // the same key never starts twice; empty means always start
	Trigger        string // "api" or "web"
}

// Unpassed returns the runs that were to pass and did not: they failed, or were stopped before they could pass.
func (e Execution) Unpassed() []Run {
	var out []Run
	for _, r := range e.Runs {
		if r.Status != Passed && r.Status != Skipped {
			out = append(out, r)
		}
	}
	return out
}

// Cells returns which runs they are, and the environments that they are in, each once.
func Cells(runs []Run) (cells []Cell, environments []string) {
	for _, r := range runs {
		cells = append(cells, r.Cell())
		if !slices.Contains(environments, r.Environment) {
			environments = append(environments, r.Environment)
		}
	}
	return cells, environments
}
