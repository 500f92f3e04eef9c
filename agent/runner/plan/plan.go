// Package plan reads the plan of an attempt that the agent put into the pod.
package plan

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// maxRaw bounds what a plan may decompress to.
const maxRaw = 16 << 20

// Read reads the file that the downward API writes.
func Read(path string) (*runnerv1.Plan, error) {
	text, err := os.ReadFile(path) //nolint:gosec // G304: the path is fixed by the pod's shape
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	return Decode(string(text))
}

// Decode reads base64 of a Zstandard frame of a plan, and checks it.
func Decode(text string) (*runnerv1.Plan, error) {
	frame, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("decode plan: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRaw))
	if err != nil {
		return nil, fmt.Errorf("decompress plan: %w", err)
	}
	defer dec.Close()
	raw, err := dec.DecodeAll(frame, nil)
	if err != nil {
		return nil, fmt.Errorf("decompress plan: %w", err)
	}
	p := &runnerv1.Plan{}
	if err := proto.Unmarshal(raw, p); err != nil {
		return nil, fmt.Errorf("decode plan: %w", err)
	}
	return p, check(p)
}

// Encode is the inverse of Decode.
func Encode(p *runnerv1.Plan) (string, error) {
	raw, err := proto.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("encode plan: %w", err)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return "", fmt.Errorf("compress plan: %w", err)
	}
	return base64.StdEncoding.EncodeToString(enc.EncodeAll(raw, nil)), enc.Close()
}

func check(p *runnerv1.Plan) error {
	if p.GetAttemptId() == "" {
		return errors.New("plan names no attempt")
	}
	if len(p.GetSteps()) == 0 {
		return errors.New("plan has no steps")
	}
	for i, s := range p.GetSteps() {
		if int(s.GetIndex()) != i {
			return fmt.Errorf("step %d of the plan has index %d", i, s.GetIndex())
		}
		if s.GetContainer() == "" {
			return fmt.Errorf("step %d of the plan has no container", i)
		}
		if kinds(s) != 1 {
			return fmt.Errorf("step %d of the plan needs one of script, command, pause and execute", i)
		}
	}
	return nil
}

// kinds counts what a step is, which has to be one thing.
func kinds(s *runnerv1.Step) int {
	n := 0
	for _, is := range []bool{s.GetScript() != "", len(s.GetCommand()) > 0, s.GetPause() != nil, s.GetExecute() != nil} {
		if is {
			n++
		}
	}
	return n
}
