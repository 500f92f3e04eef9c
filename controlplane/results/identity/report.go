package identity

import (
	"slices"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/controlplane/results"
)

// Namer keys the tests of one report. Tests of one name are told apart by their order.
type Namer struct{ seen map[Key]int }

// NewNamer returns a namer for one report.
func NewNamer() *Namer { return &Namer{seen: map[Key]int{}} }

// Name returns the key of a test in a variant, and whether the report had the same one before: then the case of the test ends with
// its number.
func (n *Namer) Name(t Test, variant [8]byte) (named Test, key Key, duplicate bool) {
	key = t.Key()
	mark := Sum(string(key[:]), string(variant[:])) // a report may list the same test in several variants
	n.seen[mark]++
	count := n.seen[mark]
	if count == 1 {
		return t, key, false
	}
	t.Case += "#" + strconv.Itoa(count)
	return t, t.Key(), true
}

const unstable = 200 // tests of one suite that nobody saw before, in one run

// UnstableSuites returns the suites so many of whose tests were never seen before that their names must hold random data.
func UnstableSuites(unseen []Test) []string {
	count := map[string]int{}
	for _, t := range unseen {
		count[suite(t)]++
	}
	var names []string
	for name, n := range count {
		if n > unstable {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func suite(t Test) string {
	return strings.Join(append([]string{t.File}, t.Suites...), results.Separator)
}

// Rename is a test that seems to have a new name.
type Rename struct{ From, To Test }

// Renames suggests which tests were renamed: where exactly one of a file is gone and exactly one is new.
func Renames(gone, added []Test) []Rename {
	before, after := byFile(gone), byFile(added)
	var all []Rename
	for file, from := range before {
		if to := after[file]; file != "" && len(from) == 1 && len(to) == 1 {
			all = append(all, Rename{From: from[0], To: to[0]})
		}
	}
	slices.SortFunc(all, func(a, b Rename) int { return strings.Compare(a.From.File, b.From.File) })
	return all
}

func byFile(tests []Test) map[string][]Test {
	m := map[string][]Test{}
	for _, t := range tests {
		m[t.File] = append(m[t.File], t)
	}
	return m
}
