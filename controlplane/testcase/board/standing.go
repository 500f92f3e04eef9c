package board

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/testcase"
)

const (
	// Lately is how many outcomes of a strip count for the standing of its test.
	Lately = 32
	// maxWorst is how many strips a standing has.
	maxWorst = 20
)

// Standing returns how the tests of a workflow have done lately: those that fail now first, then those that failed most often. A workflow
// that nobody knows has no tests. Nobody may change it: others get the same.
func (b *Board) Standing(ctx context.Context, workflow string) (testcase.Standing, error) {
	return b.standing.Ask(ctx, workflow, func(ctx context.Context) (testcase.Standing, error) { return b.stand(ctx, workflow) })
}

func (b *Board) stand(ctx context.Context, workflow string) (testcase.Standing, error) {
	strips, err := b.store.Strips(ctx, workflow, "")
	if err != nil {
		return testcase.Standing{}, fmt.Errorf("read the strips of %s: %w", workflow, err)
	}
	failing := map[string]bool{}
	for _, s := range strips {
		failing[s.Key] = failing[s.Key] || s.Latest(1).Bad() > 0
	}
	out := testcase.Standing{Tests: len(failing)}
	for _, fails := range failing {
		if !fails {
			out.Healthy++
		}
	}
	strips = slices.DeleteFunc(strips, func(s testcase.Strip) bool { return s.Latest(Lately).Bad() == 0 })
	slices.SortFunc(strips, worse)
	strips = strips[:min(len(strips), maxWorst)]
	names, err := b.names(ctx, strips)
	if err != nil {
		return testcase.Standing{}, err
	}
	for _, s := range strips {
		s.Letters = s.Latest(Lately)
		out.Worst = append(out.Worst, testcase.Named{Strip: s, Name: cmp.Or(names[s.Key], s.Key)})
	}
	return out, nil
}

// worse sorts those that fail now before others, and those that failed more often before those that did less.
func worse(a, b testcase.Strip) int {
	return cmp.Or(b.Latest(1).Bad()-a.Latest(1).Bad(), b.Latest(Lately).Bad()-a.Latest(Lately).Bad(),
		strings.Compare(a.Key, b.Key), strings.Compare(a.Environment, b.Environment))
}

// names are what tests were called last, by key. One whose results are gone by now has none.
func (b *Board) names(ctx context.Context, strips []testcase.Strip) (map[string]string, error) {
	var keys []string
	for _, s := range strips {
		if !slices.Contains(keys, s.Key) {
			keys = append(keys, s.Key)
		}
	}
	known, err := b.store.TestRuns(ctx, keys, time.Time{}, 1)
	if err != nil {
		return nil, fmt.Errorf("read the names of tests: %w", err)
	}
	out := map[string]string{}
	for _, k := range known {
		out[k.Key] = k.Name
	}
	return out, nil
}
