package kube_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/seatrial/seatrial/agent/kube"
)

// served is an API server with two kinds of objects, which notes what it was asked for.
type served struct {
	mu    sync.Mutex
	asked []string
}

func (s *served) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.URL.Path+" "+r.Header.Get("Accept"))
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	const one = `{"apiVersion":"argoproj.io/v1alpha1","kind":"Rollout","metadata":{"name":"shop","namespace":"shop","uid":"u","resourceVersion":"7","generation":3},` +
		`"spec":{"replicas":"odd","selector":"odd"},"status":{"conditions":[{"type":"Healthy","status":"True","lastTransitionTime":"2026-11-03T10:00:00Z"}],"replicas":"odd"}}`
	const objects = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts"
	switch {
	case r.URL.Path == "/apis/argoproj.io":
		_, _ = fmt.Fprint(w, `{"kind":"APIGroup","apiVersion":"v1","name":"argoproj.io","preferredVersion":{"groupVersion":"argoproj.io/v1alpha1","version":"v1alpha1"}}`)
	case r.URL.Path == "/apis/argoproj.io/v1alpha1":
		_, _ = fmt.Fprint(w, `{"kind":"APIResourceList","groupVersion":"argoproj.io/v1alpha1","resources":[{"name":"rollouts/status","kind":"Rollout"},{"name":"rollouts","kind":"Rollout","namespaced":true}]}`)
	case r.URL.Path == "/api/v1":
		_, _ = fmt.Fprint(w, `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"nodes","kind":"Node"}]}`)
	case r.URL.Path == objects && r.URL.Query().Get("watch") == "true":
		_, _ = fmt.Fprintln(w, `{"type":"MODIFIED","object":`+one+`}`)
		_, _ = fmt.Fprintln(w, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}}`)
	case r.URL.Path == objects:
		_, _ = fmt.Fprint(w, `{"kind":"RolloutList","apiVersion":"argoproj.io/v1alpha1","metadata":{"resourceVersion":"9"},"items":[`+one+`]}`)
	case r.URL.Path == objects+"/shop":
		_, _ = fmt.Fprint(w, one)
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"message":"not there"}`)
	}
}

// TestClient_Objects: objects of any kind are read, with metadata alone where that is enough, and errors keep their meaning.
func TestClient_Objects(t *testing.T) {
	t.Parallel()
	s := &served{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client, err := kube.New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	r, err := client.Resource(t.Context(), "rollouts.argoproj.io")
	if err != nil || r.Kind != "Rollout" || !r.Namespaced || r.Version != "v1alpha1" {
		t.Fatalf("%+v, %v", r, err)
	}
	if node, err := client.Resource(t.Context(), "nodes"); err != nil || node.Namespaced {
		t.Errorf("%+v, %v", node, err)
	}
	for _, name := range []string{"widgets.example.test", "pods", "things", "applications.argoproj.io"} {
		if _, err := client.Resource(t.Context(), name); !apierrors.IsNotFound(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, metadata := range []bool{true, false} {
		objects := client.Objects(r, "shop", metadata)
		list, err := objects.List(t.Context(), metav1.ListOptions{LabelSelector: "a=b"})
		if err != nil || len(list.Items) != 1 || list.ResourceVersion != "9" || list.Items[0].Status.Conditions[0].Type != "Healthy" || list.Items[0].Generation != 3 {
			t.Errorf("%+v, %v", list, err)
		}
		one, err := objects.Get(t.Context(), "shop")
		if err != nil || one.UID != "u" || one.Kind != "Rollout" {
			t.Errorf("%+v, %v", one, err)
		}
		if _, err := objects.Get(t.Context(), "absent"); !apierrors.IsNotFound(err) {
			t.Errorf("%v", err)
		}
		w, err := objects.Watch(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []watch.EventType{watch.Modified, watch.Error} {
			select {
			case e := <-w.ResultChan():
				if o, ok := e.Object.(*kube.Object); e.Type != want || want == watch.Modified && (!ok || o.Name != "shop") || want == watch.Error && !apierrors.IsResourceExpired(apierrors.FromObject(e.Object)) {
					t.Errorf("%+v", e)
				}
			case <-time.After(time.Minute):
				t.Fatal("nothing comes")
			}
		}
		w.Stop()
		s.mu.Lock()
		for _, asked := range s.asked {
			if strings.HasPrefix(asked, "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts") && strings.Contains(asked, "as=PartialObjectMetadata") != metadata {
				t.Errorf("metadata %t: asked for %s", metadata, asked)
			}
		}
		s.asked = nil
		s.mu.Unlock()
	}
}

// TestClient_Names: no name leads to anything but objects of the resource in the namespace.
func TestClient_Names(t *testing.T) {
	t.Parallel()
	s := &served{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client, err := kube.New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	r := kube.Resource{GroupVersionResource: schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"}, Namespaced: true}
	for _, name := range []string{"", ".", "..", "a/b", "../../../../api/v1/namespaces/shop/secrets/a", "a%2fb"} {
		if _, err := client.Objects(r, "shop", false).Get(t.Context(), name); !apierrors.IsBadRequest(err) {
			t.Errorf("name %q: %v", name, err)
		}
		if name == "" {
			continue // all namespaces
		}
		objects := client.Objects(r, name, false)
		_, got := objects.Get(t.Context(), "shop")
		_, listed := objects.List(t.Context(), metav1.ListOptions{})
		_, watched := objects.Watch(t.Context(), metav1.ListOptions{})
		for _, err := range []error{got, listed, watched} {
			if !apierrors.IsBadRequest(err) {
				t.Errorf("namespace %q: %v", name, err)
			}
		}
	}
	if len(s.asked) != 0 {
		t.Errorf("asked for %v", s.asked)
	}
}

// FuzzObject holds that no object that the API server may give out is refused: other kinds have fields of the same names.
func FuzzObject(f *testing.F) {
	f.Add(`{"replicas":2,"selector":{"matchLabels":{"a":"b"}},"updateStrategy":{"rollingUpdate":{"partition":1}}}`, `{"replicas":2,"conditions":[{"type":"a"}]}`)
	f.Add(`{"replicas":"2","selector":[],"updateStrategy":7}`, `[{"conditions":{}}]`)
	f.Add(`null`, `"x"`)
	f.Fuzz(func(t *testing.T, spec, status string) {
		if !json.Valid([]byte(spec)) || !json.Valid([]byte(status)) {
			return
		}
		var o kube.Object
		if err := json.Unmarshal([]byte(`{"metadata":{"name":"a"},"spec":`+spec+`,"status":`+status+`}`), &o); err != nil || o.Name != "a" {
			t.Errorf("%+v, %v", o, err)
		}
	})
}
