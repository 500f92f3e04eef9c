package runplan

import (
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// Assignment returns the assignment of the first attempt of a run, for an agent. Who it is and where it runs is for the caller to say.
func Assignment(attempt, name string, plan *workflow.Plan) *agentv1.Assignment {
	a := &agentv1.Assignment{AttemptId: attempt, AttemptNumber: 1, Workflow: name, Pod: pod(plan.Pod), Plan: Of(attempt, plan)}
	for _, c := range plan.Containers {
		a.Containers = append(a.Containers, container(c))
	}
	for _, s := range plan.Services {
		a.Services = append(a.Services, service(s))
	}
	return a
}

func pod(p workflow.Pod) *agentv1.Pod {
	out := &agentv1.Pod{
		ServiceAccountName: p.ServiceAccountName, NodeSelector: p.NodeSelector,
		Labels: p.Labels, Annotations: p.Annotations,
		Security: &agentv1.PodSecurity{
			RunAsUser: p.Security.RunAsUser, RunAsGroup: p.Security.RunAsGroup, RunAsNonRoot: p.Security.RunAsNonRoot,
			FsGroup: p.Security.FSGroup, ReadOnlyRootFilesystem: p.Security.ReadOnlyRootFilesystem,
		},
	}
	for _, s := range p.ImagePullSecrets {
		out.ImagePullSecrets = append(out.ImagePullSecrets, s.Name)
	}
	for _, v := range p.Volumes {
		out.Volumes = append(out.Volumes, volume(v))
	}
	for _, t := range p.Tolerations {
		out.Tolerations = append(out.Tolerations, &agentv1.Toleration{
			Key: t.Key, Operator: t.Operator, Value: t.Value, Effect: t.Effect, TolerationSeconds: t.Seconds,
		})
	}
	return out
}

func volume(v document.Volume) *agentv1.Volume {
	out := &agentv1.Volume{Name: v.Name, MountPath: v.MountPath, SubPath: v.SubPath, ReadOnly: v.ReadOnly}
	switch {
	case v.EmptyDir != nil:
		out.Source = &agentv1.Volume_EmptyDir{EmptyDir: &agentv1.EmptyDir{
			Memory: v.EmptyDir.Medium == "Memory", SizeLimit: string(v.EmptyDir.SizeLimit),
		}}
	case v.ConfigMap != nil:
		out.Source = &agentv1.Volume_ConfigMap{ConfigMap: &agentv1.ObjectVolume{Name: v.ConfigMap.Name, Optional: v.ConfigMap.Optional}}
	case v.Secret != nil:
		out.Source = &agentv1.Volume_Secret{Secret: &agentv1.ObjectVolume{Name: v.Secret.Name, Optional: v.Secret.Optional}}
	case v.PersistentVolumeClaim != nil:
		out.Source = &agentv1.Volume_Claim{Claim: v.PersistentVolumeClaim.ClaimName}
	}
	return out
}

func container(c workflow.PlanContainer) *agentv1.Container {
	out := &agentv1.Container{
		Name: c.Name, Image: c.Image, ImagePullPolicy: c.PullPolicy, RunnerImage: c.RunnerImage, Requests: c.Requests, Limits: c.Limits,
		Concurrent: c.Concurrent,
	}
	for _, e := range c.Env {
		out.Env = append(out.Env, variable(e.Name, "", e.Secret, e.ConfigMap))
	}
	for _, v := range c.Volumes {
		out.Volumes = append(out.Volumes, volume(v))
	}
	return out
}

// variable is a literal when it refers to nothing.
func variable(name, value string, secret, configMap *workflow.KeyRef) *agentv1.ContainerEnv {
	v := &agentv1.ContainerEnv{Name: name}
	switch {
	case secret != nil:
		v.Source = &agentv1.ContainerEnv_Secret{Secret: keyRef(*secret)}
	case configMap != nil:
		v.Source = &agentv1.ContainerEnv_ConfigMap{ConfigMap: keyRef(*configMap)}
	case value != "":
		v.Source = &agentv1.ContainerEnv_Value{Value: value}
	}
	return v
}

func keyRef(k workflow.KeyRef) *agentv1.KeyRef {
	return &agentv1.KeyRef{Name: k.Name, Key: k.Key, Optional: k.Optional}
}
