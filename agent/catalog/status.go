package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/agent/kube"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// conditionSynced says whether the catalog has an object as it is in the cluster.
const conditionSynced = "Synced"

// conditionWatching says of a trigger whether agents look at what it is for; the control plane knows, as other agents may do so.
const conditionWatching = "Watching"

// status is what the agent writes. Absent fields are nulls, so that a patch removes what does not hold any more.
type status struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	Owner              *string            `json:"owner"`
	Revision           *int32             `json:"revision"`
	LastExecution      *execution         `json:"lastExecution,omitempty"`
	*run
}

// execution is the last one of a workflow.
type execution struct {
	ID         string  `json:"id"`
	Status     string  `json:"status"`
	CreatedAt  *string `json:"createdAt"`
	FinishedAt *string `json:"finishedAt"`
	URL        string  `json:"url,omitempty"`
}

// run is what a TestExecution says of its own.
type run struct {
	Phase      string  `json:"phase"`
	Execution  string  `json:"execution,omitempty"`
	Message    *string `json:"message"`
	StartedAt  *string `json:"startedAt"`
	FinishedAt *string `json:"finishedAt"`
	URL        string  `json:"url,omitempty"`
	Tests      *tests  `json:"tests,omitempty"`
}

type tests struct {
	Passed  int64 `json:"passed"`
	Failed  int64 `json:"failed"`
	Errored int64 `json:"errored"`
	Skipped int64 `json:"skipped"`
}

// phaseRefused is that of an object that could not be run.
const phaseRefused = "refused"

// over reports whether an object runs nothing any more, and nothing will be said of it.
func over(d *kube.Document) bool {
	if len(d.Status) == 0 {
		return false
	}
	var s struct {
		Phase string `json:"phase"`
	}
	if json.Unmarshal(d.Status, &s) != nil {
		return false
	}
	return slices.Contains([]string{"passed", "failed", "errored", "timed_out", "cancelled", "skipped"}, s.Phase)
}

// write puts states into the status of their objects. An object that is another one by now is left: its own state comes.
func (c *Catalog) write(ctx context.Context, states []*agentv1.DocumentState) error {
	for _, s := range states {
		at := refOf(s.GetRef())
		d := c.find(at)
		if d == nil || string(d.UID) != s.GetUid() {
			continue
		}
		if _, digest, err := source(at.kind, d); err != nil || string(digest[:]) != string(s.GetDigest()) {
			continue
		}
		patch, err := c.patch(at.kind, d, s)
		if err != nil {
			return err
		}
		if patch == nil {
			continue
		}
		if err := c.put(ctx, at, patch); err != nil {
			return err
		}
	}
	return nil
}

func (c *Catalog) put(ctx context.Context, at ref, patch []byte) error {
	for _, v := range c.views {
		if v.kind != at.kind || v.namespace != "" && v.namespace != at.namespace {
			continue
		}
		target := v.source
		if v.namespace == "" { // a patch has to name a namespace
			var err error
			if target, err = c.o.Source(at.kind, at.namespace); err != nil {
				return err
			}
		}
		_, err := target.Patch(ctx, at.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "seatrial-agent"}, "status")
		switch {
		case err == nil, apierrors.IsNotFound(err):
		case apierrors.IsForbidden(err), apierrors.IsInvalid(err): // another try changes nothing
			c.o.Log.ErrorContext(ctx, "the status of a document cannot be written", "kind", at.kind, "namespace", at.namespace, "name", at.name, "error", err)
		default:
			return fmt.Errorf("status of %s %s/%s: %w", at.kind, at.namespace, at.name, err)
		}
		return nil
	}
	return nil
}

