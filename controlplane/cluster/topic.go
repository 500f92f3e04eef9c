package cluster

import "github.com/google/uuid"

// TopicRevoked names the hints that say that the right of some agent was taken away. It is one for all organizations: who hears it asks
// the store, and a replica listens to it once.
const TopicRevoked = "agents/revoked"

// TopicExamine names the hints that say somebody wants the agent of a cluster to look at itself.
func TopicExamine(organization uuid.UUID, id ID) string {
	return organization.String() + "/cluster/" + id.String() + "/examine"
}

// TopicExamined names the hints that say the agent of a cluster has looked at itself.
func TopicExamined(organization uuid.UUID, id ID) string {
	return organization.String() + "/cluster/" + id.String() + "/examined"
}

// Topic names the hints that say a command waits for the agent of a cluster.
func Topic(organization uuid.UUID, id ID) string {
	return organization.String() + "/cluster/" + id.String()
}
