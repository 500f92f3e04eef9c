package store

import (
	"bytes"
	"context"
	"crypto/subtle"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	record "github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/bootstraptoken"
	"github.com/seatrial/seatrial/ent/db/cluster"
	"github.com/seatrial/seatrial/ent/db/environment"
)

// newTokenHint tells how to get a bootstrap token that works.
const newTokenHint = "Make a new one with: seatrial cluster enroll NAME." //nolint:gosec // G101: a sentence, not a secret

// EnrollCluster registers a cluster with an environment and a bootstrap token. For a cluster that is there but not connected it
// issues another token and voids the ones before, so that a lost token or a lost agent costs one more call; an environment that a
// document has moved meanwhile stays where it is. The cluster is of the viewer's organization.
func (s *Store) EnrollCluster(ctx context.Context, e record.Enrolment) (made record.Cluster, env record.Environment, err error) {
	v, _ := tenant.FromContext(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, known, err := s.clusterToEnroll(ctx, tx, v, e.Name)
		if err != nil {
			return err
		}
		place, err := environmentToEnroll(ctx, tx, row, known, e, v.Team)
		if err != nil {
			return err
		}
		if err := tx.BootstrapToken.Update().Where(bootstraptoken.ClusterID(row.ID), bootstraptoken.UsedAtIsNil()).
			SetExpiresAt(s.now()).Exec(ctx); err != nil {
			return err
		}
		if err := tx.BootstrapToken.Create().SetOrganizationID(v.Organization).SetClusterID(row.ID).SetHash(e.TokenHash).
			SetExpiresAt(e.ExpiresAt.UTC().Truncate(time.Microsecond)).Exec(ctx); err != nil {
			return err
		}
		made, env = s.clusterRecord(row), environmentRecord(place)
		if env.ClusterID == row.ID {
			env.ClusterName = row.Name
		}
		audit.Of(ctx).Detail("environment", place.Name)
		return s.noted(ctx, tx, audit.Object{Kind: "cluster", ID: row.ID.String(), Name: row.Name})
	})
	return made, env, err
}

// clusterToEnroll returns the cluster of an enrolment, which it makes when it is not known.
func (s *Store) clusterToEnroll(ctx context.Context, tx *db.Tx, v tenant.Viewer, name string) (row *db.Cluster, known bool, err error) {
	row, err = locked(s, tx.Cluster.Query().Where(cluster.Name(name))).Only(ctx)
	switch {
	case db.IsNotFound(err):
		if err := s.mayEnroll(ctx, tx, v.Organization); err != nil {
			return nil, false, err
		}
		row, err = tx.Cluster.Create().SetOrganizationID(v.Organization).SetName(name).Save(ctx)
		if database.Unique(err) {
			err = database.ErrRetry
		}
		return row, false, err
	case err != nil:
		return nil, false, err
	case s.clusterRecord(row).Connected:
		return nil, false, fault.New(fault.Conflict, "there is a cluster %q already and its agent is connected", name).WithField("name").
			WithHint("Choose another name, or uninstall the agent of that cluster first.")
	default:
		return row, true, nil
	}
}

// environmentToEnroll returns the environment of an enrolment, which it makes when there is none. The cluster is known when it was there
// before: that a document says where the environment is now is no reason not to issue a token for it.
func environmentToEnroll(ctx context.Context, tx *db.Tx, row *db.Cluster, known bool, e record.Enrolment, owner uuid.UUID) (*db.Environment, error) {
	place, err := tx.Environment.Query().WithCluster().Where(environment.Name(e.Environment)).Only(ctx)
	switch {
	case db.IsNotFound(err):
		c := tx.Environment.Create().SetOrganizationID(row.OrganizationID).SetClusterID(row.ID).SetName(e.Environment).
			SetNamespace(e.Namespace)
		if owner != uuid.Nil {
			c.SetTeamID(owner)
		}
		place, err = c.Save(ctx)
		if database.Unique(err) {
			err = database.ErrRetry
		}
		return place, err
	case err != nil:
		return nil, err
	case place.RemovedAt != nil: // it is as if it had never been
		up := place.Update().ClearRemovedAt().SetClusterID(row.ID).SetNamespace(e.Namespace).SetDigest("").SetSource("").SetTier("").SetLabels(nil)
		if owner != uuid.Nil {
			up.SetTeamID(owner)
		}
		return up.Save(ctx)
	case known && place.Digest != "": // of a document
		return place, nil
	case place.ClusterID != row.ID || place.Namespace != e.Namespace:
		return nil, fault.New(fault.Conflict, "there is an environment %q already, for another cluster or namespace", e.Environment).
			WithField("environment").WithHint("Choose another name for the environment.")
	default:
		return place, nil
	}
}

