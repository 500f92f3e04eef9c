package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// Access is a right. An empty namespace means all of them, an empty name any object.
type Access struct {
	Group       string `json:"group,omitempty"`
	Resource    string `json:"resource"`
	Subresource string `json:"subresource,omitempty"`
	Verb        string `json:"verb"`
	Namespace   string `json:"namespace,omitempty"`
	Name        string `json:"name,omitempty"`
}

// String is the right as people say it: "create jobs", "get pods/log".
func (a Access) String() string {
	out := a.Verb + " " + a.Resource
	if a.Subresource != "" {
		out += "/" + a.Subresource
	}
	if a.Name != "" {
		out += " " + a.Name
	}
	return out
}

// accessReview is a SelfSubjectAccessReview, which everybody may create who has signed in.
type accessReview struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Attributes Access `json:"resourceAttributes"`
	} `json:"spec"`
	Status struct {
		Allowed bool `json:"allowed"`
	} `json:"status"`
}

// reviewsAtOnce is how many rights are asked for at the same time. There are some twenty for each namespace: by the rate at which Jobs are
// made, those of fifty would take longer than anybody waits, and no Job be made meanwhile.
const reviewsAtOnce = 16

// newReviews returns the client that asks for rights, which the API server answers from its memory.
func newReviews(cfg *rest.Config, hc *http.Client) (*rest.RESTClient, error) {
	one := rest.CopyConfig(cfg)
	one.QPS = -1 // how many are under way is the limit
	one.APIPath, one.GroupVersion = "/apis", &schema.GroupVersion{Group: "authorization.k8s.io", Version: "v1"}
	client, err := rest.RESTClientForConfigAndClient(one, hc)
	if err != nil {
		return nil, fmt.Errorf("client for reviews of access: %w", err)
	}
	return client, nil
}

// May asks the API server whether this client has a right.
func (c *Client) May(ctx context.Context, a Access) (bool, error) {
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	case <-ctx.Done():
		return false, fmt.Errorf("ask whether it may %s: %w", a, ctx.Err())
	}
	review := accessReview{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"}
	review.Spec.Attributes = a
	body, err := json.Marshal(review)
	if err != nil {
		return false, fmt.Errorf("ask whether it may %s: %w", a, err)
	}
	answer := c.reviews.Post().AbsPath("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews").
		SetHeader("Content-Type", runtime.ContentTypeJSON).SetHeader("Accept", runtime.ContentTypeJSON).Body(body).Do(ctx)
	if err := answer.Error(); err != nil { // with the server's own words, which those of Raw are not
		return false, fmt.Errorf("ask whether it may %s: %w", a, err)
	}
	raw, err := answer.Raw()
	if err != nil {
		return false, fmt.Errorf("ask whether it may %s: %w", a, err)
	}
	if err := json.Unmarshal(raw, &review); err != nil {
		return false, fmt.Errorf("ask whether it may %s: %w", a, err)
	}
	return review.Status.Allowed, nil
}

// ServerTime returns the clock of the API server, exact to a second, and how long the answer took.
func (c *Client) ServerTime(ctx context.Context) (at time.Time, took time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.core.Get().AbsPath("/version").URL().String(), http.NoBody)
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("ask the API server for the time: %w", err)
	}
	began := time.Now()
	res, err := c.core.Client.Do(r)
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("ask the API server for the time: %w", err)
	}
	took = time.Since(began)
	if err := res.Body.Close(); err != nil {
		return time.Time{}, took, fmt.Errorf("ask the API server for the time: %w", err)
	}
	if at, err = http.ParseTime(res.Header.Get("Date")); err != nil {
		return time.Time{}, took, fmt.Errorf("the API server says no time: %w", err)
	}
	return at, took, nil
}
