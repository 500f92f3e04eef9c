package cluster

import "github.com/google/uuid"

// TopicRevoked names the hints that say that the right of some agent was taken away. It is one for all organizations: who hears it asks
// the store, and a replica listens to it once.
const TopicRevoked = "agents/revoked"

// Topic names the hints that say a command waits for the agent of a cluster.
func Topic(organization uuid.UUID, id ID) string {
	return organization.String() + "/cluster/" + id.String()
}
