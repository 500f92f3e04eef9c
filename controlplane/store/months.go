package store

import (
	"encoding/binary"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/predicate"
	"github.com/seatrial/seatrial/ent/db/testresult"
)

// PostgreSQL keeps results by month, and the first bits of an id are a time: a query that says from which id to which looks into those
// months alone. So each does.

// skew is by how much the clocks of two replicas may differ.
const skew = time.Hour

// firstID is before every id that was made since a time, which the first bits of an id are.
func firstID(since time.Time) (id uuid.UUID) {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(0, since.UnixMilli())))
	copy(id[:], ms[2:])
	return id
}

// beginOf is the inverse of firstID.
func beginOf(id uuid.UUID) time.Time {
	var ms [8]byte
	copy(ms[2:], id[:])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC() //nolint:gosec // of 48 bits
}

// resultsIn is fulfilled by the results of executions, which are read with their id and the time of their last change: none came in
// before the execution was made, or after that change.
func resultsIn(heads ...*db.Execution) predicate.TestResult {
	var ids []uuid.UUID
	from, until := time.Now(), time.Time{}
	for _, head := range heads {
		ids = append(ids, head.ID)
		made := time.Time{} // unknown
		if head.ID.Version() == timed {
			made = timeOfID(head.ID)
		}
		if made.Before(from) {
			from = made
		}
		if head.UpdatedAt.After(until) {
			until = head.UpdatedAt
		}
	}
	from, until = from.Add(-skew), until.Add(skew)
	return testresult.And(testresult.ExecutionIDIn(ids...), testresult.IDGTE(firstID(from)), testresult.IDLT(firstID(until)), inMonths(from, until))
}

// inMonths says in the text of a query which months its results are in, beside what says so by arguments. By that every plan of it knows the
// months: it reads the results of one in the order of an index, and not those of all in no order.
func inMonths(from, until time.Time) predicate.TestResult {
	if until.Before(from) || from.Before(time.Unix(0, 0)) {
		return func(*entsql.Selector) {}
	}
	from, until = from.UTC(), until.UTC()
	begin := time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC)
	end := time.Date(until.Year(), until.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	return func(sel *entsql.Selector) {
		id := sel.C(testresult.FieldID)
		sel.Where(entsql.ExprP(id + " >= '" + firstID(begin).String() + "' AND " + id + " < '" + firstID(end).String() + "'"))
	}
}

// timed is the version of ids that begin with a time.
const timed = 7

// timeOfID is when an id was made, to the millisecond. It is of the version timed.
func timeOfID(id uuid.UUID) time.Time {
	sec, nsec := id.Time().UnixTime()
	return time.Unix(sec, nsec).UTC().Truncate(time.Millisecond)
}
