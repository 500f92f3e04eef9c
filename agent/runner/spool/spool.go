// Package spool keeps what a step has written in a file until the control plane has it.
//
// One goroutine writes and one reads. Offsets count the bytes of the stream; where the disk was full or the agent away for too
// long, the stream has a gap that the file has not.
package spool

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// DefaultLimit is how many bytes may wait for the agent.
	DefaultLimit = 2 << 30
	// DefaultKeep is how many acknowledged bytes stay on the disk, for a control plane whose database goes back.
	DefaultKeep = 64 << 20
	// DefaultPatience is how long a writer waits for room before bytes are left out.
	DefaultPatience = time.Minute

	// An index entry costs 32 bytes; it is thinned out when there are this many.
	maxIndex  = 1 << 15
	indexStep = 16 << 10
	indexTime = 100 * time.Millisecond
)

// Options of a spool; the zero value works.
type Options struct {
	Limit    int64            // unacknowledged bytes; 0 means DefaultLimit
	Keep     int64            // acknowledged bytes that stay on the disk; 0 means DefaultKeep
	Patience time.Duration    // how long Write waits for room; 0 means DefaultPatience
	Now      func() time.Time // nil means time.Now
	Notify   func()           // called after each change that a reader cares for; must not block
}

// Totals are what was written in all.
type Totals struct {
	Bytes    int64 // gaps included
	Lines    int64
	GapBytes int64
	CRC      uint32 // CRC-32C of the bytes kept
}

// Frame is a run of bytes or a gap.
type Frame struct {
	Start     int64
	Data      []byte
	Gap       int64
	Lines     int
	FirstLine int64
	FirstTime time.Time
	LastTime  time.Time
}

// End returns the offset after the frame.
func (f Frame) End() int64 { return f.Start + int64(len(f.Data)) + f.Gap }

// Spool is one stream.
type Spool struct {
	file     *os.File
	opts     Options
	room     chan struct{}
	patience bool // the writer waits when there is no room; lost when it has waited in vain, regained with room

	mu       sync.Mutex
	totals   Totals
	segments []segment
	index    []mark
	size     int64 // of the file
	acked    int64
	freed    mark // what is before it has left the disk
	closed   bool
	fault    string

	next, nextLine int64 // where the last read ended
}

// segment is a part of the stream; a gap has file < 0.
type segment struct{ start, file, length int64 }

// mark says which line and time an offset had.
type mark struct {
	offset, line int64
	at           time.Time
}

// Create makes the file of a new stream. Containers of the pod may run as different users, so everyone may read it.
func Create(path string, o Options) (*Spool, error) {
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	if o.Keep <= 0 {
		o.Keep = DefaultKeep
	}
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Notify == nil {
		o.Notify = func() {}
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666) //nolint:gosec // G302: see above
	if err != nil {
		return nil, fmt.Errorf("create spool: %w", err)
	}
	return &Spool{file: f, opts: o, room: make(chan struct{}, 1), patience: true}, nil
}

// Write appends p. It blocks while the limit is reached, at most for the patience; after that bytes are left out as a gap until
// there is room again. It never fails: what the disk does not take becomes a gap too, and Fault says so.
func (s *Spool) Write(p []byte) {
	if len(p) == 0 {
		return
	}
	if !s.waitForRoom() {
		s.skip(int64(len(p)))
	} else {
		s.store(p)
	}
	s.opts.Notify()
}

func (s *Spool) waitForRoom() bool {
	if s.hasRoom() {
		s.patience = true
		return true
	}
	if !s.patience {
		return false
	}
	timer := time.NewTimer(s.opts.Patience)
	defer timer.Stop()
	for {
		select {
		case <-s.room:
			if s.hasRoom() {
				return true
			}
		case <-timer.C:
			s.patience = false
			return false
		}
	}
}

func (s *Spool) hasRoom() bool { return s.Waiting() < s.opts.Limit }

// Waiting returns how many bytes are not acknowledged, gaps included.
func (s *Spool) Waiting() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.totals.Bytes - s.acked
}

func (s *Spool) store(p []byte) {
	n, err := s.file.WriteAt(p, s.size) // size changes in this goroutine only
	s.mu.Lock()
	s.kept(p[:n])
	if err != nil {
		s.fault = explain(err)
	}
	s.mu.Unlock()
	if n < len(p) {
		s.skip(int64(len(p) - n))
	}
}

func explain(err error) string {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return "the disk of the pod's shared volume is full: part of the log was left out; raise the node's or the volume's ephemeral storage"
	}
	return "the log could not be spooled, part of it was left out: " + err.Error()
}

// kept accounts for bytes that are in the file. The caller holds the lock.
func (s *Spool) kept(p []byte) {
	if len(p) == 0 {
		return
	}
	s.addMark()
	if n := len(s.segments); n > 0 && s.segments[n-1].file >= 0 {
		s.segments[n-1].length += int64(len(p))
	} else {
		s.segments = append(s.segments, segment{s.totals.Bytes, s.size, int64(len(p))})
	}
	s.size += int64(len(p))
	s.totals.Bytes += int64(len(p))
	s.totals.Lines += int64(bytes.Count(p, []byte{'\n'}))
	s.totals.CRC = crc32.Update(s.totals.CRC, crc32.MakeTable(crc32.Castagnoli), p)
}

