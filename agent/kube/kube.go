// Package kube is the agent's client of the API server: the six kinds it needs, the custom resources, and of any other kind what
// tells whether something has happened to an object. The generated clientset links
// and registers every API group, which costs 7 MiB of resident memory that an idle agent must not spend.
package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/gentype"
	"k8s.io/client-go/rest"
)

// Requests a second and in a burst. The client library's 5 and 10 would spread a hundred Jobs over eighteen seconds.
const (
	qps   = 50
	burst = 100
)

// Client types of the kinds.
type (
	Jobs         = gentype.ClientWithList[*batchv1.Job, *batchv1.JobList]
	Pods         = gentype.ClientWithList[*corev1.Pod, *corev1.PodList]
	Events       = gentype.ClientWithList[*corev1.Event, *corev1.EventList]
	Secrets      = gentype.Client[*corev1.Secret]
	Namespaces   = gentype.Client[*corev1.Namespace]
	TokenReviews = gentype.Client[*authenticationv1.TokenReview]
)

// Client speaks to one API server.
type Client struct {
	core, batch, authentication, documents, objects *rest.RESTClient
	codec                                           runtime.ParameterCodec

	reviews *rest.RESTClient // without a limit of its own
	asking  chan struct{}    // one for each review that is under way
}

// New returns a client for a configuration; all kinds share its connections.
func New(cfg *rest.Config) (*Client, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, batchv1.AddToScheme, authenticationv1.AddToScheme, addDocuments} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register kinds: %w", err)
		}
	}
	cfg = rest.CopyConfig(cfg)
	cfg.QPS, cfg.Burst = qps, burst
	cfg.ContentType = runtime.ContentTypeProtobuf
	cfg.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	cfg.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	hc, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("API server's HTTP client: %w", err)
	}
	c := &Client{codec: runtime.NewParameterCodec(scheme), asking: make(chan struct{}, reviewsAtOnce)}
	for _, g := range []struct {
		path    string
		version schema.GroupVersion
		into    **rest.RESTClient
	}{
		{"/api", corev1.SchemeGroupVersion, &c.core},
		{"/apis", batchv1.SchemeGroupVersion, &c.batch},
		{"/apis", authenticationv1.SchemeGroupVersion, &c.authentication},
		{"/apis", DocumentVersion(), &c.documents},
	} {
		one := rest.CopyConfig(cfg)
		if g.into == &c.documents { // custom resources are JSON only
			one.ContentType, one.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
		}
		one.APIPath, one.GroupVersion = g.path, &g.version
		if *g.into, err = rest.RESTClientForConfigAndClient(one, hc); err != nil {
			return nil, fmt.Errorf("client for %s: %w", g.version, err)
		}
	}
	if c.objects, err = newObjects(cfg, hc); err != nil {
		return nil, err
	}
	if c.reviews, err = newReviews(cfg, hc); err != nil {
		return nil, err
	}
	return c, nil
}

// Jobs returns the Jobs of a namespace.
func (c *Client) Jobs(namespace string) *Jobs {
	return gentype.NewClientWithList("jobs", c.batch, c.codec, namespace,
		func() *batchv1.Job { return &batchv1.Job{} }, func() *batchv1.JobList { return &batchv1.JobList{} },
		gentype.PrefersProtobuf[*batchv1.Job]())
}

// Pods returns the pods of a namespace.
func (c *Client) Pods(namespace string) *Pods {
	return gentype.NewClientWithList("pods", c.core, c.codec, namespace,
		func() *corev1.Pod { return &corev1.Pod{} }, func() *corev1.PodList { return &corev1.PodList{} },
		gentype.PrefersProtobuf[*corev1.Pod]())
}

// Events returns the events of a namespace.
func (c *Client) Events(namespace string) *Events {
	return gentype.NewClientWithList("events", c.core, c.codec, namespace,
		func() *corev1.Event { return &corev1.Event{} }, func() *corev1.EventList { return &corev1.EventList{} },
		gentype.PrefersProtobuf[*corev1.Event]())
}

// Secrets returns the Secrets of a namespace.
func (c *Client) Secrets(namespace string) *Secrets {
	return gentype.NewClient("secrets", c.core, c.codec, namespace,
		func() *corev1.Secret { return &corev1.Secret{} }, gentype.PrefersProtobuf[*corev1.Secret]())
}

// Namespaces returns the namespaces.
func (c *Client) Namespaces() *Namespaces {
	return gentype.NewClient("namespaces", c.core, c.codec, "",
		func() *corev1.Namespace { return &corev1.Namespace{} }, gentype.PrefersProtobuf[*corev1.Namespace]())
}

// TokenReviews returns the reviews of tokens.
func (c *Client) TokenReviews() *TokenReviews {
	return gentype.NewClient("tokenreviews", c.authentication, c.codec, "",
		func() *authenticationv1.TokenReview { return &authenticationv1.TokenReview{} },
		gentype.PrefersProtobuf[*authenticationv1.TokenReview]())
}

// PodLog opens the log of a pod's container.
func (c *Client) PodLog(ctx context.Context, namespace, pod string, opts *corev1.PodLogOptions) (io.ReadCloser, error) {
	return c.core.Get().Namespace(namespace).Resource("pods").Name(pod).SubResource("log").
		VersionedParams(opts, c.codec).Stream(ctx)
}

// ServerVersion returns the version of the API server, such as "v1.34.4".
func (c *Client) ServerVersion(ctx context.Context) (string, error) {
	raw, err := c.core.Get().AbsPath("/version").SetHeader("Accept", runtime.ContentTypeJSON).Do(ctx).Raw()
	if err != nil {
		return "", fmt.Errorf("read the API server's version: %w", err)
	}
	var v struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", fmt.Errorf("read the API server's version: %w", err)
	}
	return v.GitVersion, nil
}

// ClusterUID returns the UID of the namespace kube-system, which names a cluster for as long as it lives.
func (c *Client) ClusterUID(ctx context.Context) (string, error) {
	ns, err := c.Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("read the namespace kube-system for the cluster's UID: %w", err)
	}
	return string(ns.UID), nil
}
