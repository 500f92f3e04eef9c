package permit

import (
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// What the agent itself puts into every pod. No volume of a workflow has one of these names: theirs have a prefix.
const (
	tokenVolume = "seatrial-token"
	planVolume  = "seatrial-plan"
)

func ownFolders() []string { return []string{"seatrial-state", "seatrial-bin", "workspace", "tmp"} }

// maxFaults bounds a refusal: who reads it mends what it names and sees the rest then.
const maxFaults = 5

// Apply checks a Job and gives containers without a limit the highest that is allowed. The error has a sentence for each rule that the
// Job breaks, with the value, what is allowed, and what to change. runnerImage is the agent's own.
func (r Rules) Apply(job *batchv1.Job, runnerImage string) error {
	c := check{rules: r, runner: runnerImage}
	spec := &job.Spec.Template.Spec
	c.never(spec)
	c.account(spec.ServiceAccountName)
	for _, ref := range spec.ImagePullSecrets {
		c.secret(ref.Name)
	}
	for i := range spec.Volumes {
		c.volume(&spec.Volumes[i])
	}
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			c.container(&list[i])
		}
	}
	c.pod(spec)
	if len(c.faults) == 0 {
		return nil
	}
	if more := len(c.faults) - maxFaults; more > 0 {
		c.faults = append(c.faults[:maxFaults], fmt.Sprintf("And %d more.", more))
	}
	return fmt.Errorf("%s", strings.Join(c.faults, " ")) //nolint:err113 // for people alone
}

type check struct {
	rules  Rules
	runner string
	faults []string
}

// fault notes what is not allowed, each once.
func (c *check) fault(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(c.faults, text) {
		c.faults = append(c.faults, text)
	}
}

// never is what no rule can allow. The assignment has no field for any of it: a defect that let it in would show here.
func (c *check) never(spec *corev1.PodSpec) {
	if spec.HostNetwork || spec.HostPID || spec.HostIPC {
		c.fault("A test never shares the network or the processes of its node.")
	}
	if spec.PriorityClassName != "" || spec.Priority != nil {
		c.fault("A test never has a priority class: it could drive out what others run.")
	}
	if len(spec.EphemeralContainers) > 0 || spec.NodeName != "" {
		c.fault("A test is always placed by the scheduler.")
	}
	for _, one := range slices.Concat(spec.InitContainers, spec.Containers) {
		s := one.SecurityContext
		if s == nil {
			continue
		}
		if (s.Privileged != nil && *s.Privileged) || (s.AllowPrivilegeEscalation != nil && *s.AllowPrivilegeEscalation) ||
			(s.Capabilities != nil && len(s.Capabilities.Add) > 0) {
			c.fault("A test never has privileges on its node.")
		}
	}
}

func (c *check) account(name string) {
	if name == "" {
		name = "default"
	}
	if c.rules.ServiceAccounts != nil && !slices.Contains(c.rules.ServiceAccounts, name) {
		c.fault("The agent of this cluster does not allow service account %q, only %s: use one of these in the workflow, "+
			"or add it to allow.serviceAccounts of the agent's chart.", name, words(c.rules.ServiceAccounts))
	}
}

func (c *check) secret(name string) {
	if c.rules.Secrets == nil || slices.ContainsFunc(c.rules.Secrets, func(pattern string) bool { return matches(pattern, name) }) {
		return
	}
	c.fault("The agent of this cluster does not allow the secret %q, only %s: use one of these in the workflow, "+
		"or add it to allow.secrets of the agent's chart.", name, words(c.rules.Secrets))
}

func (c *check) volume(v *corev1.Volume) {
	var kind string
	switch {
	case v.EmptyDir != nil:
		kind = "emptyDir"
		if slices.Contains(ownFolders(), v.Name) {
			return
		}
	case v.ConfigMap != nil:
		kind = "configMap"
	case v.Secret != nil:
		kind = "secret"
		c.secret(v.Secret.SecretName)
	case v.PersistentVolumeClaim != nil:
		kind = "persistentVolumeClaim"
	case v.Image != nil && v.Image.Reference == c.runner, v.Projected != nil && v.Name == tokenVolume, v.DownwardAPI != nil && v.Name == planVolume:
		return
	default:
		c.fault("A test never mounts a volume of the kind of %q.", v.Name)
		return
	}
	if c.rules.Volumes != nil && !slices.Contains(c.rules.Volumes, kind) {
		c.fault("The agent of this cluster does not allow volumes of kind %s, only %s: leave it out of the workflow, "+
			"or add it to allow.volumes of the agent's chart.", kind, words(c.rules.Volumes))
	}
}

func (c *check) container(one *corev1.Container) {
	if c.rules.Images != nil && one.Image != c.runner {
		if full, ok := c.rules.allowsImage(one.Image); !ok {
			c.fault("The agent of this cluster does not allow image %s, only %s: use one of these in the workflow, "+
				"or add it to allow.images of the agent's chart.", full, words(c.rules.Images))
		}
	}
	for _, e := range one.Env {
		if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
			c.secret(e.ValueFrom.SecretKeyRef.Name)
		}
	}
	for _, e := range one.EnvFrom {
		if e.SecretRef != nil {
			c.secret(e.SecretRef.Name)
		}
	}
	for name, most := range c.rules.Container {
		c.limit(one, name, most)
	}
}

// limit checks one resource of a container.
func (c *check) limit(one *corev1.Container, name corev1.ResourceName, most resource.Quantity) {
	tooMuch := func(what string, q resource.Quantity) {
		c.fault("The agent of this cluster allows a container at most %s of %s, and one with image %s has a %s of %s: lower it in the workflow, "+
			"or raise allow.container.%s of the agent's chart.", text(most), name, one.Image, what, text(q), name)
	}
	request, asks := one.Resources.Requests[name]
	limit, limits := one.Resources.Limits[name]
	switch {
	case limits && limit.Cmp(most) > 0:
		tooMuch("limit", limit)
	case asks && request.Cmp(most) > 0:
		tooMuch("request", request)
	case !limits && common(name):
		if one.Resources.Limits == nil {
			one.Resources.Limits = corev1.ResourceList{}
		}
		one.Resources.Limits[name] = most
		if !asks { // a limit alone would count as a request
			if one.Resources.Requests == nil {
				one.Resources.Requests = corev1.ResourceList{}
			}
			one.Resources.Requests[name] = resource.MustParse("0")
		}
	}
}

// common tells resources that every container uses, limited or not; of the others one that names none gets none.
func common(name corev1.ResourceName) bool {
	return name == corev1.ResourceCPU || name == corev1.ResourceMemory || name == corev1.ResourceEphemeralStorage
}

// pod adds up what the containers that run at the same time request: those of steps and, beside them, the services.
func (c *check) pod(spec *corev1.PodSpec) {
	for name, most := range c.rules.Pod {
		var sum resource.Quantity
		for i, one := range slices.Concat(spec.InitContainers, spec.Containers) {
			passes := i < len(spec.InitContainers) && (one.RestartPolicy == nil || *one.RestartPolicy != corev1.ContainerRestartPolicyAlways)
			if passes { // it has ended before the others begin
				continue
			}
			q, ok := one.Resources.Requests[name]
			if !ok {
				q = one.Resources.Limits[name]
			}
			sum.Add(q)
		}
		if sum.Cmp(most) > 0 {
			c.fault("The agent of this cluster allows a pod to request at most %s of %s in all, and this one requests %s: "+
				"lower the requests of its steps or services in the workflow, or raise allow.pod.%s of the agent's chart.", text(most), name, text(sum), name)
		}
	}
}

func words(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
