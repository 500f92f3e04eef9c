package testkube

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

const maxWorkers = 20

// parallel converts a step with workers into a group: each worker is a container of the same pod.
func (c *converter) parallel(at value, s document.Step) document.Step {
	group := document.Step{Name: s.Name, If: s.If, ContinueOnError: s.ContinueOnError, Timeout: s.Timeout}
	c.object(at, func(f *fields) {
		cells := c.cells(f, at)
		worker := document.Step{Image: s.Image, WorkingDir: s.WorkingDir, Env: s.Env}
		c.stepContainer(f, &worker, inherited{container: document.Container{Image: s.Image, WorkingDir: s.WorkingDir, Env: s.Env}})
		f.drop("all of them run at once", "parallelism")
		f.drop("the workers of Seatrial share the workspace", "transfer", "fetch", "content")
		f.drop("the log of every step is kept", "logs")
		f.drop("a step of Seatrial has no text", "description")
		f.drop("the workers of Seatrial are in the pod of the attempt", "pod", "job", "namespace")
		f.drop("a worker of Seatrial is one step", "setup", "after", "services", "use", "template", "events")
		workers := c.work(f, worker, inherited{}, nil)
		if len(workers) != 1 {
			c.warn(at, "a worker of Seatrial is one step, not %d: write them as one script", len(workers))
		}
		for i, cell := range cells {
			for _, w := range workers {
				w, err := fill(w, cell)
				if err != nil {
					c.warn(at, "%v", err)
				}
				if w.Name != "" && len(cells) > 1 {
					w.Name = suffixed(w.Name, itoa(i+1))
				}
				group.Parallel = append(group.Parallel, w)
			}
		}
	})
	return group
}

// cells are the values of each worker by the names that their expressions use: index, count and matrix.NAME.
func (c *converter) cells(f *fields, at value) []map[string]any {
	cells := []map[string]any{{}}
	names := []string{}
	axes := map[string][]any{}
	c.mapping(f.take("matrix"), func(name string, item value) {
		var values []any
		c.list(item, func(_ int, v value) { values = append(values, c.plain(v)) })
		if len(values) > 0 {
			axes[name] = values
			names = append(names, name)
		}
	})
	slices.Sort(names)
	for _, name := range names {
		var more []map[string]any
		for _, cell := range cells {
			for _, v := range axes[name] {
				one := maps.Clone(cell)
				one["matrix."+name] = v
				more = append(more, one)
			}
		}
		if cells = more; len(cells) > maxWorkers {
			break
		}
	}
	f.drop("workers of Seatrial do not share a list; use spec.shards", "shards", "maxCount")
	if n, ok := c.integer(f.take("count")); ok && n > 0 {
		var more []map[string]any
		for _, cell := range cells {
			for range min(n, maxWorkers+1) {
				more = append(more, maps.Clone(cell))
			}
		}
		cells = more
	}
	if len(cells) > maxWorkers {
		c.warn(at, "a group of Seatrial has at most %d steps: the other workers were not carried over; use spec.matrix", maxWorkers)
		cells = cells[:maxWorkers]
	}
	for i := range cells {
		cells[i]["index"], cells[i]["count"] = int64(i), int64(len(cells))
	}
	return cells
}

var reWorker = regexp.MustCompile(`\$\{\{[^}]*\b(index|count|matrix)\b`)

// fill puts the values of a worker into its texts.
func fill(s document.Step, cell map[string]any) (document.Step, error) {
	by := map[string]string{}
	for name, v := range cell {
		text, err := expr.Literal(v)
		if err != nil {
			return s, err //nolint:wrapcheck // cannot happen: values are plain
		}
		by[name] = text
	}
	var first error
	put := func(text string) string {
		if !reWorker.MatchString(text) {
			return text
		}
		out, err := expr.Substitute(text, by)
		if err != nil {
			first = err
			return text
		}
		return strings.Clone(out)
	}
	s.Run, s.Image, s.WorkingDir = put(s.Run), put(s.Image), put(s.WorkingDir)
	s.Command, s.Args = slices.Clone(s.Command), slices.Clone(s.Args)
	for _, list := range [][]string{s.Command, s.Args} {
		for i := range list {
			list[i] = put(list[i])
		}
	}
	s.Env = slices.Clone(s.Env)
	for i := range s.Env {
		s.Env[i].Value = put(s.Env[i].Value)
	}
	s.Artifacts.Paths = slices.Clone(s.Artifacts.Paths)
	for i := range s.Artifacts.Paths {
		s.Artifacts.Paths[i] = put(s.Artifacts.Paths[i])
	}
	return s, first
}
