// Package launch creates, stops and deletes Jobs. Creation is idempotent by name: the API server's uniqueness of names decides
// which of two starts of an attempt comes first, and the other is told that it is a duplicate.
package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/permit"
	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/proto/runspec"
)

const (
	// A create that fails for a passing reason is tried again this long before the command is deferred.
	createBudget = 10 * time.Second
	firstRetry   = 200 * time.Millisecond
	lastRetry    = 2 * time.Second
)

// Locator finds the Job of an attempt in the cache. Implemented by watch.
type Locator interface {
	JobOf(attemptID string) (work.JobRef, bool)
}

// Options are what a Launcher needs.
type Options struct {
	Log        *slog.Logger
	Client     *kube.Client
	Namespaces []string
	// Rules are what the owner of the cluster allows.
	Rules permit.Rules
	// Signed is what has to be signed of an assignment, and by whom.
	Signed   runspec.Policy
	Settings jobspec.Settings
	Locator  Locator
	// Now tells the time by which signatures expire; nil means the clock of the machine.
	Now func() time.Time
	// Linger is how long a released Job stays, so that a late duplicate of its start finds it.
	Linger time.Duration
}

// Launcher implements work.Handler.
type Launcher struct {
	o Options

	mu       sync.Mutex
	created  map[string]work.JobRef
	gone     map[string]struct{} // attempts whose Job was made here and is not there any more
	released map[string]time.Time
	wake     chan struct{}
}

// New returns a Launcher; Run deletes what Release allows.
func New(o Options) *Launcher {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Launcher{o: o, created: map[string]work.JobRef{}, gone: map[string]struct{}{}, released: map[string]time.Time{}, wake: make(chan struct{}, 1)}
}

// Handle creates the Job of an assignment.
func (l *Launcher) Handle(ctx context.Context, a work.Assignment) error {
	if !slices.Contains(l.o.Namespaces, a.GetNamespace()) {
		return &work.RejectedError{Message: fmt.Sprintf("The agent may not run tests in namespace %q, only in %q: "+
			"add it to runNamespaces of the agent's chart and upgrade the release.", a.GetNamespace(), l.o.Namespaces)}
	}
	if l.o.Signed.Demands() {
		if err := l.o.Signed.Check(a.Assignment, l.o.Now()); err != nil {
			return &work.RejectedError{Message: err.Error()}
		}
	}
	job, err := jobspec.Build(a, l.o.Settings)
	if err != nil {
		return &work.RejectedError{Message: "The assignment cannot become a Job: " + err.Error()}
	}
	if err := l.o.Rules.Apply(job, l.o.Settings.RunnerImage); err != nil {
		return &work.RejectedError{Message: err.Error()}
	}
	return l.retry(ctx, createBudget, func(ctx context.Context) error {
		if l.made(a.GetAttemptId()) {
			return l.again(ctx, a, job)
		}
		return l.create(ctx, a, job)
	})
}

// made reports whether this launcher has made the attempt's Job, or found it, whatever has become of it.
func (l *Launcher) made(attemptID string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known := l.created[attemptID]
	_, gone := l.gone[attemptID]
	return known || gone
}

