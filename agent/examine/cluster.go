package examine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/kube"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// server tells whether the API server answers, and whether it is the one that the agent started with.
func (e *Examiner) server(ctx context.Context) []*agentv1.Check {
	const name = "API server"
	_, took, err := e.o.Client.ServerTime(ctx)
	if err != nil {
		return one(bad(name, err.Error(), "Look at the API server and at network policies that keep the agent from it."))
	}
	version, err := e.o.Client.ServerVersion(ctx)
	switch {
	case err != nil:
		return one(bad(name, err.Error(), "Look at the API server."))
	case took > slow:
		return one(doubtful(name, fmt.Sprintf("Kubernetes %s answers in %d ms", version, took.Milliseconds()), "Look at the load of the API server: each test takes several answers."))
	case version != e.o.Kubernetes:
		return one(doubtful(name, fmt.Sprintf("Kubernetes is %s and was %s when the agent started", version, e.o.Kubernetes),
			"Restart the agent, which finds out anew how the runner gets into pods: kubectl rollout restart deployment."))
	default:
		return one(good(name, "Kubernetes %s answers in %d ms", version, took.Milliseconds()))
	}
}

// rights asks for each right that the agent needs somewhere.
func (e *Examiner) rights(ctx context.Context, r Rights) *agentv1.Check {
	name := "permissions"
	var missing []string
	for _, a := range r.Needed {
		may, err := e.o.Client.May(ctx, a)
		if err != nil {
			return bad(name, err.Error(), "Look at the API server.")
		}
		if !may {
			missing = append(missing, a.String())
		}
	}
	if len(missing) > 0 {
		return bad(name, r.Where+": may not "+strings.Join(missing, ", "), r.Remedy)
	}
	return good(name, "%s: all %d that it needs", r.Where, len(r.Needed))
}

// excess asks for rights that the agent must not have: whoever takes it over would have them.
func (e *Examiner) excess(ctx context.Context) []*agentv1.Check {
	const name = "permissions"
	places := append([]string{""}, e.o.Forbidden...)
	found, faults := make([][]string, len(places)), make([]error, len(places))
	var asking sync.WaitGroup
	for i, ns := range places {
		asking.Go(func() { found[i], faults[i] = e.tooMany(ctx, ns) })
	}
	asking.Wait()
	for _, err := range faults {
		if err != nil {
			return one(bad(name, err.Error(), "Look at the API server."))
		}
	}
	has := slices.Concat(found...)
	if len(has) > 0 {
		return one(bad(name, "it may "+strings.Join(has, ", ")+", which it must not",
			"Take the binding away that says so; kubectl get rolebindings,clusterrolebindings -A -o wide lists those of the agent's account."))
	}
	return one(good(name, "none of those that were asked for and that it must not have: to read Secrets, to get into pods, to make pods, tokens or bindings of roles"))
}

// tooMany returns the rights in a namespace that the agent has and must not have; in all of them for an empty one.
func (e *Examiner) tooMany(ctx context.Context, ns string) (has []string, err error) {
	where := "in namespace " + ns
	if ns == "" {
		where = "in all namespaces"
	}
	for _, a := range unwanted(ns) {
		may, err := e.o.Client.May(ctx, a)
		if err != nil {
			return nil, err //nolint:wrapcheck // says what was asked
		}
		if may {
			has = append(has, a.String()+" "+where)
		}
	}
	return has, nil
}

// unwanted are rights that no agent has. Of Secrets it may get and update the one with its own key, which has a name.
func unwanted(namespace string) []kube.Access {
	return []kube.Access{
		{Resource: "secrets", Verb: "get", Namespace: namespace},
		{Resource: "secrets", Verb: "list", Namespace: namespace},
		{Resource: "pods", Subresource: "exec", Verb: "create", Namespace: namespace},
		{Resource: "pods", Subresource: "attach", Verb: "create", Namespace: namespace},
		{Resource: "pods", Verb: "create", Namespace: namespace},
		{Resource: "serviceaccounts", Subresource: "token", Verb: "create", Namespace: namespace},
		{Group: "rbac.authorization.k8s.io", Resource: "rolebindings", Verb: "create", Namespace: namespace},
	}
}

// images looks at the pods of tests: whether nodes get their images. Nothing is pulled for it.
func (e *Examiner) images(ctx context.Context, namespace string) *agentv1.Check {
	name := "images " + namespace
	pods, err := e.o.Client.Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: e.o.Mine, Limit: 500})
	if err != nil {
		return bad(name, err.Error(), "Look at the permissions above.")
	}
	started := 0
	for i := range pods.Items {
		pod := &pods.Items[i]
		if why := pulls(pod); why != "" {
			return bad(name, "pod "+pod.Name+" does not get its image: "+why,
				"Correct the image of the workflow; for a private registry give imagePullSecrets, or runner.image of the agent's chart for the runner's.")
		}
		if pod.Status.Phase == corev1.PodRunning || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			started++
		}
	}
	if started == 0 {
		return good(name, "no pod of a test is there to tell; the first run will")
	}
	return good(name, "nodes had the images of all %d pods that are there", started)
}

// pulls returns why an image of a pod cannot be had; empty when nothing is known.
func pulls(pod *corev1.Pod) string {
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if w := c.State.Waiting; w != nil && slices.Contains([]string{"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}, w.Reason) {
			return w.Reason + " of " + c.Image + ": " + w.Message
		}
	}
	return ""
}
