package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const namespaceDeleted = "NamespaceDeleted"

func lostNamespace(ns string) string {
	return fmt.Sprintf("Namespace %q was deleted while the test ran, and the test with it: create it again, "+
		"or name another one in the environment, and run the test again.", ns)
}

// missing concludes that a Job is gone: once the API server has said so, unless its attempt was over before.
func (w *Watcher) missing(ctx context.Context, id string) error {
	w.mu.Lock()
	seen, ok := w.known[id]
	w.mu.Unlock()
	ns := seen.namespace
	if !ok {
		return nil
	}
	name, err := jobspec.Name(id)
	if err != nil {
		return err //nolint:wrapcheck // says it all
	}
	ending := false
	if !seen.over { // the Jobs of what has ended are deleted all the time, and nothing is concluded from it
		if ending, err = w.reallyMissing(ctx, ns, name); err != nil {
			return err
		}
	}
	u := gone(id, ns, time.Now())
	if ending {
		u.Report.Reason, u.Report.Message = namespaceDeleted, lostNamespace(ns)
	}
	if pod := w.pod(ns, id); pod != nil { // its runner may still deliver; the pod's end brings us back
		u.Pod = facts(pod, nil)
		describe(u.Report, pod)
	} else {
		w.mu.Lock()
		delete(w.known, id)
		delete(w.troubles, id)
		w.mu.Unlock()
	}
	w.o.Sink.Update(u)
	return nil
}

// reallyMissing asks the API server whether a Job is gone, and whether its namespace goes with it. The error says that it is not known.
func (w *Watcher) reallyMissing(ctx context.Context, ns, name string) (ending bool, err error) {
	_, err = w.o.Client.Jobs(ns).Get(ctx, name, metav1.GetOptions{})
	ending = w.namespaceEnds(ctx, ns)
	switch {
	case err == nil:
		return false, errors.New("the cache does not know a Job that exists")
	case apierrors.IsForbidden(err) && (ending || w.endedBefore(ns)): // the Role goes with its namespace
	case !apierrors.IsNotFound(err):
		return false, fmt.Errorf("read Job %s/%s: %w", ns, name, err)
	}
	return ending, nil
}

func (w *Watcher) endedBefore(ns string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ending[ns]
}

// lost tells an attempt whose pod somebody deletes, or has deleted, which the agent itself has not asked for.
func lost(s *Seen) bool {
	if _, stopped := jobspec.DecodeStopped(s.Job.Annotations); stopped {
		return false
	}
	return s.Pod != nil && taken(s.Pod) || s.Pod == nil && s.Job.Status.Failed > 0
}

// renew reads a Job again whose pod is deleted: what it says of that may not have come yet. A Job that is gone stays as it was, and so
// does one that the agent may not read any more, because the Role goes with its namespace.
func (w *Watcher) renew(ctx context.Context, s *Seen) error {
	live, err := w.o.Client.Jobs(s.Job.Namespace).Get(ctx, s.Job.Name, metav1.GetOptions{})
	switch {
	case err == nil && live.UID == s.Job.UID:
		s.Job = live
	case err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err):
		return fmt.Errorf("read Job %s/%s: %w", s.Job.Namespace, s.Job.Name, err)
	}
	return nil
}

// namespaceEnds reports whether a namespace is being deleted. The API server says so to whoever would create something there, so
// that it takes no permission to read namespaces; nothing is created. The Role goes with its namespace: what was known stays.
func (w *Watcher) namespaceEnds(ctx context.Context, ns string) bool {
	_, err := w.o.Client.Jobs(ns).Create(ctx, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{GenerateName: "t-"}},
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), apierrors.IsNotFound(err):
		w.ending[ns] = true
	case apierrors.IsInvalid(err), err == nil: // a Job without containers comes as far as this in a namespace that stays
		delete(w.ending, ns)
	}
	return w.ending[ns]
}

func gone(id, ns string, now time.Time) work.Update {
	return work.Update{AttemptID: id, Gone: true, Report: &agentv1.AttemptReport{
		AttemptId: id, Status: agentv1.AttemptStatus_ATTEMPT_STATUS_ERRORED, Reason: "JobDeleted",
		Message:    "The Job was deleted in namespace " + ns + " of the cluster before its result was known. Run the test again.",
		ObservedAt: timestamppb.New(now), FinishedAt: timestamppb.New(now),
	}}
}
