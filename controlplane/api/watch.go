package api

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

const (
	logPiece = 256 << 10 // bytes of a log in one message
	// Records that are still missing so long after the end will not come: the watch ends without them.
	recordsAfter = 10 * time.Minute
)

// errRestarts ends streams when the program stops; clients open them again elsewhere.
func errRestarts() error {
	return fault.New(fault.Unavailable, "the control plane restarts").WithHint("Open the stream again.")
}

// wait returns when there may be something new: after a hint, or in case one was lost.
func (s *server) wait(ctx context.Context, wake <-chan struct{}) error {
	safety := time.NewTimer(s.Timing.Safety)
	defer safety.Stop()
	select {
	case <-wake:
		return nil
	case <-safety.C:
		return nil
	case <-s.Draining:
		return errRestarts()
	case <-ctx.Done():
		return fmt.Errorf("wait for changes: %w", ctx.Err())
	}
}

// WatchExecution implements ExecutionServiceHandler.
func (s *server) WatchExecution(
	ctx context.Context, r *apiv1.WatchExecutionRequest, stream *connect.ServerStream[apiv1.WatchExecutionResponse],
) error {
	id, err := idOf(r.GetId(), "id")
	if err != nil {
		return err
	}
	viewer, _ := tenant.FromContext(ctx) // the interceptor put it there
	wake, cancel := s.Bus.Subscribe(ctx, execution.Topic(viewer.Organization, id))
	defer cancel()
	var sent *apiv1.Execution
	for {
		e, err := s.History.Execution(ctx, id)
		if err != nil {
			return fmt.Errorf("watch execution: %w", err)
		}
		if now := executionOf(e); !proto.Equal(now, sent) {
			if err := stream.Send(&apiv1.WatchExecutionResponse{Execution: now}); err != nil {
				return err //nolint:wrapcheck // Connect's own error
			}
			sent = now
		}
		if over(e, time.Now()) {
			return nil
		}
		if err := s.wait(ctx, wake); err != nil {
			return err
		}
	}
}

// over reports whether nothing about the execution will change.
func over(e execution.Execution, now time.Time) bool {
	if !e.Status.Terminal() {
		return false
	}
	if !e.FinishedAt.IsZero() && now.Sub(e.FinishedAt) > recordsAfter {
		return true
	}
	for _, run := range e.Runs {
		for _, a := range run.Attempts {
			if !a.Delivered {
				return false
			}
		}
	}
	return true
}

// StreamLog implements ExecutionServiceHandler.
func (s *server) StreamLog(ctx context.Context, r *apiv1.StreamLogRequest, stream *connect.ServerStream[apiv1.StreamLogResponse]) error {
	id, err := idOf(r.GetAttemptId(), "attempt_id")
	if err != nil {
		return err
	}
	name, err := logOf(r)
	if err != nil {
		return err
	}
	attempt, of, err := s.History.Attempt(ctx, id)
	if err == nil {
		err = withheld(attempt, r.GetService())
	}
	if err != nil {
		return fmt.Errorf("stream log: %w", err)
	}
	viewer, _ := tenant.FromContext(ctx) // the interceptor put it there
	// The log may end with the records of the execution rather than by itself.
	wake, cancel := s.Bus.Subscribe(ctx, execution.LogTopic(viewer.Organization, id, name), execution.Topic(viewer.Organization, of))
	defer cancel()
	if err := stream.Send(nil); err != nil { // the headers: a quiet log must not look like a call that hangs
		return err //nolint:wrapcheck // Connect's own error
	}
	for offset := r.GetOffset(); ; {
		p, err := s.logs.Read(ctx, id, name, offset, logPiece)
		if err != nil {
			return fmt.Errorf("stream log: %w", err)
		}
		if !p.Empty() || p.Complete {
			err := stream.Send(&apiv1.StreamLogResponse{Offset: p.Offset, Data: p.Data, GapBytes: p.Gap, Complete: p.Complete})
			if err != nil {
				return err //nolint:wrapcheck // Connect's own error
			}
		}
		switch offset = p.Next; {
		case p.Complete, p.Empty() && !r.GetFollow():
			return nil
		case !p.Empty():
		default:
			if err := s.wait(ctx, wake); err != nil {
				return err
			}
		}
	}
}

// logOf returns the name of the log that is asked for.
func logOf(r *apiv1.StreamLogRequest) (string, error) {
	name := execution.Stream(int(r.GetStepIndex()))
	switch service := r.GetService(); {
	case service != "":
		if name = execution.ServiceStream(service); !execution.IsStream(name) {
			return "", fault.New(fault.Invalid, "%q is not the name of a service", service).WithField("service")
		}
	case r.GetStepIndex() < 0:
		return "", fault.New(fault.Invalid, "steps are counted from 0").WithField("step_index")
	}
	return name, nil
}

// withheld refuses the log of a service that is given a secret: it would be empty, and look like one that is.
func withheld(a execution.Attempt, service string) error {
	for _, s := range a.Services {
		if s.Name == service && s.LogWithheld {
			return fault.New(fault.Unsupported, "the log of service %s is not kept, because it is given a secret or its pod mounts one, and nothing could redact it", service).
				WithField("service").WithHint("Read it while the pod is there: kubectl logs %s -c service-%s.",
				cmp.Or(a.Pod, "POD"), service)
		}
	}
	return nil
}
