package execution

import "github.com/google/uuid"

// Topic names the hints that say an execution has changed. Topics begin with the organization, so that a subscription can never
// hear of another one.
func Topic(organization uuid.UUID, id ID) string {
	return organization.String() + "/execution/" + id.String()
}

// LogTopic names the hints that say a log has grown or ended.
func LogTopic(organization uuid.UUID, id AttemptID, stream string) string {
	return organization.String() + "/log/" + id.String() + "/" + stream
}

// EvidenceTopic is what is published when releases have to be decided anew, because something has come in that is evidence for them.
const EvidenceTopic = "evidence"

// ChangesTopic names the hints that say executions of an organization have changed, whichever they are.
func ChangesTopic(organization uuid.UUID) string { return organization.String() + "/executions" }
