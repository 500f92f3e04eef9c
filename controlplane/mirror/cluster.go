package mirror

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// agentOf returns the cluster of an agent that calls.
func agentOf(ctx context.Context) (tenant.Viewer, error) {
	v, ok := tenant.FromContext(ctx)
	if !ok || v.Kind != tenant.KindAgent || v.Cluster == uuid.Nil {
		return v, fault.New(fault.Forbidden, "only an agent may do this")
	}
	return v, nil
}

func originIn(v tenant.Viewer, namespace string) origin.Origin {
	return origin.Origin{Cluster: v.Cluster, Namespace: namespace, Place: v.Name}
}

// Bring takes in what the agent in the context has seen change, and returns what is known of it then.
func (m *Mirror) Bring(ctx context.Context, objects []origin.Object, gone []origin.Ref) ([]origin.State, error) {
	v, err := agentOf(ctx)
	if err != nil {
		return nil, err
	}
	known, err := m.known(ctx, v)
	if err != nil {
		return nil, err
	}
	if len(known)+len(objects) > MaxDocuments {
		return nil, fault.New(fault.Exhausted, "a cluster brings at most %d documents", MaxDocuments)
	}
	for _, ref := range gone {
		if c, ok := known[ref]; ok {
			if err := m.drop(ctx, c, false); err != nil {
				return nil, err
			}
		}
	}
	seen := make([]origin.Claim, 0, len(objects))
	var asked []origin.Ref
	for _, o := range objects {
		if order(o.Kind) < 0 || o.Name == "" || o.Namespace == "" {
			return nil, fault.New(fault.Invalid, "%q is no kind of document, or its object has no name", o.Kind)
		}
		if len(o.Source) > parse.MaxSource {
			return nil, fault.New(fault.Invalid, "a document has at most %d bytes", parse.MaxSource)
		}
		seen = append(seen, origin.Claim{
			Kind: o.Kind, Name: o.Name, Origin: originIn(v, o.Namespace), UID: o.UID, Generation: o.Generation, Digest: o.Digest, Source: o.Source, Adopt: o.Adopt,
		})
		asked = append(asked, o.Ref)
	}
	if err := m.take(ctx, seen, nil); err != nil {
		return nil, err
	}
	all, err := m.store.DocumentStates(neutral(ctx), v.Cluster, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("read what became of the documents: %w", err)
	}
	return slices.DeleteFunc(all.States, func(s origin.State) bool { return !slices.Contains(asked, s.Ref) }), nil
}

// known returns the claims of a cluster.
func (m *Mirror) known(ctx context.Context, v tenant.Viewer) (map[origin.Ref]origin.Claim, error) {
	claims, err := m.store.Claims(neutral(ctx), v.Cluster)
	if err != nil {
		return nil, fmt.Errorf("read what the cluster has: %w", err)
	}
	out := make(map[origin.Ref]origin.Claim, len(claims))
	for _, c := range claims {
		out[origin.Ref{Kind: c.Kind, Namespace: c.Origin.Namespace, Name: c.Name}] = c
	}
	return out, nil
}

// Compare compares everything that the cluster has with the claims: it forgets what is gone, and returns what the agent has to send, because
// it is new, another one, or was not taken the last time. Documents of namespaces that the agent does not look into any more stay in the
// catalog, as ones that were applied by hand.
func (m *Mirror) Compare(ctx context.Context, all origin.Inventory) (wanted []origin.Ref, states origin.States, err error) {
	v, err := agentOf(ctx)
	if err != nil {
		return nil, states, err
	}
	if len(all.Objects) > MaxDocuments {
		return nil, states, fault.New(fault.Exhausted, "a cluster brings at most %d documents, this one has %d", MaxDocuments, len(all.Objects))
	}
	known, err := m.known(ctx, v)
	if err != nil {
		return nil, states, err
	}
	for _, o := range all.Objects {
		if order(o.Kind) < 0 {
			return nil, states, fault.New(fault.Invalid, "%q is no kind of document", o.Kind)
		}
		c, ok := known[o.Ref]
		if !ok || c.UID != o.UID || c.Digest != o.Digest || c.Reason != origin.Synced {
			wanted = append(wanted, o.Ref)
		}
		delete(known, o.Ref)
	}
	for ref, c := range known {
		if !slices.Contains(all.Kinds, ref.Kind) {
			continue // nobody looked
		}
		beyond := len(all.Namespaces) > 0 && !slices.Contains(all.Namespaces, ref.Namespace)
		if err := m.drop(ctx, c, beyond); err != nil {
			return nil, states, err
		}
	}
	states, err = m.States(ctx, time.Time{})
	return wanted, states, err
}

