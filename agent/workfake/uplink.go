// Package workfake stands in for the control plane, the record of attempts and the API server in tests of the agent and the runner.
package workfake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"maps"
	"sync"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/agent/work"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// keep is how much of a log is kept for tests to look at; the digest goes over all of it.
const keep = 4 << 20

// window is how many chunks may be under way.
const window = 8

// Uplink is a work.Uplink that commits to memory. It takes only what continues a stream, as the control plane does.
type Uplink struct {
	queue   chan item
	stopped chan struct{}
	done    chan struct{}
	decoder *zstd.Decoder

	mu      sync.Mutex
	epoch   int
	taken   int           // chunks
	held    chan struct{} // closed when commits go on
	logs    map[string]*Log
	refused map[string]string
	files   []File
	fault   error
	changed chan struct{}
}

type item struct {
	epoch   int
	attempt string
	chunk   *runnerv1.LogChunk
	done    func(*runnerv1.LogAck, error)
}

// Log is what was committed of a stream.
type Log struct {
	Bytes    int64
	Lines    int64
	Gap      int64
	Head     []byte
	Chunks   int
	Doubled  int64             // bytes that were sent again after they were committed
	Sum      [sha256.Size]byte // of all bytes
	Final    *runnerv1.LogTotals
	digest   hash.Hash
	checksum uint32
}

// File is a file that was stored.
type File struct {
	Header *runnerv1.FileHeader
	Body   []byte
}

// NewUplink returns an Uplink that commits until it is closed.
func NewUplink() *Uplink {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	u := &Uplink{
		queue: make(chan item, window), stopped: make(chan struct{}), done: make(chan struct{}), decoder: dec, fault: err,
		logs: map[string]*Log{}, refused: map[string]string{}, changed: make(chan struct{}), held: make(chan struct{}),
	}
	close(u.held)
	go u.run()
	return u
}

// Close ends it; what is under way is answered with work.ErrUplinkLost.
func (u *Uplink) Close() {
	close(u.stopped)
	<-u.done
}

// Lose breaks the connection: what is under way may be committed, but nobody learns.
func (u *Uplink) Lose() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.epoch++
}

// Hold stops committing until the returned function is called.
func (u *Uplink) Hold() (release func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.held = make(chan struct{})
	return sync.OnceFunc(func() { close(u.held) })
}

// Refuse makes a stream or file path one that is never taken.
func (u *Uplink) Refuse(name, why string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.refused[name] = why
}

// Rewind forgets everything of a stream, as a database does that was restored from a backup.
func (u *Uplink) Rewind(attempt, stream string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.logs, attempt+" "+stream)
}

// Log returns a copy of what is known of a stream, nil when nothing is.
func (u *Uplink) Log(attempt, stream string) *Log {
	u.mu.Lock()
	defer u.mu.Unlock()
	l := u.logs[attempt+" "+stream]
	if l == nil {
		return nil
	}
	out := *l
	out.Head, out.Sum = bytes.Clone(l.Head), [sha256.Size]byte(l.digest.Sum(nil))
	return &out
}

// Files returns what was stored.
func (u *Uplink) Files() []File {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]File(nil), u.files...)
}

// Fault returns the first thing that a control plane would have found damaged.
func (u *Uplink) Fault() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.fault
}

