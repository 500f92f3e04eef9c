package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	record "github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/release"
	"github.com/seatrial/seatrial/ent/db/releasechange"
	"github.com/seatrial/seatrial/ent/db/releaseexecution"
)

// CreateRelease stores a release and links what ran against its images before. When the application has this version already it stores
// nothing and returns that one and true.
func (s *Store) CreateRelease(ctx context.Context, n record.New) (r record.Release, existed bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		existed = false
		known, err := tx.Release.Query().Where(release.Application(n.Release.Application), release.Version(n.Release.Version)).Only(ctx)
		if err == nil {
			existed = true
			r, err = releaseRecord(known)
			return err
		}
		if !db.IsNotFound(err) {
			return err
		}
		row, err := s.insertRelease(ctx, tx, n.Release)
		if database.Unique(err) {
			return takenFirst(ctx, n.Release.Application+" "+n.Release.Version)
		}
		if err != nil {
			return err
		}
		if r, err = releaseRecord(row); err != nil {
			return err
		}
		return s.notedRelease(ctx, tx, row)
	})
	if err == nil && !existed {
		// Only now do those see the release whose reports come in; what they had not told before is found here.
		err = s.LinkEvidence(ctx, r.ID, n.Since)
	}
	return r, existed, err
}

func (s *Store) insertRelease(ctx context.Context, tx *db.Tx, r record.Release) (*db.Release, error) {
	team, err := teamFor(ctx, tx.Team.Query(), r.Team)
	if err != nil {
		return nil, err
	}
	images, err := json.Marshal(r.Images)
	if err != nil {
		return nil, fmt.Errorf("encode images: %w", err)
	}
	policy, err := json.Marshal(r.Policy)
	if err != nil {
		return nil, fmt.Errorf("encode policy: %w", err)
	}
	cells, err := json.Marshal(r.Cells)
	if err != nil {
		return nil, fmt.Errorf("encode cells: %w", err)
	}
	return tx.Release.Create().SetID(r.ID).SetOrganizationID(team.OrganizationID).SetTeamID(team.ID).SetApplication(r.Application).
		SetVersion(r.Version).SetCommit(r.Commit).SetImages(images).SetTargets(r.Targets).SetActor(r.Actor).SetPolicy(policy).SetPolicyName(r.Policy.Name).
		SetPolicyRevision(r.Policy.Revision).SetPolicyDigest(r.Policy.Digest).SetCells(cells).SetState(string(r.State)).
		SetStaleAt(s.now()).SetCause("The release was created by " + r.Actor + ".").Save(ctx)
}

// Release returns a release with everything.
func (s *Store) Release(ctx context.Context, application, version string) (record.Release, error) {
	r, err := s.wholeRelease(ctx, true, release.Application(application), release.Version(version))
	if fault.Is(err, fault.NotFound) {
		return r, fault.New(fault.NotFound, "there is no release %s %s", application, version).
			WithHint("List what there is with: seatrial release list.")
	}
	return r, err
}

// ReleaseByID does the same.
func (s *Store) ReleaseByID(ctx context.Context, id record.ID) (record.Release, error) {
	return s.wholeRelease(ctx, false, release.ID(id))
}

func (s *Store) wholeRelease(ctx context.Context, remember bool, where ...predicate.Release) (r record.Release, err error) {
	row, large, err := s.largeRelease(ctx, remember, where...)
	if err != nil {
		return r, err
	}
	if r, err = releaseRecord(row); err != nil {
		return r, err
	}
	r.Cells, r.Verdict = large.cells, large.verdict
	if r.Changes, err = s.releaseChanges(ctx, row.ID); err != nil {
		return r, err
	}
	if r.Waivers, err = s.waivers(ctx, row); err != nil {
		return r, err
	}
	r.Executions, err = s.linkedExecutions(ctx, row.ID)
	return r, err
}

