// Package board shows which tests cannot be relied on, and keeps quarantines.
package board

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/crowd"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/results/flaky"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
)

const (
	maxTests = 200 // on the board
	maxRuns  = flaky.MaxAttempts
	maxText  = 1000 // bytes of a reason, an owner or a ticket
)

// Store is what the board needs of the database. Calls act for the viewer of the context.
type Store interface {
	// UnreliableTests returns the keys of tests that failed, or passed only when they were tried again, since a time: those that did most
	// often first. Workflow may be empty.
	UnreliableTests(ctx context.Context, workflow string, since time.Time, limit int) ([]string, error)
	// TestRuns returns tests with their latest runs since a time, at most each of every one. Keys that nobody knows are left out.
	TestRuns(ctx context.Context, keys []string, since time.Time, each int) ([]Known, error)
	// LaterRuns returns tests with their latest runs since a time that is each one's own, at most each of every one.
	LaterRuns(ctx context.Context, asked []Later, each int) ([]Known, error)
	// Strips returns the latest outcomes of all tests of a workflow in an environment, or in all of them, by key.
	Strips(ctx context.Context, workflow, environment string) ([]testcase.Strip, error)
	// Quarantines returns those that are active at a time, newest first.
	Quarantines(ctx context.Context, at time.Time) ([]testcase.Quarantine, error)
	// SaveQuarantine stores one, ends an earlier one of the same test, and has all releases decided anew that may be concerned.
	SaveQuarantine(ctx context.Context, q testcase.Quarantine) error
	// EndQuarantine ends that of a test at a time, or fault.NotFound.
	EndQuarantine(ctx context.Context, test, by string, at time.Time) error
}

// Known is a test with its runs.
type Known struct {
	testcase.Case
	Runs []testcase.Run
}

// Later asks for the runs of a test since a time.
type Later struct {
	Key   string
	Since time.Time
}

// Bus carries hints; losing one costs latency only.
type Bus interface {
	Publish(ctx context.Context, topic string)
}

// Board answers questions about tests. What it remembers it could read again.
type Board struct {
	store  Store
	bus    Bus
	log    *slog.Logger
	clock  func() time.Time
	memory *memory

	unreliable crowd.InSight[string, []testcase.History]
	standing   crowd.InSight[string, testcase.Standing]
	histories  crowd.InSight[string, testcase.History]
}

// New returns a board. A nil clock is the time of day.
func New(store Store, bus Bus, log *slog.Logger, clock func() time.Time) *Board {
	if clock == nil {
		clock = time.Now
	}
	return &Board{store: store, bus: bus, log: log.With("component", "tests"), clock: clock, memory: newMemory(store)}
}

func (b *Board) now() time.Time { return b.clock().UTC().Truncate(time.Microsecond) }

// Unreliable returns the tests that cannot be relied on: those that waste most time first, then broken ones, and those that are in
// quarantine however they behave, all without their runs. Workflow may be empty. Nobody may change the list: others get the same.
func (b *Board) Unreliable(ctx context.Context, workflow string) ([]testcase.History, error) {
	return b.unreliable.Ask(ctx, workflow, func(ctx context.Context) ([]testcase.History, error) { return b.findUnreliable(ctx, workflow) })
}