// Wait returns when cond is true of a stream, which it asks after every commit.
func (u *Uplink) Wait(ctx context.Context, attempt, stream string, cond func(*Log) bool) error {
	for {
		u.mu.Lock()
		l, changed := u.logs[attempt+" "+stream], u.changed
		ok := l != nil && cond(l)
		u.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// WaitTaken returns when n chunks were sent, committed or not.
func (u *Uplink) WaitTaken(ctx context.Context, n int) error {
	for {
		u.mu.Lock()
		ok, changed := u.taken >= n, u.changed
		u.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Committed implements work.Uplink.
func (u *Uplink) Committed(_ context.Context, attempt string) (map[string]int64, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := map[string]int64{}
	for key, l := range u.logs {
		var a, stream string
		if _, err := fmt.Sscan(key, &a, &stream); err == nil && a == attempt {
			out[stream] = l.Bytes
		}
	}
	return maps.Clone(out), nil
}

// Append implements work.Uplink.
func (u *Uplink) Append(ctx context.Context, attempt string, chunk *runnerv1.LogChunk, done func(*runnerv1.LogAck, error)) error {
	u.mu.Lock()
	epoch := u.epoch
	u.mu.Unlock()
	select {
	case u.queue <- item{epoch, attempt, proto.CloneOf(chunk), done}:
		u.mu.Lock()
		u.taken++
		u.change()
		u.mu.Unlock()
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-u.stopped:
		return work.ErrUplinkLost
	}
}

// PutFile implements work.Uplink.
func (u *Uplink) PutFile(_ context.Context, h *runnerv1.FileHeader, r io.Reader) error {
	u.mu.Lock()
	why := u.refused[h.GetPath()]
	u.mu.Unlock()
	if why != "" {
		return fmt.Errorf("%w: %s", work.ErrRefused, why)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read file: %w", err)
	}
	sum := sha256.Sum256(b)
	u.mu.Lock()
	defer u.mu.Unlock()
	if int64(len(b)) != h.GetSize() || !bytes.Equal(sum[:], h.GetSha256()) {
		u.fault = errors.Join(u.fault, fmt.Errorf("file %s is not what its header says", h.GetPath()))
	}
	u.files = append(u.files, File{proto.CloneOf(h), b})
	return nil
}

func (u *Uplink) run() {
	defer close(u.done)
	for {
		select {
		case it := <-u.queue:
			u.mu.Lock()
			held := u.held
			u.mu.Unlock()
			select {
			case <-held:
			case <-u.stopped:
				it.done(nil, work.ErrUplinkLost)
				return
			}
			it.done(u.commit(it))
		case <-u.stopped:
			return
		}
	}
}

func (u *Uplink) commit(it item) (*runnerv1.LogAck, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := it.chunk
	if why := u.refused[c.GetStream()]; why != "" {
		return nil, fmt.Errorf("%w: %s", work.ErrRefused, why)
	}
	key := it.attempt + " " + c.GetStream()
	l := u.logs[key]
	if l == nil {
		l = &Log{digest: sha256.New()}
		u.logs[key] = l
	}
	u.fault = errors.Join(u.fault, l.take(c, u.decoder))
	u.change()
	if it.epoch != u.epoch {
		return nil, work.ErrUplinkLost
	}
	return &runnerv1.LogAck{Stream: c.GetStream(), Committed: l.Bytes, Final: l.Final != nil}, nil
}

func (u *Uplink) change() {
	close(u.changed)
	u.changed = make(chan struct{})
}

func (l *Log) take(c *runnerv1.LogChunk, dec *zstd.Decoder) error {
	l.Chunks++
	if c.GetStartOffset() < l.Bytes {
		l.Doubled += int64(c.GetRawLen())
	}
	if c.GetStartOffset() != l.Bytes || l.Final != nil {
		return nil // a retry, or something is missing before it: the answer says where to go on
	}
	raw, err := dec.DecodeAll(c.GetData(), nil)
	switch {
	case err != nil:
		return fmt.Errorf("%s at %d: %w", c.GetStream(), l.Bytes, err)
	case len(raw) != int(c.GetRawLen()) || len(raw) > 0 && crc32.Checksum(raw, crc32.MakeTable(crc32.Castagnoli)) != c.GetCrc32C():
		return fmt.Errorf("%s at %d: length or checksum do not match", c.GetStream(), l.Bytes)
	case c.GetFirstLine() != l.Lines || int(c.GetLines()) != bytes.Count(raw, []byte{'\n'}):
		return fmt.Errorf("%s at %d: line %d, want %d", c.GetStream(), l.Bytes, c.GetFirstLine(), l.Lines)
	case len(raw) > 0 && (c.GetFirstTime() == nil || c.GetLastTime().AsTime().Before(c.GetFirstTime().AsTime())):
		return fmt.Errorf("%s at %d: times are missing or backwards", c.GetStream(), l.Bytes)
	}
	l.Bytes += int64(len(raw)) + c.GetGapBytes()
	l.Gap += c.GetGapBytes()
	l.Lines += int64(c.GetLines())
	l.digest.Write(raw)
	l.checksum = crc32.Update(l.checksum, crc32.MakeTable(crc32.Castagnoli), raw)
	l.Head = append(l.Head, raw[:min(len(raw), max(0, keep-len(l.Head)))]...)
	if f := c.GetFinal(); f != nil {
		l.Final = proto.CloneOf(f)
		if f.GetBytes() != l.Bytes || f.GetLines() != l.Lines || f.GetGapBytes() != l.Gap || f.GetCrc32C() != l.checksum {
			return fmt.Errorf("%s: totals %v do not match %d bytes, %d lines, %d missing", c.GetStream(), f, l.Bytes, l.Lines, l.Gap)
		}
	}
	return nil
}
