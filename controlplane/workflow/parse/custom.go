package parse

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	"github.com/seatrial/seatrial/controlplane/workflow/rule"
	"github.com/seatrial/seatrial/controlplane/workflow/say"
)

const (
	maxAxes   = 10
	maxValues = 100
	maxCodes  = 50
)

// matrix reads axes beside exclude and include.
func (r *reader) matrix(at node, m *document.Matrix) {
	entries, ok := r.mapping(at)
	if !ok {
		return
	}
	cells := func(n node, into *[]document.Cell) {
		r.list(n, maxValues, func(_ int, item node) { *into = append(*into, r.cell(item)) })
	}
	for _, e := range entries {
		switch {
		case e.value.ShortTag() == "!!null":
		case e.key == "exclude":
			cells(e.value, &m.Exclude)
		case e.key == "include":
			cells(e.value, &m.Include)
		case rule.Of("param")(e.key) != "":
			r.fault(e.value, "%s", rule.Of("param")(e.key))
		case len(m.Axes) == maxAxes:
			r.fault(e.value, "a matrix has at most %d axes", maxAxes)
		default:
			if m.Axes == nil {
				m.Axes = map[string]document.Axis{}
			}
			m.Axes[e.key] = r.axis(e.value)
		}
	}
	r.cells(at, m)
}

// axis reads a list of values, or an expression that gives one.
func (r *reader) axis(at node) document.Axis {
	var axis document.Axis
	if at.Kind == yaml.ScalarNode && at.ShortTag() == "!!str" && !expr.IsPlain(at.Value) {
		r.nodes++
		axis.Expr = at.Value
		r.templates = append(r.templates, template{at: at, text: at.Value, where: expr.AtTrigger, want: expr.Items, alone: true})
		return axis
	}
	before := len(r.places)
	r.list(at, maxValues, func(_ int, item node) {
		var v any
		r.anyScalar(item, &v, document.Options{Rule: "value"})
		if slices.ContainsFunc(axis.Values, func(other any) bool { return document.Text(other) == document.Text(v) }) {
			r.fault(item, "is listed twice")
		}
		axis.Values = append(axis.Values, v)
	})
	if len(axis.Values) == 0 && len(r.places) == before {
		r.fault(at, "is empty: there would be no runs")
	}
	return axis
}

func (r *reader) cell(at node) document.Cell {
	cell := document.Cell{}
	entries, _ := r.mapping(at)
	for _, e := range entries {
		if wrong := rule.Of("param")(e.key); wrong != "" {
			r.fault(e.value, "%s", wrong)
			continue
		}
		var v any
		r.anyScalar(e.value, &v, document.Options{Rule: "value"})
		cell[e.key] = v
		r.given[e.value.path] = e.value
	}
	r.given[at.path] = at
	return cell
}

// cells checks exclude and include against the axes.
func (r *reader) cells(at node, m *document.Matrix) {
	all := m.Names()
	for i, cell := range m.Exclude {
		place := r.given[at.path+".exclude["+strconv.Itoa(i)+"]"]
		if len(cell) == 0 {
			r.fault(place, "is empty: it would exclude everything")
		}
		for _, name := range slices.Sorted(maps.Keys(cell)) {
			axis, known := m.Axes[name]
			switch {
			case !known && !slices.Contains(all, name):
				r.fault(r.given[place.path+"."+name], "the matrix has no %s%s", name, say.DidYouMean(name, all))
			case axis.Expr == "" && known && !slices.Contains(axis.Values, cell[name]):
				r.fault(r.given[place.path+"."+name], "is not a value of %s: nothing would be excluded", name)
			}
		}
	}
	for i, cell := range m.Include {
		place := r.given[at.path+".include["+strconv.Itoa(i)+"]"]
		for _, name := range all {
			if _, ok := cell[name]; !ok {
				r.fault(place, "has no %s: every run has a value for each name of the matrix", name)
			}
		}
	}
	if m.IsZero() && len(r.places) == 0 {
		r.fault(at, "is empty: there would be no runs")
	}
}

// expect reads a word, or a mapping with exit codes.
func (r *reader) expect(at node, e *document.Expect) {
	target, ok := r.resolve(at)
	if !ok {
		return
	}
	if target.Kind != yaml.MappingNode {
		e.Result = r.texts(at, document.Options{Enum: []string{document.Success, document.Failure, document.Either}})
		return
	}
	before := len(r.places)
	entries, _ := r.mapping(at)
	for _, entry := range entries {
		if entry.key != "exitCodes" {
			r.fault(node{entry.at, entry.value.path}, "is not a known field%s", say.DidYouMean(entry.key, []string{"exitCodes"}))
			continue
		}
		r.list(entry.value, maxCodes, func(_ int, item node) {
			r.integer(item, 0, 255, func(i int64) { e.ExitCodes = append(e.ExitCodes, i) })
		})
	}
	if len(e.ExitCodes) == 0 && len(r.places) == before {
		r.fault(at, "needs exitCodes, or one of success, failure, any")
	}
}

func (r *reader) intOrExpr(at node, into *document.IntOrExpr, o document.Options) {
	target, ok := r.resolve(at)
	if !ok {
		return
	}
	if target.Kind == yaml.ScalarNode && target.ShortTag() == "!!str" && !expr.IsPlain(target.Value) {
		into.Expr = target.Value
		r.templates = append(r.templates, template{at: at, text: into.Expr, where: expr.AtTrigger, want: expr.Count, alone: true})
		return
	}
	low, high := bounds(o)
	r.integer(at, int64(low), int64(math.Min(high, math.MaxInt32)), func(i int64) { into.Int = i })
}

var reMode = regexp.MustCompile(`^0o?([0-7]{3})$`)

// mode reads permission bits, which people write in octal: 755 without a zero would be another number to YAML.
func (r *reader) mode(at node) document.FileMode {
	value, ok := r.scalar(at, "permission bits", "!!int", "!!str")
	if !ok {
		return 0
	}
	m := reMode.FindStringSubmatch(value.Value)
	if m == nil {
		r.fault(at, "must be permission bits in octal with a leading zero, such as 0644 or 0755, not %q", say.Shorten(value.Value))
		return 0
	}
	bits, err := strconv.ParseUint(m[1], 8, 32)
	if err != nil {
		r.fault(at, "%v", err)
	}
	return document.FileMode(bits)
}
