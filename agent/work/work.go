// Package work is what the agent's stages hand to each other: assignments, updates and log chunks, and the one-method
// interfaces by which the next stage arrives.
package work

import (
	"context"
	"errors"
	"io"
	"time"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// Errors that stages tell apart.
var (
	// ErrDuplicate means the attempt is already under way; for the caller that is success.
	ErrDuplicate = errors.New("attempt is already under way")
	// ErrStale means the command's time is over.
	ErrStale = errors.New("command has expired")
	// ErrUplinkLost means the connection to the control plane broke with something in flight: ask Committed and go on there.
	ErrUplinkLost = errors.New("connection to the control plane was lost")
	// ErrRefused means the control plane will never take what was sent; sending it again is of no use.
	ErrRefused = errors.New("refused by the control plane")
)

// RejectedError says that a command can never succeed, with what to do about it.
type RejectedError struct{ Message string }

// Error returns the message.
func (r *RejectedError) Error() string { return r.Message }

// Assignment is an attempt to run, with the digest that identifies its content.
type Assignment struct {
	*agentv1.Assignment
	Digest string
}

// Handler takes an assignment; it returns nil when the Job exists, ErrDuplicate when it existed before, *RejectedError when it never
// can exist, and any other error when it is worth another try.
type Handler interface {
	Handle(ctx context.Context, a Assignment) error
}

// Uplink is the connection to the control plane as the in-cluster endpoint sees it. Implemented by link.
type Uplink interface {
	// Committed returns the committed offset of each stream of an attempt.
	Committed(ctx context.Context, attemptID string) (map[string]int64, error)
	// Append sends a chunk. It blocks while the window is full and calls done once, in the order of the calls for a stream,
	// when the control plane has answered. After ErrUplinkLost the caller asks Committed again.
	Append(ctx context.Context, attemptID string, chunk *runnerv1.LogChunk, done func(*runnerv1.LogAck, error)) error
	// PutFile stores a report or artifact and returns when the control plane has it.
	PutFile(ctx context.Context, header *runnerv1.FileHeader, body io.Reader) error
}

// Attempts is the agent's record of live attempts as the in-cluster endpoint sees it. Implemented by outbox.
type Attempts interface {
	// Attached is called when a runner's container has attached; it returns what to pass on: the cancellation, nil for none, and what
	// was resumed.
	Attached(attemptID, container string) (cancel *runnerv1.Cancel, resumed []*runnerv1.Resume)
	// Detached is called when that connection ends.
	Detached(attemptID, container string)
	// Step records a snapshot of a step.
	Step(attemptID, container string, state *runnerv1.StepState)
	// Finished records the result and returns when the control plane has stored it.
	Finished(ctx context.Context, attemptID string, f *runnerv1.Finished) error
	// Delivered records that a container has nothing left to deliver and returns when the control plane knows.
	Delivered(ctx context.Context, attemptID, container string, notes []string) error
}

// PodIdentity is who a runner is, according to the API server.
type PodIdentity struct {
	Namespace string
	Pod       string
	UID       string
}

// Pods knows the pods of attempts. Implemented by watch.
type Pods interface {
	// AttemptOf returns the attempt that the pod with this identity was created for, or an error when it is none of ours.
	AttemptOf(ctx context.Context, id PodIdentity) (attemptID string, err error)
	// Look judges an attempt by what the API server says now and has told the Sink when it returns. For those whose news come before
	// the informers'.
	Look(ctx context.Context, attemptID string) error
}

// Runners passes on to the runners of an attempt what people want of them. Implemented by collect.
type Runners interface {
	// Cancel reports whether a runner is attached that was told.
	Cancel(attemptID, reason string, grace time.Duration) bool
	// Resume tells all runners that are attached; the others are told when they attach.
	Resume(attemptID string, word *runnerv1.Resume)
}

// Update is a fact about an attempt's Job or pod, as the informers saw it.
type Update struct {
	AttemptID string
	// Report carries status, reason, message, node, pod and times; steps are left empty.
	Report *agentv1.AttemptReport
	// Pod is nil until a pod was seen.
	Pod *Pod
	// Gone means that the Job does not exist any more.
	Gone bool
	// Stop asks for the Job's pods to be stopped, because the report says that they never will get anywhere.
	Stop bool
}

// JobRef names the Job of an attempt.
type JobRef struct {
	Namespace string
	UID       string
}

// Pod is what is known of the pod of an attempt.
type Pod struct {
	PodIdentity
	// Grace is how long the pod may take between the wish to end and its end.
	Grace time.Duration
	// Containers are those of the steps.
	Containers []Container
	Services   []Service
	// Ended means that no step of the pod runs or will run; services may take a moment longer.
	Ended bool
	// Interrupted is set when the cluster takes the pod away: its runner only knows that it was asked to stop.
	Interrupted *Interruption
}

// Interruption is why the cluster takes a pod away.
type Interruption struct {
	Reason  string
	Message string
}

// Container is a container of an attempt's pod.
type Container struct {
	Name string
	// Started means that it runs or ran.
	Started bool
	// Terminated means that it ended; ExitCode and Message (what the runner wrote at its end) are set then.
	Terminated bool
	ExitCode   int32
	Message    string
}

// Service is a service in an attempt's pod.
type Service struct {
	Name string
	// Started means that it runs or ran, so that it has a log.
	Started bool
	// Withheld means that it is given a secret, which nothing would redact from its log: the log stays where it is.
	Withheld bool
}

// Sink takes updates; it must not block.
type Sink interface {
	Update(u Update)
}