func (s *Store) releaseChanges(ctx context.Context, id uuid.UUID) ([]record.Change, error) {
	rows, err := s.db.Read().ReleaseChange.Query().Where(releasechange.ReleaseID(id)).Order(releasechange.ByNumber()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]record.Change, len(rows))
	for i, row := range rows {
		out[i] = record.Change{
			Number: row.Number, Before: verdict.State(row.Before), After: verdict.State(row.After), Cause: row.Cause, At: row.CreatedAt.UTC(),
		}
	}
	return out, nil
}

// maxLinked is how many executions a release lists; all of them are evidence.
const maxLinked = 200

func (s *Store) linkedExecutions(ctx context.Context, id uuid.UUID) ([]record.Linked, error) {
	rows, err := s.db.Read().ReleaseExecution.Query().Where(releaseexecution.ReleaseID(id)).WithExecution().
		Order(releaseexecution.ByExecutionID(entsql.OrderDesc())).Limit(maxLinked).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]record.Linked, len(rows))
	for i, row := range rows {
		out[i] = record.Linked{Execution: executionRecord(row.Edges.Execution, nil), Link: record.Link(row.Reason)}
	}
	return out, nil
}

// Releases lists newest first without what is required and without evidence.
func (s *Store) Releases(ctx context.Context, application string, size int, after string) (list []record.Release, next string, err error) {
	place, more, err := decodeCursor[uuid.UUID](after)
	if err != nil {
		return nil, "", err
	}
	size = pageSize(size)
	q := s.db.Read().Release.Query().WithTeam().Order(db.Desc(release.FieldID)).Limit(size + 1)
	q.Select(smallColumns()...)
	if application != "" {
		q = q.Where(release.Application(application))
	}
	if more {
		q = q.Where(release.IDLT(place))
	}
	rows, err := q.All(ctx)
	if err != nil {
		return nil, "", database.Fault(err)
	}
	if rows, next, err = cut(rows, size, func(r *db.Release) uuid.UUID { return r.ID }); err != nil {
		return nil, "", err
	}
	for _, row := range rows {
		r, err := releaseRecord(row)
		if err != nil {
			return nil, "", err
		}
		list = append(list, r)
	}
	return list, next, nil
}

// SaveVerdict stores a decision and records a change of the state.
func (s *Store) SaveVerdict(ctx context.Context, id record.ID, d record.Decision) (changed bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		changed = false
		query := locked(s, tx.Release.Query().Where(release.ID(id)))
		query.Select(smallColumns()...)
		row, err := query.Only(ctx)
		if err != nil {
			return err
		}
		if row.Judged > d.Arrivals || row.Judged == d.Arrivals && row.DecidedAt != nil && row.DecidedAt.Sub(d.At) > sameMoment {
			return nil // another one has decided who knew more, or as much at a later time
		}
		change := row.Update().SetState(string(d.State)).SetDecidedAt(decidedAt(row, d.At)).SetJudged(d.Arrivals)
		if row.DecidedAt == nil || !row.DecidedAt.Equal(d.SameAs) {
			change.SetVerdict(d.Output)
		}
		if row.Arrivals == d.Arrivals {
			change.ClearStaleAt().SetCause("")
		}
		before := row.State
		if row.Changes == 0 {
			before = ""
		}
		if changed = before != string(d.State); changed {
			change.AddChanges(1)
			cause := strings.TrimSpace(row.Cause + " " + clean(d.Cause))
			if err := s.noticeVerdict(ctx, tx, row, before, string(d.State), cause); err != nil {
				return err
			}
			made := tx.ReleaseChange.Create().SetOrganizationID(row.OrganizationID).SetReleaseID(row.ID).SetNumber(row.Changes + 1).
				SetBefore(before).SetAfter(string(d.State)).SetCause(cause)
			text, err := blockersText(d.Blockers)
			if err != nil {
				return err
			}
			if text != nil {
				made.SetBlockers(text)
			}
			if err := made.Exec(ctx); err != nil {
				return err
			}
		} else if err := moreBlockers(ctx, tx, row, d.Blockers); err != nil {
			return err
		}
		if err := change.Exec(ctx); err != nil {
			return err
		}
		if !changed && row.StaleAt == nil {
			return nil // what waits for the verdict was told as much
		}
		return s.wakeDeployments(ctx, tx, row)
	})
	return changed, err
}