// SpendBootstrap registers the agent's key. Repeated with the same token and key within the token's life it answers as before, so
// that a lost answer costs nothing. Whatever agent the cluster had before is fenced off.
func (s *Store) SpendBootstrap(ctx context.Context, a record.Arrival) (identity record.Identity, err error) {
	ctx = tenant.System(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		token, err := locked(s, tx.BootstrapToken.Query().Where(bootstraptoken.Hash(a.TokenHash))).Only(ctx)
		if db.IsNotFound(err) || (err == nil && subtle.ConstantTimeCompare(token.Hash, a.TokenHash) != 1) {
			return fault.New(fault.Unauthenticated, "the bootstrap token is unknown").WithHint(newTokenHint)
		}
		if err != nil {
			return err
		}
		again := token.UsedAt != nil && bytes.Equal(token.UsedKey, a.PublicKey)
		if err := s.checkBootstrap(token, again); err != nil {
			return err
		}
		row, err := tx.Cluster.Get(ctx, token.ClusterID)
		if err != nil {
			return err
		}
		if row.Revoked && (bytes.Equal(row.PublicKey, a.PublicKey) || bytes.Equal(row.NextKey, a.PublicKey)) {
			return fault.New(fault.Conflict, "this key of the agent was revoked; it takes a new one").
				WithHint("Upgrade the agent's chart, which makes a new key, or empty the agent's Secret.")
		}
		if !again {
			if row, err = s.register(ctx, token, row, a); err != nil {
				return err
			}
		}
		identity = identityRecord(row)
		if again {
			return nil
		}
		audit.Of(ctx).By(tenant.Viewer{Kind: tenant.KindAgent, Organization: row.OrganizationID, Subject: row.ID, Credential: token.ID, Name: row.Name})
		return s.noted(ctx, tx, audit.Object{Kind: "cluster", ID: row.ID.String(), Name: row.Name})
	})
	return identity, err
}

func (s *Store) checkBootstrap(token *db.BootstrapToken, again bool) error {
	switch {
	case token.UsedAt != nil && !again:
		return fault.New(fault.Unauthenticated, "the bootstrap token was used already").WithHint(newTokenHint)
	case !s.now().Before(token.ExpiresAt):
		return fault.New(fault.Unauthenticated, "the bootstrap token expired on %s", token.ExpiresAt.UTC().Format(time.RFC1123)).
			WithHint(newTokenHint)
	default:
		return nil
	}
}

func (s *Store) register(ctx context.Context, token *db.BootstrapToken, row *db.Cluster, a record.Arrival) (*db.Cluster, error) {
	if err := token.Update().SetUsedAt(s.now()).SetUsedKey(a.PublicKey).Exec(ctx); err != nil {
		return nil, err
	}
	return row.Update().SetPublicKey(slices.Clone(a.PublicKey)).SetUID(clean(a.ClusterUID)).SetAgentVersion(clean(a.AgentVersion)).
		SetEnrolledAt(s.now()).SetKeySince(s.now()).ClearNextKey().SetRotationAsked(false).
		SetRevoked(false).ClearRevokedAt().SetRevokedReason("").SetConnected(false).AddSessionEpoch(1).Save(ctx)
}

// AgentIdentity returns what is needed to check an agent's credential.
func (s *Store) AgentIdentity(ctx context.Context, id record.ID) (record.Identity, error) {
	row, err := s.db.Read().Cluster.Get(tenant.System(ctx), id)
	if err != nil {
		return record.Identity{}, missing(err, "agent", id)
	}
	return identityRecord(row), nil
}

// SpendNonce uses a nonce that was issued at a time. It reports false when that nonce, or a later one, was used before.
func (s *Store) SpendNonce(ctx context.Context, id uuid.UUID, issued int64) (fresh bool, err error) {
	ctx = tenant.System(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Cluster.Update().Where(cluster.ID(id), cluster.NonceMarkLT(issued)).SetNonceMark(issued).Save(ctx)
		fresh = n > 0
		return err
	})
	return fresh, err
}

func identityRecord(row *db.Cluster) record.Identity {
	return record.Identity{
		Cluster: row.ID, Organization: row.OrganizationID, Name: row.Name, PublicKey: row.PublicKey, NextKey: row.NextKey,
		RotationAsked: row.RotationAsked, Revoked: row.Revoked, RevokedReason: row.RevokedReason,
	}
}
