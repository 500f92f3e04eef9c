package workfake

import (
	"context"
	"fmt"
	"sync"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/work"
)

// Reviews is a collect.Reviews that knows the pods of a few tokens.
type Reviews struct {
	// Tokens are the pods by token; set it before the first review.
	Tokens map[string]work.PodIdentity
	// Audiences are those that every token is for; empty means those that are asked for.
	Audiences []string

	mu    sync.Mutex
	fault error
	count int
}

// Fail makes every review fail, as an API server does that cannot be reached.
func (r *Reviews) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = err
}

// Count returns how many reviews there were.
func (r *Reviews) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// Create implements collect.Reviews.
func (r *Reviews) Create(
	_ context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions,
) (*authenticationv1.TokenReview, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	if r.fault != nil {
		return nil, r.fault
	}
	out := review.DeepCopy()
	pod, ok := r.Tokens[review.Spec.Token]
	if !ok {
		out.Status = authenticationv1.TokenReviewStatus{Error: "the token is unknown"}
		return out, nil
	}
	out.Status = authenticationv1.TokenReviewStatus{
		Authenticated: true, Audiences: review.Spec.Audiences,
		User: authenticationv1.UserInfo{
			Username: "system:serviceaccount:" + pod.Namespace + ":default",
			Extra: map[string]authenticationv1.ExtraValue{
				"authentication.kubernetes.io/pod-name": {pod.Pod},
				"authentication.kubernetes.io/pod-uid":  {pod.UID},
			},
		},
	}
	if len(r.Audiences) > 0 {
		out.Status.Audiences = r.Audiences
	}
	return out, nil
}

// Pods is a work.Pods: the attempt of each pod by the pod's name.
type Pods map[string]string

// AttemptOf implements work.Pods.
func (p Pods) AttemptOf(_ context.Context, id work.PodIdentity) (string, error) {
	attempt, ok := p[id.Pod]
	if !ok {
		return "", fmt.Errorf("pod %s/%s was not created for an attempt of this agent", id.Namespace, id.Pod)
	}
	return attempt, nil
}

// Look implements work.Pods.
func (Pods) Look(context.Context, string) error { return nil }
