package agentlink

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Store is what the agents' service needs of the database. Calls act for the agent in the context (a tenant.KindAgent viewer):
// rows of other clusters are fault.NotFound.
type Store interface {
	// OpenSession advances the session epoch of the agent's cluster and stores what it said; fault.Unauthenticated when revoked.
	OpenSession(ctx context.Context, hello cluster.Hello) (epoch int64, err error)
	// CloseSession marks the cluster disconnected when epoch is still the newest.
	CloseSession(ctx context.Context, epoch int64) error
	// TouchSessions stores that the sessions were alive just now, in few statements for all; those whose epoch is no longer the
	// newest are returned as superseded, those whose agent lost its right as revoked. It runs as system.
	TouchSessions(ctx context.Context, epochs map[cluster.ID]int64) (superseded, revoked []cluster.ID, err error)
	// RevokedAgents returns the agents whose right was taken away within the last time and not given back. It runs as system.
	RevokedAgents(ctx context.Context, within time.Duration) ([]cluster.ID, error)
	// WaitingCommands returns those of the clusters for which commands are queued, or were sent more than resend ago without an
	// answer: one statement for all, for the sweep that makes up for lost hints. It runs as system.
	WaitingCommands(ctx context.Context, ids []cluster.ID, resend time.Duration) ([]cluster.ID, error)
	// WatchStamps returns for organizations what is another text whenever their agents may have something else to look at. It runs as
	// system.
	WatchStamps(ctx context.Context, orgs []tenant.ID) (map[tenant.ID]string, error)
	// TakeCommands marks at most limit commands of the agent as sent in this epoch and returns them: those queued, and those
	// sent more than resend ago without an answer. Cancel and release are not counted against limit.
	TakeCommands(ctx context.Context, epoch int64, limit int, resend, expiry time.Duration) ([]cluster.Command, error)
	// AckCommand stores the agent's answer. Done and Exists on a start move the attempt to assigned; Rejected ends it as
	// errored with the message; Expired and Deferred leave the command to be sent again. Unknown ids are ignored.
	AckCommand(ctx context.Context, id uuid.UUID, outcome cluster.Outcome, message string) (execution.Effects, error)
	// Assignment returns the encoded assignment of an attempt of this agent.
	Assignment(ctx context.Context, id execution.AttemptID) (spec []byte, digest string, err error)
	// Reconcile compares a whole inventory with the records. Assigned or later attempts that the inventory lacks end as errored, unless
	// they were assigned less than grace ago: with the reason AgentLost when the Job went while the agent was away, which a run may be
	// tried anew after, else with JobDeleted.
	Reconcile(ctx context.Context, present []execution.AttemptID, grace time.Duration) (execution.Reconciled, error)
}

// Identity turns bootstrap tokens into agents and keys into tokens; all of it runs before there is a viewer.
type Identity interface {
	// Enrol spends a bootstrap token and registers the public key; the same token with the same key answers as before.
	Enrol(ctx context.Context, bootstrapToken string, publicKey []byte, clusterUID, agentVersion string) (cluster.Identity, error)
	// Challenge returns a nonce that lives one minute and can be used once.
	Challenge(ctx context.Context, id cluster.ID) (nonce []byte, err error)
	// Renew checks the signature over the nonce and returns the identity; fault.Unauthenticated when it does not hold.
	Renew(ctx context.Context, id cluster.ID, nonce, signature []byte) (cluster.Identity, error)
	// RotateKey registers a second key that one that holds has signed; proof is the new key's own signature.
	RotateKey(ctx context.Context, id cluster.ID, nonce, key, signature, proof []byte) error
	// Token issues the short-lived token of an agent.
	Token(ctx context.Context, id cluster.Identity) (token string, expires time.Time, err error)
	// Agent checks a token and that its agent is not revoked, and returns its viewer.
	Agent(ctx context.Context, token string) (tenant.Viewer, error)
}

// Bus carries hints; losing one costs latency only.
type Bus interface {
	Publish(ctx context.Context, topic string)
	// Subscribe returns a channel with room for one signal, which gets one after each publication; cancel ends it.
	Subscribe(ctx context.Context, topics ...string) (wake <-chan struct{}, cancel func())
}

// Intake takes what agents deliver.
type Intake interface {
	// Report stores a snapshot and returns the attempt's status afterwards.
	Report(ctx context.Context, r execution.Report) (execution.Status, error)
	// Append commits chunks of one agent in order, each of any stream; the answer for a chunk is the committed end of its
	// stream, or in Refused why it can never be stored.
	Append(ctx context.Context, chunks []execution.Chunk) ([]execution.StreamState, error)
	// Streams returns how far each stream of an attempt is committed.
	Streams(ctx context.Context, id execution.AttemptID) ([]execution.StreamState, error)
	// File stores the bytes of a report or artifact; size and digest of f are checked while reading.
	File(ctx context.Context, f execution.File, body Reader) error
}

// Reader reads a file's bytes; it is io.Reader, named here so that the interface reads on its own.
type Reader interface {
	Read(p []byte) (int, error)
}
