package jobspec

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// Paths that runner and agent have agreed on.
const (
	stateDir     = "/seatrial"
	binDir       = "/seatrial-bin"
	workspaceDir = "/workspace"
	tokenDir     = "/var/run/seatrial" //nolint:gosec // G101: a directory, not a secret
	planDir      = "/var/run/seatrial-plan"

	// Audience is that of the token by which a runner proves which pod it is.
	Audience = "seatrial-agent"
)

const (
	volState     = "seatrial-state"
	volBin       = "seatrial-bin"
	volWorkspace = "workspace"
	volToken     = "seatrial-token"
	volPlan      = "seatrial-plan"
	volTmp       = "tmp"

	copier = "seatrial-install"
)

func podSpec(a work.Assignment, s Settings) (corev1.PodSpec, error) {
	pod := a.GetPod()
	grace, deadline := deadlines(a)
	spec := corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		AutomountServiceAccountToken:  ptr.To(false),
		EnableServiceLinks:            ptr.To(false),
		TerminationGracePeriodSeconds: &grace,
		ActiveDeadlineSeconds:         deadline,
		ServiceAccountName:            pod.GetServiceAccountName(),
		NodeSelector:                  pod.GetNodeSelector(),
		SecurityContext:               podSecurity(pod.GetSecurity()),
		Volumes:                       volumes(a, s),
	}
	more, err := given(a)
	if err != nil {
		return corev1.PodSpec{}, err
	}
	spec.Volumes = append(spec.Volumes, more...)
	for _, name := range pod.GetImagePullSecrets() {
		spec.ImagePullSecrets = append(spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	for _, t := range pod.GetTolerations() {
		spec.Tolerations = append(spec.Tolerations, corev1.Toleration{
			Key: t.GetKey(), Operator: corev1.TolerationOperator(t.GetOperator()), Value: t.GetValue(),
			Effect: corev1.TaintEffect(t.GetEffect()), TolerationSeconds: t.TolerationSeconds,
		})
	}
	if !s.ImageVolume {
		spec.InitContainers = []corev1.Container{install(a, s)}
	}
	beside, err := services(a)
	if err != nil {
		return corev1.PodSpec{}, err
	}
	spec.InitContainers = append(spec.InitContainers, beside...)
	for _, c := range a.GetContainers() {
		one, err := container(a, s, c)
		if err != nil {
			return corev1.PodSpec{}, err
		}
		spec.Containers = append(spec.Containers, one)
	}
	requestOnce(spec.Containers, func(i int) bool { return a.GetContainers()[i].GetConcurrent() })
	return spec, nil
}

// install copies the runner into the directory that the steps' containers share.
func install(a work.Assignment, s Settings) corev1.Container {
	return corev1.Container{
		Name: copier, Image: s.RunnerImage, ImagePullPolicy: corev1.PullPolicy(s.RunnerPullPolicy),
		Command:         []string{"/seatrial-runner", "install", binDir},
		VolumeMounts:    []corev1.VolumeMount{{Name: volBin, MountPath: binDir}},
		SecurityContext: containerSecurity(a.GetPod().GetSecurity()),
	}
}

func container(a work.Assignment, s Settings, c *agentv1.Container) (corev1.Container, error) {
	out := corev1.Container{
		Name: c.GetName(), Image: c.GetImage(), ImagePullPolicy: corev1.PullPolicy(c.GetImagePullPolicy()),
		Command:    []string{binDir + "/seatrial-runner", "run", "--container=" + c.GetName()},
		WorkingDir: workspaceDir,
		Env: []corev1.EnvVar{
			{Name: "SEATRIAL_AGENT", Value: s.Endpoint},
			{Name: "SEATRIAL_AGENT_PIN", Value: s.Pin},
			{Name: "SEATRIAL_POD", ValueFrom: &corev1.EnvVarSource{
				FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"},
			}},
		},
		TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		SecurityContext:          containerSecurity(a.GetPod().GetSecurity()),
		VolumeMounts: []corev1.VolumeMount{
			{Name: volState, MountPath: stateDir},
			{Name: volBin, MountPath: binDir, ReadOnly: true},
			{Name: volWorkspace, MountPath: workspaceDir},
			{Name: volToken, MountPath: tokenDir, ReadOnly: true},
			{Name: volPlan, MountPath: planDir, ReadOnly: true},
		},
	}
	if c.GetRunnerImage() {
		out.Image, out.ImagePullPolicy = s.RunnerImage, corev1.PullPolicy(s.RunnerPullPolicy)
	}
	if needsTmp(a) {
		out.VolumeMounts = append(out.VolumeMounts, corev1.VolumeMount{Name: volTmp, MountPath: "/tmp"})
	}
	out.VolumeMounts = append(append(out.VolumeMounts, mounts(a)...), mountsOf(ownPrefix(c), c.GetVolumes())...)
	for _, e := range c.GetEnv() {
		out.Env = append(out.Env, variable(e))
	}
	var err error
	if out.Resources.Requests, err = resources(c.GetRequests()); err != nil {
		return out, fmt.Errorf("container %s: requests: %w", c.GetName(), err)
	}
	if out.Resources.Limits, err = resources(c.GetLimits()); err != nil {
		return out, fmt.Errorf("container %s: limits: %w", c.GetName(), err)
	}
	return out, nil
}

func variable(e *agentv1.ContainerEnv) corev1.EnvVar {
	v := corev1.EnvVar{Name: e.GetName(), Value: e.GetValue()}
	if ref := e.GetSecret(); ref != nil {
		v.ValueFrom = &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: ref.GetName()}, Key: ref.GetKey(), Optional: optional(ref),
		}}
	}
	if ref := e.GetConfigMap(); ref != nil {
		v.ValueFrom = &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: ref.GetName()}, Key: ref.GetKey(), Optional: optional(ref),
		}}
	}
	return v
}

