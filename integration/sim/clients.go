package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/integration/history"
)

// client starts an execution, and whatever else its plan says, trying again until it is told something.
func (w *World) client(n int, s Start) {
	if !w.sleep(s.At) {
		return
	}
	home := w.sites[s.Site]
	key := fmt.Sprintf("key-%d", n)
	id, ok := w.trigger(home, s.Workflow, key)
	if !ok {
		return
	}
	w.running.Go(func() { w.viewer(home, id) })
	if s.Again > 0 && w.sleep(s.Again) {
		w.trigger(home, s.Workflow, key)
	}
	if s.Cancel > 0 && w.sleep(s.Cancel) {
		w.cancel(home, id)
	}
}

const askAgain = time.Second

// trigger asks replica after replica until one says that it has accepted.
func (w *World) trigger(home *site, workflow, key string) (execution.ID, bool) {
	for {
		if r := w.anyReplica("client"); r != nil {
			e, _, err := r.dispatch.Start(home.as(), execution.Request{Workflow: workflow, IdempotencyKey: key})
			if err == nil && !r.gone() {
				w.mu.Lock()
				w.accepted[e.ID] = home
				w.mu.Unlock()
				w.history.Add(history.Event{Kind: history.Accepted, Tenant: home.name, Execution: e.ID.String(), Key: key})
				return e.ID, true
			}
			if err != nil && !fault.Is(err, fault.Unavailable) {
				w.fail(fmt.Errorf("trigger %s: %w", workflow, err))
				return execution.ID{}, false
			}
		}
		if !w.sleep(askAgain) {
			return execution.ID{}, false
		}
	}
}

func (w *World) cancel(home *site, id execution.ID) {
	for {
		if r := w.anyReplica("client"); r != nil {
			err := r.dispatch.Cancel(home.as(), id, "no longer needed")
			switch {
			case err == nil && !r.gone():
				w.history.Add(history.Event{Kind: history.CancelAccepted, Execution: id.String()})
				return
			case fault.Is(err, fault.Conflict):
				return
			}
		}
		if !w.sleep(askAgain) {
			return
		}
	}
}

// viewer looks at an execution and its logs now and then until it has ended.
func (w *World) viewer(home *site, id execution.ID) {
	v := &view{w: w, home: home, name: "live", seen: map[string]execution.Status{}, offsets: map[string]int64{}}
	for w.sleep(w.chance.within("viewer", 3*time.Second, 30*time.Second)) {
		e, err := w.store.Execution(home.as(), id)
		if err != nil {
			continue
		}
		v.note(e)
		v.follow(e)
		if e.Status.Terminal() {
			return
		}
	}
}

// view is what one viewer has seen of an execution.
type view struct {
	w       *World
	home    *site
	name    string
	seen    map[string]execution.Status
	offsets map[string]int64
}

// note writes down what is new of an execution and its attempts.
func (v *view) note(e execution.Execution) {
	v.state(history.Event{Execution: e.ID.String(), Reason: or(e.Reason, e.Message)}, e.ID.String(), e.Status)
	for _, r := range e.Runs {
		for _, a := range r.Attempts {
			v.state(history.Event{Execution: e.ID.String(), Attempt: a.ID.String(), Reason: or(a.Reason, a.Message)}, a.ID.String(), a.Status)
		}
	}
}

