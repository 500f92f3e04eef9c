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

	"github.com/seatrial/seatrial/controlplane/workflow"
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
	steps          []workflow.PlanStep
	ask            func(s *runnerv1.StepState) *runnerv1.Resume // nil means that nobody answers

	showing sync.Mutex // of what the view is told; whoever reads it may hold it up for long
	decoder *zstd.Decoder

	mu       sync.Mutex // of all below, never held while something is sent or shown
	closed   bool
	handlers sync.WaitGroup
	streams  map[string]int64
	attached map[*attachStream]*peer
	cancel   *runnerv1.Cancel
	resumed  []*runnerv1.Resume
	asked    map[int32]bool
	exits    map[int32]int
	passed   map[int32]bool
	reports  []Report
	finished *runnerv1.Finished
}

// peer is what is attached, with the lock for what is sent. Nothing is sent to one that is gone.
type peer struct {
	mu   sync.Mutex
	gone bool
}

func newReceiver(s *session, token string) (*receiver, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxChunk))
	if err != nil {
		return nil, fmt.Errorf("prepare for logs: %w", err)
	}
	return &receiver{
		attempt: s.attempt, token: token, output: s.Output, files: filepath.Join(s.dir, "files"), view: s.View, ask: s.answer, steps: s.steps,
		streams: map[string]int64{}, attached: map[*attachStream]*peer{}, asked: map[int32]bool{}, exits: map[int32]int{},
		passed: map[int32]bool{}, decoder: dec,
	}, nil
}

// enter counts a handler, unless everything is over.
func (r *receiver) enter() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return connect.NewError(connect.CodeUnavailable, errors.New("it is over"))
	}
	r.handlers.Add(1)
	return nil
}

// close waits for all handlers; none begins afterwards.
func (r *receiver) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.handlers.Wait()
}

// show tells the view something.
func (r *receiver) show(tell func(v View)) {
	r.showing.Lock()
	defer r.showing.Unlock()
	tell(r.view)
}

func (r *receiver) admit(header interface{ Get(string) string }) error {
	if subtle.ConstantTimeCompare([]byte(header.Get("Authorization")), []byte("Bearer "+r.token)) != 1 {
		return connect.NewError(connect.CodeUnauthenticated, errors.New("the token is another one"))
	}
	return nil
}

// Attach implements the RunnerService.
func (r *receiver) Attach(_ context.Context, wire *attachStream) error {
	if err := errors.Join(r.admit(wire.RequestHeader()), r.enter()); err != nil {
		return err
	}
	defer r.handlers.Done()
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
	r.attached[wire] = &peer{}
	welcome := &runnerv1.Welcome{Committed: map[string]int64{}, Cancel: r.cancel, Resumed: r.resumed}
	for name, at := range r.streams {
		welcome.Committed[name] = at
	}
	r.mu.Unlock()
	return r.send(wire, &runnerv1.AttachResponse{Message: &runnerv1.AttachResponse_Welcome{Welcome: welcome}})
}

func (r *receiver) leave(wire *attachStream) {
	r.mu.Lock()
	one := r.attached[wire]
	delete(r.attached, wire)
	r.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	one.gone = true
}

func (r *receiver) send(wire *attachStream, m *runnerv1.AttachResponse) error {
	r.mu.Lock()
	one := r.attached[wire]
	r.mu.Unlock()
	if one == nil {
		return connect.NewError(connect.CodeUnavailable, errors.New("it has left"))
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.gone {
		return connect.NewError(connect.CodeUnavailable, errors.New("it has left"))
	}
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
		r.show(func(v View) {
			for _, note := range m.Delivered.GetNotes() {
				v.Note(note)
			}
		})
		return &runnerv1.AttachResponse{Message: &runnerv1.AttachResponse_DeliveredAck{DeliveredAck: &runnerv1.DeliveredAck{}}}
	}
	return nil
}

// log takes in a chunk, unless it came before.
func (r *receiver) log(c *runnerv1.LogChunk) *runnerv1.LogAck {
	name := c.GetStream()
	end := c.GetStartOffset() + int64(c.GetRawLen()) + c.GetGapBytes()
	index, err := strconv.Atoi(strings.TrimPrefix(name, "step/"))
	r.mu.Lock()
	fresh := err == nil && c.GetStartOffset() == r.streams[name] && end > c.GetStartOffset()
	if fresh {
		r.streams[name] = end
	}
	committed := r.streams[name]
	r.mu.Unlock()
	if fresh {
		r.show(func(v View) {
			text, err := r.decoder.DecodeAll(c.GetData(), nil)
			if err != nil {
				v.Note(fmt.Sprintf("a part of the log of step %d cannot be read: %v", index+1, err))
			}
			v.Log(index, text, c.GetGapBytes())
		})
	}
	return &runnerv1.LogAck{Stream: name, Committed: committed, Final: c.GetFinal() != nil}
}