func optional(ref *agentv1.KeyRef) *bool {
	if !ref.GetOptional() {
		return nil
	}
	return ptr.To(true)
}

func resources(in map[string]string) (corev1.ResourceList, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make(corev1.ResourceList, len(in))
	for name, value := range in {
		q, err := resource.ParseQuantity(value)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", name, value, err)
		}
		out[corev1.ResourceName(name)] = q
	}
	return out, nil
}

// requestOnce lets only the container with the largest request of a resource carry it. Steps run one after another, so the sum
// that the scheduler would reserve is never used. Others ask for nothing, said aloud: a limit alone would count as a request. Those
// whose steps run at the same time as others keep what they ask for.
func requestOnce(containers []corev1.Container, concurrent func(i int) bool) {
	if len(containers) < 2 {
		return
	}
	type claim struct {
		at  int
		qty resource.Quantity
	}
	largest := map[corev1.ResourceName]claim{}
	asked := func(c corev1.Container) corev1.ResourceList {
		out := corev1.ResourceList{}
		for name, q := range c.Resources.Limits {
			out[name] = q
		}
		for name, q := range c.Resources.Requests {
			out[name] = q
		}
		return out
	}
	for i, c := range containers {
		if concurrent(i) {
			continue
		}
		for name, q := range asked(c) {
			if best, ok := largest[name]; !ok || q.Cmp(best.qty) > 0 {
				largest[name] = claim{i, q}
			}
		}
	}
	for i := range containers {
		for name := range asked(containers[i]) {
			if !concurrent(i) && shared(name) && largest[name].at != i {
				if containers[i].Resources.Requests == nil {
					containers[i].Resources.Requests = corev1.ResourceList{}
				}
				containers[i].Resources.Requests[name] = resource.MustParse("0")
			}
		}
	}
}

// shared tells resources that may be overcommitted; of the others a request must equal its limit.
func shared(name corev1.ResourceName) bool {
	return name == corev1.ResourceCPU || name == corev1.ResourceMemory || name == corev1.ResourceEphemeralStorage
}

func podSecurity(s *agentv1.PodSecurity) *corev1.PodSecurityContext {
	out := &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	if s != nil {
		out.RunAsUser, out.RunAsGroup, out.RunAsNonRoot, out.FSGroup = s.RunAsUser, s.RunAsGroup, s.RunAsNonRoot, s.FsGroup
	}
	return out
}

func containerSecurity(s *agentv1.PodSecurity) *corev1.SecurityContext {
	out := &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	if s != nil {
		out.ReadOnlyRootFilesystem = s.ReadOnlyRootFilesystem
	}
	return out
}

// volumes are those of the runner. They have no size limits: a pod that exceeds one is evicted, its evidence with it. The runner bounds its spool, and a limit of
// ephemeral-storage on a container bounds what a test writes.
func volumes(a work.Assignment, s Settings) []corev1.Volume {
	empty := func(name string) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
	}
	bin := empty(volBin)
	if s.ImageVolume {
		bin.VolumeSource = corev1.VolumeSource{Image: &corev1.ImageVolumeSource{
			Reference: s.RunnerImage, PullPolicy: corev1.PullPolicy(s.RunnerPullPolicy),
		}}
	}
	out := []corev1.Volume{
		empty(volState), bin, empty(volWorkspace),
		{Name: volToken, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
				Audience: Audience, ExpirationSeconds: ptr.To[int64](3600), Path: "token",
			}}},
		}}},
		{Name: volPlan, VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
			Items: []corev1.DownwardAPIVolumeFile{{Path: "plan", FieldRef: &corev1.ObjectFieldSelector{
				APIVersion: "v1", FieldPath: "metadata.annotations['" + AnnotationPlan + "']",
			}}},
		}}},
	}
	if needsTmp(a) {
		out = append(out, empty(volTmp))
	}
	return out
}
