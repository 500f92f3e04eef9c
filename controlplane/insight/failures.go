package insight

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
)

// How far it is looked back.
const (
	DefaultDays = 14
	MaxDays     = 90
)

// Bounds of what is listed of failures. Counts are of all, or of the last MaxCounted.
const (
	MaxCounted    = 5000 // failures of a question
	MaxClusters   = 100
	MaxTests      = 100 // of a cluster
	MaxExecutions = 50  // of a cluster
	MaxMessages   = 5   // of a cluster
)

// Filter selects failures. What is empty narrows nothing.
type Filter struct {
	Workflow    string
	Environment string
	Days        int // 0 for DefaultDays
}

// Cluster is failures of one fingerprint: most likely of one cause.
type Cluster struct {
	Fingerprint  string
	Message      string // of the last one
	Failures     int
	Tests        int // different ones, as are the following
	Executions   int
	Workflows    int
	Environments int
	First, Last  time.Time
}

// Clusters are the failures of an organization.
type Clusters struct {
	List        []Cluster // those that happened most often first, at most MaxClusters
	Total       int       // of all clusters
	Failures    int       // of all of them
	Unclustered int       // failures without a fingerprint, such as those that stand for an exit code
	Days        int
	Since       time.Time // since when failures are counted, where there are more than MaxCounted; zero for all of the days
}

// Failure is one cluster with what it consists of.
type Failure struct {
	Cluster
	Days       int
	Since      time.Time          // as of Clusters
	Alike      []FailingTest      // those that failed most often first
	Seen       []FailingExecution // newest first
	InFlows    []string           // names of workflows
	InPlaces   []string           // names of environments
	Variations []string           // different messages of late
}

// FailingTest is a test in a cluster.
type FailingTest struct {
	Key, Name, Workflow string
	Failures            int
	Last                time.Time
}

// FailingExecution is an execution in a cluster, with where it ran.
type FailingExecution struct {
	ID                            execution.ID
	Workflow, Environment, Commit string
	Failures                      int
	At                            time.Time
}

// Failures is what the service needs of the database to find failures that are alike. What lost attempts said is left out.
type Failures interface {
	// FailureClusters returns those that happened most often, and the totals, without Days.
	FailureClusters(ctx context.Context, workflow, environment string, since time.Time, limit int) (Clusters, error)
	// LastFailure returns the id of the last failure that counts, of all; zero when there is none since a time.
	LastFailure(ctx context.Context, since time.Time) (uuid.UUID, error)
	// FailureCluster returns one, or fault.NotFound.
	FailureCluster(ctx context.Context, fingerprint string, since time.Time) (Failure, error)
	// Alike returns how many tests failed with each fingerprint.
	Alike(ctx context.Context, fingerprints []string, since time.Time) (map[string]int, error)
}

// span checks a number of days and returns since when that is.
func (s *Service) span(field string, days int) (int, time.Time, error) {
	if days == 0 {
		days = DefaultDays
	}
	if days < 0 || days > MaxDays {
		return 0, time.Time{}, fault.New(fault.Invalid, "it cannot be looked back %d days", days).WithField(field).
			WithHint("Give a number from 1 to %d.", MaxDays)
	}
	return days, s.clock().Add(-time.Duration(days) * 24 * time.Hour), nil
}

// Failures returns failures that are alike as clusters.
func (s *Service) Failures(ctx context.Context, f Filter) (Clusters, error) {
	days, since, err := s.span("days", f.Days)
	if err != nil {
		return Clusters{}, err
	}
	last, err := s.store.LastFailure(ctx, since)
	if err != nil {
		return Clusters{}, fmt.Errorf("look for the last failure: %w", err)
	}
	f.Days = days
	if known, ok := s.counted.recall(ctx, f, last, s.clock()); ok {
		return known, nil
	}
	done, err := s.turn(ctx)
	if err != nil {
		return Clusters{}, err
	}
	defer done()
	if known, ok := s.counted.recall(ctx, f, last, s.clock()); ok {
		return known, nil // somebody else has asked the same
	}
	out, err := s.store.FailureClusters(ctx, f.Workflow, f.Environment, since, MaxClusters)
	if err != nil {
		return out, fmt.Errorf("find failures that are alike: %w", err)
	}
	out.Days = days
	s.counted.keep(ctx, f, last, out, s.clock())
	return out, nil
}

// failing asks for a cluster of failures.
type failing struct {
	fingerprint string
	days        int
}

// Failure returns one cluster, or fault.NotFound. Nobody may change it: others are told the same.
func (s *Service) Failure(ctx context.Context, fingerprint string, days int) (Failure, error) {
	days, _, err := s.span("days", days)
	if err != nil {
		return Failure{}, err
	}
	return s.failing.Ask(ctx, failing{fingerprint, days}, func(ctx context.Context) (Failure, error) { return s.failure(ctx, fingerprint, days) })
}

func (s *Service) failure(ctx context.Context, fingerprint string, days int) (Failure, error) {
	_, since, err := s.span("days", days)
	if err != nil {
		return Failure{}, err
	}
	out, err := s.store.FailureCluster(ctx, fingerprint, since)
	if fault.Is(err, fault.NotFound) {
		return out, fault.New(fault.NotFound, "no test has failed with the fingerprint %q in the last %s", fingerprint, plural(days)).
			WithField("fingerprint").WithHint("Look further back, at most %d days, or list what there is with: seatrial failures.", MaxDays)
	}
	if err != nil {
		return out, fmt.Errorf("read failure %s: %w", fingerprint, err)
	}
	out.Days = days
	return out, nil
}

func plural(days int) string {
	if days == 1 {
		return "day"
	}
	return fmt.Sprintf("%d days", days)
}

// alikeTimeout bounds what is only shown beside something else.
const alikeTimeout = 3 * time.Second

// Alike returns how many tests failed with each fingerprint in the last DefaultDays days. It gives up soon, and waits for its turn as
// other questions do: what shows the counts can do without. Nobody may change them: others get the same.
func (s *Service) Alike(ctx context.Context, fingerprints []string) (map[string]int, error) {
	if len(fingerprints) == 0 {
		return map[string]int{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, alikeTimeout)
	defer cancel()
	return s.beside.Ask(ctx, strings.Join(fingerprints, " "), func(ctx context.Context) (map[string]int, error) { return s.alike(ctx, fingerprints) })
}

func (s *Service) alike(ctx context.Context, fingerprints []string) (map[string]int, error) {
	_, since, err := s.span("days", DefaultDays)
	if err != nil {
		return nil, err
	}
	done, err := s.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	out, err := s.store.Alike(ctx, fingerprints, since)
	if err != nil {
		return nil, fmt.Errorf("count failures that are alike: %w", err)
	}
	return out, nil
}
