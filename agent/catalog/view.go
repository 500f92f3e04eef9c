package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/agent/kube"
)

// adopt is the annotation by which a document may take over one that was applied by hand.
const adopt = "seatrial.dev/adopt"

// Source is the custom resources of one kind in a namespace. Implemented by kube.Documents.
type Source interface {
	List(ctx context.Context, o metav1.ListOptions) (*kube.DocumentList, error)
	Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
	Patch(ctx context.Context, name string, kind types.PatchType, data []byte, o metav1.PatchOptions, parts ...string) (*kube.Document, error)
}

// view is the objects of one kind in one namespace, or in all of them.
type view struct {
	kind, namespace string
	source          Source
	informer        cache.SharedIndexInformer
	catalog         *Catalog
	synced          atomic.Bool
	trouble         atomic.Value // reason of the API server's last error, "" when it answers
}

func newView(c *Catalog, kind, namespace string, source Source) (*view, error) {
	v := &view{kind: kind, namespace: namespace, source: source, catalog: c}
	v.trouble.Store(metav1.StatusReason(""))
	v.informer = cache.NewSharedIndexInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := source.List(ctx, o)
			v.answered(ctx, err)
			return list, err //nolint:wrapcheck // the informer looks into it
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			w, err := source.Watch(ctx, o)
			if o.SendInitialEvents == nil || !apierrors.IsInvalid(err) { // an API server that cannot stream a list is asked for one
				v.answered(ctx, err)
			}
			return w, err //nolint:wrapcheck // the informer looks into it
		},
	}, &kube.Document{}, 0, cache.Indexers{})
	// The informer tries again by itself, and every failure was taken in by then.
	if err := v.informer.SetWatchErrorHandlerWithContext(func(context.Context, *cache.Reflector, error) {}); err != nil {
		return nil, fmt.Errorf("informer of %s: %w", kind, err)
	}
	if err := v.informer.SetTransform(strip); err != nil {
		return nil, fmt.Errorf("informer of %s: %w", kind, err)
	}
	_, err := v.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: v.seen, UpdateFunc: func(_, obj any) { v.seen(obj) },
		DeleteFunc: func(obj any) {
			if tomb, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = tomb.Obj
			}
			if d, ok := obj.(*kube.Document); ok {
				c.lost(kind, d)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("informer of %s: %w", kind, err)
	}
	return v, nil
}

func (v *view) seen(obj any) {
	if d, ok := obj.(*kube.Document); ok && !over(d) {
		v.catalog.seen(v.kind, d)
	}
}

// strip drops what is never looked at.
func strip(obj any) (any, error) {
	if d, ok := obj.(*kube.Document); ok {
		d.ManagedFields, d.OwnerReferences = nil, nil
		delete(d.Annotations, lastApplied)
	}
	return obj, nil
}

// lastApplied is the annotation in which kubectl keeps a copy of the object.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// sync has everything compared once the view is whole.
func (v *view) sync(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-v.informer.HasSyncedChecker().Done():
		v.synced.Store(true)
		v.catalog.Changed(true)
	}
}

// whole reports whether the view shows all there is.
func (v *view) whole() bool { return v.synced.Load() && v.trouble.Load() == metav1.StatusReason("") }

// answered takes in how a request ended. What lasts is logged once, however often the informer tries.
func (v *view) answered(ctx context.Context, err error) {
	if ctx.Err() != nil || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return // the informer lists anew
	}
	reason := apierrors.ReasonForError(err)
	if err != nil && reason == "" {
		reason = metav1.StatusReasonUnknown
	}
	if before := v.trouble.Swap(reason); before == reason {
		return
	}
	log := v.catalog.o.Log.With("kind", v.kind, "namespace", v.namespace)
	switch {
	case err == nil:
		log.InfoContext(ctx, "documents are read")
	case apierrors.IsNotFound(err):
		log.WarnContext(ctx, "the cluster does not know this kind: set catalog.definitions of the agent's chart to always, and upgrade its release", "error", err)
	case apierrors.IsForbidden(err):
		log.WarnContext(ctx, "the agent may not read documents: add the namespace to catalog.namespaces of its chart and upgrade the release", "error", err)
	default:
		log.WarnContext(ctx, "documents cannot be read", "error", err)
	}
}

func (v *view) documents() []*kube.Document {
	var out []*kube.Document
	for _, obj := range v.informer.GetStore().List() {
		if d, ok := obj.(*kube.Document); ok {
			out = append(out, d)
		}
	}
	return out
}

// source returns an object as a document, without what the API server adds, and its digest.
func source(kind string, d *kube.Document) (text []byte, digest [32]byte, err error) {
	metadata := map[string]any{"name": d.Name}
	if len(d.Labels) > 0 {
		metadata["labels"] = d.Labels
	}
	annotations := map[string]string{}
	for key, value := range d.Annotations {
		if !strings.HasPrefix(key, "kubectl.kubernetes.io/") && key != adopt {
			annotations[key] = value
		}
	}
	if len(annotations) > 0 {
		metadata["annotations"] = annotations
	}
	var spec any
	dec := json.NewDecoder(bytes.NewReader(d.Spec))
	dec.UseNumber()
	if len(d.Spec) > 0 {
		if err := dec.Decode(&spec); err != nil {
			return nil, digest, fmt.Errorf("spec of %s %s: %w", kind, d.Name, err)
		}
	}
	raw, err := json.Marshal(map[string]any{"apiVersion": kube.DocumentVersion().String(), "kind": kind, "metadata": metadata, "spec": spec})
	if err != nil {
		return nil, digest, fmt.Errorf("encode %s %s: %w", kind, d.Name, err)
	}
	if text, err = yaml.JSONToYAML(raw); err != nil {
		return nil, digest, fmt.Errorf("encode %s %s: %w", kind, d.Name, err)
	}
	return text, sha256.Sum256(fmt.Appendf(nil, "%s\n%t", raw, d.Annotations[adopt] == "true")), nil
}
