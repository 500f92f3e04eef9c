package words

import "github.com/seatrial/seatrial/controlplane/execution"

// Service returns the word for how a service stands.
func Service(a execution.Attempt, s execution.Service) string {
	if s.Status == execution.ServiceWaiting && a.Status.Terminal() {
		return "never started"
	}
	return string(s.Status)
}

// ServiceClass returns the class of the style sheet for how a service stands.
func ServiceClass(s execution.ServiceStatus) string {
	switch s {
	case execution.ServiceStarting:
		return "pending"
	case execution.ServiceReady:
		return "passed"
	case execution.ServiceFailed:
		return "errored"
	case execution.ServiceStopped:
		return "skipped"
	case execution.ServiceWaiting:
	}
	return "waiting"
}
