// Package cluster describes the places where tests run: clusters, their agents, the environments in them, and the commands
// that wait for an agent.
package cluster

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// ID identifies a cluster; each has one agent identity, so it names the agent too.
type ID = uuid.UUID

// OfflineAfter is how long an agent may be silent before it counts as disconnected.
const OfflineAfter = 45 * time.Second

// Cluster is a Kubernetes cluster and what its agent last said of it.
type Cluster struct {
	ID                ID
	Organization      uuid.UUID
	Name              string
	UID               string // of the namespace kube-system; empty until enrolled
	Enrolled          bool
	Connected         bool
	ConnectedAt       time.Time
	LastSeenAt        time.Time // zero when never
	AgentVersion      string
	KubernetesVersion string
	RunnerDelivery    string // "image-volume" or "init-copy"
	Namespaces        []string
	Rules             []string  // what its agent allows of a test's pod, a sentence each
	KeySince          time.Time // when the key of its agent was registered; zero when nobody knows
	RotationAsked     bool      // a person wants its agent to take another key
	RevokedAt         time.Time // when the right of its agent was taken away; zero while it holds
	RevokedReason     string
	CatalogKinds      string // of the documents that its agent may bring: none, tests or all
	CatalogTeam       string // owns those documents; empty for the only team there is
	MaxRuns           int    // under way there at once; 0 for as many as the agent takes
	Drained           Drain
	Busy              int // runs that have a place there; counted in lists only
	Queued            int // runs that wait for one; counted in lists only
	CreatedAt         time.Time
}

// Catalog is what the documents are that a cluster's agent brings.
type Catalog struct {
	Cluster string
	Kinds   string
	Team    uuid.UUID // owns them; zero when nobody has said and there are several
}

// Load is how much a cluster has to do.
type Load struct {
	Away    bool // its agent is not connected
	Drained bool // nothing begins there
	Active  int  // attempts that have not ended
}

// Environment is a named place to test: a namespace of a cluster.
type Environment struct {
	ID          uuid.UUID
	Name        string
	ClusterID   ID
	ClusterName string
	Namespace   string
	Team        string            // that owns it; empty when none does, and when it is not asked for
	Labels      map[string]string // as its document says; see Selectable
	Tier        string            // how near to production it is; empty when nobody says
	Description string
	Digest      string // of its document; empty for one that no document describes
	Source      string // the document; empty without one
	UpdatedAt   time.Time
}

// tierLabel is the label by which an environment is selected that has a tier.
const tierLabel = "tier"

// Selectable returns the labels by which workflows select the environment: its own, and its tier as the label "tier".
func (e Environment) Selectable() map[string]string {
	out := make(map[string]string, len(e.Labels)+1)
	if e.Tier != "" {
		out[tierLabel] = e.Tier
	}
	maps.Copy(out, e.Labels)
	return out
}

// Selected returns the environments that have all of some labels, in their order.
func Selected(all []Environment, labels map[string]string) []Environment {
	return slices.DeleteFunc(slices.Clone(all), func(e Environment) bool {
		has := e.Selectable()
		for name, value := range labels {
			if got, ok := has[name]; !ok || got != value {
				return true
			}
		}
		return false
	})
}

// Words writes labels for people, sorted: "region=eu, tier=staging".
func Words(labels map[string]string) string {
	parts := make([]string, 0, len(labels))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, name+"="+labels[name])
	}
	return strings.Join(parts, ", ")
}

// Identity is what is needed to check an agent's credential.
type Identity struct {
	Cluster       ID
	Organization  uuid.UUID
	Name          string
	PublicKey     []byte // Ed25519, 32 bytes
	NextKey       []byte // a second key that is as good, until it is used and takes the other's place; nil without one
	RotationAsked bool   // a person wants the agent to take another key
	Revoked       bool
	RevokedReason string
}

// Hello is what an agent says of itself when a session opens.
type Hello struct {
	AgentVersion      string
	KubernetesVersion string
	RunnerDelivery    string
	Namespaces        []string
	Rules             []string // see Cluster.Rules
	Gateway           string   // id of the replica that holds the session
}

// CommandKind is what a command asks for.
type CommandKind string

// The kinds of command.
const (
	Start   CommandKind = "start"
	Cancel  CommandKind = "cancel"
	Resume  CommandKind = "resume"
	Release CommandKind = "release"
)

// Command is a row that is sent to the agent until it acknowledges it.
type Command struct {
	ID         uuid.UUID
	Kind       CommandKind
	Attempt    uuid.UUID
	Step       int    // resume: index of the step
	Reason     string // of a cancel or resume
	Verdict    string // resume: status that the step ends with; empty for one that waits for a person
	Spec       []byte // start: encoded agent.v1.Assignment
	SpecDigest string
	ExpiresAt  time.Time // set when the command is taken for sending
	Tries      int
}

// Outcome is an agent's answer to a command.
type Outcome string

// The outcomes.
const (
	Done     Outcome = "done"
	Exists   Outcome = "exists"
	Rejected Outcome = "rejected"
	Expired  Outcome = "expired"
	Deferred Outcome = "deferred"
)
