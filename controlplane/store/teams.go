package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/apitoken"
	"github.com/seatrial/seatrial/ent/db/environment"
	"github.com/seatrial/seatrial/ent/db/invitation"
	"github.com/seatrial/seatrial/ent/db/readinesspolicy"
	"github.com/seatrial/seatrial/ent/db/release"
	"github.com/seatrial/seatrial/ent/db/team"
	"github.com/seatrial/seatrial/ent/db/teammember"
	"github.com/seatrial/seatrial/ent/db/template"
	"github.com/seatrial/seatrial/ent/db/trustrule"
	"github.com/seatrial/seatrial/ent/db/workflow"
)

// Teams lists the teams by name, with how much each has.
func (s *Store) Teams(ctx context.Context) ([]tenant.Team, error) {
	rows, err := s.db.Read().Team.Query().Order(team.ByName()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	has, err := s.belongings(ctx, s.db.Read(), nil)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]tenant.Team, len(rows))
	for i, row := range rows {
		out[i] = has.of(row)
	}
	return out, nil
}

// belonging is one kind of what teams have, and how much of it each has.
type belonging struct {
	what  string // one of it, in words
	count map[uuid.UUID]int
}

// belongings are all kinds: members, tokens and invitations first.
type belongings []belonging

const ownedFrom = 3 // the kinds before it do not count as owned

func (b belongings) of(row *db.Team) tenant.Team {
	out := tenant.Team{
		TeamRef: tenant.TeamRef{ID: row.ID, Name: row.Name}, CreatedAt: row.CreatedAt.UTC(),
		Members: b[0].count[row.ID], Tokens: b[1].count[row.ID], Invitations: b[2].count[row.ID],
	}
	for _, kind := range b[ownedFrom:] {
		out.Owns += kind.count[row.ID]
	}
	return out
}

