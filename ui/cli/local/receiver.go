package local

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"connectrpc.com/connect"
	"github.com/klauspost/compress/zstd"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// maxChunk is what a chunk of a log may decompress to (LogChunk.raw_len).
const maxChunk = 256 << 10

type attachStream = connect.BidiStream[runnerv1.AttachRequest, runnerv1.AttachResponse]

// receiver is what an agent is in a cluster: the runners of all containers report to it.
type receiver struct {
	attempt, token string
	output         string // "" keeps no artifacts
	files          string // directory for reports
	view           View
	ask            func(s *runnerv1.StepState) *runnerv1.Resume // nil means that nobody answers

	mu       sync.Mutex // also of everything that the view is told
	streams  map[string]int64
	attached map[*attachStream]*sync.Mutex // with the lock for what is sent
	cancel   *runnerv1.Cancel
	resumed  []*runnerv1.Resume
	asked    map[int32]bool
	exits    map[int32]int
	reports  []Report
	finished *runnerv1.Finished
	decoder  *zstd.Decoder
	asking   sync.WaitGroup
}

func newReceiver(s *session, token string) (*receiver, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxChunk))
	if err != nil {
		return nil, fmt.Errorf("prepare for logs: %w", err)
	}
	return &receiver{
		attempt: s.attempt, token: token, output: s.Output, files: filepath.Join(s.dir, "files"), view: s.View, ask: s.answer,
		streams: map[string]int64{}, attached: map[*attachStream]*sync.Mutex{}, asked: map[int32]bool{}, exits: map[int32]int{}, decoder: dec,
	}, nil
}

func (r *receiver) admit(header interface{ Get(string) string }) error {
	if subtle.ConstantTimeCompare([]byte(header.Get("Authorization")), []byte("Bearer "+r.token)) != 1 {
		return connect.NewError(connect.CodeUnauthenticated, errors.New("the token is another one"))
	}
	return nil
}

// Attach implements the RunnerService.
func (r *receiver) Attach(_ context.Context, wire *attachStream) error {
	if err := r.admit(wire.RequestHeader()); err != nil {
		return err
	}
	first, err := wire.Receive()
	if err != nil || first.GetHello().GetAttemptId() != r.attempt {
		return connect.NewError(connect.CodePermissionDenied, errors.New("it is another attempt"))
	}
	if err := r.greet(wire); err != nil {
		return err
	}
	defer r.leave(wire)
	for {
		m, err := wire.Receive()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err //nolint:wrapcheck // the runner comes back
		}
		if answer := r.handle(m); answer != nil {
			if err := r.send(wire, answer); err != nil {
				return err
			}
		}
	}
}

func (r *receiver) greet(wire *attachStream) error {
	r.mu.Lock()
	r.attached[wire] = &sync.Mutex{}
	welcome := &runnerv1.Welcome{Committed: map[string]int64{}, Cancel: r.cancel, Resumed: r.resumed}
	for name, at := range r.streams {
		welcome.Committed[name] = at
	}
	r.mu.Unlock()
	return r.send(wire, &runnerv1.AttachResponse{Message: &runnerv1.AttachResponse_Welcome{Welcome: welcome}})
}

func (r *receiver) leave(wire *attachStream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.attached, wire)
}

func (r *receiver) send(wire *attachStream, m *runnerv1.AttachResponse) error {
	r.mu.Lock()
	one := r.attached[wire]
	r.mu.Unlock()
	if one == nil {
		return connect.NewError(connect.CodeUnavailable, errors.New("it has left"))
	}
	one.Lock()
	defer one.Unlock()
	return wire.Send(m) //nolint:wrapcheck // the runner comes back
}

// tell sends something to all that are attached; those that come later learn it when they are greeted.
func (r *receiver) tell(m *runnerv1.AttachResponse) {
	r.mu.Lock()
	var all []*attachStream
	for wire := range r.attached {
		all = append(all, wire)
	}
	r.mu.Unlock()
	for _, wire := range all {
		_ = r.send(wire, m) // one that is gone is greeted again
	}
}

// stop asks all runners to stop.
func (r *receiver) stop(reason string) {
	r.mu.Lock()
	again := r.cancel != nil
	if !again {
		r.cancel = &runnerv1.Cancel{Reason: reason}
	}
	cancel := r.cancel
	r.mu.Unlock()
	if !again {
		r.tell(&runnerv1.AttachResponse{Message: &runnerv1.AttachResponse_Cancel{Cancel: cancel}})
	}
}

func (r *receiver) handle(m *runnerv1.AttachRequest) *runnerv1.AttachResponse {
	switch m := m.GetMessage().(type) {
	case *runnerv1.AttachRequest_Log:
		return &runnerv1.AttachResponse{Message: &runnerv1.AttachResponse_LogAck{LogAck: r.log(m.Log)}}
	case *runnerv1.AttachRequest_Step:
		r.step(m.Step)
	case *runnerv1.AttachRequest_Finished:
		r.mu.Lock()
		r.finished = m.Finished
		r.mu.Unlock()
		return &runnerv1.AttachResponse{Message: &runnerv1.AttachResponse_FinishedAck{FinishedAck: &runnerv1.FinishedAck{}}}
	case *runnerv1.AttachRequest_Delivered:
		r.mu.Lock()
		for _, note := range m.Delivered.GetNotes() {
			r.view.Note(note)
		}
		r.mu.Unlock()
		return &runnerv1.AttachResponse{Message: &runnerv1.AttachResponse_DeliveredAck{DeliveredAck: &runnerv1.DeliveredAck{}}}
	}
	return nil
}

