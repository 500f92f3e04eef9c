package cluster

import "time"

// Enrolment is a request to register a cluster, or to issue a new bootstrap token for one that is not connected.
type Enrolment struct {
	Name        string
	Environment string // made for the cluster when there is none of this name
	Namespace   string // where its tests run
	TokenHash   []byte // SHA-256 of the bootstrap token
	ExpiresAt   time.Time
}

// Arrival is what an agent presents to spend a bootstrap token.
type Arrival struct {
	TokenHash    []byte
	PublicKey    []byte
	ClusterUID   string
	AgentVersion string
}
