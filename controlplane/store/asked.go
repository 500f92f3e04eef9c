package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/call"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/workflow"
)

// makeCalls stores what a step asks for, once. It reports whether it did.
func makeCalls(ctx context.Context, tx *db.Tx, a *db.Attempt, row *db.Step, params []map[string]string) (bool, error) {
	what, err := executes(row)
	if err != nil {
		return false, err
	}
	there, err := tx.Call.Query().Where(call.AttemptID(a.ID), call.StepIndex(row.Index)).Exist(ctx)
	if err != nil || there {
		return false, err
	}
	ctx = insider(ctx, a.OrganizationID) // an agent sees no workflows
	asked, err := askedFor(ctx, tx, a, what, params)
	if err != nil {
		return false, err
	}
	begun, err := begunBefore(ctx, tx, a, row.Index, what.Wait)
	if err != nil {
		return false, err
	}
	rows := make([]*db.CallCreate, len(asked))
	for i, c := range asked {
		rows[i] = tx.Call.Create().SetOrganizationID(a.OrganizationID).SetExecutionID(a.ExecutionID).SetAttemptID(a.ID).SetStepIndex(row.Index).
			SetOrdinal(i).SetWorkflow(c.workflow).SetParams(c.params).SetStatus(string(record.Queued)).SetMessage(clean(c.problem))
		if c.problem != "" {
			rows[i].SetStatus(string(record.Errored))
		}
		if child := begun.take(i, c); child != uuid.Nil {
			rows[i].SetChildID(child)
		}
	}
	return true, tx.Call.CreateBulk(rows...).Exec(ctx)
}

// begunCalls are those of earlier attempts that have begun.
type begunCalls []*db.Call

// begunBefore returns what the step has started in earlier attempts of the run and nobody waits for: it goes on, and is not started
// again.
func begunBefore(ctx context.Context, tx *db.Tx, a *db.Attempt, index int, wait bool) (begunCalls, error) {
	if wait || a.Number == 1 {
		return nil, nil
	}
	return tx.Call.Query().Where(call.StepIndex(index), call.ChildIDNotNil(),
		call.HasAttemptWith(attempt.RunID(a.RunID), attempt.NumberLT(a.Number))).Order(call.ByOrdinal()).All(ctx)
}

// take returns what was started for the same call, and does so once: at its place, or elsewhere when a selector finds more by now.
func (b *begunCalls) take(ordinal int, c asked) uuid.UUID {
	same := func(row *db.Call) bool { return row.Workflow == c.workflow && maps.Equal(row.Params, c.params) }
	i := slices.IndexFunc(*b, func(row *db.Call) bool { return row.Ordinal == ordinal && same(row) })
	if i < 0 {
		i = slices.IndexFunc(*b, same)
	}
	if i < 0 {
		return uuid.Nil
	}
	child := *(*b)[i].ChildID
	// a third attempt finds those of the first twice
	*b = slices.DeleteFunc(*b, func(row *db.Call) bool { return *row.ChildID == child })
	return child
}

// asked is a call that is to be stored, or why there is none.
type asked struct {
	workflow string
	params   map[string]string
	problem  string
}

// askedFor returns the calls of a step: of the workflow that is stored, not of what the agent says, comes what is executed. A selector
// means neither what is named beside it or found before it, nor the workflow itself and those that execute it.
func askedFor(ctx context.Context, tx *db.Tx, a *db.Attempt, what record.Execute, params []map[string]string) (list []asked, err error) {
	find := finder{tx: tx, attempt: a, what: what}
	for i, callee := range what.Callees {
		values := map[string]string{}
		if i < len(params) {
			for name, value := range params[i] {
				values[clean(name)] = clean(value)
			}
		}
		if callee.Name != "" {
			list = append(list, asked{workflow: callee.Name, params: values})
			continue
		}
		names, err := find.names(ctx, callee.Selector)
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			list = append(list, asked{problem: "no other workflow has the labels " + labelsText(callee.Selector)})
		}
		for _, name := range names {
			list = append(list, asked{workflow: name, params: values})
		}
	}
	if n := len(list); n > record.MaxCalls {
		problem := fmt.Sprintf("the step executes %d workflows, and at most %d are possible: narrow its selectors", n, record.MaxCalls)
		return []asked{{problem: problem}}, nil
	}
	return list, nil
}

// finder finds workflows by their labels, reading all of them once.
type finder struct {
	tx       *db.Tx
	attempt  *db.Attempt
	what     record.Execute
	all      []*db.Workflow
	excluded map[string]bool // named, found before or above
}

func (f *finder) names(ctx context.Context, selector map[string]string) (names []string, err error) {
	if f.excluded == nil {
		if err := f.read(ctx); err != nil {
			return nil, err
		}
	}
	for _, w := range f.all {
		if !f.excluded[w.Name] && has(w.Labels, selector) {
			f.excluded[w.Name] = true
			names = append(names, w.Name)
		}
	}
	return names, nil
}

func (f *finder) read(ctx context.Context) (err error) {
	f.excluded = map[string]bool{}
	for _, callee := range f.what.Callees {
		f.excluded[callee.Name] = true
	}
	head, err := f.tx.Execution.Query().Where(execution.ID(f.attempt.ExecutionID)).Select(execution.FieldWorkflow, execution.FieldParentID, execution.FieldParent).Only(ctx)
	if err != nil {
		return err
	}
	above, err := aboveOf(head, f.what.Wait)
	if err != nil {
		return err
	}
	for _, one := range above {
		f.excluded[one.Workflow] = true
	}
	f.all, err = f.tx.Workflow.Query().Where(workflow.RemovedAtIsNil()).Select(workflow.FieldName, workflow.FieldLabels).Order(workflow.ByName()).All(ctx)
	return err
}

func has(labels, selector map[string]string) bool {
	for key, value := range selector {
		if got, ok := labels[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// labelsText writes labels as people do.
func labelsText(labels map[string]string) string {
	var parts []string
	for key, value := range labels {
		parts = append(parts, key+"="+value)
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}
