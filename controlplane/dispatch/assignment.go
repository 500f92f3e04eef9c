package dispatch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/runplan"
	"github.com/seatrial/seatrial/controlplane/workflow"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// encode returns the bytes of an assignment and their digest. They are stored, so that every delivery has the same digest.
func encode(a *agentv1.Assignment) (spec []byte, digest string, err error) {
	spec, err = proto.MarshalOptions{Deterministic: true}.Marshal(a)
	if err != nil {
		return nil, "", fmt.Errorf("encode assignment: %w", err)
	}
	sum := sha256.Sum256(spec)
	return spec, hex.EncodeToString(sum[:]), nil
}

// Reissue makes the assignment of the next attempt of a run out of that of an earlier one.
func Reissue(spec []byte, id execution.AttemptID, number int) (again []byte, digest string, err error) {
	a := &agentv1.Assignment{}
	if err := proto.Unmarshal(spec, a); err != nil {
		return nil, "", fmt.Errorf("decode assignment: %w", err)
	}
	a.AttemptId, a.AttemptNumber = id.String(), int32(number) //nolint:gosec // at most 11
	if a.GetPlan() != nil {
		a.Plan.AttemptId = id.String()
	}
	return encode(a)
}

func assignment(id ids, name string, env cluster.Environment, plan *workflow.Plan) *agentv1.Assignment {
	a := runplan.Assignment(id.attempt.String(), name, plan)
	a.ExecutionId, a.RunId = id.execution.String(), id.run.String()
	a.Environment, a.Namespace = env.Name, env.Namespace
	return a
}
