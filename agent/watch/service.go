package watch

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	corev1 "k8s.io/api/core/v1"

	"github.com/seatrial/seatrial/agent/jobspec"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	// How often the events of a pod are asked for why a service is not ready yet.
	askAgain = 3 * time.Second
	// The kubelet ends a service that is not ready in time. When it does not, the attempt ends this much later.
	readySlack = 30 * time.Second
	// How long after its time a process still ends because the kubelet has told it to.
	killSlack = 15 * time.Second
	// The last words of a process may be its whole log: their end says why it ended.
	maxWords = 500
)

// service is a service of a pod as the kubelet shows it.
type service struct {
	name      string
	container string
	status    corev1.ContainerStatus // empty before the kubelet has said anything
	probe     *corev1.Probe
	memory    string // its limit, for a message
	secretive bool   // it is given a secret
}

// services lists the services of a pod in the order in which they start.
func services(pod *corev1.Pod) []service {
	var out []service
	mounted := slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Secret != nil })
	for _, c := range pod.Spec.InitContainers {
		name, ok := jobspec.ServiceOf(c.Name)
		if !ok {
			continue
		}
		s := service{name: name, container: c.Name, probe: c.StartupProbe, secretive: len(secrets(c.Env)) > 0 || mounted}
		if q, ok := c.Resources.Limits[corev1.ResourceMemory]; ok {
			s.memory = " of " + q.String()
		}
		if i := slices.IndexFunc(pod.Status.InitContainerStatuses, func(st corev1.ContainerStatus) bool { return st.Name == c.Name }); i >= 0 {
			s.status = pod.Status.InitContainerStatuses[i]
		}
		out = append(out, s)
	}
	return out
}

// ready reports whether it has shown that it is.
func (s service) ready() bool {
	return s.status.State.Running != nil && s.status.Started != nil && *s.status.Started
}

// last is the end of its process that ended last, nil when none has.
func (s service) last() *corev1.ContainerStateTerminated {
	if t := s.status.State.Terminated; t != nil {
		return t
	}
	return s.status.LastTerminationState.Terminated
}

// down reports whether its process has ended and no other one runs.
func (s service) down() bool { return s.status.State.Running == nil && s.last() != nil }

// late reports whether a process of it ran for about as long as it had for being ready, so that the kubelet ended it, most likely. One
// that was ready lives longer, or ends sooner.
func (s service) late() bool {
	t := s.last()
	if s.probe == nil || t == nil {
		return false
	}
	over := t.FinishedAt.Sub(t.StartedAt.Time) - jobspec.ReadyTimeout(s.probe)
	return over >= 0 && over <= killSlack
}

// words says how its last process ended: "exit code 1: its last lines".
func (s service) words() string {
	t := s.last()
	text := fmt.Sprintf("exit code %d", t.ExitCode)
	switch {
	case t.Reason == "OOMKilled":
		text = "more memory than its limit" + s.memory + " (OOMKilled): raise resources.limits.memory"
	case s.secretive:
		text += "; its log is not shown, because it is given a secret or its pod mounts one"
	case strings.TrimSpace(t.Message) != "":
		text += ": " + tail(t.Message)
		if wantsRoot(t.Message) {
			text += " (its image wants to begin as root, which the pod does not allow: name the user it changes to in securityContext.runAsUser)"
		}
	}
	return text
}

// wantsRoot recognizes the words of entrypoints that begin as root to give files to another user and become it.
func wantsRoot(said string) bool {
	return slices.ContainsFunc([]string{"Operation not permitted", "operation not permitted", "failed switching to"}, func(words string) bool {
		return strings.Contains(said, words)
	})
}

// tail keeps the end of a text, from the beginning of a line where that is possible.
func tail(text string) string {
	text = strings.TrimSpace(text)
	if len(text) <= maxWords {
		return text
	}
	text = strings.ToValidUTF8(text[len(text)-maxWords:], "")
	if _, after, ok := strings.Cut(text, "\n"); ok && after != "" {
		text = after
	}
	return "… " + text
}

// probed returns what the last try to find it ready said, "" for nothing. A command may print what the service is given.
func (s service) probed(events []corev1.Event) string {
	of := slices.DeleteFunc(slices.Clone(events), func(e corev1.Event) bool {
		return e.InvolvedObject.FieldPath != "" && e.InvolvedObject.FieldPath != "spec.initContainers{"+s.container+"}"
	})
	e, ok := newest(of, "Unhealthy")
	if !ok {
		return ""
	}
	if s.secretive && s.probe != nil && s.probe.Exec != nil {
		return "the output of ready.exec is not shown, because the service is given a secret or its pod mounts one"
	}
	_, said, found := strings.Cut(e.Message, "failed: ")
	if !found {
		said = e.Message
	}
	return tail(said)
}

