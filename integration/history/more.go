package history

import (
	"bytes"
	"time"
)

// cancels is I6. Which of the two wins, cancel or finish, may be seen in either order of events; that the winner stays is I2.
func cancels(h *facts) (out []Violation) {
	if h.limits.Cancel == 0 {
		return nil
	}
	ended := map[string]time.Time{} // by pod
	for _, e := range h.of[Ended] {
		ended[e.Object] = e.At
	}
	asked := map[string]time.Time{}
	for _, e := range h.of[CancelAccepted] {
		if _, known := asked[e.Execution]; !known {
			asked[e.Execution] = e.At
		}
	}
	for _, e := range h.of[Began] {
		at, cancelled := asked[e.Execution]
		if !cancelled {
			continue
		}
		if h.healed.After(at) {
			at = h.healed
		}
		deadline := at.Add(h.limits.Cancel)
		over, known := ended[e.Object]
		switch {
		case known && over.After(deadline):
			out = append(out, broken(I6, over, "the process of attempt %s ran on for %s after it was to be cancelled", e.Attempt, over.Sub(at)))
		case !known && h.last.After(deadline):
			out = append(out, broken(I6, e.At, "the process of attempt %s is still alive although it was cancelled", e.Attempt))
		}
	}
	return out
}

// apart is I7.
func apart(h *facts) (out []Violation) {
	for _, secret := range h.of[Canary] {
		for _, e := range h.of[Sent] {
			if e.Tenant != secret.Tenant && len(secret.Data) > 0 && bytes.Contains(e.Data, secret.Data) {
				out = append(out, broken(I7, e.At, "the tenant %s was sent a secret of %s", e.Tenant, secret.Tenant))
			}
		}
	}
	return out
}

// bounded is I8. What is drained may not be more than there was before the first trigger.
func bounded(h *facts) (out []Violation) {
	baseline := map[string]int64{}
	for _, e := range h.of[Gauge] {
		if e.Phase == PhaseBaseline {
			baseline[e.Name] = e.Value
		}
	}
	for _, e := range h.of[Gauge] {
		before, known := baseline[e.Name]
		switch {
		case e.Limit > 0 && e.Value > e.Limit:
			out = append(out, broken(I8, e.At, "%s was %d, at most %d is allowed", e.Name, e.Value, e.Limit))
		case e.Phase == PhaseDrained && known && e.Value > before:
			out = append(out, broken(I8, e.At, "%s was %d before and is %d after everything has settled", e.Name, before, e.Value))
		}
	}
	return out
}

// alive is I9.
func alive(h *facts) (out []Violation) {
	if h.limits.Recover == 0 || h.healed.IsZero() {
		return nil
	}
	switch {
	case h.settled.IsZero() && h.last.Sub(h.healed) >= h.limits.Recover:
		out = append(out, broken(I9, time.Time{}, "not everything has come to its end %s after the last fault", h.last.Sub(h.healed)))
	case !h.settled.IsZero() && h.settled.Sub(h.healed) > h.limits.Recover:
		out = append(out, broken(I9, h.settled, "it took %s after the last fault until everything had come to its end", h.settled.Sub(h.healed)))
	}
	return out
}

// collected is I10.
func collected(h *facts) (out []Violation) {
	for _, e := range h.of[Left] {
		out = append(out, broken(I10, e.At, "%s %s is left", e.Name, e.Object))
	}
	return out
}
