package ship

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"connectrpc.com/connect"

	"github.com/seatrial/seatrial/agent/runner/gather"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// upload takes files from the queue until ctx is done.
func (s *Shipper) upload(ctx context.Context) {
	for {
		f, ok := s.take()
		if !ok {
			select {
			case <-s.more:
				continue
			case <-ctx.Done():
				return
			}
		}
		s.put(ctx, f)
		s.over(f)
		s.Wake()
	}
}

func (s *Shipper) take() (gather.File, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return gather.File{}, false
	}
	f := s.queue[0]
	s.queue = s.queue[1:]
	s.busy++
	return f, true
}

// put tries until the file is stored, is refused for good, or ctx is done.
func (s *Shipper) put(ctx context.Context, f gather.File) {
	for tries := 0; ; tries++ {
		err := s.putOnce(ctx, f)
		if err == nil {
			return
		}
		if permanent(err) {
			s.Note(fmt.Sprintf("%s was not stored: %v", f.Header.GetPath(), err))
			return
		}
		if !pause(ctx, tries) {
			return
		}
	}
}

// over gives up the copy of a file unless another file needs it still.
func (s *Shipper) over(f gather.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
	if s.copies[f.Copy]--; s.copies[f.Copy] <= 0 {
		delete(s.copies, f.Copy)
		_ = os.Remove(f.Copy) // the volume goes with the pod anyway
	}
}

// permanent tells errors that another try cannot change. An agent that does not know the pod yet is not among them.
func permanent(err error) bool {
	switch connect.CodeOf(err) {
	case connect.CodeInvalidArgument, connect.CodeResourceExhausted, connect.CodeFailedPrecondition, connect.CodeOutOfRange:
		return true
	default:
		return errors.Is(err, os.ErrNotExist)
	}
}

func (s *Shipper) putOnce(ctx context.Context, f gather.File) error {
	token, err := bearer(s.opts.TokenFile)
	if err != nil {
		return fmt.Errorf("upload: %w", errors.New(err.Error())) // a missing token may come back; it is not the file that is missing
	}
	file, err := os.Open(f.Copy)
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx, call := connect.NewClientContext(ctx)
	call.RequestHeader().Set("Authorization", token)
	w, err := s.client.Upload(ctx)
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	if err := sendFile(w, f.Header, file); err != nil && !errors.Is(err, io.EOF) { // after io.EOF the answer says why
		cancel()
		_, _ = w.CloseAndReceive() // releases what the transport holds
		return err
	}
	if _, err := w.CloseAndReceive(); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	return nil
}

func sendFile(w *connect.ClientStreamForClientSimple[runnerv1.UploadRequest, runnerv1.UploadResponse], h *runnerv1.FileHeader, r io.Reader) error {
	if err := w.Send(&runnerv1.UploadRequest{Message: &runnerv1.UploadRequest_Header{Header: h}}); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	buf := make([]byte, frameSize)
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			if err := w.Send(&runnerv1.UploadRequest{Message: &runnerv1.UploadRequest_Data{Data: buf[:n]}}); err != nil {
				return fmt.Errorf("upload: %w", err)
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read copy: %w", err)
		}
	}
}