// sameMoment is how far apart verdicts are that are made in one moment.
const sameMoment = time.Millisecond

// decidedAt is the moment of a verdict: by it, it is told from those before, also from one of the same moment. It is as exact as the databases
// are.
func decidedAt(row *db.Release, at time.Time) time.Time {
	at = at.Truncate(time.Microsecond)
	if row.DecidedAt != nil && !row.DecidedAt.Before(at) {
		return row.DecidedAt.Add(time.Microsecond)
	}
	return at
}

// moreBlockers adds to the latest change what has come to keep a release from being ready since: the state is still the same, and its story
// is to tell of each reason.
func moreBlockers(ctx context.Context, tx *db.Tx, row *db.Release, more []record.Blocker) error {
	if len(more) == 0 {
		return nil
	}
	latest, err := tx.ReleaseChange.Query().Where(releasechange.ReleaseID(row.ID), releasechange.Number(row.Changes)).Only(ctx)
	if err != nil {
		return err
	}
	var known []record.Blocker
	if len(latest.Blockers) > 0 {
		if err := json.Unmarshal(latest.Blockers, &known); err != nil {
			return fmt.Errorf("read what keeps a release from being ready: %w", err)
		}
	}
	all := known
	for _, b := range more {
		if !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	if len(all) == len(known) {
		return nil
	}
	text, err := blockersText(all)
	if err != nil {
		return err
	}
	return tx.ReleaseChange.Update().Where(releasechange.ID(latest.ID)).SetBlockers(text).Exec(ctx)
}

func blockersText(list []record.Blocker) (json.RawMessage, error) {
	if len(list) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("encode what keeps a release from being ready: %w", err)
	}
	return text, nil
}

// StaleReleases lists what is to be decided anew in all organizations, longest waiting first. It runs as system.
func (s *Store) StaleReleases(ctx context.Context, decidedBefore, createdAfter time.Time, limit int) ([]record.Stale, error) {
	var out []record.Stale
	for _, which := range []predicate.Release{
		release.StaleAtNotNil(),
		release.And(release.StaleAtIsNil(), release.DecidedAtLT(decidedBefore), release.CreatedAtGT(createdAfter)),
	} {
		var rows []struct {
			ID             uuid.UUID `json:"id"`
			OrganizationID uuid.UUID `json:"organization_id"`
		}
		err := s.db.Read().Release.Query().Where(which).Order(release.ByStaleAt(), release.ByDecidedAt(), release.ByID()).Limit(limit).
			Select(release.FieldID, release.FieldOrganizationID).Scan(tenant.System(ctx), &rows)
		if err != nil {
			return nil, database.Fault(err)
		}
		for _, row := range rows {
			out = append(out, record.Stale{Organization: row.OrganizationID, ID: row.ID})
		}
	}
	return out[:min(len(out), limit)], nil
}

func releaseRecord(row *db.Release) (record.Release, error) {
	r := record.Release{
		ID: row.ID, TeamID: row.TeamID, Application: row.Application, Version: row.Version, Commit: row.Commit, Actor: row.Actor, CreatedAt: row.CreatedAt.UTC(),
		State: verdict.State(row.State), Decided: timeOf(row.DecidedAt), Stale: row.StaleAt != nil, Arrivals: row.Arrivals,
		Targets: row.Targets,
	}
	if row.Edges.Team != nil {
		r.Team = row.Edges.Team.Name
	}
	if len(row.Images) > 0 {
		if err := json.Unmarshal(row.Images, &r.Images); err != nil {
			return r, fmt.Errorf("read the images of release %s: %w", row.ID, err)
		}
	}
	if err := json.Unmarshal(row.Policy, &r.Policy); err != nil {
		return r, fmt.Errorf("read the policy of release %s: %w", row.ID, err)
	}
	return r, nil
}
