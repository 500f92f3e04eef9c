package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/agentcommand"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/concurrencygroup"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/run"
)

// Runs of a concurrency group get their start command in a transaction of their own: it locks the row of the group, so that one
// decision about it follows the other, and then the executions that it changes, from old to new. Whatever ends a run holds the lock
// of its execution only, and lets the group go on after its own transaction. Should a replica die in between, the sweep of another
// one does it.

// Admit lets those runs begin whose turn has come in the groups of an execution.
func (s *Store) Admit(ctx context.Context, id record.ID) (record.Effects, error) {
	rows, err := s.db.Read().Run.Query().Where(run.ExecutionID(id), run.ConcurrencyGroupNEQ("")).
		Select(run.FieldOrganizationID, run.FieldConcurrencyGroup).All(ctx)
	if err != nil || len(rows) == 0 {
		return record.Effects{}, database.Fault(err)
	}
	var groups []string
	for _, row := range rows {
		groups = append(groups, row.ConcurrencyGroup)
	}
	return s.admitGroups(ctx, rows[0].OrganizationID, groups)
}

// AdmitWaiting does so for all groups of all organizations in which somebody waits although there is a place. It is the safety net of
// what was lost between two transactions, and runs as system.
func (s *Store) AdmitWaiting(ctx context.Context) (map[tenant.ID]record.Effects, error) {
	var waiting []struct {
		OrganizationID   uuid.UUID `json:"organization_id"`
		ConcurrencyGroup string    `json:"concurrency_group"`
	}
	err := s.db.Read().Run.Query().
		Where(run.Status(string(record.Queued)), run.ConcurrencyGroupNEQ(""), run.AdmittedAtIsNil()).
		GroupBy(run.FieldOrganizationID, run.FieldConcurrencyGroup).Scan(tenant.System(ctx), &waiting)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := map[tenant.ID]record.Effects{}
	var faults error // of one group, which must not keep the others waiting
	for _, w := range waiting {
		inside := insider(ctx, w.OrganizationID)
		members, err := membersOf(inside, s.db.Read(), w.ConcurrencyGroup)
		if err != nil {
			faults = errors.Join(faults, database.Fault(err))
			continue
		}
		if !members.move() {
			continue
		}
		effects, err := s.admitGroups(ctx, w.OrganizationID, []string{w.ConcurrencyGroup})
		if err != nil {
			faults = errors.Join(faults, err)
			continue
		}
		all := out[w.OrganizationID]
		all.Add(effects)
		out[w.OrganizationID] = all
	}
	return out, faults
}

// insider returns a context that sees all of an organization: an agent alone would see the runs of its own cluster only. Whoever asks
// has proven to be of the organization.
func insider(ctx context.Context, org tenant.ID) context.Context {
	return tenant.WithViewer(ctx, tenant.Viewer{Kind: tenant.KindMember, Organization: org, Name: "system"})
}

// admitGroups goes on while the end of one run lets another one begin. It comes to an end because each round after the first needs a run
// that ended in the one before.
func (s *Store) admitGroups(ctx context.Context, org tenant.ID, groups []string) (effects record.Effects, err error) {
	ctx = insider(ctx, org)
	slices.Sort(groups)
	for next := slices.Compact(groups); len(next) > 0; next = next[1:] {
		var done record.Effects
		var more []string
		err := s.db.Write(ctx, func(tx *db.Tx) error {
			a := admission{s: s, tx: tx, group: next[0]}
			err := a.run(ctx, org)
			done, more = a.effects, a.more
			return err
		})
		if err != nil {
			return effects, err
		}
		effects.Add(done)
		for _, name := range more {
			if !slices.Contains(next[1:], name) {
				next = append(next, name)
			}
		}
	}
	return effects, nil
}

// admission decides about one group in a transaction.
type admission struct {
	s       *Store
	tx      *db.Tx
	group   string
	members members
	effects record.Effects
	more    []string // groups that have something to decide because of it
}

