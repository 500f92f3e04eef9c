package jobspec

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	servicePrefix = "service-"

	// A try to find out whether a service is ready may take this long, in seconds.
	readyTry = 5
	// A service that was not ready in time gets so many seconds to end, not the grace of the pod.
	readyGrace = 10
)

// ServiceOf returns the name of the service that an init container is of; ok is false for any other.
func ServiceOf(container string) (name string, ok bool) {
	return strings.CutPrefix(container, servicePrefix)
}

// ServiceContainer returns the name of a service's container.
func ServiceContainer(service string) string { return servicePrefix + service }

// ReadyTimeout returns how long a service may take until the probe of its container succeeds, 0 without one.
func ReadyTimeout(probe *corev1.Probe) time.Duration {
	if probe == nil {
		return 0
	}
	return time.Duration(probe.FailureThreshold) * time.Duration(probe.PeriodSeconds) * time.Second
}

// services returns a native sidecar for each service. Kubernetes starts them one after another, each once the one before is ready,
// and the steps after the last.
func services(a work.Assignment) ([]corev1.Container, error) {
	var out []corev1.Container
	for _, s := range a.GetServices() {
		one, err := service(a, s)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// service shares the workspace with the steps, and nothing else of what they have: neither the runner's token nor its plan.
func service(a work.Assignment, s *agentv1.Service) (corev1.Container, error) {
	out := corev1.Container{
		Name: ServiceContainer(s.GetName()), Image: s.GetImage(), ImagePullPolicy: corev1.PullPolicy(s.GetImagePullPolicy()),
		Command: literals(s.GetCommand()), Args: literals(s.GetArgs()),
		RestartPolicy:   ptr.To(corev1.ContainerRestartPolicyAlways),
		StartupProbe:    startup(s.GetReady()),
		SecurityContext: containerSecurity(a.GetPod().GetSecurity()),
		VolumeMounts:    []corev1.VolumeMount{{Name: volWorkspace, MountPath: workspaceDir}},
		// The end of its log tells why it ended; that of a service with a secret stays where it is.
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
	out.SecurityContext.RunAsUser, out.SecurityContext.RunAsGroup = s.RunAsUser, s.RunAsGroup
	if dir := s.GetWorkingDir(); path.IsAbs(dir) {
		out.WorkingDir = dir
	} else if dir != "" {
		out.WorkingDir = path.Join(workspaceDir, dir)
	}
	if needsTmp(a) {
		out.VolumeMounts = append(out.VolumeMounts, corev1.VolumeMount{Name: volTmp, MountPath: "/tmp"})
	}
	out.VolumeMounts = append(out.VolumeMounts, mounts(a)...)
	if secretive(a) {
		out.TerminationMessagePolicy = corev1.TerminationMessageReadFile
	}
	for _, e := range s.GetEnv() {
		if e.GetSecret() != nil {
			out.TerminationMessagePolicy = corev1.TerminationMessageReadFile
		}
		v := variable(e)
		v.Value = literal(v.Value)
		out.Env = append(out.Env, v)
	}
	var err error
	if out.Resources.Requests, err = resources(s.GetRequests()); err != nil {
		return out, fmt.Errorf("service %s: requests: %w", s.GetName(), err)
	}
	if out.Resources.Limits, err = resources(s.GetLimits()); err != nil {
		return out, fmt.Errorf("service %s: limits: %w", s.GetName(), err)
	}
	return out, nil
}

// literal keeps Kubernetes from expanding $(NAME): a text means the same wherever the workflow has it.
func literal(text string) string { return strings.ReplaceAll(text, "$", "$$") }

func literals(texts []string) []string {
	out := slices.Clone(texts)
	for i, text := range out {
		out[i] = literal(text)
	}
	return out
}

// startup holds back what comes after the service until it is ready.
func startup(r *agentv1.Ready) *corev1.Probe {
	if r == nil {
		return nil
	}
	period := max(1, units(r.GetInterval().AsDuration(), time.Second))
	probe := &corev1.Probe{
		PeriodSeconds: period, TimeoutSeconds: readyTry, TerminationGracePeriodSeconds: ptr.To[int64](readyGrace),
		FailureThreshold: max(1, units(r.GetTimeout().AsDuration(), time.Duration(period)*time.Second)),
	}
	switch check := r.GetCheck().(type) {
	case *agentv1.Ready_Exec:
		probe.Exec = &corev1.ExecAction{Command: literals(check.Exec.GetCommand())}
	case *agentv1.Ready_TcpPort:
		probe.TCPSocket = &corev1.TCPSocketAction{Port: intstr.FromInt32(check.TcpPort)}
	case *agentv1.Ready_Http:
		scheme := corev1.URISchemeHTTP
		if check.Http.GetHttps() {
			scheme = corev1.URISchemeHTTPS
		}
		probe.HTTPGet = &corev1.HTTPGetAction{Path: check.Http.GetPath(), Port: intstr.FromInt32(check.Http.GetPort()), Scheme: scheme}
	}
	return probe
}

// units returns how many units a duration takes, rounded up.
func units(d, unit time.Duration) int32 {
	return int32((d + unit - 1) / unit) //nolint:gosec // the language bounds durations
}

// readiness returns how long the services may take together until they are ready.
func readiness(a work.Assignment) time.Duration {
	var sum time.Duration
	for _, s := range a.GetServices() {
		sum += ReadyTimeout(startup(s.GetReady()))
	}
	return sum
}
