package dispatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const (
	callsAtOnce = 100 // steps that one look decides about
	maxLooks    = 10  // before others get a turn
)

// Calls begins the executions that steps have asked for, tells steps how theirs have ended, and cancels those that nobody waits for any
// more. It is called after a hint on execution.CallsTopic and from time to time; of replicas that do so at once each takes other steps.
func (d *Dispatcher) Calls(ctx context.Context) error {
	ctx = tenant.System(ctx)
	var faults error // of one step, which must not keep the others waiting
	failed := map[execution.CallStep]bool{}
	for range maxLooks {
		steps, err := d.store.OpenCalls(ctx, callsAtOnce)
		if err != nil {
			return fmt.Errorf("find open calls: %w", err)
		}
		moved := false
		for _, of := range steps {
			if failed[of] {
				continue // the next sweep tries again
			}
			err := d.settle(ctx, of)
			failed[of], moved = err != nil, moved || err == nil
			faults = errors.Join(faults, err)
		}
		if !moved {
			return faults
		}
	}
	d.bus.Publish(ctx, execution.CallsTopic) // there is more: another turn
	return faults
}

// settle decides about the calls of one step. What goes wrong with one of them holds up no other.
func (d *Dispatcher) settle(ctx context.Context, of execution.CallStep) (faults error) {
	viewer := tenant.Viewer{Kind: tenant.KindMember, Organization: of.Organization, Name: "workflow", Role: tenant.RoleMaintainer}
	ctx = tenant.WithViewer(ctx, viewer)
	todo, err := d.store.SettleCalls(ctx, of)
	if err != nil {
		return fmt.Errorf("settle the calls of attempt %s: %w", of.Attempt, err)
	}
	d.tell(ctx, of.Organization, todo.Effects)
	for _, id := range todo.Cancel {
		err := d.end(ctx, viewer, id, "Cancelled because the step that had started it has ended.")
		if !fault.Is(err, fault.Conflict) { // that it has ended meanwhile
			faults = errors.Join(faults, err)
		}
	}
	for _, b := range todo.Begin {
		faults = errors.Join(faults, d.begin(ctx, of, b))
	}
	return faults
}

// begin starts the execution of a call. What keeps it from starting for good is stored with the call; everything else is tried again.
func (d *Dispatcher) begin(ctx context.Context, of execution.CallStep, b execution.Beginning) error {
	problem := b.Parent.Refuse(b.Workflow)
	if caller, err := d.store.Workflow(ctx, b.Parent.Workflow); err == nil { // it acts for its team, also where that keeps a workflow to itself
		v, _ := tenant.FromContext(ctx)
		v.Team = caller.TeamID
		ctx = tenant.WithViewer(ctx, v)
	}
	if problem == "" {
		_, _, err := d.Start(ctx, execution.Request{
			Workflow: b.Workflow, Params: b.Params, Environments: []string{b.Environment}, IdempotencyKey: "call " + b.Call.String(),
			Trigger: "workflow", Actor: b.Actor, Parent: &b.Parent, Commit: b.Commit, Application: b.Application, Version: b.Version,
		})
		switch fault.KindOf(err) {
		case fault.NotFound, fault.Invalid, fault.Forbidden, fault.Conflict, fault.Exhausted, fault.Unsupported:
			problem = b.Workflow + ": " + fault.Sentence(err)
		default:
			if err != nil {
				return err
			}
		}
	}
	if problem != "" {
		if err := d.store.CallFailed(ctx, b.Call, problem); err != nil {
			return fmt.Errorf("store why call %s cannot begin: %w", b.Call, err)
		}
	}
	d.tell(ctx, of.Organization, execution.Effects{Changed: []execution.ID{b.Parent.Execution}})
	return nil
}
