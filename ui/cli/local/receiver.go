package local

import (
	"bytes"
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
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
	files          string // directory for reports then
	steps          []workflow.PlanStep
	ask            func(s *runnerv1.StepState) *runnerv1.Resume // nil means that nobody answers

	shown   inOrder
	decoder *zstd.Decoder // used by one handler at a time, as inOrder holds its lock

	mu       sync.Mutex // of all below, never held while something is sent or shown
	closed   bool
	handlers sync.WaitGroup
	streams  map[string]int64
	attached map[*peer]struct{}
	cancel   *runnerv1.Cancel
	resumed  []*runnerv1.Resume
	asked    map[int32]bool
	exits    map[int32]int
	passed   map[int32]bool
	reports  []Report
	finished *runnerv1.Finished
}

// peer is a runner that is attached. Nothing is sent to one that is gone.
type peer struct {
	wire *attachStream
	mu   sync.Mutex // of what is sent
	gone bool
}

func newReceiver(s *session, token string, ask func(*runnerv1.StepState) *runnerv1.Resume) (*receiver, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxChunk))
	if err != nil {
		return nil, fmt.Errorf("prepare for logs: %w", err)
	}
	return &receiver{
		attempt: s.attempt, token: token, output: s.Output, files: filepath.Join(s.dir, "files"), ask: ask, steps: s.compiled.Steps,
		shown: newInOrder(s.View, s.compiled.Steps), decoder: dec,
		streams: map[string]int64{}, attached: map[*peer]struct{}{}, asked: map[int32]bool{}, exits: map[int32]int{}, passed: map[int32]bool{},
	}, nil
}

// enter admits a handler, unless its runner is a stranger or everything is over. It is counted until it calls handlers.Done.
func (r *receiver) enter(header http.Header) error {
	if subtle.ConstantTimeCompare([]byte(header.Get("Authorization")), []byte("Bearer "+r.token)) != 1 {
		return connect.NewError(connect.CodeUnauthenticated, errors.New("the token is another one"))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return connect.NewError(connect.CodeUnavailable, errors.New("it is over"))
	}
	r.handlers.Add(1)
	return nil
}

// close waits for all handlers, none of which begins afterwards, and shows what is left.
func (r *receiver) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.handlers.Wait()
	r.shown.rest()
}

// Attach implements the RunnerService.
func (r *receiver) Attach(_ context.Context, wire *attachStream) error {
	if err := r.enter(wire.RequestHeader()); err != nil {
		return err
	}
	defer r.handlers.Done()
	first, err := wire.Receive()
	if err != nil || first.GetHello().GetAttemptId() != r.attempt {
		return connect.NewError(connect.CodePermissionDenied, errors.New("it is another attempt"))
	}
	one := &peer{wire: wire}
	defer r.leave(one)
	if err := r.greet(one); err != nil {
		return err
	}
	for {
		m, err := wire.Receive()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err //nolint:wrapcheck // the runner comes back
		}
		if answer := r.handle(m); answer != nil {
			if err := one.send(answer); err != nil {
				return err
			}
		}
	}
}

func (r *receiver) greet(one *peer) error {
	r.mu.Lock()
	r.attached[one] = struct{}{}
	welcome := &runnerv1.Welcome{Committed: maps.Clone(r.streams), Cancel: r.cancel, Resumed: slices.Clone(r.resumed)}
	r.mu.Unlock()
	return one.send(&runnerv1.AttachResponse{Message: &runnerv1.AttachResponse_Welcome{Welcome: welcome}})
}

func (r *receiver) leave(one *peer) {
	r.mu.Lock()
	delete(r.attached, one)
	r.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	one.gone = true
}

func (p *peer) send(m *runnerv1.AttachResponse) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return connect.NewError(connect.CodeUnavailable, errors.New("it has left"))
	}
	return p.wire.Send(m) //nolint:wrapcheck // the runner comes back
}

// tell sends something to all that are attached; those that come later learn it when they are greeted.
func (r *receiver) tell(m *runnerv1.AttachResponse) {
	r.mu.Lock()
	all := slices.Collect(maps.Keys(r.attached))
	r.mu.Unlock()
	for _, one := range all {
		_ = one.send(m) // one that is gone is greeted again
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
		for _, note := range m.Delivered.GetNotes() {
			r.shown.aside(func(v View) { v.Note(note) })
		}
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
		r.shown.log(index, end-c.GetStartOffset(), func() (text []byte, gap int64) {
			text, err := r.decoder.DecodeAll(c.GetData(), nil)
			if err != nil { // it is there, and nobody can read it
				return nil, end - c.GetStartOffset()
			}
			return text, c.GetGapBytes()
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
	r.mu.Unlock()
	if terminal(s) {
		r.shown.end(s)
		return
	}
	r.shown.during(int(s.GetIndex()), func(v View) {
		v.Step(s)
		if ask { // once what came before it was shown
			r.question(s)
		}
	})
}

// question asks beside everything else.
func (r *receiver) question(s *runnerv1.StepState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.handlers.Go(func() { r.resume(r.ask(s)) })
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
	if err := r.enter(wire.RequestHeader()); err != nil {
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
	r.shown.aside(func(v View) { v.File(h, kept) })
	return &runnerv1.UploadResponse{Size: h.GetSize()}, nil
}

// keep writes a file below the output, or below a folder of the session's when it is a report that is only to be read, and returns
// where; "" when it does not stay. Reports and artifacts of each step are apart.
func (r *receiver) keep(h *runnerv1.FileHeader, from io.Reader) (kept string, err error) {
	kind, report := "artifacts", h.GetKind() == runnerv1.FileKind_FILE_KIND_REPORT
	if report {
		kind = "reports"
	}
	dir := cmp.Or(r.output, r.files)
	if r.output == "" && !report {
		_, err := io.Copy(io.Discard, from)
		return "", err //nolint:wrapcheck // the caller tells
	}
	name := path.Join(r.stepName(h.GetStepIndex()), kind, h.GetPath())
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := write(dir, name, from); err != nil {
		return "", err
	}
	if report {
		r.mu.Lock()
		r.reports = append(r.reports, Report{Name: h.GetPath(), File: file, Format: h.GetFormat(), Step: int(h.GetStepIndex())})
		r.mu.Unlock()
	}
	if r.output == "" {
		return "", nil
	}
	return file, nil
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

func terminal(s *runnerv1.StepState) bool {
	switch s.GetStatus() {
	case runnerv1.StepStatus_STEP_STATUS_UNSPECIFIED, runnerv1.StepStatus_STEP_STATUS_WAITING, runnerv1.StepStatus_STEP_STATUS_RUNNING,
		runnerv1.StepStatus_STEP_STATUS_PAUSED:
		return false
	default:
		return true
	}
}

// answer decides about a step that waits.
func (s *session) answer(ctx context.Context, step *runnerv1.StepState) *runnerv1.Resume {
	if len(step.GetCalls()) > 0 {
		return &runnerv1.Resume{
			StepIndex: step.GetIndex(), Status: runnerv1.StepStatus_STEP_STATUS_PASSED, Reason: "other workflows are not executed on this machine",
		}
	}
	if by := s.Resume(ctx, step.GetReason()); by != "" {
		return &runnerv1.Resume{StepIndex: step.GetIndex(), Reason: "resumed by " + by}
	}
	return nil
}
