package trigger

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// TestWatchesIn: what is beyond the limit is known, so that its triggers can say so.
func TestWatchesIn(t *testing.T) {
	t.Parallel()
	var records []Record
	for i := range MaxWatches + 2 {
		records = append(records, Record{ID: uuid.New(), Name: fmt.Sprint(i), Spec: document.TriggerSpec{Kubernetes: &document.KubernetesEvent{Resource: "pods", Event: Created}}})
	}
	records[0].Spec.Suspend = true
	watches, beyond := watchesIn(records, Place{})
	if len(watches) != MaxWatches || len(beyond) != 1 || beyond[0].Trigger != records[len(records)-1].ID {
		t.Errorf("%d watches, %d beyond", len(watches), len(beyond))
	}
}