// patch returns what has to change in an object's status, nil when nothing does.
func (c *Catalog) patch(kind string, d *kube.Document, s *agentv1.DocumentState) ([]byte, error) {
	var had status
	if len(d.Status) > 0 {
		if err := json.Unmarshal(d.Status, &had); err != nil {
			had = status{} // somebody else's; it is written over
		}
	}
	want := status{ObservedGeneration: d.Generation, Conditions: c.conditions(kind, d, had.Conditions, s), Owner: optional(s.GetOwner())}
	if n := s.GetRevision(); n > 0 {
		want.Revision = &n
	}
	last := s.GetLast()
	switch {
	case kind == kube.TestExecution:
		want.run = runOf(last)
	case last != nil:
		want.LastExecution = &execution{
			ID: last.GetId(), Status: last.GetStatus(), CreatedAt: date(last.GetCreatedAt()), FinishedAt: date(last.GetFinishedAt()), URL: last.GetUrl(),
		}
	}
	if kind == kube.TestExecution && had.run == nil {
		had.run = &run{}
	}
	if reflect.DeepEqual(had, want) {
		return nil, nil
	}
	out, err := json.Marshal(map[string]any{"status": want})
	if err != nil {
		return nil, fmt.Errorf("encode the status of %s %s: %w", kind, d.Name, err)
	}
	return out, nil
}

func runOf(e *agentv1.DocumentExecution) *run {
	if e == nil {
		return &run{Phase: phaseRefused}
	}
	out := &run{
		Phase: e.GetStatus(), Execution: e.GetId(), Message: optional(e.GetMessage()), StartedAt: date(e.GetStartedAt()),
		FinishedAt: date(e.GetFinishedAt()), URL: e.GetUrl(),
	}
	if e.GetPassed()+e.GetFailed()+e.GetErrored()+e.GetSkipped() > 0 {
		out.Tests = &tests{e.GetPassed(), e.GetFailed(), e.GetErrored(), e.GetSkipped()}
	}
	return out
}

// conditions returns those of an object with those that are the agent's.
func (c *Catalog) conditions(kind string, d *kube.Document, had []metav1.Condition, s *agentv1.DocumentState) []metav1.Condition {
	is := metav1.Condition{Type: conditionSynced, Status: metav1.ConditionTrue, Reason: conditionSynced, Message: "The catalog has it as it is here."}
	if kind == kube.TestExecution {
		is.Message = "It was started."
	}
	if s.GetReason() != "" {
		is.Status, is.Reason, is.Message = metav1.ConditionFalse, s.GetReason(), s.GetMessage()
	}
	out := c.with(had, d, is)
	watching := false
	for _, more := range s.GetConditions() {
		is := metav1.Condition{Type: more.GetType(), Status: metav1.ConditionFalse, Reason: more.GetReason(), Message: more.GetMessage()}
		if more.GetHolds() {
			is.Status = metav1.ConditionTrue
		}
		watching = watching || is.Type == conditionWatching
		out = c.with(out, d, is)
	}
	if !watching { // it is suspended, or for something else now
		out = slices.DeleteFunc(out, func(c metav1.Condition) bool { return c.Type == conditionWatching })
	}
	return out
}

// with returns the conditions with one that takes the place of that of its type. Its time changes with its status alone.
func (c *Catalog) with(had []metav1.Condition, d *kube.Document, is metav1.Condition) []metav1.Condition {
	is.ObservedGeneration, is.LastTransitionTime = d.Generation, metav1.NewTime(c.o.Clock().Truncate(time.Second))
	out := slices.Clone(had)
	i := slices.IndexFunc(out, func(c metav1.Condition) bool { return c.Type == is.Type })
	if i < 0 {
		return append(out, is)
	}
	if out[i].Status == is.Status {
		is.LastTransitionTime = out[i].LastTransitionTime
	}
	out[i] = is
	return out
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// date writes a time as the API server keeps it.
func date(t *timestamppb.Timestamp) *string {
	if t == nil {
		return nil
	}
	text := t.AsTime().UTC().Truncate(time.Second).Format(time.RFC3339)
	return &text
}
