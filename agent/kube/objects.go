package kube

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

// Object is an object of any kind, with those parts alone by which it is known whether it was rolled out and what condition it is in.
type Object struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ObjectSpec   `json:"spec,omitempty"`
	Status ObjectStatus `json:"status,omitempty"`
}

// ObjectSpec is what workloads want.
type ObjectSpec struct {
	Replicas       *int32                `json:"replicas,omitempty"`
	Selector       *metav1.LabelSelector `json:"selector,omitempty"`
	UpdateStrategy *UpdateStrategy       `json:"updateStrategy,omitempty"`

	// Pod tells apart what is wanted of a pod, of which only this can change once it is made; empty for other kinds. Before Kubernetes 1.34
	// pods have no generation that would tell.
	Pod string `json:"-"`
}

// podSpec is what may change of a pod that is made. Where it runs is decided for it, and no change of what is wanted.
type podSpec struct {
	Containers            json.RawMessage `json:"containers"`
	InitContainers        json.RawMessage `json:"initContainers"`
	EphemeralContainers   json.RawMessage `json:"ephemeralContainers"`
	Tolerations           json.RawMessage `json:"tolerations"`
	ActiveDeadlineSeconds json.RawMessage `json:"activeDeadlineSeconds"`
}

// digest is empty for what is no pod.
func (p podSpec) digest() string {
	if len(p.Containers) == 0 {
		return ""
	}
	sum := sha256.New()
	for _, part := range []json.RawMessage{p.Containers, p.InitContainers, p.EphemeralContainers, p.Tolerations, p.ActiveDeadlineSeconds} {
		_, _ = fmt.Fprintf(sum, "%d %s", len(part), part) // never fails
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// UpdateStrategy is how a StatefulSet is rolled out.
type UpdateStrategy struct {
	RollingUpdate *struct {
		Partition *int32 `json:"partition,omitempty"`
	} `json:"rollingUpdate,omitempty"`
}

// UnmarshalJSON takes nothing of what is of another form than that of workloads: other kinds have fields of the same names.
func (s *ObjectSpec) UnmarshalJSON(text []byte) error {
	type plain ObjectSpec
	var p plain
	if json.Unmarshal(text, &p) == nil {
		*s = ObjectSpec(p)
	}
	var pod podSpec
	if json.Unmarshal(text, &pod) == nil {
		s.Pod = pod.digest()
	}
	return nil
}

// ObjectStatus is what workloads have, and the conditions that most kinds have.
type ObjectStatus struct {
	Workload

	Conditions []ObjectCondition `json:"conditions,omitempty"`
}

// Workload is how far a rollout is. The last three are those of DaemonSets.
type Workload struct {
	ObservedGeneration     int64  `json:"observedGeneration,omitempty"`
	Replicas               int32  `json:"replicas,omitempty"`
	UpdatedReplicas        int32  `json:"updatedReplicas,omitempty"`
	AvailableReplicas      int32  `json:"availableReplicas,omitempty"`
	UpdateRevision         string `json:"updateRevision,omitempty"`
	DesiredNumberScheduled int32  `json:"desiredNumberScheduled,omitempty"`
	UpdatedNumberScheduled int32  `json:"updatedNumberScheduled,omitempty"`
	NumberAvailable        int32  `json:"numberAvailable,omitempty"`
}

// ObjectCondition is an entry of status.conditions.
type ObjectCondition struct {
	Type               string `json:"type"`
	Status             string `json:"status"`
	Reason             string `json:"reason,omitempty"`
	Message            string `json:"message,omitempty"`
	LastTransitionTime string `json:"lastTransitionTime,omitempty"`
}

// UnmarshalJSON takes nothing of what is of another form.
func (s *ObjectStatus) UnmarshalJSON(text []byte) error {
	var w Workload
	if json.Unmarshal(text, &w) == nil {
		s.Workload = w
	}
	var c struct {
		Conditions []ObjectCondition `json:"conditions"`
	}
	if json.Unmarshal(text, &c) == nil {
		s.Conditions = c.Conditions
	}
	return nil
}

// DeepCopyObject implements runtime.Object. What is not metadata is never changed, and shared.
func (o *Object) DeepCopyObject() runtime.Object {
	out := *o
	o.DeepCopyInto(&out.ObjectMeta)
	return &out
}

// ObjectList is some of them.
type ObjectList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Object `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (l *ObjectList) DeepCopyObject() runtime.Object {
	out := &ObjectList{TypeMeta: l.TypeMeta, Items: make([]Object, len(l.Items))}
	l.DeepCopyInto(&out.ListMeta)
	for i := range l.Items {
		if c, ok := l.Items[i].DeepCopyObject().(*Object); ok {
			out.Items[i] = *c
		}
	}
	return out
}

// Resource is a kind of objects as the API server knows it.
type Resource struct {
	schema.GroupVersionResource

	Kind       string
	Namespaced bool
}

// builtIn are the resources that need no group to be named.
func builtIn() map[string]string {
	out := map[string]string{}
	for group, names := range map[string]string{
		"": "configmaps endpoints events limitranges namespaces nodes persistentvolumeclaims persistentvolumes pods replicationcontrollers " +
			"resourcequotas serviceaccounts services",
		"apps":              "daemonsets deployments replicasets statefulsets",
		"batch":             "cronjobs jobs",
		"networking.k8s.io": "ingresses networkpolicies",
		"autoscaling":       "horizontalpodautoscalers",
		"policy":            "poddisruptionbudgets",
	} {
		for name := range strings.FieldsSeq(names) {
			out[name] = group
		}
	}
	return out
}

// Split returns the plural and the group of what kubectl calls a resource; ok is false for one that needs its group to be known.
func Split(resource string) (plural, group string, ok bool) {
	if plural, group, ok = strings.Cut(resource, "."); ok {
		return plural, group, true
	}
	group, ok = builtIn()[plural]
	return plural, group, ok
}

// Resource asks the API server for a resource that is named as kubectl names it. The error is one of the API server, NotFound when it has
// no such resource.
func (c *Client) Resource(ctx context.Context, name string) (Resource, error) {
	plural, group, ok := Split(name)
	missing := schema.GroupResource{Group: group, Resource: plural}
	if !ok {
		return Resource{}, apierrors.NewNotFound(missing, "")
	}
	root := "/api/v1"
	version := "v1"
	if group != "" {
		var found metav1.APIGroup
		if err := c.read(ctx, "/apis/"+group, &found); err != nil {
			return Resource{}, err
		}
		version = found.PreferredVersion.Version
		root = "/apis/" + found.PreferredVersion.GroupVersion
	}
	var list metav1.APIResourceList
	if err := c.read(ctx, root, &list); err != nil {
		return Resource{}, err
	}
	for _, r := range list.APIResources {
		if r.Name == plural {
			gvr := schema.GroupVersionResource{Group: group, Version: version, Resource: plural}
			return Resource{GroupVersionResource: gvr, Kind: r.Kind, Namespaced: r.Namespaced}, nil
		}
	}
	return Resource{}, apierrors.NewNotFound(missing, "")
}

func (c *Client) read(ctx context.Context, at string, into any) error {
	raw, err := c.objects.Get().AbsPath(at).SetHeader("Accept", runtime.ContentTypeJSON).Do(ctx).Raw()
	if err != nil {
		return err //nolint:wrapcheck // the caller looks into it
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("read %s: %w", at, err)
	}
	return nil
}

// Objects are the objects of a resource in a namespace, "" for all.
type Objects struct {
	client   *Client
	resource Resource
	path     string
	metadata bool
	err      error // why there are none
}

// segment says why a text cannot be a part of a path of the API server, nil when it can: another one could lead elsewhere.
func segment(text string) error {
	if problems := content.IsPathSegmentName(text); text == "" || len(problems) > 0 {
		return apierrors.NewBadRequest(fmt.Sprintf("%q is not a name: %s", text, strings.Join(problems, ", ")))
	}
	return nil
}

// Objects returns the objects of a resource in a namespace, "" for all. With metadata the API server is asked for no more than that.
func (c *Client) Objects(r Resource, namespace string, metadata bool) *Objects {
	out := &Objects{client: c, resource: r, metadata: metadata}
	parts := []string{"api", r.Version}
	if r.Group != "" {
		parts = []string{"apis", r.Group, r.Version}
	}
	if r.Namespaced && namespace != "" {
		parts = append(parts, "namespaces", namespace)
	}
	for _, part := range append(parts, r.Resource) {
		out.err = cmp.Or(out.err, segment(part))
		out.path += "/" + part
	}
	return out
}

// accept says in which form objects are wanted.
func (o *Objects) accept(kind string) string {
	if o.metadata {
		return "application/json;as=" + kind + ";g=meta.k8s.io;v=v1"
	}
	return runtime.ContentTypeJSON
}

// List lists objects.
func (o *Objects) List(ctx context.Context, opts metav1.ListOptions) (*ObjectList, error) {
	out := &ObjectList{}
	if o.err != nil {
		return out, o.err
	}
	err := o.client.objects.Get().AbsPath(o.path).SetHeader("Accept", o.accept("PartialObjectMetadataList")).
		VersionedParams(&opts, o.client.codec).Do(ctx).Into(out)
	return out, err //nolint:wrapcheck // the caller looks into it
}

// Watch watches objects.
func (o *Objects) Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	if o.err != nil {
		return nil, o.err
	}
	opts.Watch = true
	return o.client.objects.Get().AbsPath(o.path).SetHeader("Accept", o.accept("PartialObjectMetadata")). //nolint:wrapcheck // the caller looks into it
														VersionedParams(&opts, o.client.codec).Watch(ctx)
}

// Get returns an object of the namespace.
func (o *Objects) Get(ctx context.Context, name string) (*Object, error) {
	out := &Object{}
	if err := cmp.Or(o.err, segment(name)); err != nil {
		return out, err
	}
	err := o.client.objects.Get().AbsPath(o.path, name).SetHeader("Accept", o.accept("PartialObjectMetadata")).Do(ctx).Into(out)
	return out, err //nolint:wrapcheck // the caller looks into it
}

// newObjects returns a client that takes every object for an Object, whatever its kind.
func newObjects(cfg *rest.Config, hc *http.Client) (*rest.RESTClient, error) {
	known := runtime.NewScheme()
	metav1.AddToGroupVersion(known, schema.GroupVersion{Version: "v1"})
	one := rest.CopyConfig(cfg)
	one.ContentType, one.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	one.NegotiatedSerializer = anyKind{runtime.SerializerInfo{
		MediaType: runtime.ContentTypeJSON, MediaTypeType: "application", MediaTypeSubType: "json", EncodesAsText: true,
		Serializer: serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, creator{known}, known, serializer.SerializerOptions{}),
		StreamSerializer: &runtime.StreamSerializerInfo{
			EncodesAsText: true, Framer: serializer.Framer,
			Serializer: serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, known, known, serializer.SerializerOptions{}),
		},
	}}
	one.APIPath, one.GroupVersion = "/", &schema.GroupVersion{Version: "v1"}
	client, err := rest.RESTClientForConfigAndClient(one, hc)
	if err != nil {
		return nil, fmt.Errorf("client for objects of any kind: %w", err)
	}
	return client, nil
}

// anyKind implements runtime.NegotiatedSerializer.
type anyKind struct{ json runtime.SerializerInfo }

// SupportedMediaTypes implements runtime.NegotiatedSerializer.
func (a anyKind) SupportedMediaTypes() []runtime.SerializerInfo {
	return []runtime.SerializerInfo{a.json}
}

// EncoderForVersion implements runtime.NegotiatedSerializer.
func (anyKind) EncoderForVersion(e runtime.Encoder, _ runtime.GroupVersioner) runtime.Encoder {
	return e
}

// DecoderToVersion implements runtime.NegotiatedSerializer.
func (anyKind) DecoderToVersion(d runtime.Decoder, _ runtime.GroupVersioner) runtime.Decoder {
	return d
}

// creator makes an Object of every kind that is not known.
type creator struct{ known *runtime.Scheme }

// New implements runtime.ObjectCreater.
func (c creator) New(kind schema.GroupVersionKind) (runtime.Object, error) {
	if out, err := c.known.New(kind); err == nil {
		return out, nil
	}
	return &Object{}, nil
}
