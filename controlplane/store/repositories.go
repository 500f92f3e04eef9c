package store

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/claim"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/repository"
	"github.com/seatrial/seatrial/ent/db/setting"
)

// credentialsOf is how the settings begin that hold the credentials of an organization's repositories.
func credentialsOf(organization tenant.ID) string { return "repository/" + organization.String() + "/" }

// AddRepository registers a repository with its credential, which may be empty. It is read at once.
func (s *Store) AddRepository(ctx context.Context, r origin.Repository, credential []byte) (origin.Repository, error) {
	v, _ := tenant.FromContext(ctx)
	team, err := teamFor(ctx, s.db.Read().Team.Query(), r.Team)
	if err != nil {
		return r, database.Fault(err)
	}
	ctx = tenant.System(ctx) // its credential is a setting
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := tx.Repository.Create().SetOrganizationID(v.Organization).SetTeamID(team.ID).SetName(r.Name).SetURL(r.URL).SetBranch(r.Branch).
			SetPath(r.Path).SetKinds(string(r.Kinds)).SetInterval(int(r.Interval.Seconds())).SetCredential(len(credential) > 0).SetDueAt(s.now()).Save(ctx)
		if database.Unique(err) {
			return fault.New(fault.Conflict, "there is a repository %q already", r.Name).WithField("name").WithHint("Choose another name, or remove that one first.")
		}
		if err != nil {
			return err
		}
		if len(credential) > 0 {
			id := credentialsOf(v.Organization) + row.ID.String()
			value, err := s.sealed(id, credential)
			if err != nil {
				return err
			}
			if err := tx.Setting.Create().SetID(id).SetValue(value).Exec(ctx); err != nil {
				return err
			}
		}
		row.Edges.Team = team
		if r, err = repositoryRecord(row); err != nil {
			return err
		}
		audit.Of(ctx).Detail("url", r.URL)
		return s.noted(ctx, tx, audit.Object{Kind: "repository", ID: row.ID.String(), Name: row.Name})
	})
	return r, err
}

// Credential returns what is kept of the credential of a repository; nothing when it has none.
func (s *Store) Credential(ctx context.Context, r origin.Repository) ([]byte, error) {
	if v, ok := tenant.FromContext(ctx); !ok || v.Organization != r.Organization {
		return nil, fault.New(fault.NotFound, "there is no repository %q", r.Name)
	}
	rows, err := s.db.Read().Setting.Query().Where(setting.ID(credentialsOf(r.Organization) + r.ID.String())).All(tenant.System(ctx))
	if err != nil || len(rows) == 0 {
		return nil, database.Fault(err)
	}
	return s.opened(rows[0])
}

// RemoveRepository forgets a repository and its credential.
func (s *Store) RemoveRepository(ctx context.Context, r origin.Repository) error {
	if v, ok := tenant.FromContext(ctx); !ok || v.Organization != r.Organization {
		return fault.New(fault.NotFound, "there is no repository %q", r.Name)
	}
	ctx = tenant.System(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Setting.Delete().Where(setting.ID(credentialsOf(r.Organization) + r.ID.String())).Exec(ctx); err != nil {
			return err
		}
		if _, err := tx.Claim.Delete().Where(claim.RepositoryID(r.ID)).Exec(ctx); err != nil { // whoever read it meanwhile may have made some
			return err
		}
		if _, err := tx.Repository.Delete().Where(repository.ID(r.ID), repository.OrganizationID(r.Organization)).Exec(ctx); err != nil {
			return err
		}
		return s.noted(ctx, tx, audit.Object{Kind: "repository", ID: r.ID.String(), Name: r.Name})
	})
}

// Repositories lists by name.
func (s *Store) Repositories(ctx context.Context) ([]origin.Repository, error) {
	return s.repositories(ctx)
}