func (v *view) state(e history.Event, key string, now execution.Status) {
	if v.seen[key] == now {
		return
	}
	v.seen[key] = now
	e.Kind, e.Tenant, e.Status, e.Terminal = history.Seen, v.home.name, string(now), now.Terminal()
	v.w.history.Add(e)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// follow reads what is new of the logs.
func (v *view) follow(e execution.Execution) {
	for _, r := range e.Runs {
		for _, a := range r.Attempts {
			for _, s := range a.Steps {
				if err := v.stream(a.ID, execution.Stream(s.Index)); err != nil {
					v.w.log.Warn("log not read", "error", err)
				}
			}
		}
	}
}

// stream reads a log from where the viewer was.
func (v *view) stream(id execution.AttemptID, name string) error {
	key := id.String() + name
	for {
		chunks, _, err := v.w.store.Chunks(v.home.as(), id, name, v.offsets[key], 1<<20)
		if err != nil || len(chunks) == 0 {
			return err //nolint:wrapcheck // said by the caller
		}
		for _, c := range chunks {
			raw, err := v.w.opener.Open(nil, c)
			if err != nil {
				return fmt.Errorf("chunk of %s at %d: %w", name, c.Start, err)
			}
			v.w.history.Add(history.Event{
				Kind: history.Read, Viewer: v.name, Attempt: id.String(), Stream: name, Offset: c.Start, Bytes: c.End() - c.Start, Gap: c.Gap, Data: raw,
			})
			v.w.history.Add(history.Event{Kind: history.Sent, Tenant: v.home.name, Data: raw})
			v.offsets[key] = c.End()
		}
	}
}

// settle waits until everything has come to its end.
func (w *World) settle() {
	over := map[execution.ID]bool{}
	for begun := time.Now(); time.Since(begun) < recoverFor+settlePoll; {
		open := w.unsettled(over)
		if open == "" {
			w.history.Add(history.Event{Kind: history.Settled})
			return
		}
		w.log.Debug("not settled", "because", open)
		if !w.sleep(settlePoll) {
			return
		}
	}
}

// unsettled says what is not over yet, empty when everything is. What is cheap to find out comes first.
func (w *World) unsettled(over map[execution.ID]bool) string {
	for _, s := range w.sites {
		if jobs := s.kube.names("jobs"); len(jobs) > 0 {
			return "Jobs " + fmt.Sprint(jobs)
		}
	}
	for id, home := range w.executions() {
		if over[id] {
			continue
		}
		e, err := w.store.Execution(home.as(), id)
		if err != nil {
			return err.Error()
		}
		if why := unfinished(e); why != "" {
			return why
		}
		over[id] = true
	}
	waiting, err := w.store.WaitingCommands(w.ctx, w.clusters(), 0)
	if err != nil {
		return err.Error()
	}
	if len(waiting) > 0 {
		return "commands wait"
	}
	return ""
}

func unfinished(e execution.Execution) string {
	if !e.Status.Terminal() {
		return fmt.Sprintf("execution %s is %s", e.ID, e.Status)
	}
	for _, r := range e.Runs {
		for _, a := range r.Attempts {
			if !a.Status.Terminal() || !a.Delivered {
				return fmt.Sprintf("attempt %s is %s, delivered %t", a.ID, a.Status, a.Delivered)
			}
		}
	}
	return ""
}

func (w *World) executions() map[execution.ID]*site {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[execution.ID]*site, len(w.accepted))
	for id, home := range w.accepted {
		out[id] = home
	}
	return out
}

// read looks at everything once more, as somebody does who comes later.
func (w *World) read() error {
	var errs []error
	for id, home := range w.executions() {
		e, err := w.store.Execution(home.as(), id)
		if err != nil {
			if !fault.Is(err, fault.NotFound) {
				errs = append(errs, err)
			}
			continue
		}
		v := &view{w: w, home: home, name: "later", seen: map[string]execution.Status{}, offsets: map[string]int64{}}
		v.note(e)
		v.follow(e)
		v.totals(e)
	}
	for _, s := range w.sites {
		for _, resource := range []string{"jobs", "pods"} {
			for _, name := range s.kube.names(resource) {
				w.history.Add(history.Event{Kind: history.Left, Name: resource, Object: name})
			}
		}
	}
	return errors.Join(errs...)
}

// totals writes down what is said of each log at its end.
func (v *view) totals(e execution.Execution) {
	for _, r := range e.Runs {
		for _, a := range r.Attempts {
			for _, s := range a.Steps {
				if s.Log.Bytes == 0 && !s.Log.Complete {
					continue
				}
				v.w.history.Add(history.Event{
					Kind: history.Totals, Attempt: a.ID.String(), Stream: execution.Stream(s.Index), Offset: s.Log.Bytes, Complete: s.Log.Complete,
				})
			}
		}
	}
}

func (w *World) clusters() []execution.ID {
	out := make([]execution.ID, 0, len(w.sites))
	for _, s := range w.sites {
		out = append(out, s.id)
	}
	return slices.Clip(out)
}
