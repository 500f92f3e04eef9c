package jobspec

import (
	"encoding/base64"
	"fmt"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// The API server takes 256 KiB of annotations in all; some room stays for others.
const maxPlan = 224 << 10

// A plan read back is never larger than what a compressed annotation can honestly hold.
const maxPlanRaw = 16 << 20

// EncodePlan returns the annotation that carries a plan to the runner: base64 of a Zstandard frame of the plan.
func EncodePlan(p *runnerv1.Plan) (string, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("encode plan: %w", err)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(512<<10))
	if err != nil {
		return "", fmt.Errorf("compress plan: %w", err)
	}
	out := base64.StdEncoding.EncodeToString(enc.EncodeAll(raw, nil))
	if err := enc.Close(); err != nil {
		return "", fmt.Errorf("compress plan: %w", err)
	}
	if len(out) > maxPlan {
		return "", fmt.Errorf("steps and source files need %d KiB compressed and a pod can carry %d: move files into an image or a repository",
			len(out)>>10, maxPlan>>10)
	}
	return out, nil
}

// DecodePlan reads the annotation.
func DecodePlan(annotation string) (*runnerv1.Plan, error) {
	frame, err := base64.StdEncoding.DecodeString(annotation)
	if err != nil {
		return nil, fmt.Errorf("decode plan: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPlanRaw))
	if err != nil {
		return nil, fmt.Errorf("decompress plan: %w", err)
	}
	defer dec.Close()
	raw, err := dec.DecodeAll(frame, nil)
	if err != nil {
		return nil, fmt.Errorf("decompress plan: %w", err)
	}
	var p runnerv1.Plan
	if err := proto.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("decode plan: %w", err)
	}
	return &p, nil
}
