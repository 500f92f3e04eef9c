package dispatch

import (
	"fmt"

	"github.com/seatrial/seatrial/controlplane/specify"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/expand"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// signed hands the signature of a workflow on, with the specification of each run. Whether it holds is for the agent to say, which has the
// keys: a cluster that demands none runs a workflow that has changed since it was signed, as it runs any other.
type signed struct {
	envelope  []byte
	specifier *specify.Specifier // nil when the workflow is none that can be signed any more
}

// signatureOf returns nil for a workflow without a signature.
func signatureOf(doc *workflow.Document) *signed {
	envelope := specify.Envelope(doc)
	if envelope == "" {
		return nil
	}
	specifier, err := specify.New(doc)
	if err != nil {
		return &signed{envelope: []byte(envelope)}
	}
	return &signed{[]byte(envelope), specifier}
}

// of returns what goes along with the assignment of a run.
func (s *signed) of(run expand.Run) (*agentv1.RunSpecification, error) {
	if s == nil {
		return nil, nil //nolint:nilnil // an assignment without one has none
	}
	out := &agentv1.RunSpecification{Envelope: s.envelope}
	if s.specifier == nil {
		return out, nil
	}
	var err error
	if out.Specification, err = s.specifier.Run(run); err != nil {
		return nil, fmt.Errorf("specify the run: %w", err)
	}
	return out, nil
}