func (s *Store) repositories(ctx context.Context, where ...predicate.Repository) ([]origin.Repository, error) {
	rows, err := s.db.Read().Repository.Query().Where(where...).WithTeam().Order(repository.ByName()).Select(listed()...).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]origin.Repository, len(rows))
	for i, row := range rows {
		if out[i], err = repositoryRecord(row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// listed are the columns of a repository but for where its branches are, which may be long.
func listed() []string {
	return slices.DeleteFunc(slices.Clone(repository.Columns), func(c string) bool { return c == repository.FieldTips })
}

// Repository returns a registered repository.
func (s *Store) Repository(ctx context.Context, id uuid.UUID) (origin.Repository, error) {
	row, err := s.db.Read().Repository.Query().Where(repository.ID(id)).WithTeam().Only(ctx)
	if db.IsNotFound(err) {
		return origin.Repository{}, fault.New(fault.NotFound, "there is no repository %s", id)
	}
	if err != nil {
		return origin.Repository{}, database.Fault(err)
	}
	return withTips(row)
}

// RepositoryNamed returns a registered repository.
func (s *Store) RepositoryNamed(ctx context.Context, name string) (origin.Repository, error) {
	found, err := s.repositories(ctx, repository.Name(name))
	if err == nil && len(found) == 0 {
		err = fault.New(fault.NotFound, "there is no repository %q", name).WithField("name").WithHint("List what there is with: seatrial repository list.")
	}
	if err != nil {
		return origin.Repository{}, err
	}
	return found[0], nil
}

// LeaseRepository takes a repository for one reader; ok is false while another one has it.
func (s *Store) LeaseRepository(ctx context.Context, id uuid.UUID, lease time.Duration) (ok bool, err error) {
	now := s.now()
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Repository.Update().Where(repository.ID(id), repository.Or(repository.LeasedUntilIsNil(), repository.LeasedUntilLT(now))).
			SetLeasedUntil(now.Add(lease)).SetDueAt(now.Add(lease)).Save(ctx)
		ok = n == 1
		return err
	})
	return ok, err
}

// RenewRepository keeps a repository for whoever reads it; fault.Conflict once the lease is over, because it may be another's by then. That a
// push has made it due meanwhile stays.
func (s *Store) RenewRepository(ctx context.Context, id uuid.UUID, lease time.Duration) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		now := s.now()
		n, err := tx.Repository.Update().Where(repository.ID(id), repository.LeasedUntilGTE(now)).SetLeasedUntil(now.Add(lease)).Save(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "the lease of repository %s is over", id)
		}
		return tx.Repository.Update().Where(repository.ID(id), repository.DueAtGT(now)).SetDueAt(now.Add(lease)).Exec(ctx)
	})
}

// DueRepositories takes repositories that are to be read, of all organizations, for one reader. It runs as system.
func (s *Store) DueRepositories(ctx context.Context, limit, each int, lease time.Duration) (due []origin.Repository, err error) {
	ctx = tenant.System(ctx)
	now := s.now()
	open := repository.And(repository.DueAtLTE(now), repository.Or(repository.LeasedUntilIsNil(), repository.LeasedUntilLT(now)))
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		due = nil
		// Of each organization with something to read, since when; and how many of its repositories are being read.
		var waiting, busy []struct {
			Organization uuid.UUID `json:"organization_id"`
			Count        int       `json:"count"`
		}
		if err := tx.Repository.Query().Where(open).GroupBy(repository.FieldOrganizationID).Aggregate(db.Count()).Scan(ctx, &waiting); err != nil || len(waiting) == 0 {
			return err
		}
		if err := tx.Repository.Query().Where(repository.LeasedUntilGTE(now)).GroupBy(repository.FieldOrganizationID).Aggregate(db.Count()).Scan(ctx, &busy); err != nil {
			return err
		}
		// Of thousands of organizations some are looked at, by chance: the others are at another time.
		rand.Shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] }) //nolint:gosec // G404: nobody gains by knowing
		room := map[uuid.UUID]int{}
		for _, o := range waiting[:min(len(waiting), 4*limit)] {
			room[o.Organization] = each
		}
		for _, o := range busy {
			if _, ok := room[o.Organization]; ok {
				room[o.Organization] -= o.Count
			}
		}
		for len(due) < limit && len(room) > 0 {
			some, err := s.takeDue(ctx, tx, open, room, limit-len(due), now.Add(lease))
			if err != nil || len(some) == 0 {
				return err
			}
			due = append(due, some...)
		}
		return nil
	})
	return due, err
}

