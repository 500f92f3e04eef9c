package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	releases "github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/release"
	"github.com/seatrial/seatrial/ent/db/releaseexecution"
)

// An execution is evidence for the releases that it is linked with. What changes one counts as an arrival at those in the same
// transaction; a verdict says how many arrivals it was made with, so that none can be missed. An execution that a step has started is evidence for what the outermost one above it is.

// openFor is how long after its creation a release takes what is found to have run against its images.
const openFor = 90 * 24 * time.Hour

// askedRelease returns the release that a trigger names, nil when it names none.
func askedRelease(ctx context.Context, tx *db.Tx, n record.New) (*db.Release, error) {
	if n.Application == "" && n.Version == "" {
		return nil, nil //nolint:nilnil // most name none
	}
	row, err := tx.Release.Query().Where(release.Application(n.Application), release.Version(n.Version)).Only(ctx)
	if db.IsNotFound(err) {
		return nil, fault.New(fault.NotFound, "there is no release %s %s", n.Application, n.Version).WithField("release").
			WithHint("Create it first: seatrial release create %s %s --image NAME@sha256:…", n.Application, n.Version)
	}
	return row, err
}

// namedRelease returns application and version of the release that the trigger of an execution has named; none when it named none.
func namedRelease(ctx context.Context, tx *db.Tx, id record.ID) (application, version string, err error) {
	row, err := tx.ReleaseExecution.Query().Where(releaseexecution.ExecutionID(id), releaseexecution.Reason(string(releases.Asked))).
		WithRelease().First(ctx)
	if db.IsNotFound(err) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	return row.Edges.Release.Application, row.Edges.Release.Version, nil
}

// ReleaseOf returns application and version of the release that the trigger of an execution has named; none when it named none, or one
// that the viewer does not see.
func (s *Store) ReleaseOf(ctx context.Context, id record.ID) (application, version string, err error) {
	link, err := s.db.Read().ReleaseExecution.Query().Where(releaseexecution.ExecutionID(id), releaseexecution.Reason(string(releases.Asked))).First(ctx)
	if err == nil {
		var row *db.Release
		if row, err = s.db.Read().Release.Query().Where(release.ID(link.ReleaseID)).Only(ctx); err == nil {
			return row.Application, row.Version, nil
		}
	}
	if db.IsNotFound(err) {
		return "", "", nil
	}
	return "", "", database.Fault(err)
}

// linkStarted links an execution with the release that its trigger names, and with those that consist of the commit alone that it
// names.
func (s *Store) linkStarted(ctx context.Context, tx *db.Tx, asked *db.Release, e record.Execution) error {
	var ids []uuid.UUID
	if asked != nil {
		ids = append(ids, asked.ID)
		if _, err := s.link(ctx, tx, asked, e.ID, releases.Asked); err != nil {
			return err
		}
	}
	if e.Commit != "" {
		rows, err := tx.Release.Query().Where(release.Commit(e.Commit), release.CreatedAtGT(s.now().Add(-openFor))).Select(slimRelease()...).All(ctx)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if slices.Contains(ids, row.ID) || len(digestsOf(row)) > 0 {
				continue
			}
			ids = append(ids, row.ID)
			if _, err := s.link(ctx, tx, row, e.ID, releases.Observed); err != nil {
				return err
			}
		}
	}
	return s.makeStale(ctx, tx, ids, "An execution of "+e.Workflow+" was started.")
}

// linkObserved links an execution with the releases all of whose images it ran against.
func (s *Store) linkObserved(ctx context.Context, tx *db.Tx, head *db.Execution, subject *record.Subject) error {
	if subject == nil || len(subject.Images) == 0 {
		return nil
	}
	ctx = insider(ctx, head.OrganizationID) // what an agent reports is evidence for the whole organization
	rows, err := tx.Release.Query().Where(release.CreatedAtGT(s.now().Add(-openFor))).Select(slimRelease()...).All(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if !within(digestsOf(row), *subject) {
			continue
		}
		if _, err := s.link(ctx, tx, row, head.ID, releases.Observed); err != nil {
			return err
		}
	}
	return nil
}

// link stores that an execution is evidence for a release, and reports whether it was not known before. The first reason stays.
func (s *Store) link(ctx context.Context, tx *db.Tx, row *db.Release, id record.ID, why releases.Link) (fresh bool, err error) {
	known, err := tx.ReleaseExecution.Query().Where(releaseexecution.ReleaseID(row.ID), releaseexecution.ExecutionID(id)).Exist(ctx)
	if err != nil || known {
		return false, err
	}
	return true, tx.ReleaseExecution.Create().SetOrganizationID(row.OrganizationID).SetReleaseID(row.ID).SetExecutionID(id).
		SetReason(string(why)).Exec(ctx)
}

