package execution

import "time"

// DefaultPriority is that of workflows that name none.
const DefaultPriority = 50

// ahead is how much waiting one point of priority is worth.
const ahead = time.Minute

// Turn orders what waits for a cluster, the least first: by priority, then by age. A point of priority counts as a minute of waiting,
// so that of two executions of one time the one of higher priority goes first, and one of any priority is passed only by those that
// came less than a minute later for each point between them: at most an hour and forty minutes from 0 to 100. Nothing starves.
func Turn(priority int, created time.Time) int64 {
	return created.Add(-time.Duration(priority) * ahead).UnixMicro()
}
