package lookout

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/subject"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// Looking at the pods of a workload takes so long at most: a test is not held up for it.
const imagesWithin = 5 * time.Second

// images returns what the pods of a workload run that was rolled out.
func (l *Lookout) images(ctx context.Context, e *entry) ([]*agentv1.SubjectImage, string) {
	ctx, cancel := context.WithTimeout(ctx, imagesWithin)
	defer cancel()
	e.view.mu.Lock()
	kind := e.view.kind
	e.view.mu.Unlock()
	object := e.change.GetObject()
	o, err := l.o.Cluster.Objects(kind, object.GetNamespace(), false).Get(ctx, object.GetName())
	switch {
	case err != nil:
		return nil, fmt.Sprintf("Which images it runs is not known: %s.", short(err.Error()))
	case o.Spec.Selector == nil:
		return nil, "Which images it runs is not known: it says nothing of its pods."
	}
	return l.o.Cluster.Images(ctx, object.GetNamespace(), o.Spec.Selector)
}

// API is the API server of a client. It implements Cluster.
type API struct{ *kube.Client }

// Objects implements Cluster.
func (a API) Objects(r kube.Resource, namespace string, metadata bool) Source {
	return a.Client.Objects(r, namespace, metadata)
}

// maxPods is how many pods of a workload are looked at: they run the same.
const maxPods = 100

// Images implements Cluster.
func (a API) Images(ctx context.Context, namespace string, selector *metav1.LabelSelector) ([]*agentv1.SubjectImage, string) {
	text, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, fmt.Sprintf("Which images it runs is not known: %s.", short(err.Error()))
	}
	pods, err := a.Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: text.String(), Limit: maxPods})
	switch {
	case apierrors.IsForbidden(err):
		return nil, fmt.Sprintf("Which images it runs is not known: the cluster does not let the agent list pods in namespace %s.", namespace)
	case err != nil:
		return nil, fmt.Sprintf("Which images it runs is not known: %s.", short(err.Error()))
	}
	out := subject.Of(pods.Items)
	return out.GetImages(), out.GetMessage()
}
