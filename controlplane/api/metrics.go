package api

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/packed"
	"github.com/seatrial/seatrial/controlplane/usage"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// maxMetrics is how many samples an answer has at most; the last step of it is still whole.
const maxMetrics = 100_000

// ListMetrics implements ExecutionServiceHandler.
func (s *server) ListMetrics(ctx context.Context, r *apiv1.ListMetricsRequest) (*apiv1.ListMetricsResponse, error) {
	id, err := idOf(r.GetExecutionId(), "execution_id")
	if err != nil {
		return nil, err
	}
	e, err := s.History.Execution(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read execution: %w", err)
	}
	files, err := s.History.Files(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("list files: %w", err)
	}
	return s.metrics(ctx, e, files, r.GetAttemptIds())
}

// metrics returns what was recorded of the steps of an execution; of all attempts, or of some.
func (s *server) metrics(ctx context.Context, e execution.Execution, files []execution.File, only []string) (*apiv1.ListMetricsResponse, error) {
	out, n := &apiv1.ListMetricsResponse{}, 0
	for _, run := range e.Runs {
		for _, a := range run.Attempts {
			if len(only) > 0 && !slices.Contains(only, a.ID.String()) {
				continue
			}
			for _, step := range a.Steps {
				samples, found, err := s.samples(ctx, files, a.ID, step.Index)
				if err != nil {
					return nil, err
				}
				if !found && step.Usage == nil {
					continue
				}
				if n > maxMetrics {
					out.Cut = true
					return out, nil
				}
				n += len(samples)
				out.Steps = append(out.Steps, &apiv1.StepMetrics{
					AttemptId: a.ID.String(), StepIndex: int32Of(step.Index), Step: step.Name, Run: run.Name, Usage: usageOf(step.Usage), Samples: samples,
				})
			}
		}
	}
	return out, nil
}

// samples returns what was recorded of a step. A record that is not stored any more, or that nobody can read, has none.
func (s *server) samples(ctx context.Context, files []execution.File, attempt execution.AttemptID, step int) (out []*apiv1.Sample, found bool, err error) {
	i := slices.IndexFunc(files, func(f execution.File) bool {
		return f.Kind == execution.FileMetrics && f.Attempt == attempt && f.Step == step
	})
	if i < 0 {
		return nil, false, nil
	}
	body, err := packed.Open(ctx, s.Blobs, files[i])
	if fault.Is(err, fault.NotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("open %s: %w", files[i].Path, err)
	}
	defer body.Close() //nolint:errcheck // it was only read
	list, err := usage.Parse(body)
	if err != nil {
		s.Log.WarnContext(ctx, "record of a step not readable", "file", files[i].ID, "error", err)
		return nil, true, nil
	}
	for _, one := range list {
		out = append(out, &apiv1.Sample{
			At: durationpb.New(one.At), Cpu: durationpb.New(one.CPU), Memory: one.Memory, ReadBytes: one.Read, WrittenBytes: one.Written,
		})
	}
	return out, true, nil
}
