package kube

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/gentype"
)

// DocumentVersion is the group and version of the custom resources.
func DocumentVersion() schema.GroupVersion { return schema.GroupVersion{Group: "seatrial.dev", Version: "v1"} }

// DocumentKind is a kind of custom resource.
type DocumentKind struct{ Name, Plural string }

// TestExecution is the kind of the objects that run a workflow.
const TestExecution = "TestExecution"

// DocumentKinds lists the custom resources; what others build upon comes first.
func DocumentKinds() []DocumentKind {
	return []DocumentKind{
		{"Environment", "environments"},
		{"TestWorkflowTemplate", "testworkflowtemplates"},
		{"TestWorkflow", "testworkflows"},
		{"ReadinessPolicy", "readinesspolicies"},
		{"Schedule", "schedules"},
		{"Trigger", "triggers"},
		{"Webhook", "webhooks"},
		{TestExecution, "testexecutions"},
	}
}

// Document is a custom resource of any kind. The agent does not look into it.
type Document struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   json.RawMessage `json:"spec,omitempty"`
	Status json.RawMessage `json:"status,omitempty"`
}

// DeepCopyObject implements runtime.Object.
func (d *Document) DeepCopyObject() runtime.Object {
	out := *d
	out.ObjectMeta = *d.ObjectMeta.DeepCopy()
	out.Spec, out.Status = append(json.RawMessage(nil), d.Spec...), append(json.RawMessage(nil), d.Status...)
	return &out
}

// DocumentList is some of them.
type DocumentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Document `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (l *DocumentList) DeepCopyObject() runtime.Object {
	out := &DocumentList{TypeMeta: l.TypeMeta, ListMeta: *l.ListMeta.DeepCopy(), Items: make([]Document, len(l.Items))}
	for i := range l.Items {
		if c, ok := l.Items[i].DeepCopyObject().(*Document); ok {
			out.Items[i] = *c
		}
	}
	return out
}

// Documents is the client type of the custom resources.
type Documents = gentype.ClientWithList[*Document, *DocumentList]

// addDocuments registers the custom resources.
func addDocuments(scheme *runtime.Scheme) error {
	for _, kind := range DocumentKinds() {
		scheme.AddKnownTypeWithName(DocumentVersion().WithKind(kind.Name), &Document{})
		scheme.AddKnownTypeWithName(DocumentVersion().WithKind(kind.Name+"List"), &DocumentList{})
	}
	metav1.AddToGroupVersion(scheme, DocumentVersion())
	return nil
}

// Documents returns the custom resources of a kind in a namespace; "" is all namespaces.
func (c *Client) Documents(kind, namespace string) (*Documents, error) {
	for _, known := range DocumentKinds() {
		if known.Name == kind {
			return gentype.NewClientWithList(known.Plural, c.documents, c.codec, namespace,
				func() *Document { return &Document{} }, func() *DocumentList { return &DocumentList{} }), nil
		}
	}
	return nil, fmt.Errorf("there is no custom resource of kind %s", kind) //nolint:err113 // a defect of the program
}
