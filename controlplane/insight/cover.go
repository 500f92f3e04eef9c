package insight

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/insight/coverage"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
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
	// EnvironmentNames returns all environments by name.
	EnvironmentNames(ctx context.Context) ([]string, error)
	// LastRuns returns the last run that gave a result of every workflow in every environment, of executions since a time.
	LastRuns(ctx context.Context, since time.Time) ([]coverage.Last, error)
}

// Coverage is what ran of the catalog, and where.
type Coverage struct {
	coverage.Matrix

	StaleDays  int
	WindowDays int
	Notes      []string // sentences on what could not be taken into account
}

// Coverage says where the catalog has not been run, or not for staleDays (0 for DefaultDays), or never well.
func (s *Service) Coverage(ctx context.Context, staleDays int) (c Coverage, err error) {
	days, fresh, err := s.span("stale_days", staleDays)
	if err != nil {
		return c, err
	}
	done, err := s.turn(ctx)
	if err != nil {
		return c, err
	}
	defer done()
	c.StaleDays, c.WindowDays = days, coverWindow
	records, err := s.store.Flows(ctx, maxFlows+1)
	if err != nil {
		return c, fmt.Errorf("read the catalog: %w", err)
	}
	if len(records) > maxFlows {
		records = records[:maxFlows]
		c.Notes = append(c.Notes, fmt.Sprintf("Only the first %d workflows by name are shown.", maxFlows))
	}
	environments, err := s.store.EnvironmentNames(ctx)
	if err != nil {
		return c, fmt.Errorf("read environments: %w", err)
	}
	last, err := s.store.LastRuns(ctx, s.clock().Add(-coverWindow*24*time.Hour))
	if err != nil {
		return c, fmt.Errorf("read what ran last: %w", err)
	}
	required, notes, err := s.required(ctx, records, environments)
	if err != nil {
		return c, err
	}
	c.Notes = append(c.Notes, notes...)
	library := s.library(ctx)
	flows := make([]coverage.Flow, len(records))
	for i, record := range records {
		flows[i] = flowOf(record, library)
	}
	c.Matrix = coverage.Of(flows, environments, last, required, fresh)
	return c, nil
}

// flowOf reads where a workflow says that it runs. What this version cannot read could run anywhere: applying it again says why.
func flowOf(record workflow.Record, library workflow.Library) coverage.Flow {
	flow := coverage.Flow{Name: record.Name}
	loaded, err := workflow.Load(record.Name, []byte(record.Source))
	if err != nil {
		return flow
	}
	where := loaded.Spec.Environments
	if where == nil {
		doc, _, err := workflow.Resolve(loaded, library)
		if err != nil {
			return flow
		}
		where = doc.Spec.Environments
	}
	if where != nil {
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

// required says which policies require which cells. One that cannot be resolved requires nothing that anybody could name: it is noted.
func (s *Service) required(ctx context.Context, records []workflow.Record, environments []string) (map[coverage.Cell][]string, []string, error) {
	policies, err := s.store.Policies(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("read policies: %w", err)
	}
	flows := make([]policy.Workflow, len(records))
	for i, record := range records {
		flows[i] = policy.Workflow{Name: record.Name, Labels: record.Labels}
	}
	out, notes := map[coverage.Cell][]string{}, []string(nil)
	for _, record := range policies {
		read := parse.Read([]byte(record.Source))
		doc, ok := read.Value.(*document.ReadinessPolicyDocument)
		if !ok || len(read.Faults) > 0 {
			notes = append(notes, fmt.Sprintf("What the policy %s requires is not shown: this version cannot read it.", record.Name))
			continue
		}
		cells, err := policy.Resolve(doc, flows, environments)
		if err != nil {
			notes = append(notes, fmt.Sprintf("What the policy %s requires is not shown: %v.", record.Name, err))
			continue
		}
		for _, cell := range cells {
			at := coverage.Cell{Workflow: cell.Workflow, Environment: cell.Environment}
			out[at] = append(out[at], record.Name)
		}
	}
	return out, notes, nil
}
