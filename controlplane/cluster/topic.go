package cluster

import "github.com/google/uuid"

// Topic names the hints that say a command waits for the agent of a cluster.
func Topic(organization uuid.UUID, id ID) string {
	return organization.String() + "/cluster/" + id.String()
}
