package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/call"
	"github.com/seatrial/seatrial/ent/db/step"
)

// SaveReport applies a snapshot. A status moves by execution.Next: the first terminal one stays, be it the runner's result or
// the end of a cancellation.
func (s *Store) SaveReport(ctx context.Context, r record.Report) (saved record.Saved, err error) {
	if _, err := agent(ctx); err != nil {
		return saved, err
	}
	var after consequences
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		var way *record.Way
		a, head, err := s.lockAttempt(ctx, tx, r.Attempt)
		if err != nil {
			return err
		}
		before := a
		ended := record.Status(a.Status).Terminal()
		status := record.Next(record.Status(a.Status), r.Status)
		if a, err = s.mergeAttempt(ctx, a, status, r); err != nil {
			return err
		}
		if before.AssignedAt == nil {
			if err := startProven(ctx, tx, a); err != nil {
				return err
			}
		}
		found, err := mergeSteps(ctx, tx, a, r.Steps)
		if err != nil {
			return err
		}
		if err := mergeServices(ctx, tx, a, r.Services); err != nil {
			return err
		}
		if status.Terminal() && !ended {
			if !found.settled {
				if err := s.endSteps(ctx, tx, []uuid.UUID{a.ID}, status, r.FromRunner || ofTests(status)); err != nil {
					return err
				}
			}
			if err := s.tryAnew(ctx, tx, a, head); err != nil {
				return err
			}
			if way, err = s.way(ctx, tx, a, r.Hops); err != nil {
				return err
			}
		}
		// What the control plane ended by itself counts as delivered before the agent has sent anything: only the agent's own word
		// allows it to delete the Job.
		if status.Terminal() && r.Delivered {
			if err := queueRelease(ctx, tx, a); err != nil {
				return err
			}
		}
		judge, err := s.attemptTold(ctx, tx, head, before, a, found)
		if err != nil {
			return err
		}
		after, err = s.derive(ctx, tx, head)
		after.calls, after.judge = after.calls || found.asks, after.judge || judge
		saved = record.Saved{Status: status, Way: way}
		if record.Lost(status, a.Reason) {
			after.wake = union(after.wake, []cluster.ID{a.ClusterID}) // a new attempt may be its to start
		}
		return err
	})
	if err == nil {
		saved.Effects = s.admitAfter(ctx, after)
	}
	return saved, err
}

// way says how long an attempt took whose hops are known, nil for others.
func (s *Store) way(ctx context.Context, tx *db.Tx, a *db.Attempt, hops *record.Hops) (*record.Way, error) {
	if hops == nil {
		return nil, nil
	}
	start, err := tx.AgentCommand.Query().Where(agentcommand.AttemptID(a.ID), agentcommand.Kind(string(cluster.Start))).
		Select(agentcommand.FieldSentAt).Only(ctx)
	if db.IsNotFound(err) || err == nil && start.SentAt == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &record.Way{Queue: start.SentAt.Sub(a.CreatedAt), Total: s.now().Sub(a.CreatedAt)}, nil
}

// attemptTold links an execution with the releases that one of its attempts is seen to run against, and makes its releases stale when the
// attempt says something new beside its status: what it ran against, that its reports are complete, or an exit code, which may
// contradict them.
func (s *Store) attemptTold(ctx context.Context, tx *db.Tx, head *db.Execution, before, a *db.Attempt, found found) (judge bool, err error) {
	news := found.learned || a.Delivered != before.Delivered
	for _, subject := range []struct{ before, now json.RawMessage }{{before.SubjectStart, a.SubjectStart}, {before.SubjectEnd, a.SubjectEnd}} {
		if bytes.Equal(subject.before, subject.now) {
			continue
		}
		news = true
		if err := s.linkObserved(ctx, tx, head, subjectRecord(subject.now)); err != nil {
			return false, err
		}
	}
	if !news {
		return false, nil
	}
	return s.evidenceFor(ctx, tx, head, "More was told of an execution of "+head.Workflow+".")
}

