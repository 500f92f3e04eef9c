package store

import (
	"cmp"
	"context"
	"slices"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/attempt"
	"github.com/seatrial/seatrial/ent/db/logchunk"
	"github.com/seatrial/seatrial/ent/db/logstream"
	"github.com/seatrial/seatrial/ent/db/service"
	"github.com/seatrial/seatrial/ent/db/step"
)

// batch is how many rows or ids one statement carries; SQLite takes 32,766 variables.
const batch = 500

type streamKey struct {
	attempt uuid.UUID
	name    string
}

// AppendChunks commits chunks in order. Each stream costs one read, one update and one insert for the whole batch.
func (s *Store) AppendChunks(ctx context.Context, chunks []execution.Chunk) ([]execution.StreamState, error) {
	v, err := agent(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkChunks(chunks); err != nil {
		return nil, err
	}
	var out []execution.StreamState
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		streams, err := s.lockStreams(ctx, tx, v, chunks)
		if err != nil {
			return err
		}
		out = make([]execution.StreamState, len(chunks))
		for i, c := range chunks {
			out[i] = streams[streamKey{c.Attempt, c.Stream}].take(c)
		}
		for _, stream := range streams {
			if err := stream.save(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

func checkChunks(chunks []execution.Chunk) error {
	for _, c := range chunks {
		if !execution.IsStream(c.Stream) || c.Start < 0 || c.RawLen < 0 || c.Gap < 0 || c.Lines < 0 {
			return fault.New(fault.Invalid, "a log chunk of stream %q at %d makes no sense", c.Stream, c.Start)
		}
	}
	return nil
}

// lockStreams returns the streams of the chunks, made when absent, in an order that is the same for everybody.
func (s *Store) lockStreams(ctx context.Context, tx *db.Tx, v tenant.Viewer, chunks []execution.Chunk) (map[streamKey]*appending, error) {
	keys := make([]streamKey, 0, len(chunks))
	for _, c := range chunks {
		keys = append(keys, streamKey{c.Attempt, c.Stream})
	}
	slices.SortFunc(keys, func(a, b streamKey) int {
		return cmp.Or(slices.Compare(a.attempt[:], b.attempt[:]), cmp.Compare(a.name, b.name))
	})
	keys = slices.Compact(keys)
	out := make(map[streamKey]*appending, len(keys))
	for _, key := range keys {
		mine, err := tx.Attempt.Query().Where(attempt.ID(key.attempt), attempt.ClusterID(v.Cluster)).Exist(ctx)
		if err != nil {
			return nil, err
		}
		if !mine {
			return nil, fault.New(fault.NotFound, "there is no attempt %s", key.attempt)
		}
		row, err := s.lockStream(ctx, tx, v, key)
		if err != nil {
			return nil, err
		}
		out[key] = &appending{row: row, committed: row.Committed, final: row.TotalBytes != nil}
	}
	return out, nil
}

func (s *Store) lockStream(ctx context.Context, tx *db.Tx, v tenant.Viewer, key streamKey) (*db.LogStream, error) {
	row, err := locked(s, tx.LogStream.Query().Where(logstream.AttemptID(key.attempt), logstream.Name(key.name))).Only(ctx)
	if !db.IsNotFound(err) {
		return row, err
	}
	index, err := mayWrite(ctx, tx, key)
	if err != nil {
		return nil, err
	}
	row, err = tx.LogStream.Create().SetOrganizationID(v.Organization).SetAttemptID(key.attempt).SetName(key.name).SetStepIndex(index).Save(ctx)
	if database.Unique(err) {
		return nil, database.ErrRetry // somebody else made it meanwhile
	}
	return row, err
}

// ofService stands for the index of a step.
const ofService = -1

// mayWrite returns the index of the step that a new stream is of. A service that is given a secret has no log here, whatever its agent
// says.
func mayWrite(ctx context.Context, tx *db.Tx, key streamKey) (index int, err error) {
	var exists bool
	if name, ok := execution.StreamService(key.name); ok {
		index = ofService
		exists, err = tx.Service.Query().Where(service.AttemptID(key.attempt), service.Name(name), service.LogWithheld(false)).Exist(ctx)
	} else {
		index, _ = execution.StreamIndex(key.name)
		exists, err = tx.Step.Query().Where(step.AttemptID(key.attempt), step.Index(index)).Exist(ctx)
	}
	if err == nil && !exists {
		err = fault.New(fault.NotFound, "attempt %s has no log %s", key.attempt, key.name)
	}
	return index, err
}

// appending is a stream during a transaction: its row as locked, and what is to be added.
type appending struct {
	row        *db.LogStream
	committed  int64
	lines      int64
	gap        int64
	final      bool
	totals     *execution.Totals
	viaKubeAPI bool
	chunks     []execution.Chunk
}

// take accepts a chunk that continues the stream, and otherwise tells where it continues.
func (a *appending) take(c execution.Chunk) execution.StreamState {
	continues := c.Start == a.committed
	ended := a.final && a.complete()
	if continues && !ended && c.End() > c.Start {
		a.committed = c.End()
		a.lines += int64(c.Lines)
		a.gap += c.Gap
		a.viaKubeAPI = a.viaKubeAPI || c.ViaKubeAPI
		a.chunks = append(a.chunks, c)
	}
	if c.Final != nil && !a.final && c.End() == a.committed {
		a.final, a.totals = true, c.Final
	}
	return execution.StreamState{Stream: c.Stream, Committed: a.committed, Final: a.final}
}

// complete reports whether everything the writer counted is there, or its absence stated.
func (a *appending) complete() bool {
	switch {
	case a.totals != nil:
		return a.totals.Bytes == a.committed
	case a.row.TotalBytes != nil:
		return *a.row.TotalBytes == a.committed
	default:
		return false
	}
}

func (a *appending) save(ctx context.Context, tx *db.Tx) error {
	if len(a.chunks) == 0 && a.totals == nil {
		return nil
	}
	change := tx.LogStream.Update().Where(logstream.ID(a.row.ID), logstream.Committed(a.row.Committed)).SetCommitted(a.committed).
		AddLines(a.lines).AddGapBytes(a.gap).SetComplete(a.complete()).SetViaKubeAPI(a.row.ViaKubeAPI || a.viaKubeAPI)
	if t := a.totals; t != nil {
		change.SetTotalBytes(t.Bytes).SetTotalLines(t.Lines).SetTotalGapBytes(t.GapBytes).SetTotalCrc(t.CRC)
	}
	n, err := change.Save(ctx)
	if err != nil {
		return err
	}
	if n == 0 {
		return database.ErrRetry
	}
	for part := range slices.Chunk(a.chunks, batch) {
		rows := make([]*db.LogChunkCreate, len(part))
		for i, c := range part {
			rows[i] = tx.LogChunk.Create().SetOrganizationID(a.row.OrganizationID).SetStreamID(a.row.ID).SetStart(c.Start).SetEnd(c.End()).
				SetRawLen(c.RawLen).SetLines(c.Lines).SetFirstLine(c.FirstLine).SetNillableFirstTime(nullable(c.FirstTime)).
				SetNillableLastTime(nullable(c.LastTime)).SetCrc(c.CRC).SetGap(c.Gap).SetViaKubeAPI(c.ViaKubeAPI).SetData(c.Data)
		}
		if err := tx.LogChunk.CreateBulk(rows...).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Streams returns the state of every stream of an attempt.
func (s *Store) Streams(ctx context.Context, id execution.AttemptID) ([]execution.StreamState, error) {
	v, err := agent(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.db.Read().Attempt.Query().Where(attempt.ID(id), attempt.ClusterID(v.Cluster)).OnlyID(ctx); err != nil {
		return nil, database.Fault(err)
	}
	rows, err := s.db.Read().LogStream.Query().Where(logstream.AttemptID(id)).Order(logstream.ByStepIndex(), logstream.ByName()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]execution.StreamState, len(rows))
	for i, row := range rows {
		out[i] = streamState(row)
		if row.StepIndex == ofService {
			if out[i].Cursor, err = s.cursor(ctx, row); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// cursor finds where the log of a service goes on. Gaps and the end of a stream have no time.
func (s *Store) cursor(ctx context.Context, row *db.LogStream) (execution.Cursor, error) {
	out := execution.Cursor{Lines: row.Lines, GapBytes: row.GapBytes}
	last, err := s.db.Read().LogChunk.Query().Where(logchunk.StreamID(row.ID), logchunk.LastTimeNotNil(), logchunk.EndLTE(row.Committed)).
		Order(logchunk.ByEnd(entsql.OrderDesc())).Select(logchunk.FieldID, logchunk.FieldLastTime).First(ctx)
	if db.IsNotFound(err) {
		return out, nil
	}
	if err != nil {
		return out, database.Fault(err)
	}
	out.LastTime = timeOf(last.LastTime)
	return out, nil
}

func streamState(row *db.LogStream) execution.StreamState {
	return execution.StreamState{Stream: row.Name, Committed: row.Committed, Final: row.TotalBytes != nil}
}

// Chunks returns stored chunks of a log that end after offset.
func (s *Store) Chunks(ctx context.Context, id execution.AttemptID, name string, offset int64, limit int) ([]execution.Chunk, execution.StreamState, error) {
	if err := s.mustHaveLog(ctx, id, name); err != nil {
		return nil, execution.StreamState{}, err
	}
	row, err := s.db.Read().LogStream.Query().Where(logstream.AttemptID(id), logstream.Name(name)).Only(ctx)
	if db.IsNotFound(err) {
		return nil, execution.StreamState{Stream: name}, nil
	}
	if err != nil {
		return nil, execution.StreamState{}, database.Fault(err)
	}
	// The state is read before the chunks: at worst it is older than they are, never the other way round.
	chunks, err := s.chunksAfter(ctx, id, row, offset, limit)
	return chunks, streamState(row), err
}

// mustHaveLog is fault.NotFound unless the viewer sees the step or service whose log it is.
func (s *Store) mustHaveLog(ctx context.Context, id execution.AttemptID, name string) error {
	if index, ok := execution.StreamIndex(name); ok {
		return s.mustHaveStep(ctx, id, index)
	}
	if _, err := s.db.Read().Attempt.Query().Where(attempt.ID(id)).OnlyID(ctx); err != nil {
		return database.Fault(err)
	}
	of, _ := execution.StreamService(name)
	there, err := s.db.Read().Service.Query().Where(service.AttemptID(id), service.Name(of)).Exist(ctx)
	if err == nil && !there {
		return fault.New(fault.NotFound, "attempt %s has no log %s", id, name)
	}
	return database.Fault(err)
}

// SeekLine returns the start of the last chunk that begins in an earlier line, and that line's number.
func (s *Store) SeekLine(ctx context.Context, id execution.AttemptID, name string, line int64) (offset, at int64, err error) {
	if err := s.mustHaveLog(ctx, id, name); err != nil {
		return 0, 0, err
	}
	chunk, err := s.db.Read().LogChunk.Query().
		Where(logchunk.FirstLineLT(line), logchunk.HasStreamWith(logstream.AttemptID(id), logstream.Name(name))).
		Order(logchunk.ByEnd(entsql.OrderDesc())).Select(logchunk.FieldID, logchunk.FieldStart, logchunk.FieldFirstLine).First(ctx)
	if db.IsNotFound(err) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, database.Fault(err)
	}
	return chunk.Start, chunk.FirstLine, nil
}

func (s *Store) chunksAfter(ctx context.Context, id uuid.UUID, stream *db.LogStream, offset int64, limit int) ([]execution.Chunk, error) {
	sizes, err := s.db.Read().LogChunk.Query().Where(logchunk.StreamID(stream.ID), logchunk.EndGT(offset)).Order(logchunk.ByEnd()).
		Limit(batch).Select(logchunk.FieldID, logchunk.FieldEnd, logchunk.FieldRawLen).All(ctx)
	if err != nil || len(sizes) == 0 {
		return nil, database.Fault(err)
	}
	end, total := sizes[0].End, sizes[0].RawLen
	for _, c := range sizes[1:] {
		if total += c.RawLen; total > limit {
			break
		}
		end = c.End
	}
	rows, err := s.db.Read().LogChunk.Query().
		Where(logchunk.StreamID(stream.ID), logchunk.EndGT(offset), logchunk.EndLTE(end)).Order(logchunk.ByEnd()).All(ctx)
	if err != nil {
		return nil, database.Fault(err)
	}
	out := make([]execution.Chunk, len(rows))
	for i, r := range rows {
		out[i] = execution.Chunk{
			Attempt: id, Stream: stream.Name, Start: r.Start, RawLen: r.RawLen, Lines: r.Lines, FirstLine: r.FirstLine,
			FirstTime: timeOf(r.FirstTime), LastTime: timeOf(r.LastTime), Data: r.Data, CRC: r.Crc, Gap: r.Gap, ViaKubeAPI: r.ViaKubeAPI,
		}
	}
	return out, nil
}
