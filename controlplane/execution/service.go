package execution

import "time"

// ServiceStatus is how a service stands. It may go back from ready to starting, when its process ends and is started again.
type ServiceStatus string

// What a service may be.
const (
	ServiceWaiting  ServiceStatus = "waiting"  // its container does not run yet; at the end: it never did
	ServiceStarting ServiceStatus = "starting" // it runs and is not ready, or ended and is started again
	ServiceReady    ServiceStatus = "ready"
	ServiceStopped  ServiceStatus = "stopped" // it was ended with the pod
	ServiceFailed   ServiceStatus = "failed"  // it was not ready in time, or could not be kept running
)

// Valid reports whether s is one of them.
func (s ServiceStatus) Valid() bool {
	switch s {
	case ServiceWaiting, ServiceStarting, ServiceReady, ServiceStopped, ServiceFailed:
		return true
	}
	return false
}

// Ended reports whether nothing of the service will change any more.
func (s ServiceStatus) Ended() bool { return s == ServiceStopped || s == ServiceFailed }

// Service is a dependency that runs next to the steps of an attempt.
type Service struct {
	Name        string
	Status      ServiceStatus
	Message     string    // what it waits for, how it ended
	ExitCode    *int      // of its process that ended last; nil when none has
	Restarts    int       // how often it was started again
	StartedAt   time.Time // of the process that runs, or ran last
	FinishedAt  time.Time
	LogWithheld bool // it is given a secret, which nothing redacts from its log: the log stays in the cluster
	Log         Log
}
