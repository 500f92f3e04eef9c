package insight

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/insight/coverage"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

const (
	// coverWindow is how far it is looked back for what ran. What ran before is as good as never run.
	coverWindow = MaxDays
	// maxFlows bounds the rows of the matrix.
	maxFlows = 2000
)

// Catalog is what the service needs of the database to find gaps in what ran.
type Catalog interface {
	// Flows returns workflows by name with their sources, at most limit.
	Flows(ctx context.Context, limit int) ([]workflow.Record, error)
	// TemplatesNamed returns those templates that exist, with their sources.
	TemplatesNamed(ctx context.Context, names []string) ([]workflow.Record, error)
	// Policies returns all readiness policies with their sources, by name.
	Policies(ctx context.Context) ([]workflow.Record, error)
	// Suites returns all workflows by name, however many there are.
	Suites(ctx context.Context) ([]policy.Workflow, error)
	// Environments returns all environments by name.
	Environments(ctx context.Context) ([]cluster.Environment, error)
	// LastRuns returns the last run that gave a result of every workflow in every environment, of executions since a time.
	LastRuns(ctx context.Context, since time.Time) ([]coverage.Last, error)
}

// Coverage is what ran of the catalog, and where.
type Coverage struct {
	coverage.Matrix

	StaleDays  int
	WindowDays int
	Notes      []string // sentences on what could not be taken into account
	Unresolved []string // policies of which nobody knows what they require, as a note says of each: what is required is not all known
}

// Coverage says where the catalog has not been run, or not for staleDays (0 for DefaultDays), or never well. Nobody may change what it says:
// others are told the same.
func (s *Service) Coverage(ctx context.Context, staleDays int) (Coverage, error) {
	days, _, err := s.span("stale_days", staleDays)
	if err != nil {
		return Coverage{}, err
	}
	return s.covering.Ask(ctx, days, func(ctx context.Context) (Coverage, error) { return s.cover(ctx, days) })
}

func (s *Service) cover(ctx context.Context, days int) (c Coverage, err error) {
	_, fresh, err := s.span("stale_days", days)
	if err != nil {
		return c, err
	}
	done, err := s.turn(ctx)
	if err != nil {
		return c, err
	}
	defer done()
	c.StaleDays, c.WindowDays = days, coverWindow
	environments, err := s.store.Environments(ctx)
	if err != nil {
		return c, fmt.Errorf("read environments: %w", err)
	}
	names := namesOf(environments)
	last, err := s.store.LastRuns(ctx, s.clock().Add(-coverWindow*24*time.Hour))
	if err != nil {
		return c, fmt.Errorf("read what ran last: %w", err)
	}
	required, err := s.required(ctx, &c, names)
	if err != nil {
		return c, err
	}
	flows, err := s.flows(ctx, &c, environments, required)
	if err != nil {
		return c, err
	}
	c.Matrix = coverage.Of(flows, names, last, required, fresh)
	return c, nil
}

func namesOf(environments []cluster.Environment) []string {
	names := make([]string, len(environments))
	for i, e := range environments {
		names[i] = e.Name
	}
	return names
}

// flows returns the rows of the matrix: workflows with where they run. Of those that are too many to show, there is what policies require.
func (s *Service) flows(ctx context.Context, c *Coverage, environments []cluster.Environment, required map[coverage.Cell][]string) ([]coverage.Flow, error) {
	records, err := s.store.Flows(ctx, maxFlows+1)
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	cut := len(records) > maxFlows
	records = records[:min(len(records), maxFlows)]
	library := s.library(ctx)
	flows, shown := make([]coverage.Flow, 0, len(records)), map[string]bool{}
	for _, record := range records {
		flows, shown[record.Name] = append(flows, s.flowOf(record, library, environments)), true
	}
	if !cut {
		return flows, nil
	}
	c.Notes = append(c.Notes, fmt.Sprintf("Only the first %d workflows by name are shown, and of the others what policies require.", maxFlows))
	places := map[string][]string{}
	for cell := range required {
		if !shown[cell.Workflow] {
			places[cell.Workflow] = append(places[cell.Workflow], cell.Environment)
		}
	}
	for name, where := range places {
		flows = append(flows, coverage.Flow{Name: name, Places: where})
	}
	return flows, nil
}

// flowOf reads where a workflow says that it runs. What this version cannot read could run anywhere: applying it again says why.
func (s *Service) flowOf(record workflow.Record, library workflow.Library, environments []cluster.Environment) coverage.Flow {
	flow := coverage.Flow{Name: record.Name}
	where, ok := s.placings.of(record, library)
	if !ok {
		return flow
	}
	switch {
	case where == nil:
	case len(where.Select) > 0: // as they are now: none is where it could not run at all
		flow.Places, flow.Any = namesOf(cluster.Selected(environments, where.Select)), where.Mode == "any"
	case len(where.Names) > 0:
		flow.Places, flow.Any = where.Names, where.Mode == "any"
	}
	return flow
}

// library reads each template once.
func (s *Service) library(ctx context.Context) workflow.Library {
	known, asked := map[string]workflow.Record{}, map[string]bool{}
	return func(names []string) ([]workflow.Record, error) {
		lacking := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return asked[name] })
		if len(lacking) > 0 {
			found, err := s.store.TemplatesNamed(ctx, lacking)
			if err != nil {
				return nil, fmt.Errorf("read templates: %w", err)
			}
			for _, name := range lacking {
				asked[name] = true
			}
			for _, record := range found {
				known[record.Name] = record
			}
		}
		var out []workflow.Record
		for _, name := range names {
			if record, ok := known[name]; ok {
				out = append(out, record)
			}
		}
		return out, nil
	}
}

// required says which policies require which cells, of the whole catalog. Of one that cannot be resolved nobody knows what it requires:
// it is noted.
func (s *Service) required(ctx context.Context, c *Coverage, environments []string) (map[coverage.Cell][]string, error) {
	policies, err := s.store.Policies(ctx)
	if err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	flows, err := s.store.Suites(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the labels of the catalog: %w", err)
	}
	out := map[coverage.Cell][]string{}
	for _, record := range policies {
		cells, why := s.requiredBy(record, flows, environments)
		if why != "" {
			c.Unresolved = append(c.Unresolved, record.Name)
			c.Notes = append(c.Notes, fmt.Sprintf("What the policy %s requires is not known: %s.", record.Name, why))
			continue
		}
		for _, cell := range cells {
			at := coverage.Cell{Workflow: cell.Workflow, Environment: cell.Environment}
			out[at] = append(out[at], record.Name)
		}
	}
	return out, nil
}

// requiredBy returns the cells that a policy requires, or why nobody knows.
func (s *Service) requiredBy(record workflow.Record, flows []policy.Workflow, environments []string) (cells []policy.Cell, why string) {
	doc := s.readings.of(record.Source)
	if doc == nil {
		return nil, "this version cannot read it"
	}
	cells, err := policy.Resolve(doc, flows, environments)
	if err != nil {
		return nil, err.Error()
	}
	return cells, ""
}