// belongings counts what teams have, or one team.
func (s *Store) belongings(ctx context.Context, client *db.Client, only *uuid.UUID) (belongings, error) {
	var out belongings
	add := func(what string, scan func(rows *[]tally) error) error {
		var rows []tally
		if err := scan(&rows); err != nil {
			return fmt.Errorf("count %ss: %w", what, err)
		}
		kind := belonging{what, map[uuid.UUID]int{}}
		for _, row := range rows {
			if row.TeamID != nil && (only == nil || *row.TeamID == *only) {
				kind.count[*row.TeamID] = row.Count
			}
		}
		out = append(out, kind)
		return nil
	}
	now := s.now()
	for _, kind := range []struct {
		what string
		scan func(rows *[]tally) error
	}{
		{"member", func(rows *[]tally) error {
			return client.TeamMember.Query().GroupBy(teammember.FieldTeamID).Aggregate(db.Count()).Scan(ctx, rows)
		}},
		{"token", func(rows *[]tally) error {
			return client.APIToken.Query().Where(apitoken.ExpiresAtGT(now), apitoken.RevokedAtIsNil()).
				GroupBy(apitoken.FieldTeamID).Aggregate(db.Count()).Scan(ctx, rows)
		}},
		{"invitation", func(rows *[]tally) error {
			return client.Invitation.Query().Where(invitation.ExpiresAtGT(now), invitation.AcceptedAtIsNil(), invitation.WithdrawnAtIsNil()).
				GroupBy(invitation.FieldTeamID).Aggregate(db.Count()).Scan(ctx, rows)
		}},
		{"workflow", func(rows *[]tally) error {
			return client.Workflow.Query().GroupBy(workflow.FieldTeamID).Aggregate(db.Count()).Scan(ctx, rows)
		}},
		{"template", func(rows *[]tally) error {
			return client.Template.Query().GroupBy(template.FieldTeamID).Aggregate(db.Count()).Scan(ctx, rows)
		}},
		{"readiness policy", func(rows *[]tally) error {
			return client.ReadinessPolicy.Query().GroupBy(readinesspolicy.FieldTeamID).Aggregate(db.Count()).Scan(ctx, rows)
		}},
		{"environment", func(rows *[]tally) error {
			return client.Environment.Query().GroupBy(environment.FieldTeamID).Aggregate(db.Count()).Scan(ctx, rows)
		}},
		{"release", func(rows *[]tally) error {
			return client.Release.Query().GroupBy(release.FieldTeamID).Aggregate(db.Count()).Scan(ctx, rows)
		}},
		{"trust rule", func(rows *[]tally) error {
			return client.TrustRule.Query().GroupBy(trustrule.FieldTeamID).Aggregate(db.Count()).Scan(ctx, rows)
		}},
	} {
		if err := add(kind.what, kind.scan); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// tally is how many rows a team has; environments may have none.
type tally struct {
	TeamID *uuid.UUID `json:"team_id"`
	Count  int        `json:"count"`
}

// Team returns a team by name, or fault.NotFound.
func (s *Store) Team(ctx context.Context, name string) (tenant.TeamRef, error) {
	row, err := teamNamed(ctx, s.db.Read().Team.Query(), name)
	if err != nil {
		return tenant.TeamRef{}, database.Fault(err)
	}
	return tenant.TeamRef{ID: row.ID, Name: row.Name}, nil
}

func teamNamed(ctx context.Context, q *db.TeamQuery, name string) (*db.Team, error) {
	row, err := q.Where(team.Name(name)).Only(ctx)
	if db.IsNotFound(err) {
		return nil, fault.New(fault.NotFound, "there is no team %q", name).WithField("team").WithHint("List what there is with: seatrial team list.")
	}
	return row, err
}

// CreateTeam makes a team without anything, or returns fault.Conflict when there is one of this name.
func (s *Store) CreateTeam(ctx context.Context, name string) (made tenant.Team, err error) {
	v, _ := tenant.FromContext(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := tx.Team.Create().SetOrganizationID(v.Organization).SetName(name).Save(ctx)
		if database.Unique(err) {
			return nameTaken(name)
		}
		if err != nil {
			return err
		}
		made = tenant.Team{TeamRef: tenant.TeamRef{ID: row.ID, Name: row.Name}, CreatedAt: row.CreatedAt.UTC()}
		return s.notedTeam(ctx, tx, row)
	})
	return made, err
}

// notedTeam notes that something was done to a team.
func (s *Store) notedTeam(ctx context.Context, tx *db.Tx, row *db.Team) error {
	return s.noted(ctx, tx, audit.Object{Kind: "team", ID: row.ID.String(), Name: row.Name})
}

func nameTaken(name string) error {
	return fault.New(fault.Conflict, "there is a team %q already", name).WithField("name").WithHint("Choose another name.")
}

// RenameTeam gives a team another name. What it owns stays its own.
func (s *Store) RenameTeam(ctx context.Context, name, to string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := teamNamed(ctx, tx.Team.Query(), name)
		if err != nil {
			return err
		}
		err = row.Update().SetName(to).Exec(ctx)
		if database.Unique(err) {
			return nameTaken(to)
		}
		if err != nil {
			return err
		}
		audit.Of(ctx).Detail("renamed", to)
		return s.notedTeam(ctx, tx, row)
	})
}

// DeleteTeam deletes a team that has nothing and nobody, or returns fault.Conflict with what it has. What is over, tokens and
// invitations, goes with it.
func (s *Store) DeleteTeam(ctx context.Context, name string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := teamNamed(ctx, locked(s, tx.Team.Query()), name)
		if err != nil {
			return err
		}
		has, err := s.belongings(ctx, tx.Client(), &row.ID)
		if err != nil {
			return err
		}
		var left []string
		for _, kind := range has {
			if n := kind.count[row.ID]; n > 0 {
				left = append(left, numbered(n, kind.what))
			}
		}
		if len(left) > 0 {
			return fault.New(fault.Conflict, "the team %s still has %s", name, strings.Join(left, ", ")).
				WithHint("Hand what it owns to another team, take its members out, and revoke its tokens and invitations first.")
		}
		if _, err := tx.APIToken.Delete().Where(apitoken.TeamID(row.ID)).Exec(ctx); err != nil {
			return err
		}
		if _, err := tx.Invitation.Delete().Where(invitation.TeamID(row.ID)).Exec(ctx); err != nil {
			return err
		}
		if err := tx.Team.DeleteOne(row).Exec(ctx); err != nil {
			return err
		}
		return s.notedTeam(ctx, tx, row)
	})
}

func numbered(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if plural, ok := strings.CutSuffix(what, "y"); ok {
		return fmt.Sprintf("%d %sies", n, plural)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
