package expand

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	"github.com/seatrial/seatrial/controlplane/workflow/rule"
)

// MaxRuns is how many runs an execution may have.
const MaxRuns = 1000

// MaxShards is how many shards a run may be split into.
const MaxShards = 100

// Input is what an execution is expanded for.
type Input struct {
	// Values of expressions by their full names, such as "params.mode": what is known before there are runs.
	Values map[string]any
	// Environments to run in; the order is kept. None means one run without an environment.
	Environments []string
}

// Run is one cell of an execution.
type Run struct {
	// Name says what sets the run apart: "staging-eu, browser=firefox, locale=en, shard 1/4". It is empty for a run alone.
	Name        string
	Environment string
	Matrix      document.Cell // nil without a matrix
	Shard       int64         // from 1; 0 without shards
	Shards      int64         // how many there are
}

// Runs expands a workflow. The order is that of the environments, then of the axes by name with their values as they are written,
// then of the shards. The error is a *fault.Error that names the field.
func Runs(doc *document.Document, in Input) ([]Run, error) {
	compiler, err := expr.New(doc.Spec.Variables())
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "expand "+doc.Metadata.Name)
	}
	e := expansion{compiler, in.Values}
	cells, err := e.cells(doc.Spec.Matrix)
	if err != nil {
		return nil, err
	}
	shards, err := e.shards(doc.Spec.Shards)
	if err != nil {
		return nil, err
	}
	environments := in.Environments
	if len(environments) == 0 {
		environments = []string{""}
	}
	if n := int64(len(environments)) * int64(len(cells)) * max(shards, 1); n > MaxRuns {
		return nil, fault.New(fault.Invalid, "the execution would have %d runs (%d environments × %d cells × %d shards); at most %d are allowed",
			n, len(environments), len(cells), max(shards, 1), MaxRuns).WithField("spec.matrix")
	}
	var runs []Run
	for _, environment := range environments {
		for _, cell := range cells {
			for shard := min(shards, 1); shard <= shards; shard++ {
				run := Run{Environment: environment, Matrix: cell, Shard: shard, Shards: shards}
				run.Name = run.name(len(environments) > 1)
				runs = append(runs, run)
			}
		}
	}
	return runs, nil
}

func (r Run) name(withEnvironment bool) string {
	var parts []string
	if withEnvironment {
		parts = append(parts, r.Environment)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Matrix)) {
		parts = append(parts, name+"="+document.Text(r.Matrix[name]))
	}
	if r.Shards > 0 {
		parts = append(parts, fmt.Sprintf("shard %d/%d", r.Shard, r.Shards))
	}
	return strings.Join(parts, ", ")
}

type expansion struct {
	compiler *expr.Compiler
	values   map[string]any
}

// cells returns the combinations of the axes without those excluded, and behind them those included. A combination is there once.
func (e expansion) cells(m document.Matrix) ([]document.Cell, error) {
	if m.IsZero() {
		return []document.Cell{nil}, nil
	}
	cells := []document.Cell{}
	if len(m.Axes) > 0 {
		cells = append(cells, document.Cell{})
	}
	for _, name := range slices.Sorted(maps.Keys(m.Axes)) {
		values, err := e.axis(name, m.Axes[name])
		if err != nil {
			return nil, err
		}
		if cells = product(cells, name, values); len(cells) > 10*MaxRuns {
			return nil, fault.New(fault.Invalid, "the matrix has more than %d combinations", 10*MaxRuns).WithField("spec.matrix")
		}
	}
	cells = slices.DeleteFunc(cells, func(c document.Cell) bool {
		return slices.ContainsFunc(m.Exclude, func(x document.Cell) bool { return agrees(c, x) })
	})
	for _, more := range m.Include {
		if !slices.ContainsFunc(cells, func(c document.Cell) bool { return maps.Equal(c, more) }) {
			cells = append(cells, more)
		}
	}
	if len(cells) == 0 {
		return nil, fault.New(fault.Invalid, "the matrix excludes everything: there would be no runs").WithField("spec.matrix")
	}
	return cells, nil
}

func product(cells []document.Cell, name string, values []any) []document.Cell {
	all := make([]document.Cell, 0, len(cells)*len(values))
	for _, cell := range cells {
		for _, v := range values {
			c := maps.Clone(cell)
			c[name] = v
			all = append(all, c)
		}
	}
	return all
}

// agrees reports whether a cell has all values of another.
func agrees(cell, with document.Cell) bool {
	for name, v := range with {
		if cell[name] != v {
			return false
		}
	}
	return true
}

func (e expansion) axis(name string, axis document.Axis) ([]any, error) {
	if axis.Expr == "" {
		return axis.Values, nil
	}
	path := "spec.matrix." + name
	value, err := e.eval(path, axis.Expr, expr.Items)
	if err != nil {
		return nil, err
	}
	values, ok := value.([]any)
	if !ok || len(values) == 0 {
		return nil, fault.New(fault.Invalid, "%s: the expression gives no list of values", path).WithField(path)
	}
	var once []any
	names := map[string]bool{} // a value is what people read: 1 and "1" are one
	for _, v := range values {
		switch v.(type) {
		case string, int64, float64, bool:
		default:
			return nil, fault.New(fault.Invalid, "%s: a value must be a string, a number or a boolean", path).WithField(path)
		}
		text := document.Text(v)
		if wrong := rule.Of("value")(text); wrong != "" {
			return nil, fault.New(fault.Invalid, "%s: a value of the expression %s", path, wrong).WithField(path)
		}
		if !names[text] {
			once, names[text] = append(once, v), true
		}
	}
	return once, nil
}

func (e expansion) shards(s *document.Shards) (int64, error) {
	if s == nil {
		return 0, nil
	}
	if s.Count.Expr == "" {
		return s.Count.Int, nil
	}
	const path = "spec.shards.count"
	value, err := e.eval(path, s.Count.Expr, expr.Count)
	if err != nil {
		return 0, err
	}
	n, ok := value.(int64)
	if !ok || n < 1 || n > MaxShards {
		return 0, fault.New(fault.Invalid, "%s: the expression gives %v; there can be 1 to %d shards", path, value, MaxShards).WithField(path)
	}
	return n, nil
}

func (e expansion) eval(path, text string, want expr.Want) (any, error) {
	v, err := e.compiler.CompileValue(text, expr.AtTrigger, want)
	var out any
	if err == nil {
		out, err = v.Eval(e.values)
	}
	var bad *expr.Error
	if errors.As(err, &bad) {
		return nil, fault.New(fault.Invalid, "%s: %v", path, bad).WithField(path)
	}
	return out, err
}
