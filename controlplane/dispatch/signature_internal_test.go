package dispatch

import (
	"errors"
	"testing"

	"github.com/seatrial/seatrial/controlplane/workflow/expand"
)

type unable struct{}

func (unable) Run(expand.Run) ([]byte, error) { return nil, errors.New("no") }

// TestSigned_Unable holds that a run of which no specification can be made starts all the same, with its signature.
func TestSigned_Unable(t *testing.T) {
	t.Parallel()
	s := &signed{envelope: []byte("envelope"), specifier: unable{}}
	if got := s.of(expand.Run{}); string(got.GetEnvelope()) != "envelope" || got.GetSpecification() != nil {
		t.Errorf("got %v", got)
	}
	if got := (*signed)(nil).of(expand.Run{}); got != nil {
		t.Errorf("without a signature: %v", got)
	}
}
