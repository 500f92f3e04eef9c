package board

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/seatrial/seatrial/controlplane/results/flaky"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
)

const (
	maxRemembered = 3 * maxTests     // tests; when there are more all are forgotten, and read again: each takes some 50 kB
	readAgain     = 30 * time.Minute // results that no longer count, because their attempt was lost, are noticed after twice that at the latest
	agedAtOnce    = 5                // tests that a question reads again because they are that old; of those twice as old it reads all
	late          = 15 * time.Minute // by how much results may become visible after what is newer
	judgedFor     = time.Minute      // that a verdict holds when nothing has run: what is too old to count leaves it then
)

// memory keeps the runs of the tests of the board: two hundred tests with two hundred runs each take a second to read, and hardly any of
// them is new since the last question. So each question reads what is new, and is answered as if it had read everything.
type memory struct {
	store   Store
	reading chan struct{} // one reads much at a time; who waits for it finds the most there

	mu    sync.Mutex
	tests map[remembered]*history
}

// remembered names a test of an organization.
type remembered struct {
	organization tenant.ID
	key          string
}

// history is what is known of a test. It is replaced and never changed.
type history struct {
	Known
	whole    time.Time // when all of it was read
	until    time.Time // when it was read last
	judged   testcase.History
	judgedAt time.Time
}

func newMemory(store Store) *memory {
	return &memory{store: store, reading: make(chan struct{}, 1), tests: map[remembered]*history{}}
}

// judge returns the histories of tests over the last flaky.Span without their runs, in the order of their keys. Of what a viewer sees who
// does not see everything nothing is remembered.
func (m *memory) judge(ctx context.Context, keys []string, now time.Time) ([]testcase.History, error) {
	var out []testcase.History
	v, ok := tenant.FromContext(ctx)
	if !ok || v.Confined || v.Kind == tenant.KindSystem {
		known, err := m.store.TestRuns(ctx, keys, now.Add(-flaky.Span), maxRuns)
		for _, k := range known {
			out = append(out, judged(k, now))
		}
		return out, err //nolint:wrapcheck // the caller says what it was about
	}
	found, err := m.refresh(ctx, v.Organization, keys, now)
	for _, key := range keys {
		if h := found[key]; h != nil && len(h.Runs) > 0 {
			out = append(out, h.judged)
		}
	}
	return out, err
}

// judged is what the runs of a test say, without them.
func judged(k Known, now time.Time) testcase.History {
	h := testcase.Judge(k.Case, k.Runs, now)
	h.Runs = nil
	return h
}

// refresh reads what is new of some tests.
func (m *memory) refresh(ctx context.Context, of tenant.ID, keys []string, now time.Time) (map[string]*history, error) {
	asked, before, much := m.lacking(of, keys, now)
	if much {
		select {
		case m.reading <- struct{}{}:
			defer func() { <-m.reading }()
		case <-ctx.Done():
			return nil, ctx.Err() //nolint:wrapcheck // the end of the caller's own work
		}
		asked, before, _ = m.lacking(of, keys, now)
	}
	known, err := m.store.LaterRuns(ctx, asked, maxRuns)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it was about
	}
	return m.merge(of, asked, before, known, now), nil
}

// lacking says what has to be read of some tests, whether that is much, and what it is to be added to: nil where all is read. What is known
// may be forgotten before the answer comes, so it is looked up once.
func (m *memory) lacking(of tenant.ID, keys []string, now time.Time) (asked []Later, before map[string]*history, much bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	begin, aged := now.Add(-flaky.Span), 0
	before = make(map[string]*history, len(keys))
	for _, key := range keys {
		h := m.tests[remembered{of, key}]
		switch {
		case h == nil, now.Sub(h.whole) > 2*readAgain:
			asked, much = append(asked, Later{key, begin}), true
		case now.Sub(h.whole) > readAgain && aged < agedAtOnce:
			asked, aged = append(asked, Later{key, begin}), aged+1
		default:
			asked, before[key] = append(asked, Later{key, h.until.Add(-late)}), h
		}
	}
	return asked, before, much
}

// merge adds what was read to what is known, and judges the tests of which something is new.
func (m *memory) merge(of tenant.ID, asked []Later, before map[string]*history, known []Known, now time.Time) map[string]*history {
	news := make(map[string]Known, len(known))
	for _, k := range known {
		news[k.Key] = k
	}
	out := make(map[string]*history, len(asked))
	for _, a := range asked {
		out[a.Key] = before[a.Key].with(news[a.Key], a.Since, now)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	added := 0
	for key := range out {
		if _, known := m.tests[remembered{of, key}]; !known {
			added++
		}
	}
	if len(m.tests)+added > maxRemembered {
		m.tests = map[remembered]*history{}
	}
	for key, h := range out {
		m.tests[remembered{of, key}] = h
	}
	return out
}

// with returns a history with the runs since a time replaced by those that were read.
func (h *history) with(news Known, since, now time.Time) *history {
	next := &history{Known: news, whole: now, until: now}
	if begin := now.Add(-flaky.Span); h != nil && since.After(begin) {
		next.whole = h.whole
		older := slices.DeleteFunc(slices.Clone(h.Runs), func(r testcase.Run) bool { return !madeBefore(r, since) || r.At.Before(begin) })
		if len(news.Runs) == 0 {
			next.Case = h.Case
		}
		next.Runs = append(slices.Clone(news.Runs), older...)
		next.Runs = next.Runs[:min(len(next.Runs), maxRuns)]
	}
	if h != nil && now.Sub(h.judgedAt) < judgedFor && same(h.Runs, next.Runs) {
		next.judged, next.judgedAt = h.judged, h.judgedAt
		return next
	}
	share(next.Runs)
	next.judged, next.judgedAt = judged(next.Known, now), now
	return next
}

// madeBefore reports whether a result was made before a time, which the first bits of its id are.
func madeBefore(r testcase.Run, at time.Time) bool {
	const timed = 7
	if r.Result.Version() != timed {
		return r.At.Before(at)
	}
	sec, nsec := r.Result.Time().UnixTime()
	return time.Unix(sec, nsec).Before(at)
}

// same reports whether two lists are the same results.
func same(a, b []testcase.Run) bool {
	return slices.EqualFunc(a, b, func(a, b testcase.Run) bool {
		return a.Result == b.Result && a.Execution == b.Execution && a.At.Equal(b.At)
	})
}

// share has runs that say the same hold one text instead of one each.
func share(runs []testcase.Run) {
	known := map[string]string{}
	one := func(text *string) {
		if same, ok := known[*text]; ok {
			*text = same
			return
		}
		known[*text] = *text
	}
	for i := range runs {
		r := &runs[i]
		for _, text := range []*string{&r.Environment, &r.Variant, &r.Commit, &r.Subject, &r.Message, &r.Fingerprint} {
			one(text)
		}
	}
}