// log takes in a chunk, unless it came before.
func (r *receiver) log(c *runnerv1.LogChunk) *runnerv1.LogAck {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := c.GetStream()
	end := c.GetStartOffset() + int64(c.GetRawLen()) + c.GetGapBytes()
	index, err := strconv.Atoi(strings.TrimPrefix(name, "step/"))
	if err == nil && c.GetStartOffset() == r.streams[name] && end > c.GetStartOffset() {
		text, err := r.decoder.DecodeAll(c.GetData(), nil)
		if err != nil {
			r.view.Note(fmt.Sprintf("a part of the log of step %d cannot be read: %v", index+1, err))
		}
		r.view.Log(index, text, c.GetGapBytes())
		r.streams[name] = end
	}
	return &runnerv1.LogAck{Stream: name, Committed: r.streams[name], Final: c.GetFinal() != nil}
}

func (r *receiver) step(s *runnerv1.StepState) {
	r.mu.Lock()
	if s.ExitCode != nil {
		r.exits[s.GetIndex()] = int(s.GetExitCode())
	}
	r.view.Step(s)
	waits := s.GetStatus() == runnerv1.StepStatus_STEP_STATUS_PAUSED || len(s.GetCalls()) > 0 && s.GetStatus() == runnerv1.StepStatus_STEP_STATUS_RUNNING
	ask := waits && !r.asked[s.GetIndex()]
	r.asked[s.GetIndex()] = r.asked[s.GetIndex()] || ask
	r.mu.Unlock()
	if ask {
		r.asking.Go(func() { r.resume(r.ask(s)) })
	}
}

func (r *receiver) resume(word *runnerv1.Resume) {
	if word == nil {
		r.stop("Nobody let the step go on that waited.")
		return
	}
	r.mu.Lock()
	r.resumed = append(r.resumed, word)
	r.mu.Unlock()
	r.tell(&runnerv1.AttachResponse{Message: &runnerv1.AttachResponse_Resume{Resume: word}})
}

// Upload implements the RunnerService.
func (r *receiver) Upload(_ context.Context, wire *connect.ClientStream[runnerv1.UploadRequest]) (*runnerv1.UploadResponse, error) {
	if err := r.admit(wire.RequestHeader()); err != nil {
		return nil, err
	}
	if !wire.Receive() || wire.Msg().GetHeader() == nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("the first message is not a header"))
	}
	h := wire.Msg().GetHeader()
	kept, err := r.keep(h, &body{wire: wire})
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	report := h.GetKind() == runnerv1.FileKind_FILE_KIND_REPORT
	if report {
		r.reports = append(r.reports, Report{Name: h.GetPath(), File: kept, Format: h.GetFormat(), Exit: r.exit(h.GetStepIndex())})
	}
	if report && r.output == "" {
		kept = ""
	}
	r.view.File(h, kept)
	return &runnerv1.UploadResponse{Size: h.GetSize()}, nil
}

func (r *receiver) exit(step int32) *int {
	if code, ok := r.exits[step]; ok {
		return &code
	}
	return nil
}

// keep writes a file below the output, or below a folder of the session's when it is a report and there is no output, and returns where.
func (r *receiver) keep(h *runnerv1.FileHeader, from io.Reader) (string, error) {
	dir := r.output
	if dir == "" {
		dir = r.files
	}
	if r.output == "" && h.GetKind() == runnerv1.FileKind_FILE_KIND_ARTIFACT {
		_, err := io.Copy(io.Discard, from)
		return "", err //nolint:wrapcheck // the runner tells
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err //nolint:wrapcheck // names what and where
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err //nolint:wrapcheck // names what and where
	}
	defer root.Close() //nolint:errcheck // nothing is pending
	if err := root.MkdirAll(path.Dir(h.GetPath()), 0o750); err != nil {
		return "", err //nolint:wrapcheck // names what and where
	}
	to, err := root.Create(h.GetPath())
	if err != nil {
		return "", err //nolint:wrapcheck // names what and where
	}
	_, err = io.Copy(to, from)
	return filepath.Join(dir, filepath.FromSlash(h.GetPath())), errors.Join(err, to.Close())
}

// body reads the bytes of a file from the wire.
type body struct {
	wire *connect.ClientStream[runnerv1.UploadRequest]
	rest bytes.Reader
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	for b.rest.Len() == 0 {
		if !b.wire.Receive() {
			if err := b.wire.Err(); err != nil {
				return 0, err //nolint:wrapcheck // the runner comes again
			}
			return 0, io.EOF
		}
		b.rest.Reset(b.wire.Msg().GetData())
	}
	return b.rest.Read(p) //nolint:wrapcheck // never fails
}
