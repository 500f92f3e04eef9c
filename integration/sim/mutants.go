package sim

import (
	"bytes"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/seatrial/seatrial/agent/jobspec"
)

// renamed gives a Job another name when the mutant wants that.
func (m Mutants) renamed(w *World, body []byte) []byte {
	if !m.RandomNames {
		return body
	}
	obj, _, err := w.shared.kinds.decoder.Decode(body, nil, nil)
	job, ok := obj.(*batchv1.Job)
	if err != nil || !ok {
		return body
	}
	name, err := jobspec.Name(job.Labels[jobspec.LabelAttempt])
	if err != nil {
		return body
	}
	// Names are as long as before, so that the encoding of their length stays as it is.
	other := fmt.Appendf(nil, "%s%08x", name[:len(name)-8], uint32(w.chance.bits("mutant.name")))
	return bytes.Replace(body, []byte(name), other, 1)
}