// lockAttempt finds an attempt of the calling agent and locks its execution; what it returns was read under the lock.
func (s *Store) lockAttempt(ctx context.Context, tx *db.Tx, id uuid.UUID) (*db.Attempt, *db.Execution, error) {
	v, err := agent(ctx)
	if err != nil {
		return nil, nil, err
	}
	mine := tx.Attempt.Query().Where(attempt.ID(id), attempt.ClusterID(v.Cluster))
	found, err := mine.Clone().Select(attempt.FieldID, attempt.FieldExecutionID).Only(ctx)
	if err != nil {
		return nil, nil, err
	}
	head, err := s.lockExecution(ctx, tx, found.ExecutionID)
	if err != nil {
		return nil, nil, err
	}
	a, err := mine.Only(ctx)
	return a, head, err
}

func (s *Store) mergeAttempt(ctx context.Context, a *db.Attempt, status record.Status, r record.Report) (*db.Attempt, error) {
	change := a.Update().SetStatus(string(status))
	if !record.Status(a.Status).Terminal() && status == r.Status {
		change.SetReason(clean(r.Reason)).SetMessage(clean(r.Message))
		if status.Terminal() {
			change.SetFinishedAt(s.now())
			if !r.FinishedAt.IsZero() {
				change.SetNillableFinishedAt(nullable(r.FinishedAt))
			}
		}
	}
	if r.Node != "" {
		change.SetNode(clean(r.Node))
	}
	if r.Pod != "" {
		change.SetPod(clean(r.Pod))
	}
	if a.StartedAt == nil {
		change.SetNillableStartedAt(nullable(r.StartedAt))
	}
	if a.AssignedAt == nil && status != record.Queued {
		change.SetAssignedAt(s.now()) // the report overtook the answer to the start command
	}
	if err := mergeSubject(a, change, r); err != nil {
		return nil, err
	}
	return change.SetNotes(mergeNotes(a.Notes, r.Notes)).SetDelivered(a.Delivered || r.Delivered).Save(ctx)
}

// mergeSubject keeps what was observed first of the beginning and of the end: what is told again later may be another observation.
func mergeSubject(a *db.Attempt, change *db.AttemptUpdateOne, r record.Report) error {
	if start := record.FirstObserved(subjectRecord(a.SubjectStart), r.SubjectStart); start != nil {
		text, err := json.Marshal(start)
		if err != nil {
			return fmt.Errorf("encode what was under test at the start: %w", err)
		}
		change.SetSubjectStart(text)
	}
	if end := record.FirstObserved(subjectRecord(a.SubjectEnd), r.SubjectEnd); end != nil {
		text, err := json.Marshal(end)
		if err != nil {
			return fmt.Errorf("encode what was under test at the end: %w", err)
		}
		change.SetSubjectEnd(text)
	}
	return nil
}

const (
	maxNotes  = 200 // of an attempt, which every report may bring
	moreNotes = "There were more notes than are kept."
)

// mergeNotes adds the notes that are new. The last of a full list says that others were left out.
func mergeNotes(notes, more []string) []string {
	for _, note := range more {
		note = clean(note)
		switch {
		case slices.Contains(notes, note):
		case len(notes) < maxNotes-1:
			notes = append(notes, note)
		default:
			if len(notes) < maxNotes {
				notes = append(notes, moreNotes)
			}
			return notes
		}
	}
	return notes
}

// found is what a report says of steps that has consequences.
type found struct {
	asks    bool // there is something to decide about what they execute
	learned bool // an exit code
	settled bool // all steps have ended, and none of them executes workflows: the end of the attempt leaves nothing to end
}