// again answers another start of an attempt whose Job there was. Somebody may have deleted it meanwhile: to make it once more would run
// the test twice, so the inventory will lack it instead, which ends the attempt.
func (l *Launcher) again(ctx context.Context, a work.Assignment, job *batchv1.Job) error {
	err := l.compare(ctx, a, job)
	if !apierrors.IsNotFound(err) {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone[a.GetAttemptId()] = struct{}{}
	delete(l.created, a.GetAttemptId())
	return work.ErrDuplicate
}

func (l *Launcher) create(ctx context.Context, a work.Assignment, job *batchv1.Job) error {
	made, err := l.o.Client.Jobs(job.Namespace).Create(ctx, job, metav1.CreateOptions{})
	switch {
	case err == nil:
		l.remember(a.GetAttemptId(), work.JobRef{Namespace: made.Namespace, UID: string(made.UID)})
		l.o.Log.InfoContext(ctx, "Job created", "attempt", a.GetAttemptId(), "namespace", job.Namespace, "job", job.Name)
		return nil
	case apierrors.IsAlreadyExists(err):
		return l.compare(ctx, a, job)
	default:
		if r := refusal(err, job.Namespace); r != nil {
			return r
		}
		return fmt.Errorf("create Job %s/%s: %w", job.Namespace, job.Name, err)
	}
}

// compare asks the API server, not a cache, whether the Job of that name is the attempt's own.
func (l *Launcher) compare(ctx context.Context, a work.Assignment, job *batchv1.Job) error {
	there, err := l.o.Client.Jobs(job.Namespace).Get(ctx, job.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read Job %s/%s that exists already: %w", job.Namespace, job.Name, err)
	}
	if there.Labels[jobspec.LabelAttempt] != a.GetAttemptId() || there.Annotations[jobspec.AnnotationDigest] != a.Digest {
		return &work.RejectedError{Message: fmt.Sprintf("A Job named %s exists in namespace %s and is not this attempt's: "+
			"delete it and run again.", job.Name, job.Namespace)}
	}
	l.remember(a.GetAttemptId(), work.JobRef{Namespace: there.Namespace, UID: string(there.UID)})
	return work.ErrDuplicate
}

// Stop ends the pods of an attempt and keeps the Job: suspending works with no pod at all and never makes a new one.
func (l *Launcher) Stop(ctx context.Context, attemptID string, why jobspec.Stopped) error {
	name, ref, ok, err := l.find(ctx, attemptID)
	if err != nil || !ok {
		return err
	}
	note, err := why.Encode()
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]string{jobspec.AnnotationStopped: note}},
		"spec":     map[string]any{"suspend": true},
	})
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	return l.retry(ctx, time.Minute, func(ctx context.Context) error {
		_, err := l.o.Client.Jobs(ref.Namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
		if r := refusal(err, ref.Namespace); r != nil && !apierrors.IsNotFound(err) {
			return r
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("stop Job %s/%s: %w", ref.Namespace, name, err)
		}
		return nil
	})
}

// find returns where the Job of an attempt is: from memory, from the cache, else from the API server.
func (l *Launcher) find(ctx context.Context, attemptID string) (name string, ref work.JobRef, ok bool, err error) {
	if name, err = jobspec.Name(attemptID); err != nil {
		return "", work.JobRef{}, false, err //nolint:wrapcheck // says it all
	}
	l.mu.Lock()
	ref, ok = l.created[attemptID]
	l.mu.Unlock()
	if ok {
		return name, ref, true, nil
	}
	if ref, ok = l.o.Locator.JobOf(attemptID); ok {
		return name, ref, true, nil
	}
	for _, ns := range l.o.Namespaces {
		job, err := l.o.Client.Jobs(ns).Get(ctx, name, metav1.GetOptions{})
		switch {
		case err == nil && job.Labels[jobspec.LabelAttempt] == attemptID:
			return name, work.JobRef{Namespace: ns, UID: string(job.UID)}, true, nil
		case err != nil && !apierrors.IsNotFound(err):
			return "", work.JobRef{}, false, fmt.Errorf("look for Job %s/%s: %w", ns, name, err)
		}
	}
	return name, work.JobRef{}, false, nil
}

func (l *Launcher) remember(attemptID string, ref work.JobRef) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.created[attemptID] = ref
}

// Made returns the Jobs that this launcher knows of: a cache may not show them yet.
func (l *Launcher) Made() map[string]work.JobRef {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.created)
}

// retry calls f until it succeeds, is told for good, or the budget is spent.
func (l *Launcher) retry(ctx context.Context, budget time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	wait := firstRetry
	for {
		err := f(ctx)
		var rejected *work.RejectedError
		if err == nil || errors.Is(err, work.ErrDuplicate) || errors.As(err, &rejected) {
			return err
		}
		if after, ok := apierrors.SuggestsClientDelay(err); ok {
			wait = max(wait, time.Duration(after)*time.Second)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		wait = min(2*wait, lastRetry)
	}
}
