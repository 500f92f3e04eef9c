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

// TurnAfter is the turn of a run of a workflow of which others of the same priority wait in the cluster, the last of them with the turn
// last; 0 when none does. Each that waits before it costs it a point of priority. So workflows take turns, however many runs one of them
// asks for, and one that asks for many still gets a run a minute when others keep coming. It is start-time fair queueing (Goyal, Vin and
// Cheng, SIGCOMM 1996) with runs that all cost the same.
func TurnAfter(last int64, priority int, created time.Time) int64 {
	own := Turn(priority, created)
	if last == 0 {
		return own
	}
	return max(own, last+ahead.Microseconds())
}
