package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	releases "github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/release"
	"github.com/seatrial/seatrial/ent/db/releaseexecution"
)

// An execution is evidence for the releases that it is linked with. What changes one makes those stale in the same transaction, so
// that no verdict can miss it. An execution that a step has started is evidence for what the outermost one above it is.

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

// linkStarted links an execution with the release that its trigger names, and with those that consist of the commit alone that it
// names.
func (s *Store) linkStarted(ctx context.Context, tx *db.Tx, asked *db.Release, e record.Execution) error {
	var ids []uuid.UUID
	if asked != nil {
		ids = append(ids, asked.ID)
		if err := s.link(ctx, tx, asked, e.ID, releases.Asked); err != nil {
			return err
		}
	}
	if e.Commit != "" {
		rows, err := tx.Release.Query().Where(release.Commit(e.Commit), release.CreatedAtGT(s.now().Add(-openFor))).All(ctx)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if slices.Contains(ids, row.ID) || len(digestsOf(row)) > 0 {
				continue
			}
			ids = append(ids, row.ID)
			if err := s.link(ctx, tx, row, e.ID, releases.Observed); err != nil {
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
	ctx = insider(ctx, head.OrganizationID) // an agent sees no releases
	rows, err := tx.Release.Query().Where(release.CreatedAtGT(s.now().Add(-openFor))).All(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if !within(digestsOf(row), *subject) {
			continue
		}
		if err := s.link(ctx, tx, row, head.ID, releases.Observed); err != nil {
			return err
		}
	}
	return nil
}

// link stores that an execution is evidence for a release. The first reason stays.
func (s *Store) link(ctx context.Context, tx *db.Tx, row *db.Release, id record.ID, why releases.Link) error {
	known, err := tx.ReleaseExecution.Query().Where(releaseexecution.ReleaseID(row.ID), releaseexecution.ExecutionID(id)).Exist(ctx)
	if err != nil || known {
		return err
	}
	return tx.ReleaseExecution.Create().SetOrganizationID(row.OrganizationID).SetReleaseID(row.ID).SetExecutionID(id).
		SetReason(string(why)).Exec(ctx)
}

// linkEarlier links what ran against the images of a new release before it was created.
func (s *Store) linkEarlier(ctx context.Context, tx *db.Tx, row *db.Release, n releases.New) error {
	want := digestsOf(row)
	var ids []uuid.UUID
	if len(want) == 0 {
		found, err := tx.Execution.Query().Where(execution.Commit(row.Commit), execution.CreatedAtGT(n.Since)).IDs(ctx)
		if err != nil {
			return err
		}
		ids = found
	} else {
		attempts, err := tx.Attempt.Query().Where(attempt.SubjectEndNotNil(), attempt.CreatedAtGT(n.Since)).
			Select(attempt.FieldExecutionID, attempt.FieldSubjectEnd).All(ctx)
		if err != nil {
			return err
		}
		for _, a := range attempts {
			if subject := subjectRecord(a.SubjectEnd); subject != nil && within(want, *subject) && !slices.Contains(ids, a.ExecutionID) {
				ids = append(ids, a.ExecutionID)
			}
		}
	}
	for _, id := range ids {
		if err := s.link(ctx, tx, row, id, releases.Observed); err != nil {
			return err
		}
	}
	return nil
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
		if err := tx.Release.Update().Where(release.ID(id)).SetStaleAt(s.now()).SetCause(clean(cause)).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}