// LinkEvidence links what has run against the images of a release, or names its commit, since a time.
func (s *Store) LinkEvidence(ctx context.Context, id releases.ID, since time.Time) error {
	row, err := s.db.Read().Release.Query().Where(release.ID(id)).Select(slimRelease()...).Only(ctx)
	if err != nil {
		return database.Fault(err)
	}
	ids, err := s.ranAgainst(ctx, row, since)
	if err != nil || len(ids) == 0 {
		return database.Fault(err)
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		linked := false
		for _, id := range ids {
			fresh, err := s.link(ctx, tx, row, id, releases.Observed)
			if err != nil {
				return err
			}
			linked = linked || fresh
		}
		if !linked {
			return nil
		}
		return s.makeStale(ctx, tx, []uuid.UUID{row.ID}, "Executions ran against it before.")
	})
}

// ranAgainst returns the executions that ran against the images of a release, or name its commit when it has none, by their ids.
func (s *Store) ranAgainst(ctx context.Context, row *db.Release, since time.Time) ([]uuid.UUID, error) {
	want := digestsOf(row)
	if len(want) == 0 {
		return s.db.Read().Execution.Query().Where(execution.Commit(row.Commit), execution.CreatedAtGT(since)).Order(execution.ByID()).IDs(ctx)
	}
	attempts, err := s.db.Read().Attempt.Query().
		Where(attempt.Or(attempt.SubjectStartNotNil(), attempt.SubjectEndNotNil()), attempt.CreatedAtGT(since)).
		Select(attempt.FieldExecutionID, attempt.FieldSubjectStart, attempt.FieldSubjectEnd).All(ctx)
	if err != nil {
		return nil, err
	}
	found := map[uuid.UUID]bool{}
	for _, a := range attempts {
		for _, subject := range []*record.Subject{subjectRecord(a.SubjectStart), subjectRecord(a.SubjectEnd)} {
			if subject != nil && within(want, *subject) {
				found[a.ExecutionID] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }), nil
}

// slimRelease is what links need of a release: policy, requirements and verdict may be big.
func slimRelease() []string {
	return []string{release.FieldID, release.FieldOrganizationID, release.FieldCommit, release.FieldImages}
}

// within reports whether all digests were observed. Without any there is nothing to be recognized by.
func within(digests []string, subject record.Subject) bool {
	for _, digest := range digests {
		if !slices.ContainsFunc(subject.Images, func(i record.SubjectImage) bool { return i.Digest == digest }) {
			return false
		}
	}
	return len(digests) > 0
}

func digestsOf(row *db.Release) []string {
	var images []verdict.Image
	if json.Unmarshal(row.Images, &images) != nil {
		return nil // written by a version that is not known
	}
	out := make([]string, len(images))
	for i, image := range images {
		out[i] = image.Digest
	}
	return out
}

// newEvidence makes the releases stale that an execution is evidence for, after the status of a run of it has changed.
func (s *Store) newEvidence(ctx context.Context, tx *db.Tx, head *db.Execution, runs []state) (bool, error) {
	now := stateOfExecution(head, runs)
	cause := "An execution of " + head.Workflow + " is under way."
	if now.status.Terminal() {
		cause = fmt.Sprintf("An execution of %s ended as %s.", head.Workflow, now.status)
	}
	return s.evidenceFor(ctx, tx, head, cause)
}

// evidenceFor makes the releases stale that an execution is evidence for, and reports whether there are any.
func (s *Store) evidenceFor(ctx context.Context, tx *db.Tx, head *db.Execution, cause string) (bool, error) {
	ctx = insider(ctx, head.OrganizationID)
	of := []uuid.UUID{head.ID}
	if head.RootID != nil {
		of = append(of, *head.RootID)
	}
	rows, err := tx.ReleaseExecution.Query().Where(releaseexecution.ExecutionIDIn(of...)).Select(releaseexecution.FieldReleaseID).All(ctx)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.ReleaseID
	}
	return true, s.makeStale(ctx, tx, ids, cause)
}

// makeStale says that something has come in that the verdicts on releases do not know. Releases are locked in the order of their ids,
// so that two who do this at once wait for each other and no more.
func (s *Store) makeStale(ctx context.Context, tx *db.Tx, ids []uuid.UUID, cause string) error {
	if len(ids) == 0 {
		return nil
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range slices.Compact(ids) {
		row, err := locked(s, tx.Release.Query().Where(release.ID(id))).Select(release.FieldID, release.FieldCause, release.FieldStaleAt).Only(ctx)
		if err != nil {
			return err
		}
		change := tx.Release.UpdateOneID(id).AddArrivals(1).SetCause(causes(row.Cause, clean(cause)))
		if row.StaleAt == nil {
			change.SetStaleAt(s.now())
		}
		if err := change.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// maxCause bounds in bytes what is said of all that came in between two verdicts.
const maxCause = 500

// causes adds a sentence to those that are there, each once. What comes when they are many is left out: the evidence itself is not.
func causes(known, more string) string {
	switch {
	case known == "":
		return more
	case strings.Contains(known, more) || len(known)+len(more) > maxCause:
		return known
	}
	return known + " " + more
}