func (r *receiver) step(s *runnerv1.StepState) {
	r.mu.Lock()
	if s.ExitCode != nil {
		r.exits[s.GetIndex()] = int(s.GetExitCode())
	}
	r.passed[s.GetIndex()] = s.GetStatus() == runnerv1.StepStatus_STEP_STATUS_PASSED
	waits := s.GetStatus() == runnerv1.StepStatus_STEP_STATUS_PAUSED || len(s.GetCalls()) > 0 && s.GetStatus() == runnerv1.StepStatus_STEP_STATUS_RUNNING
	ask := waits && !r.asked[s.GetIndex()]
	r.asked[s.GetIndex()] = r.asked[s.GetIndex()] || ask
	if ask = ask && !r.closed; ask {
		r.handlers.Add(1)
	}
	r.mu.Unlock()
	r.show(func(v View) { v.Step(s) })
	if ask {
		go func() {
			defer r.handlers.Done()
			r.resume(r.ask(s))
		}()
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
	if err := errors.Join(r.admit(wire.RequestHeader()), r.enter()); err != nil {
		return nil, err
	}
	defer r.handlers.Done()
	if !wire.Receive() || wire.Msg().GetHeader() == nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("the first message is not a header"))
	}
	h := wire.Msg().GetHeader()
	from := &body{wire: wire}
	kept, err := r.keep(h, from)
	switch {
	case from.err != nil:
		return nil, from.err // the runner comes again
	case err != nil: // it would be no better then
		return nil, connect.NewError(connect.CodeFailedPrecondition, err)
	}
	r.show(func(v View) { v.File(h, kept) })
	return &runnerv1.UploadResponse{Size: h.GetSize()}, nil
}

// keep writes a file below the output, reports and artifacts of each step apart, and returns where; "" when it is not kept there. A report
// is also kept for being read, whatever others are called like it.
func (r *receiver) keep(h *runnerv1.FileHeader, from io.Reader) (kept string, err error) {
	report := h.GetKind() == runnerv1.FileKind_FILE_KIND_REPORT
	if report {
		r.mu.Lock()
		number := len(r.reports)
		file := filepath.Join(r.files, strconv.Itoa(number))
		r.reports = append(r.reports, Report{Name: h.GetPath(), File: file, Format: h.GetFormat(), Step: int(h.GetStepIndex())})
		r.mu.Unlock()
		if err := write(r.files, strconv.Itoa(number), from); err != nil {
			return "", err
		}
		again, err := os.Open(file) //nolint:gosec // G304: our own path
		if err != nil {
			return "", err //nolint:wrapcheck // names what and where
		}
		defer again.Close() //nolint:errcheck // read only
		from = again
	}
	if r.output == "" {
		_, err := io.Copy(io.Discard, from)
		return "", err //nolint:wrapcheck // the caller tells
	}
	kind := "artifacts"
	if report {
		kind = "reports"
	}
	name := path.Join(r.stepName(h.GetStepIndex()), kind, h.GetPath())
	return filepath.Join(r.output, filepath.FromSlash(name)), write(r.output, name, from)
}

func (r *receiver) stepName(index int32) string {
	if int(index) < len(r.steps) {
		return r.steps[index].Name
	}
	return strconv.Itoa(int(index))
}

// write makes a file below a folder.
func write(dir, name string, from io.Reader) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err //nolint:wrapcheck // names what and where
	}
	defer root.Close() //nolint:errcheck // nothing is pending
	if err := root.MkdirAll(path.Dir(name), 0o750); err != nil {
		return err //nolint:wrapcheck // names what and where
	}
	to, err := root.Create(name)
	if err != nil {
		return err //nolint:wrapcheck // names what and where
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// result is how it ended, once all handlers have.
func (r *receiver) result() (Result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.finished == nil {
		return Result{}, false
	}
	for i := range r.reports {
		if code, ok := r.exits[int32(r.reports[i].Step)]; ok && !r.passed[int32(r.reports[i].Step)] { //nolint:gosec // G115: from the header
			r.reports[i].Exit = &code
		}
	}
	return Result{Status: r.finished.GetStatus(), Reason: r.finished.GetReason(), Reports: r.reports}, true
}

// body reads the bytes of a file from the wire.
type body struct {
	wire *connect.ClientStream[runnerv1.UploadRequest]
	rest bytes.Reader
	err  error // of the wire
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	for b.rest.Len() == 0 {
		if !b.wire.Receive() {
			if b.err = b.wire.Err(); b.err != nil {
				return 0, b.err
			}
			return 0, io.EOF
		}
		b.rest.Reset(b.wire.Msg().GetData())
	}
	return b.rest.Read(p) //nolint:wrapcheck // never fails
}