// mergeSteps moves the steps forward. Facts that are missing are filled in even after a step has ended.
func mergeSteps(ctx context.Context, tx *db.Tx, a *db.Attempt, steps []record.Step) (out found, err error) {
	if len(steps) == 0 {
		return out, nil
	}
	rows, err := tx.Step.Query().Where(step.AttemptID(a.ID)).All(ctx)
	if err != nil {
		return out, err
	}
	open := map[int]bool{}
	for _, row := range rows {
		open[row.Index] = !record.Status(row.Status).Terminal() || row.Execute != nil
	}
	for _, reported := range steps {
		i := slices.IndexFunc(rows, func(row *db.Step) bool { return row.Index == reported.Index })
		if i < 0 {
			continue // not in the plan: nothing to keep it under
		}
		row := rows[i]
		learned, err := mergeStep(ctx, tx, a, row, reported)
		if err != nil {
			return out, err
		}
		out.learned = out.learned || learned
		open[row.Index] = open[row.Index] && (row.Execute != nil || !record.Next(record.Status(row.Status), reported.Status).Terminal())
		if reported.Params != nil && row.Execute != nil && !record.Status(row.Status).Terminal() && !record.Status(a.Status).Terminal() {
			made, err := makeCalls(ctx, tx, a, row, reported.Params)
			if err != nil {
				return out, err
			}
			out.asks = out.asks || made
		}
		if row.Execute != nil && !record.Status(row.Status).Terminal() && reported.Status.Terminal() {
			out.asks = true
			if err := callsWithout(ctx, tx, call.AttemptID(a.ID), call.StepIndex(row.Index)); err != nil {
				return out, err
			}
		}
		row.Status = string(record.Next(record.Status(row.Status), reported.Status)) // it may be reported twice
	}
	out.settled = !slices.Contains(slices.Collect(maps.Values(open)), true)
	return out, nil
}

// mergeStep moves a step forward and reports whether its exit code became known.
func mergeStep(ctx context.Context, tx *db.Tx, a *db.Attempt, row *db.Step, reported record.Step) (learned bool, err error) {
	from := record.Status(row.Status)
	status := record.Next(from, reported.Status)
	change := row.Update().SetStatus(string(status)).SetAllowed(row.Allowed || reported.Allowed)
	if !from.Terminal() && reported.Reason != "" {
		change.SetReason(clean(reported.Reason))
	}
	if row.ExitCode == nil {
		change.SetNillableExitCode(reported.ExitCode)
	}
	if row.StartedAt == nil {
		change.SetNillableStartedAt(nullable(reported.StartedAt))
	}
	if row.FinishedAt == nil && status.Terminal() {
		change.SetNillableFinishedAt(nullable(reported.FinishedAt))
	}
	if row.Usage == nil && reported.Usage != nil && status.Terminal() {
		used := *reported.Usage
		used.Note = clean(used.Note)
		text, err := json.Marshal(used)
		if err != nil {
			return false, fmt.Errorf("encode usage: %w", err)
		}
		change.SetUsage(text)
	}
	learned = row.ExitCode == nil && reported.ExitCode != nil
	if row, err = change.Save(ctx); err != nil || !learned {
		return false, err
	}
	return true, judgeExit(ctx, tx, a, row)
}

// ofTests reports whether an end is one that only a runner can tell, on its connection or in its last words.
func ofTests(status record.Status) bool {
	return status == record.Passed || status == record.Failed || status == record.TimedOut || status == record.Skipped
}

// startProven takes the start command as answered when the attempt is reported before the answer: there is a Job. To send it again would
// make another one, should somebody have deleted that meanwhile.
func startProven(ctx context.Context, tx *db.Tx, a *db.Attempt) error {
	return tx.AgentCommand.Update().Where(agentcommand.AttemptID(a.ID), agentcommand.Kind(string(cluster.Start)), agentcommand.State(sent)).
		SetState(done).Exec(ctx)
}

// queueRelease allows the agent to delete the Job, once.
func queueRelease(ctx context.Context, tx *db.Tx, a *db.Attempt) error {
	exists, err := tx.AgentCommand.Query().Where(agentcommand.AttemptID(a.ID), agentcommand.Kind(string(cluster.Release))).Exist(ctx)
	if err != nil || exists {
		return err
	}
	return tx.AgentCommand.Create().SetOrganizationID(a.OrganizationID).SetClusterID(a.ClusterID).SetAttemptID(a.ID).
		SetKind(string(cluster.Release)).Exec(ctx)
}
