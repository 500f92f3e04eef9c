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

// What an answer has at most: samples, of which the last step is still whole, and records that were opened for it.
const (
	maxMetrics = 100_000
	maxRecords = 500
)

// ofStep names a step of an attempt.
type ofStep struct {
	attempt execution.AttemptID
	step    int
}

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
	out, samples, opened := &apiv1.ListMetricsResponse{}, 0, 0
	records := map[ofStep]execution.File{}
	for _, f := range files {
		if f.Kind == execution.FileMetrics {
			records[ofStep{f.Attempt, f.Step}] = f
		}
	}
	for _, run := range e.Runs {
		for _, a := range run.Attempts {
			if len(only) > 0 && !slices.Contains(only, a.ID.String()) {
				continue
			}
			for _, step := range a.Steps {
				record, found := records[ofStep{a.ID, step.Index}]
				if !found && step.Usage == nil {
					continue
				}
				if samples > maxMetrics || opened >= maxRecords {
					out.Cut = true
					return out, nil
				}
				one := &apiv1.StepMetrics{
					AttemptId: a.ID.String(), StepIndex: int32Of(step.Index), Step: step.Name, Run: run.Name, Usage: usageOf(step.Usage),
				}
				if found {
					opened++
					var err error
					if one.Samples, err = s.samples(ctx, record); err != nil {
						return nil, err
					}
				}
				samples += len(one.Samples)
				out.Steps = append(out.Steps, one)
			}
		}
	}
	return out, nil
}

// samples returns what was recorded of a step. A record that is not stored any more, or that nobody can read, has none.
func (s *server) samples(ctx context.Context, record execution.File) (out []*apiv1.Sample, err error) {
	body, err := packed.Open(ctx, s.Blobs, record)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", record.Path, err)
	}
	defer body.Close() //nolint:errcheck // it was only read
	list, err := usage.Parse(body)
	if err != nil {
		s.Log.WarnContext(ctx, "record of a step not readable", "file", record.ID, "error", err)
		return nil, nil
	}
	for _, one := range list {
		out = append(out, &apiv1.Sample{
			At: durationpb.New(one.At), Cpu: durationpb.New(one.CPU), Memory: one.Memory, ReadBytes: one.Read, WrittenBytes: one.Written,
		})
	}
	return out, nil
}
