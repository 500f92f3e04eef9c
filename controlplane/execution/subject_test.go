package execution_test

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
)

func TestFirstObserved(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	first, later := &execution.Subject{ObservedAt: now}, &execution.Subject{ObservedAt: now.Add(time.Minute)}
	late, denied := &execution.Subject{Message: "too late"}, &execution.Subject{Message: "no Role"}
	for name, tc := range map[string]struct {
		kept, told, want *execution.Subject
		reason           string
	}{
		"Nothing":     {nil, nil, nil, "nothing was said"},
		"First":       {nil, first, first, "the first word"},
		"FirstDenied": {nil, denied, denied, "that nothing was observed is kept, too"},
		"Silence":     {first, nil, first, "an agent that has not looked yet takes nothing back"},
		"Again":       {first, later, first, "a later moment is another one"},
		"TooLate":     {first, late, first, "the agent before had seen it"},
		"MadeUpFor":   {denied, first, first, "the agent may read the pods by now"},
		"TwoReasons":  {denied, late, denied, "the first reason is nearer to the moment"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := execution.FirstObserved(tc.kept, tc.told); got != tc.want {
				t.Errorf("%v: %s", got, tc.reason)
			}
		})
	}
}