// States returns what is known of the documents of the agent's cluster and has changed after a time; zero for all.
func (m *Mirror) States(ctx context.Context, since time.Time) (origin.States, error) {
	v, err := agentOf(ctx)
	if err != nil {
		return origin.States{}, err
	}
	out, err := m.store.DocumentStates(neutral(ctx), v.Cluster, since)
	if err != nil {
		return out, fmt.Errorf("read what became of the documents: %w", err)
	}
	return out, nil
}

// ownPlace returns fault.Forbidden for an environment that is not in the cluster that brings it.
func ownPlace(c *origin.Claim, cluster string) error {
	doc, ok := parse.Read([]byte(c.Source)).Value.(*document.EnvironmentDocument)
	if ok && doc.Spec.Cluster != "" && doc.Spec.Cluster != cluster {
		return fault.New(fault.Forbidden, "an environment of the cluster %s cannot be described from the cluster %s", doc.Spec.Cluster, cluster).
			WithField("spec.cluster")
	}
	return nil
}

// start runs what a TestExecution says, once for each object.
func (m *Mirror) start(ctx context.Context, c *origin.Claim) (started bool, err error) {
	if c.Execution != uuid.Nil {
		return false, nil
	}
	read := parse.Read([]byte(c.Source))
	if len(read.Faults) > 0 {
		return false, parse.Error(c.Path, fault.Invalid, read.Faults) //nolint:wrapcheck // a fault that speaks for itself
	}
	doc, ok := read.Value.(*document.TestExecutionDocument)
	if !ok {
		return false, fault.New(fault.Invalid, "a document of kind %s is none", read.Kind).WithField("kind")
	}
	req := execution.Request{
		Workflow: doc.Spec.Workflow, Environments: doc.Spec.Environments, Commit: doc.Spec.Commit, Trigger: "kubernetes",
		IdempotencyKey: "testexecution/" + c.Origin.Cluster.String() + "/" + c.UID, Params: map[string]string{},
	}
	for name, value := range doc.Spec.Params {
		req.Params[name] = document.Text(value)
	}
	if r := doc.Spec.Release; r != nil {
		req.Application, req.Version = r.Application, r.Version
	}
	e, existed, err := m.run.Start(ctx, req)
	if err != nil {
		return false, fmt.Errorf("run workflow %s: %w", doc.Spec.Workflow, err)
	}
	c.Execution = e.ID
	return !existed, nil
}

// cancel ends the execution of an object that is gone.
func (m *Mirror) cancel(ctx context.Context, c origin.Claim) error {
	r, err := m.rightsOf(ctx, c.Origin)
	if err != nil {
		return err
	}
	err = m.run.Cancel(tenant.WithViewer(ctx, r.viewer(ctx, c)), c.Execution, fmt.Sprintf("TestExecution %s was deleted in the %s.", c.Name, c.Origin))
	if err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.NotFound) { // it has ended by itself
		return fmt.Errorf("cancel the execution of TestExecution %s: %w", c.Name, err)
	}
	return nil
}

// Pages returns the address to which the id of an execution is added for its page; empty when nobody knows.
func (m *Mirror) Pages(ctx context.Context) string {
	v, _ := tenant.FromContext(ctx)
	organization, _, err := m.store.Names(neutral(ctx), v.Organization, uuid.Nil)
	if err != nil || m.address == "" {
		return ""
	}
	return m.address + "/o/" + organization + "/executions/"
}
