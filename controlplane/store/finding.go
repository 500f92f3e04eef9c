package store

import (
	"context"

	entsql "entgo.io/ent/dialect/sql"

	executions "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	record "github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/team"
	"github.com/seatrial/seatrial/ent/db/workflow"
)

// sifted is how many workflows one look takes of which some may not match: labels and last executions are compared here.
const sifted = 200

// Workflows lists by name without sources.
func (s *Store) Workflows(ctx context.Context, size int, after string) (list []record.Record, next string, err error) {
	return s.FindWorkflows(ctx, record.Filter{}, size, after)
}

// FindWorkflows lists those that match by name, without sources.
func (s *Store) FindWorkflows(ctx context.Context, f record.Filter, size int, after string) (list []record.Record, next string, err error) {
	place, _, err := decodeCursor[string](after)
	if err != nil {
		return nil, "", err
	}
	size = pageSize(size)
	many := size + 1
	if len(f.Labels) > 0 || f.Last != "" {
		many = max(many, sifted)
	}
	var rows []*db.Workflow
	for len(rows) <= size {
		part, err := s.db.Read().Workflow.Query().Where(workflow.NameGT(place)).Where(matching(f)...).WithTeam().Order(workflow.ByName()).Limit(many).All(ctx)
		if err != nil {
			return nil, "", database.Fault(err)
		}
		kept, err := s.sift(ctx, part, f)
		if err != nil {
			return nil, "", err
		}
		if rows = append(rows, kept...); len(part) < many {
			break
		}
		place = part[len(part)-1].Name
	}
	if rows, next, err = cut(rows, size, func(w *db.Workflow) string { return w.Name }); err != nil {
		return nil, "", err
	}
	current, err := s.currentRevisions(ctx, rows, false)
	if err != nil {
		return nil, "", err
	}
	for _, row := range rows {
		if revision := current[row.ID]; revision != nil {
			list = append(list, workflowRecord(row, row.Edges.Team.Name, revision))
		}
	}
	return list, next, s.withOwners(ctx, document.Workflow, list)
}

// matching is what the database compares.
func matching(f record.Filter) []predicate.Workflow {
	out := []predicate.Workflow{workflow.RemovedAtIsNil()}
	if f.Text != "" {
		out = append(out, workflow.Or(workflow.NameContainsFold(f.Text), workflow.DescriptionContainsFold(f.Text)))
	}
	if f.Team != "" {
		out = append(out, workflow.HasTeamWith(team.Name(f.Team)))
	}
	return out
}

// sift returns those rows that have the labels and the last execution that are asked for.
func (s *Store) sift(ctx context.Context, rows []*db.Workflow, f record.Filter) ([]*db.Workflow, error) {
	var kept []*db.Workflow
	for _, row := range rows {
		if has(row.Labels, f.Labels) {
			kept = append(kept, row)
		}
	}
	if f.Last == "" || len(kept) == 0 {
		return kept, nil
	}
	names := make([]string, len(kept))
	for i, row := range kept {
		names[i] = row.Name
	}
	last, err := s.LastExecutions(ctx, names)
	if err != nil {
		return nil, err
	}
	var out []*db.Workflow
	for _, row := range kept {
		e, ran := last[row.Name]
		if ran && string(e.Status) == f.Last || !ran && f.Last == record.NeverRun {
			out = append(out, row)
		}
	}
	return out, nil
}

// LastExecutions returns the newest execution of each workflow that has run, by its name, without runs.
func (s *Store) LastExecutions(ctx context.Context, workflows []string) (map[string]executions.Execution, error) {
	out := map[string]executions.Execution{}
	if len(workflows) == 0 {
		return out, nil
	}
	v, ok := tenant.FromContext(ctx)
	if !ok {
		return nil, fault.New(fault.Internal, "last executions are asked for by nobody")
	}
	// One look into the index for each: all executions of a workflow would be read otherwise.
	newest := entsql.P(func(b *entsql.Builder) {
		b.Ident(execution.FieldID).WriteString(` IN (SELECT (SELECT l.id FROM executions AS l WHERE l.organization_id = w.organization_id
 AND l.workflow = w.name ORDER BY l.id DESC LIMIT 1) FROM workflows AS w WHERE w.organization_id = `)
		b.Arg(v.Organization)
		b.WriteString(" AND w.name IN (")
		for i, name := range workflows {
			if i > 0 {
				b.Comma()
			}
			b.Arg(name)
		}
		b.WriteString("))")
	})
	rows, err := s.db.Read().Execution.Query().Where(func(sel *entsql.Selector) { sel.Where(newest) }).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	for _, row := range rows {
		out[row.Workflow] = executionRecord(row, nil)
	}
	return out, nil
}
