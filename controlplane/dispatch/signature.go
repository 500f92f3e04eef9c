package dispatch

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/controlplane/specify"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/expand"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// signed hands the signature of a workflow on, with the specification of each run. Whether it holds is for the agent to say, which has the
// keys: a cluster that demands none runs a workflow that has changed since it was signed, as it runs any other.
type signed struct {
	envelope  []byte
	specifier specifier // nil when the workflow is none that can be signed any more
	size      int       // of what went along so far
}

type specifier interface {
	Run(expand.Run) ([]byte, error)
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
	return &signed{envelope: []byte(envelope), specifier: specifier}
}

// of returns what goes along with the assignment of a run. A run of which no specification can be made goes without one: the agent of a cluster
// that demands it says so, and everywhere else the run is none the worse for it.
func (s *signed) of(run expand.Run) *agentv1.RunSpecification {
	if s == nil {
		return nil
	}
	out := &agentv1.RunSpecification{Envelope: s.envelope}
	if s.specifier != nil {
		if specification, err := s.specifier.Run(run); err == nil {
			out.Specification = specification
		}
	}
	s.size += proto.Size(out)
	return out
}

// hint says what to do about assignments that are too large together.
func (s *signed) hint(size int) string {
	if s != nil && s.size > size/2 {
		return fmt.Sprintf("%d KiB of it are the signature, which each run carries: split the workflow, or run fewer cells at a time.", s.size>>10)
	}
	return "Take large files from spec.source.git, or run fewer cells at a time."
}