// state is the snapshot that is reported of a service.
func (s service) state(ended bool, events []corev1.Event) *agentv1.ServiceState {
	out := &agentv1.ServiceState{
		Name: s.name, Status: agentv1.ServiceStatus_SERVICE_STATUS_WAITING, Restarts: s.status.RestartCount,
	}
	t := s.last()
	if t != nil {
		code := t.ExitCode
		out.ExitCode, out.StartedAt, out.FinishedAt = &code, since(t.StartedAt.Time), since(t.FinishedAt.Time)
	}
	switch {
	case s.ready():
		out.Status = agentv1.ServiceStatus_SERVICE_STATUS_READY
	case s.status.State.Running != nil:
		out.Status = agentv1.ServiceStatus_SERVICE_STATUS_STARTING
		if said := s.probed(events); said != "" && !ended {
			out.Message = "Not ready yet: " + said
		}
	case ended && s.status.State.Terminated != nil:
		out.Status = agentv1.ServiceStatus_SERVICE_STATUS_STOPPED
	case ended && t != nil: // it waited to be started again
		out.Status = agentv1.ServiceStatus_SERVICE_STATUS_FAILED
	case t != nil:
		out.Status = agentv1.ServiceStatus_SERVICE_STATUS_STARTING
	}
	if r := s.status.State.Running; r != nil {
		out.StartedAt, out.FinishedAt = since(r.StartedAt.Time), nil
	}
	if t != nil && out.Message == "" && (s.status.RestartCount > 0 || !ended) {
		out.Message = "Ended with " + s.words()
	}
	return out
}

func since(t time.Time) *timestamppb.Timestamp {
	if t.Unix() <= 0 {
		return nil
	}
	return timestamppb.New(t)
}

// unready reports whether a pod waits for a service of which the events may tell more.
func unready(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodPending && slices.ContainsFunc(services(pod), func(s service) bool {
		return s.probe != nil && !s.ready() && (s.status.State.Running != nil || s.last() != nil)
	})
}

// beside reports how the services stand, and notes that one ended while steps ran: that may be why a test failed.
func (v *Verdict) beside(s Seen) {
	ended := v.Update.Pod.Ended || s.Pod.DeletionTimestamp != nil
	for _, one := range services(s.Pod) {
		v.Update.Report.Services = append(v.Update.Report.Services, one.state(ended, s.Events))
	}
	if s.Pod.Status.Phase != corev1.PodRunning || ended || v.Update.Report.GetStartedAt() == nil {
		return
	}
	for _, one := range services(s.Pod) {
		if t := one.last(); t != nil && t.FinishedAt.After(v.Update.Report.GetStartedAt().AsTime()) {
			v.Update.Report.Notes = append(v.Update.Report.Notes,
				fmt.Sprintf("Service %s ended while the steps ran, with %s", one.name, one.words()))
		}
	}
}

// services judges a pod by the services that are not up, and reports whether they decide.
func (v *Verdict) services(s Seen, now time.Time) bool {
	for i, one := range services(s.Pod) {
		switch {
		case one.ready():
		case one.probe == nil && one.status.State.Running != nil: // the kubelet is about to say that it is
		case s.Pod.Status.Phase != corev1.PodPending:
			if one.down() {
				v.Update.Report.Reason = "ServiceEnded"
				v.Update.Report.Message = fmt.Sprintf("Service %s ended while the steps run and is started again. It ended with %s", one.name, one.words())
				return true
			}
		case one.status.State.Running == nil && one.last() == nil:
			if i > 0 { // the first one is judged with the pod
				v.Update.Report.Reason, v.Update.Report.Message = "ServiceNotReady", fmt.Sprintf("Service %s is being started.", one.name)
			}
			return i > 0
		default:
			v.unready(one, s, now)
			return true
		}
	}
	return false
}

// unready judges a service for which the steps wait.
func (v *Verdict) unready(one service, s Seen, now time.Time) {
	timeout := jobspec.ReadyTimeout(one.probe)
	running := one.status.State.Running
	killed := running != nil && running.StartedAt.Add(timeout+readySlack).Before(now) || one.killed(s.Events)
	switch {
	case one.probe != nil && (one.late() || killed):
		v.failed(one, "ServiceNotReady", fmt.Sprintf("Service %s was not ready within %s", one.name, timeout), one.probed(s.Events))
	case one.last() != nil && one.status.RestartCount > 0 && one.down(): // started again, and no better
		v.failed(one, "ServiceEnded", fmt.Sprintf("Service %s ended before it was ready, with %s", one.name, one.words()), "")
	case one.last() != nil:
		v.Update.Report.Reason = "ServiceEnded"
		v.Update.Report.Message = fmt.Sprintf("Service %s ended before it was ready and is started once more. It ended with %s", one.name, one.words())
		v.Recheck = askAgain
	default:
		v.Update.Report.Reason = "ServiceNotReady"
		v.Update.Report.Message = sentence(fmt.Sprintf("Service %s is not ready yet", one.name), one.probed(s.Events))
		v.Recheck = askAgain
	}
}

// killed reports whether the kubelet says that it ends the service because it is not ready in time.
func (s service) killed(events []corev1.Event) bool {
	return slices.ContainsFunc(events, func(e corev1.Event) bool {
		return e.Reason == "Killing" && e.InvolvedObject.FieldPath == "spec.initContainers{"+s.container+"}" &&
			strings.Contains(e.Message, "failed startup probe")
	})
}

// failed ends the attempt for a service.
func (v *Verdict) failed(one service, reason, what, why string) {
	v.errored(reason, "%s", sentence(what, why))
	v.Update.Stop = true
	for _, state := range v.Update.Report.GetServices() {
		if state.GetName() == one.name {
			state.Status, state.Message = agentv1.ServiceStatus_SERVICE_STATUS_FAILED, v.Update.Report.GetMessage()
		}
	}
}

func sentence(what, why string) string {
	if why == "" {
		return what + "."
	}
	return what + ": " + why
}
