package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	record "github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/cluster"
)

// An examination that was asked for so long ago is given up: another one is asked for then.
const examinationLife = 45 * time.Second

// AskExamination notes that somebody wants the agent of a cluster to look at itself, and returns what its answer will name. Who asks while
// one is under way shares it.
func (s *Store) AskExamination(ctx context.Context, name string) (c record.Cluster, id uuid.UUID, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := locked(s, tx.Cluster.Query().Where(cluster.Name(name))).Only(ctx)
		if db.IsNotFound(err) {
			return fault.New(fault.NotFound, "there is no cluster %q", name).WithHint("List them with: seatrial cluster list.")
		}
		if err != nil {
			return err
		}
		c = s.clusterRecord(row)
		if !c.Connected {
			return fault.New(fault.Conflict, "the agent of cluster %s is not connected, so that nobody can ask it", name).
				WithHint("%s", c.Away(false))
		}
		if row.ExamineID != nil && s.underWay(row) {
			id = *row.ExamineID
			return nil
		}
		id = uuid.New()
		if err := row.Update().SetExamineID(id).SetExamineAskedAt(s.now()).Exec(ctx); err != nil {
			return err
		}
		return s.noted(ctx, tx, audit.Object{Kind: "cluster", ID: row.ID.String(), Name: row.Name})
	})
	return c, id, err
}

// underWay tells whether a cluster's agent was asked and has not answered.
func (s *Store) underWay(row *db.Cluster) bool {
	return row.ExamineID != nil && (row.ExaminedID == nil || *row.ExaminedID != *row.ExamineID) &&
		row.ExamineAskedAt != nil && s.now().Sub(*row.ExamineAskedAt) < examinationLife
}

// Examination returns what the agent of a cluster answered last.
func (s *Store) Examination(ctx context.Context, name string) (record.Examination, error) {
	row, err := s.db.Read().Cluster.Query().Where(cluster.Name(name)).Only(ctx)
	if err != nil {
		return record.Examination{}, database.Fault(err)
	}
	out := record.Examination{At: timeOf(row.ExaminedAt)}
	if row.ExaminedID == nil {
		return out, nil
	}
	out.ID = *row.ExaminedID
	if err := json.Unmarshal(row.Examined, &out.Checks); err != nil {
		return record.Examination{}, fault.Wrap(fault.Internal, err, "the examination of cluster "+name+" cannot be read")
	}
	return out, nil
}

// AskedExamination returns what the agent of the context was asked for and has not answered; zero for nothing.
func (s *Store) AskedExamination(ctx context.Context) (uuid.UUID, error) {
	v, err := agent(ctx)
	if err != nil {
		return uuid.Nil, err
	}
	row, err := s.db.Read().Cluster.Get(ctx, v.Cluster)
	if err != nil {
		return uuid.Nil, database.Fault(err)
	}
	if !s.underWay(row) {
		return uuid.Nil, nil
	}
	return *row.ExamineID, nil
}

// AnswerExamination stores what the agent of the context found. An answer to what nobody asks any more is ignored, and so is a
// second one.
func (s *Store) AnswerExamination(ctx context.Context, id uuid.UUID, checks []record.Check) error {
	v, err := agent(ctx)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(checks)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "an examination cannot be stored")
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Cluster.Update().Where(cluster.ID(v.Cluster), cluster.ExamineID(id), cluster.Or(cluster.ExaminedIDIsNil(), cluster.ExaminedIDNEQ(id))).
			SetExaminedID(id).SetExaminedAt(s.now()).SetExamined(raw).Exec(ctx)
	})
}
