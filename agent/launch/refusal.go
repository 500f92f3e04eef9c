package launch

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/seatrial/seatrial/agent/work"
)

// refusal turns an answer of the API server that will not change by itself into one sentence that says what to do. It returns nil
// for everything that is worth another try.
func refusal(err error, namespace string) *work.RejectedError {
	switch {
	case err == nil:
		return nil
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return reject("Namespace %q is being deleted: choose another one for the environment.", namespace)
	case apierrors.IsForbidden(err):
		return forbidden(err, namespace)
	case apierrors.IsNotFound(err):
		return reject("Namespace %q does not exist in the cluster: create it, or name another one in the environment.", namespace)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return reject("The cluster refuses the Job: %s. Correct the workflow and run it again.", strings.TrimSuffix(cause(err), "."))
	default:
		return nil
	}
}

// forbidden tells three things apart that share a status: no permission, no quota left, and a policy's veto.
func forbidden(err error, namespace string) *work.RejectedError {
	text := cause(err)
	switch {
	case strings.Contains(text, "exceeded quota"):
		return nil
	case strings.Contains(text, "cannot "):
		verb := "create"
		if _, after, ok := strings.Cut(text, "cannot "); ok {
			verb, _, _ = strings.Cut(after, " ")
		}
		return reject("The agent may not %s jobs in namespace %q, its Role is missing there: "+
			"add the namespace to runNamespaces of the agent's chart and upgrade the release.", verb, namespace)
	default:
		return reject("A policy of the cluster forbids the Job in namespace %q: %s", namespace, text)
	}
}

func cause(err error) string {
	var s apierrors.APIStatus
	if errors.As(err, &s) {
		if m := s.Status().Message; m != "" {
			return m
		}
	}
	return err.Error()
}

func reject(format string, args ...any) *work.RejectedError {
	return &work.RejectedError{Message: fmt.Sprintf(format, args...)}
}
