package subject

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unique"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	// A namespace with more images than this is no application under test; a report must stay small.
	maxImages = 500
	// References of images are shorter: 255 bytes of a repository, 128 of a tag and a digest.
	maxReference = 512
)

// image is what one container runs. Replicas share it.
type image struct{ container, reference, digest string }

// brief is what the cache keeps of a pod: a whole one takes many kilobytes, and an idle agent keeps those of a whole namespace.
type brief struct {
	metav1.ObjectMeta

	running bool
	ready   bool
	images  []unique.Handle[image]
	unnamed int // containers that run an image without a digest
}

// shorten is the transform of the informer.
func shorten(obj any) (any, error) {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	b := &brief{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion},
		running:    pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil,
		ready: slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}),
	}
	if b.running {
		b.take(pod.Spec.Containers, pod.Status.ContainerStatuses)
		b.take(slices.DeleteFunc(slices.Clone(pod.Spec.InitContainers), ends), pod.Status.InitContainerStatuses)
	}
	return b, nil
}

// ends tells an init container that prepares the pod from a sidecar that runs as long as it.
func ends(c corev1.Container) bool {
	return c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways
}

func (b *brief) take(containers []corev1.Container, states []corev1.ContainerStatus) {
	for _, c := range containers {
		i := slices.IndexFunc(states, func(s corev1.ContainerStatus) bool { return s.Name == c.Name })
		if i < 0 {
			b.unnamed++
			continue
		}
		digest, ok := Digest(states[i].ImageID)
		if !ok {
			b.unnamed++
			continue
		}
		reference := cmp.Or(c.Image, states[i].Image, digest)
		reference = strings.ToValidUTF8(reference[:min(len(reference), maxReference)], "") // nothing else can be sent
		b.images = append(b.images, unique.Make(image{c.Name, reference, digest}))
	}
}

// Digest returns the digest in the imageID of a container's status as "sha256:" and 64 hex digits; ok is false when there is none.
// Runtimes write it as "docker.io/library/x@sha256:…", "docker-pullable://x@sha256:…", "docker://sha256:…" or "sha256:…".
func Digest(imageID string) (digest string, ok bool) {
	const algorithm, length = "sha256:", 64
	at := strings.LastIndex(imageID, algorithm)
	if at < 0 || at > 0 && imageID[at-1] != '@' && imageID[at-1] != '/' {
		return "", false
	}
	digest = strings.ToLower(imageID[at:])
	hex := digest[len(algorithm):]
	if len(hex) != length || strings.Trim(hex, "0123456789abcdef") != "" {
		return "", false
	}
	return digest, true
}

// sum is what the pods of all namespaces of a snapshot amount to.
type sum struct {
	pods    int // that run
	unready int
	unnamed int
	images  map[unique.Handle[image]]struct{}
	remarks []string
}

// add takes a pod in. One that is not ready serves nobody, so it is not under test.
func (s *sum) add(b *brief) {
	if !b.running {
		return
	}
	if s.pods++; !b.ready {
		s.unready++
		return
	}
	s.unnamed += b.unnamed
	if s.images == nil {
		s.images = map[unique.Handle[image]]struct{}{}
	}
	for _, i := range b.images {
		s.images[i] = struct{}{}
	}
}

// subject returns the images in order, with what is not among them.
func (s *sum) subject() *agentv1.Subject {
	all := make([]image, 0, len(s.images))
	for i := range s.images {
		all = append(all, i.Value())
	}
	slices.SortFunc(all, func(a, b image) int {
		return cmp.Or(cmp.Compare(a.container, b.container), cmp.Compare(a.reference, b.reference), cmp.Compare(a.digest, b.digest))
	})
	remarks := s.remarks
	if s.unready > 0 {
		remarks = append(remarks, fmt.Sprintf("Pods that were not ready and are left out: %d.", s.unready))
	}
	if s.unnamed > 0 {
		remarks = append(remarks, fmt.Sprintf("Containers for which the cluster names no digest and which are left out: %d.", s.unnamed))
	}
	out := &agentv1.Subject{Cut: len(all) > maxImages}
	if out.Cut {
		remarks = append(remarks, fmt.Sprintf("Of %d images the first %d are listed: choose what is under test by a selector in subjects of the agent's chart.",
			len(all), maxImages))
		all = all[:maxImages]
	}
	out.Message = strings.Join(remarks, " ")
	for _, i := range all {
		out.Images = append(out.Images, &agentv1.SubjectImage{Container: i.container, Image: i.reference, Digest: i.digest})
	}
	return out
}

// Of returns what pods run that are ready, as Observe does of those that it watches.
func Of(pods []corev1.Pod) *agentv1.Subject {
	var all sum
	for i := range pods {
		if obj, err := shorten(&pods[i]); err == nil {
			if b, ok := obj.(*brief); ok {
				all.add(b)
			}
		}
	}
	return all.subject()
}