func (s *Spool) skip(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addMark()
	if k := len(s.segments); k > 0 && s.segments[k-1].file < 0 {
		s.segments[k-1].length += n
	} else {
		s.segments = append(s.segments, segment{s.totals.Bytes, -1, n})
	}
	s.totals.Bytes += n
	s.totals.GapBytes += n
	if s.fault == "" {
		s.fault = "the agent could not be reached for too long: part of the log was left out"
	}
}

func (s *Spool) addMark() {
	now := s.opts.Now()
	if n := len(s.index); n > 0 {
		last := s.index[n-1]
		if s.totals.Bytes-last.offset < indexStep && now.Sub(last.at) < indexTime {
			return
		}
		if n >= maxIndex {
			for i := 1; i < n/2; i++ {
				s.index[i] = s.index[2*i]
			}
			s.index = s.index[:n/2]
		}
	}
	s.index = append(s.index, mark{s.totals.Bytes, s.totals.Lines, now})
}

// Acked says that everything before offset is safe; it may go back. What is far behind it leaves the disk.
func (s *Spool) Acked(offset int64) {
	s.mu.Lock()
	s.acked = offset
	if offset-s.freed.offset >= 2*s.opts.Keep {
		s.free(offset - s.opts.Keep)
	}
	s.mu.Unlock()
	select {
	case s.room <- struct{}{}:
	default:
	}
}

// Seal ends the stream and returns its totals.
func (s *Spool) Seal() Totals {
	s.mu.Lock()
	s.closed = true
	t := s.totals
	s.mu.Unlock()
	s.opts.Notify()
	return t
}

// State returns the totals so far and whether they are final.
func (s *Spool) State() (t Totals, final bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.totals, s.closed
}

// Fault says why bytes were left out, empty when none were.
func (s *Spool) Fault() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// Close releases the file; the bytes stay on disk.
func (s *Spool) Close() error {
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("close spool: %w", err)
	}
	return nil
}

// Read returns what follows offset, at most len(buf) bytes, which the frame's data shares. A frame without data or gap means
// that there is nothing yet.
func (s *Spool) Read(offset int64, buf []byte) (Frame, error) {
	seg, ok, err := s.find(offset)
	if err != nil {
		return Frame{Start: offset}, err
	}
	f := Frame{Start: offset}
	if !ok {
		f.FirstLine, err = s.lineAt(offset) // the totals go out with the number of the line that would come
		return f, err
	}
	rest := seg.start + seg.length - offset
	freed := s.gone(offset)
	if freed > 0 {
		seg.file, rest = -1, min(rest, freed)
	}
	if seg.file < 0 {
		f.Gap = rest
	} else {
		n := min(rest, int64(len(buf)))
		if _, err := s.file.ReadAt(buf[:n], seg.file+offset-seg.start); err != nil {
			return f, fmt.Errorf("read spool: %w", err)
		}
		f.Data = buf[:n]
		f.Lines = bytes.Count(f.Data, []byte{'\n'})
	}
	f.FirstTime, f.LastTime = s.times(f.Start, f.End())
	f.FirstLine, err = s.lineAt(offset)
	if s.next, s.nextLine = f.End(), f.FirstLine+int64(f.Lines); freed > 0 {
		s.next, s.nextLine = 0, 0 // such a gap has lines
	}
	return f, err
}

func (s *Spool) find(offset int64) (segment, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if offset < 0 || offset > s.totals.Bytes {
		return segment{}, false, fmt.Errorf("offset %d is outside the stream of %d bytes", offset, s.totals.Bytes)
	}
	i, found := slices.BinarySearchFunc(s.segments, offset, func(g segment, at int64) int { return int(g.start - at) })
	if !found {
		i--
	}
	if offset == s.totals.Bytes {
		return segment{}, false, nil
	}
	return s.segments[i], true, nil
}

// before returns the last mark at or before offset.
func (s *Spool) before(offset int64) mark {
	i, found := slices.BinarySearchFunc(s.index, offset, func(m mark, at int64) int { return int(m.offset - at) })
	if !found {
		i--
	}
	if s.freed.offset <= offset && s.freed.offset > s.index[i].offset {
		return s.freed // the index was thinned out since: lines before it can no longer be counted
	}
	return s.index[i]
}

func (s *Spool) times(from, to int64) (first, last time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.before(from).at, s.before(to - 1).at
}

// lineAt returns the number of the line that offset is in. Reading on is free; after a seek the bytes since the mark are counted.
func (s *Spool) lineAt(offset int64) (int64, error) {
	switch offset {
	case 0:
		return 0, nil
	case s.next:
		return s.nextLine, nil
	}
	s.mu.Lock()
	m := s.before(offset)
	segments := slices.Clone(s.segments)
	s.mu.Unlock()
	line := m.line
	for _, g := range segments {
		from, to := max(g.start, m.offset), min(g.start+g.length, offset)
		if g.file < 0 || from >= to {
			continue
		}
		n, err := countLines(io.NewSectionReader(s.file, g.file+from-g.start, to-from))
		if err != nil {
			return 0, err
		}
		line += n
	}
	return line, nil
}

func countLines(r io.Reader) (int64, error) {
	var lines int64
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		lines += int64(bytes.Count(buf[:n], []byte{'\n'}))
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return 0, fmt.Errorf("count lines of spool: %w", err)
		}
	}
}