// takeDue takes the repository that has waited longest, of each organization that has room, which it takes up.
func (s *Store) takeDue(ctx context.Context, tx *db.Tx, open predicate.Repository, room map[uuid.UUID]int, limit int, until time.Time) (due []origin.Repository, err error) {
	var oldest []*db.Repository
	for organization, n := range room {
		if n <= 0 {
			delete(room, organization)
			continue
		}
		rows, err := locked(s, tx.Repository.Query().Where(open, repository.OrganizationID(organization)).Order(repository.ByDueAt()).Limit(1),
			entsql.WithLockAction(entsql.SkipLocked)).All(ctx)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			delete(room, organization)
		}
		oldest = append(oldest, rows...)
	}
	slices.SortFunc(oldest, func(a, b *db.Repository) int { return timeOf(a.DueAt).Compare(timeOf(b.DueAt)) })
	for _, row := range oldest[:min(limit, len(oldest))] {
		if err := tx.Repository.UpdateOneID(row.ID).SetLeasedUntil(until).SetDueAt(until).Exec(ctx); err != nil {
			return nil, err
		}
		room[row.OrganizationID]--
		r, err := withTips(row)
		if err != nil {
			return nil, err
		}
		due = append(due, r)
	}
	return due, nil
}

// RepositoriesPushed makes those repositories of the viewer's organization due that a push concerns, and returns how many. One that is being
// read meanwhile is read once more.
func (s *Store) RepositoriesPushed(ctx context.Context, path, branch string) (n int, err error) {
	v, _ := tenant.FromContext(ctx)
	ctx = insider(ctx, v.Organization) // whoever may send pushes need not see every repository
	all, err := s.Repositories(ctx)
	if err != nil {
		return 0, err
	}
	var ids []uuid.UUID
	for _, r := range all {
		if r.Concerns(path, branch) {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		n, err = tx.Repository.Update().Where(repository.IDIn(ids...)).SetDueAt(s.now()).Save(ctx)
		return err
	})
	return n, err
}

// SaveLook stores what came of reading a repository, which is due again after its interval, or at once when it became due meanwhile.
func (s *Store) SaveLook(ctx context.Context, r origin.Repository, look origin.Look) error {
	problems, err := json.Marshal(look.Problems)
	if err != nil {
		return fmt.Errorf("encode problems: %w", err)
	}
	tips, err := json.Marshal(look.Tips)
	if err != nil {
		return fmt.Errorf("encode branches: %w", err)
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := tx.Repository.Update().Where(repository.ID(r.ID), repository.DueAtGT(s.now())).SetDueAt(s.now().Add(r.Interval)).Exec(ctx); err != nil {
			return err
		}
		up := tx.Repository.Update().Where(repository.ID(r.ID)).ClearLeasedUntil().SetFailure(clean(look.Failure)).ClearTips()
		if look.Tips != nil {
			up = tx.Repository.Update().Where(repository.ID(r.ID)).ClearLeasedUntil().SetFailure(clean(look.Failure)).SetTips(tips)
		}
		if look.Failure == "" {
			up.SetCommit(look.Commit).SetDocuments(look.Documents).SetProblems(problems).SetSyncedAt(s.now())
		}
		return up.Exec(ctx)
	})
}

// withTips is a repository with where its branches and tags are.
func withTips(row *db.Repository) (origin.Repository, error) {
	r, err := repositoryRecord(row)
	if err == nil && len(row.Tips) > 0 {
		if err := json.Unmarshal(row.Tips, &r.Tips); err != nil {
			return r, fmt.Errorf("branches of repository %s: %w", row.Name, err)
		}
	}
	return r, err
}

func repositoryRecord(row *db.Repository) (origin.Repository, error) {
	r := origin.Repository{
		ID: row.ID, Organization: row.OrganizationID, Name: row.Name, URL: row.URL, Branch: row.Branch, Path: row.Path, Kinds: origin.Kinds(row.Kinds),
		TeamID: row.TeamID, Interval: time.Duration(row.Interval) * time.Second, Sealed: row.Credential, Commit: row.Commit, Documents: row.Documents,
		Failure: row.Failure, SyncedAt: timeOf(row.SyncedAt), CreatedAt: row.CreatedAt.UTC(),
	}
	if row.Edges.Team != nil {
		r.Team = row.Edges.Team.Name
	}
	if len(row.Problems) > 0 {
		if err := json.Unmarshal(row.Problems, &r.Problems); err != nil {
			return r, fmt.Errorf("problems of repository %s: %w", row.Name, err)
		}
	}
	return r, nil
}
