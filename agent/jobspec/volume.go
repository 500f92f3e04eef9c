package jobspec

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// volumePrefix keeps the volumes of a workflow apart from those of the runner.
const volumePrefix = "v-"

// VolumeOf returns what a workflow calls a volume of its pod, and whether the volume is the workflow's.
func VolumeOf(volume string) (name string, ok bool) { return strings.CutPrefix(volume, volumePrefix) }

// ownPrefix keeps the volumes of one container, which is called c and a number, apart from all others.
func ownPrefix(c *agentv1.Container) string { return c.GetName() + "-" }

// given returns the volumes that the workflow names, and those of single containers.
func given(a work.Assignment) ([]corev1.Volume, error) {
	out, err := volumesOf(volumePrefix, a.GetPod().GetVolumes())
	if err != nil {
		return nil, err
	}
	for _, c := range a.GetContainers() {
		own, err := volumesOf(ownPrefix(c), c.GetVolumes())
		if err != nil {
			return nil, fmt.Errorf("container %s: %w", c.GetName(), err)
		}
		out = append(out, own...)
	}
	return out, nil
}

func volumesOf(prefix string, volumes []*agentv1.Volume) ([]corev1.Volume, error) {
	var out []corev1.Volume
	for _, v := range volumes {
		source, err := volumeSource(v)
		if err != nil {
			return nil, fmt.Errorf("volume %s: %w", v.GetName(), err)
		}
		out = append(out, corev1.Volume{Name: prefix + v.GetName(), VolumeSource: source})
	}
	return out, nil
}

func volumeSource(v *agentv1.Volume) (out corev1.VolumeSource, err error) {
	switch k := v.GetSource().(type) {
	case *agentv1.Volume_EmptyDir:
		out.EmptyDir = &corev1.EmptyDirVolumeSource{}
		if k.EmptyDir.GetMemory() {
			out.EmptyDir.Medium = corev1.StorageMediumMemory
		}
		if text := k.EmptyDir.GetSizeLimit(); text != "" {
			limit, err := resource.ParseQuantity(text)
			if err != nil {
				return out, fmt.Errorf("size limit %q: %w", text, err)
			}
			out.EmptyDir.SizeLimit = &limit
		}
	case *agentv1.Volume_ConfigMap:
		out.ConfigMap = &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: k.ConfigMap.GetName()}, Optional: ptr.To(k.ConfigMap.GetOptional()),
		}
	case *agentv1.Volume_Secret:
		out.Secret = &corev1.SecretVolumeSource{SecretName: k.Secret.GetName(), Optional: ptr.To(k.Secret.GetOptional())}
	case *agentv1.Volume_Claim:
		out.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: k.Claim}
	default:
		return out, fmt.Errorf("this agent does not know its kind: upgrade it")
	}
	return out, nil
}

// mounts are those of the workflow's volumes, the same in every container.
func mounts(a work.Assignment) []corev1.VolumeMount {
	return mountsOf(volumePrefix, a.GetPod().GetVolumes())
}

func mountsOf(prefix string, volumes []*agentv1.Volume) []corev1.VolumeMount {
	var out []corev1.VolumeMount
	for _, v := range volumes {
		out = append(out, corev1.VolumeMount{
			Name: prefix + v.GetName(), MountPath: v.GetMountPath(), SubPath: v.GetSubPath(), ReadOnly: v.GetReadOnly(),
		})
	}
	return out
}

// needsTmp reports whether the containers get a folder for what is temporary: nothing else can be written to, and the workflow has not
// put something there itself.
func needsTmp(a work.Assignment) bool {
	for _, v := range a.GetPod().GetVolumes() {
		if v.GetMountPath() == "/tmp" {
			return false
		}
	}
	return a.GetPod().GetSecurity().GetReadOnlyRootFilesystem()
}

// secretive reports whether the pod mounts secrets.
func secretive(a work.Assignment) bool {
	for _, v := range a.GetPod().GetVolumes() {
		if v.GetSecret() != nil {
			return true
		}
	}
	return false
}