func (b *Board) findUnreliable(ctx context.Context, workflow string) ([]testcase.History, error) {
	now := b.now()
	keys, err := b.store.UnreliableTests(ctx, workflow, now.Add(-flaky.Span), maxTests)
	if err != nil {
		return nil, fmt.Errorf("find unreliable tests: %w", err)
	}
	inside, err := b.store.Quarantines(ctx, now)
	if err != nil {
		return nil, fmt.Errorf("read quarantines: %w", err)
	}
	for _, q := range inside {
		if !slices.Contains(keys, q.Test) {
			keys = append(keys, q.Test)
		}
	}
	judged, err := b.memory.judge(ctx, keys, now)
	if err != nil {
		return nil, fmt.Errorf("read the runs of tests: %w", err)
	}
	var out []testcase.History
	for _, h := range judged {
		h.Quarantine = of(inside, h.Key)
		if workflow != "" && h.Workflow != workflow || h.Quarantine == nil && (h.Score.Class == flaky.Healthy || h.Score.Class == flaky.Unknown) {
			continue
		}
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b testcase.History) int {
		return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(b.Since.InARow, a.Since.InARow), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

func of(list []testcase.Quarantine, key string) *testcase.Quarantine {
	for _, q := range list {
		if q.Test == key {
			return &q
		}
	}
	return nil
}

// Test returns how a test has behaved, or fault.NotFound. Nobody may change its history: others get the same.
func (b *Board) Test(ctx context.Context, key string) (testcase.History, error) {
	return b.histories.Ask(ctx, key, func(ctx context.Context) (testcase.History, error) { return b.history(ctx, key) })
}

func (b *Board) history(ctx context.Context, key string) (testcase.History, error) {
	now := b.now()
	known, err := b.store.TestRuns(ctx, []string{key}, time.Time{}, maxRuns)
	if err != nil {
		return testcase.History{}, fmt.Errorf("read the runs of test %s: %w", key, err)
	}
	if len(known) == 0 {
		return testcase.History{}, fault.New(fault.NotFound, "there is no test %q", key).
			WithHint("Keys stand in `seatrial get tests EXECUTION -o json`.")
	}
	inside, err := b.store.Quarantines(ctx, now)
	if err != nil {
		return testcase.History{}, fmt.Errorf("read quarantines: %w", err)
	}
	h := testcase.Judge(known[0].Case, known[0].Runs, now)
	h.Quarantine = of(inside, key)
	return h, nil
}

// Quarantine puts a test into quarantine: it runs, and its failures do not count against a release. An earlier quarantine of it ends.
func (b *Board) Quarantine(ctx context.Context, a testcase.Ask) (testcase.Quarantine, error) {
	viewer, err := allowed(ctx)
	if err != nil {
		return testcase.Quarantine{}, err
	}
	if err := check(a); err != nil {
		return testcase.Quarantine{}, err
	}
	h, err := b.Test(ctx, a.Test)
	if err != nil {
		return testcase.Quarantine{}, err
	}
	if err := viewer.Workflow(h.Workflow); err != nil {
		return testcase.Quarantine{}, err //nolint:wrapcheck // a fault that speaks for itself
	}
	id, err := uuid.NewV7()
	if err != nil {
		return testcase.Quarantine{}, fmt.Errorf("id of quarantine: %w", err)
	}
	now := b.now()
	q := testcase.Quarantine{
		ID: id.String(), Test: a.Test, Name: h.Name, Owner: cmp.Or(a.Owner, viewer.Person()), Reason: a.Reason, Ticket: a.Ticket, Actor: viewer.Person(),
		CreatedAt: now, Until: now.Add(cmp.Or(a.For, testcase.MaxQuarantine)),
	}
	if err := b.store.SaveQuarantine(ctx, q); err != nil {
		return testcase.Quarantine{}, fmt.Errorf("store quarantine: %w", err)
	}
	b.log.InfoContext(ctx, "test put into quarantine", "test", q.Test, "name", q.Name, "until", q.Until, "actor", viewer.Name)
	b.bus.Publish(ctx, execution.EvidenceTopic)
	return q, nil
}

func check(a testcase.Ask) error {
	link := regexp.MustCompile(`^https?://\S+$`)
	switch {
	case a.Reason == "":
		return fault.New(fault.Invalid, "a quarantine needs a reason").WithField("reason").WithHint("Say what is known, for whoever is to mend it.")
	case len(a.Reason) > maxText:
		return fault.New(fault.Invalid, "the reason has more than %d bytes", maxText).WithField("reason")
	case len(a.Owner) > maxText:
		return fault.New(fault.Invalid, "the owner has more than %d bytes", maxText).WithField("owner")
	case len(a.Ticket) > maxText:
		return fault.New(fault.Invalid, "the ticket has more than %d bytes", maxText).WithField("ticket")
	case a.Ticket != "" && !link.MatchString(a.Ticket):
		return fault.New(fault.Invalid, "the ticket %q is no address", a.Ticket).WithField("ticket").WithHint("Give a link such as https://tickets.example.test/42.")
	case a.For < 0 || a.For > testcase.MaxQuarantine:
		return fault.New(fault.Invalid, "a quarantine lasts at most %d days", int(testcase.MaxQuarantine.Hours()/24)).WithField("for").
			WithHint("Then it blocks again, or somebody looks at it once more.")
	}
	return nil
}

// Release ends the quarantine of a test, or fault.NotFound.
func (b *Board) Release(ctx context.Context, test string) error {
	viewer, err := allowed(ctx)
	if err != nil {
		return err
	}
	if len(viewer.Limits.Workflows) > 0 {
		h, err := b.Test(ctx, test)
		if err != nil {
			return err
		}
		if err := viewer.Workflow(h.Workflow); err != nil {
			return err //nolint:wrapcheck // a fault that speaks for itself
		}
	}
	if err := b.store.EndQuarantine(ctx, test, viewer.Person(), b.now()); err != nil {
		return fmt.Errorf("end quarantine of test %s: %w", test, err)
	}
	b.log.InfoContext(ctx, "quarantine ended", "test", test, "actor", viewer.Name)
	b.bus.Publish(ctx, execution.EvidenceTopic)
	return nil
}

// allowed returns the viewer if it may change what counts for releases: with their scope, and by a person who stands for it.
func allowed(ctx context.Context) (tenant.Viewer, error) {
	v, err := tenant.Require(ctx, tenant.ScopeRelease)
	if err != nil {
		return v, err //nolint:wrapcheck // a fault that speaks for itself
	}
	if v.Person() == "" {
		return v, fault.New(fault.Forbidden, "nobody knows who holds the token %q", v.Name).WithHint("Use a token that you have made, or the page of the test.")
	}
	return v, nil
}
