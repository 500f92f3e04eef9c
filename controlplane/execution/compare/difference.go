package compare

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// Difference is something beside the tests that was not the same. One side is empty when it was not there.
type Difference struct {
	What   string // revision, commit, template, parameter, environment or image
	Name   string // of the template, the parameter, or the container with its place; empty for the rest
	Before string
	After  string
}

// MaxDifferences bounds how many of them are listed.
const MaxDifferences = 200

// Heads returns what two executions do not have in common, in the order in which people look for a cause, and sentences on what nobody
// knows. Only is as in Side.
func Heads(before, after Side) (differences []Difference, unknown []string) {
	b, a := before.Execution, after.Execution
	var out []Difference
	add := func(what, name, old, now string) {
		if old != now {
			out = append(out, Difference{what, name, old, now})
		}
	}
	add("workflow", "", b.Workflow, a.Workflow)
	images(before, after, add)
	add("commit", "", b.Commit, a.Commit)
	add("revision", "", revision(b.Revision, b.Digest), revision(a.Revision, a.Digest))
	both(templates(b), templates(a), func(name, old, now string) { add("template", name, old, now) })
	both(b.Params, a.Params, func(name, old, now string) { add("parameter", name, old, now) })
	add("environments", "", environments(before), environments(after))
	if text := unobserved(before); text != "" {
		unknown = append(unknown, "Before, "+text)
	}
	if text := unobserved(after); text != "" {
		unknown = append(unknown, "Now, "+text)
	}
	if n := len(out) - MaxDifferences; n > 0 {
		out, unknown = out[:MaxDifferences], append(unknown, fmt.Sprintf("%d more differences are not listed.", n))
	}
	return out, unknown
}

func revision(number int, digest string) string {
	if number == 0 {
		return ""
	}
	return fmt.Sprintf("%d (%s)", number, digest[:min(19, len(digest))])
}

func templates(e execution.Execution) map[string]string {
	out := map[string]string{}
	for _, t := range e.Templates {
		out[t.Name] = revision(t.Revision, t.Digest)
	}
	return out
}

// both calls for each name of either map.
func both(before, after map[string]string, each func(name, old, now string)) {
	names := slices.Concat(slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(after)))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		each(name, before[name], after[name])
	}
}

func environments(s Side) string {
	all := map[string]bool{}
	for _, r := range s.Execution.Runs {
		if s.Only == nil || s.Only(PlaceOf(r)) {
			all[r.Environment] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(all)), ", ")
}

// images compares what was under test, container by container, where both sides were observed.
func images(before, after Side, add func(what, name, old, now string)) {
	old, now := digests(before), digests(after)
	if len(old) == 0 || len(now) == 0 {
		return
	}
	both(old, now, func(name, was, is string) { add("image", name, was, is) })
}

// digests are those that ran, by container and environment; several of one are joined.
func digests(s Side) map[string]string {
	all := map[string][]string{}
	for _, r := range s.Execution.Runs {
		if s.Only != nil && !s.Only(PlaceOf(r)) || len(r.Attempts) == 0 {
			continue
		}
		last := r.Attempts[len(r.Attempts)-1]
		for _, subject := range []*execution.Subject{last.Start, last.End} {
			if !subject.Observed() {
				continue
			}
			for _, image := range subject.Images {
				name := image.Container + " in " + r.Environment
				all[name] = append(all[name], image.Digest)
			}
		}
	}
	out := make(map[string]string, len(all))
	for name, list := range all {
		slices.Sort(list)
		out[name] = strings.Join(slices.Compact(list), " ")
	}
	return out
}

// unobserved says what nobody knows of the subject of an execution; empty when all is known.
func unobserved(s Side) string {
	for _, r := range s.Execution.Runs {
		if s.Only != nil && !s.Only(PlaceOf(r)) || len(r.Attempts) == 0 {
			continue
		}
		last := r.Attempts[len(r.Attempts)-1]
		for _, subject := range []*execution.Subject{last.Start, last.End} {
			switch {
			case !subject.Observed():
				why := ""
				if subject != nil {
					why = subject.Message
				}
				return "the images under test in " + r.Environment + " were not observed" + because(why)
			case subject.Cut:
				return "not all images under test in " + r.Environment + " are listed: there were too many."
			}
		}
	}
	return ""
}

func because(why string) string {
	if why == "" {
		return "."
	}
	return ": " + strings.TrimSuffix(why, ".") + "."
}