func (a *admission) run(ctx context.Context, org tenant.ID) (err error) {
	lock, err := a.s.lockGroup(ctx, a.tx, org, a.group)
	if err != nil {
		return err
	}
	if a.members, err = membersOf(ctx, a.tx.Client(), a.group); err != nil {
		return err
	}
	if len(a.members.runs) == 0 {
		return a.tx.ConcurrencyGroup.DeleteOne(lock).Exec(ctx) // it has done its work
	}
	if !a.members.move() {
		return nil
	}
	for from := 0; from < len(a.members.runs); {
		to := from + 1
		for to < len(a.members.runs) && a.members.runs[to].ExecutionID == a.members.runs[from].ExecutionID {
			to++
		}
		if err := a.apply(ctx, from, to); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// lockGroup makes the row of a group unless it is there.
func (s *Store) lockGroup(ctx context.Context, tx *db.Tx, org tenant.ID, name string) (*db.ConcurrencyGroup, error) {
	row, err := locked(s, tx.ConcurrencyGroup.Query().Where(concurrencygroup.Name(name))).Only(ctx)
	if !db.IsNotFound(err) {
		return row, err
	}
	row, err = tx.ConcurrencyGroup.Create().SetOrganizationID(org).SetName(name).Save(ctx)
	if database.Unique(err) {
		return nil, database.ErrRetry // somebody else made it
	}
	return row, err
}

// members are the live runs of a group, oldest first, and what becomes of them.
type members struct {
	runs  []*db.Run
	fates []record.Fate
}

// move reports whether anything becomes of them.
func (m members) move() bool {
	return slices.ContainsFunc(m.fates, func(f record.Fate) bool { return f != record.Stay })
}

func membersOf(ctx context.Context, client *db.Client, group string) (m members, err error) {
	m.runs, err = client.Run.Query().Where(run.ConcurrencyGroup(group), run.StatusIn(live()...)).
		Order(run.ByExecutionID(), run.ByOrdinal()).All(ctx)
	if err != nil || len(m.runs) == 0 {
		return m, err
	}
	ending, err := endingRuns(ctx, client, m.runs)
	if err != nil {
		return m, err
	}
	room, err := roomOf(ctx, client, m.runs)
	if err != nil {
		return m, err
	}
	above, err := suitesOf(ctx, client, m.runs)
	if err != nil {
		return m, err
	}
	list := make([]record.Member, len(m.runs))
	for i, r := range m.runs {
		list[i] = record.Member{Execution: r.ExecutionID, Above: above[r.ExecutionID], Holds: r.AdmittedAt != nil, Ending: ending[r.ID], Group: groupOf(r)}
	}
	m.fates = record.Decide(list, room)
	return m, nil
}

func groupOf(r *db.Run) record.Group {
	return record.Group{Name: r.ConcurrencyGroup, Limit: r.ConcurrencyLimit, OnConflict: record.OnConflict(r.OnConflict)}
}

// live lists the statuses that may still change.
func live() []string {
	var out []string
	for _, status := range record.Statuses() {
		if !status.Terminal() {
			out = append(out, string(status))
		}
	}
	return out
}

// endingRuns returns those whose agent was asked to end them.
func endingRuns(ctx context.Context, client *db.Client, runs []*db.Run) (map[uuid.UUID]bool, error) {
	var ids []uuid.UUID
	for _, r := range runs {
		if r.AdmittedAt != nil {
			ids = append(ids, r.ID)
		}
	}
	ending := map[uuid.UUID]bool{}
	for part := range slices.Chunk(ids, batch) {
		rows, err := client.Attempt.Query().Where(attempt.RunIDIn(part...), attempt.StatusIn(live()...)).
			Select(attempt.FieldID, attempt.FieldRunID).All(ctx)
		if err != nil {
			return nil, err
		}
		runOf := make(map[uuid.UUID]uuid.UUID, len(rows))
		for _, row := range rows {
			runOf[row.ID] = row.RunID
		}
		asked, err := client.AgentCommand.Query().
			Where(agentcommand.AttemptIDIn(idsOf(rows)...), agentcommand.Kind(string(cluster.Cancel))).
			Select(agentcommand.FieldAttemptID).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, row := range asked {
			ending[runOf[row.AttemptID]] = true
		}
	}
	return ending, nil
}

// roomOf returns how many more runs those executions let begin that have a maxParallel and runs that wait.
func roomOf(ctx context.Context, client *db.Client, runs []*db.Run) (map[record.ID]int, error) {
	var ids []uuid.UUID
	for _, r := range runs {
		if r.AdmittedAt == nil && !slices.Contains(ids, r.ExecutionID) {
			ids = append(ids, r.ExecutionID)
		}
	}
	room := map[record.ID]int{}
	for part := range slices.Chunk(ids, batch) {
		heads, err := client.Execution.Query().Where(execution.IDIn(part...), execution.MaxParallelGT(0)).
			Select(execution.FieldID, execution.FieldMaxParallel).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, head := range heads {
			begun, err := client.Run.Query().Where(begun(head.ID)...).Count(ctx)
			if err != nil {
				return nil, err
			}
			room[head.ID] = max(0, head.MaxParallel-begun)
		}
	}
	return room, nil
}

// suitesOf returns the executions above those that cancel others: they spare them.
func suitesOf(ctx context.Context, client *db.Client, runs []*db.Run) (map[record.ID][]record.ID, error) {
	var ids []uuid.UUID
	for _, r := range runs {
		if waits(r) && groupOf(r).OnConflict == record.CancelOlder && !slices.Contains(ids, r.ExecutionID) {
			ids = append(ids, r.ExecutionID)
		}
	}
	out := map[record.ID][]record.ID{}
	for part := range slices.Chunk(ids, batch) {
		heads, err := client.Execution.Query().Where(execution.IDIn(part...), execution.ParentIDNotNil()).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, head := range heads {
			above, err := aboveOf(head, false)
			if err != nil {
				return nil, err
			}
			for _, one := range above[:len(above)-1] {
				out[head.ID] = append(out[head.ID], one.Execution)
			}
		}
	}
	return out, nil
}

// begun selects the runs of an execution that are under way.
func begun(id record.ID) []predicate.Run {
	return []predicate.Run{run.ExecutionID(id), run.AdmittedAtNotNil(), run.StatusIn(live()...)}
}

// apply lets the fates of one execution's runs come true.
func (a *admission) apply(ctx context.Context, from, to int) error {
	if !(members{fates: a.members.fates[from:to]}).move() {
		if slices.ContainsFunc(a.members.runs[from:to], waits) {
			a.effects.Add(record.Effects{Changed: []record.ID{a.members.runs[from].ExecutionID}}) // others hold the group now
		}
		return nil
	}
	head, err := a.s.lockExecution(ctx, a.tx, a.members.runs[from].ExecutionID)
	if err != nil {
		return err
	}
	for _, one := range []struct {
		fate record.Fate
		do   func(context.Context, *db.Execution, []*db.Attempt) error
	}{{record.End, a.end}, {record.Skip, a.skip}, {record.Begin, a.begin}} {
		attempts, err := a.attempts(ctx, from, to, one.fate)
		if err != nil {
			return err
		}
		if len(attempts) == 0 {
			continue
		}
		if err := one.do(ctx, head, attempts); err != nil {
			return err
		}
	}
	after, err := a.s.derive(ctx, a.tx, head)
	a.more = append(a.more, after.groups...) // this group is among them when a place of it got free just now
	a.effects.Add(record.Effects{Wake: after.wake, Changed: []record.ID{head.ID}, Calls: after.calls})
	return err
}

func waits(r *db.Run) bool { return r.AdmittedAt == nil }

// attempts returns the live attempts of the runs with a fate. It reads them under the lock: a run may have ended meanwhile.
func (a *admission) attempts(ctx context.Context, from, to int, fate record.Fate) ([]*db.Attempt, error) {
	var ids []uuid.UUID
	for i := from; i < to; i++ {
		if a.members.fates[i] == fate {
			ids = append(ids, a.members.runs[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return a.tx.Attempt.Query().Where(attempt.RunIDIn(ids...), attempt.StatusIn(live()...)).Order(attempt.ByID()).
		Select(attempt.FieldID, attempt.FieldOrganizationID, attempt.FieldRunID, attempt.FieldClusterID, attempt.FieldStatus).All(ctx)
}

func (a *admission) begin(ctx context.Context, head *db.Execution, attempts []*db.Attempt) error {
	if head.MaxParallel > 0 {
		active, err := a.tx.Run.Query().Where(begun(head.ID)...).Count(ctx)
		if err != nil {
			return err
		}
		if left := max(0, head.MaxParallel-active); left < len(attempts) {
			attempts = attempts[:left] // another group was faster; it asks again when one of the execution is over
			a.more = append(a.more, a.group)
		}
	}
	turns, err := turnsOf(ctx, a.tx, head, attempts)
	if err != nil {
		return err
	}
	for _, one := range attempts {
		if err := a.tx.Run.UpdateOneID(one.RunID).SetAdmittedAt(a.s.now()).Exec(ctx); err != nil {
			return err
		}
		if err := a.tx.Attempt.UpdateOneID(one.ID).SetReason("").SetMessage("").Exec(ctx); err != nil {
			return err
		}
		if err := startCommand(a.tx, one.OrganizationID, one.ClusterID, one.ID, turns[one.RunID]).Exec(ctx); err != nil {
			return err
		}
		a.effects.Add(record.Effects{Wake: []cluster.ID{one.ClusterID}})
	}
	return nil
}

func (a *admission) skip(ctx context.Context, head *db.Execution, attempts []*db.Attempt) error {
	message := fmt.Sprintf("Skipped, as the workflow says: the concurrency group %s was taken by execution %s.", a.group,
		a.other(head.ID, record.Stay, record.Begin))
	return a.s.endAttempts(ctx, a.tx, idsOf(attempts), ending{status: record.Skipped, reason: record.ReasonGroup, message: message})
}

func (a *admission) end(ctx context.Context, head *db.Execution, attempts []*db.Attempt) error {
	newest := a.members.runs[len(a.members.runs)-1].ExecutionID
	for i := range a.members.runs {
		if r := a.members.runs[i]; waits(r) && r.ExecutionID != head.ID && groupOf(r).OnConflict == record.CancelOlder {
			newest = r.ExecutionID
		}
	}
	message := fmt.Sprintf("Cancelled for execution %s, which is newer and of the same concurrency group %s.", newest, a.group)
	wake, _, err := a.s.cancelAttempts(ctx, a.tx, attempts, ending{status: record.Cancelled, reason: record.ReasonGroup, message: message})
	a.effects.Add(record.Effects{Wake: wake})
	return err
}

// other returns the first execution beside one with a run that has one of the fates.
func (a *admission) other(id record.ID, fates ...record.Fate) record.ID {
	for i, r := range a.members.runs {
		if r.ExecutionID != id && slices.Contains(fates, a.members.fates[i]) {
			return r.ExecutionID
		}
	}
	return id
}
