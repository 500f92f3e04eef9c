package launch_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/launch"
	"github.com/seatrial/seatrial/agent/permit"
	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/agent/workfake"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const attempt = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"

type nowhere struct{}

func (nowhere) JobOf(string) (work.JobRef, bool) { return work.JobRef{}, false }

type bundle struct {
	*launch.Launcher
	cluster *workfake.Cluster
	name    string
}

func setup(t *testing.T, linger time.Duration) bundle {
	t.Helper()
	cluster := workfake.NewCluster(t)
	name, err := jobspec.Name(attempt)
	if err != nil {
		t.Fatal(err)
	}
	return bundle{cluster: cluster, name: name, Launcher: launch.New(launch.Options{
		Log: slog.New(slog.DiscardHandler), Client: cluster.Client(t), Namespaces: []string{"tests", "others"}, Locator: nowhere{},
		Linger: linger, Settings: jobspec.Settings{Agent: "agent-1", RunnerImage: "runner:1", Endpoint: "agent:9444"},
	})}
}

func assignment(namespace string) work.Assignment {
	return work.Assignment{Digest: "d1", Assignment: &agentv1.Assignment{
		AttemptId: attempt, Namespace: namespace, Pod: &agentv1.Pod{}, Containers: []*agentv1.Container{{Name: "main", Image: "x"}},
		Plan: &runnerv1.Plan{AttemptId: attempt},
	}}
}

func (b bundle) job(t *testing.T) *batchv1.Job {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	job, err := b.cluster.Job(ctx, "tests", b.name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// TestLauncher_DeletedIsNotMadeAgain proves that a late duplicate of a start does not run a test twice whose Job somebody has deleted.
func TestLauncher_DeletedIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Hour)
	if err := b.Handle(t.Context(), assignment("tests")); err != nil {
		t.Fatal(err)
	}
	b.cluster.Delete("jobs", "tests", b.name)
	for range 2 {
		if err := b.Handle(t.Context(), assignment("tests")); !errors.Is(err, work.ErrDuplicate) {
			t.Errorf("another start was answered %v", err)
		}
	}
	if jobs := b.cluster.Objects("jobs"); len(jobs) != 0 {
		t.Error("the Job was made again")
	}
	if made := b.Made(); len(made) != 0 {
		t.Errorf("the inventory would list it: %v", made)
	}
}

func TestLauncher_CreatesOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Hour)
	if err := b.Handle(t.Context(), assignment("tests")); err != nil {
		t.Fatal(err)
	}
	if job := b.job(t); job.Labels[jobspec.LabelAttempt] != attempt || job.Annotations[jobspec.AnnotationDigest] != "d1" {
		t.Errorf("the Job cannot be recognized: %v %v", job.Labels, job.Annotations)
	}
	if err := b.Handle(t.Context(), assignment("tests")); !errors.Is(err, work.ErrDuplicate) {
		t.Errorf("the second start was answered %v", err)
	}
}

func TestLauncher_RefusesAForeignJobOfThatName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ reason, attempt, digest string }{
		"another attempt": {"its result would be another's", "other", "d1"},
		"another content": {"it would run something else than was asked", attempt, "d2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, time.Hour)
			b.cluster.Put(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{
				Name: b.name, Namespace: "tests", Labels: map[string]string{jobspec.LabelAttempt: c.attempt},
				Annotations: map[string]string{jobspec.AnnotationDigest: c.digest},
			}})
			var rejected *work.RejectedError
			if err := b.Handle(t.Context(), assignment("tests")); !errors.As(err, &rejected) || !strings.Contains(rejected.Message, "delete it") {
				t.Errorf("%s: answered %v", c.reason, err)
			}
		})
	}
}

func forbidden(message string) error {
	err := apierrors.NewForbidden(schema.GroupResource{Group: "batch", Resource: "jobs"}, "", errors.New("x"))
	err.ErrStatus.Message = message
	return err
}

func terminating() error {
	err := apierrors.NewForbidden(schema.GroupResource{Group: "batch", Resource: "jobs"}, "t-x", errors.New("unable to create new content"))
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	return err
}

func TestLauncher_SaysWhatToDo(t *testing.T) {
	t.Parallel()
	jobs := schema.GroupResource{Group: "batch", Resource: "jobs"}
	for name, c := range map[string]struct {
		reason    string
		namespace string
		answer    error
		says      string // empty: worth another try
	}{
		"foreign namespace": {"the agent's own list comes first", "kube-system", nil, "add it to runNamespaces"},
		"no permission": {
			"the Role is missing", "tests",
			forbidden(`jobs.batch is forbidden: User "system:serviceaccount:seatrial:agent" cannot create resource "jobs" in API group "batch" in the namespace "tests"`),
			"The agent may not create jobs in namespace \"tests\"",
		},
		"policy": {
			"an admission webhook said no: its own words tell why", "tests",
			forbidden(`admission webhook "policy.example" denied the request: images must come from the registry`), "images must come from the registry",
		},
		"quota of Jobs": {
			"room may come", "tests", forbidden(`jobs.batch "t-x" is forbidden: exceeded quota: q, requested: count/jobs.batch=1, used: count/jobs.batch=5, limited: count/jobs.batch=5`), "",
		},
		"no namespace":    {"it was deleted or mistyped", "tests", apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "tests"), "does not exist"},
		"namespace going": {"it will not come back", "tests", terminating(), "is being deleted"},
		"invalid":         {"the workflow must change", "tests", apierrors.NewInvalid(schema.GroupKind{Group: "batch", Kind: "Job"}, "t-x", nil), "Correct the workflow"},
		"too large":       {"the workflow must change", "tests", apierrors.NewRequestEntityTooLargeError("limit is 3145728"), "Correct the workflow"},
		"too many":        {"the API server is busy", "tests", apierrors.NewTooManyRequestsError("slow down"), ""},
		"internal":        {"the API server has a fault", "tests", apierrors.NewInternalError(errors.New("etcd")), ""},
		"timeout":         {"nobody knows whether it was created", "tests", apierrors.NewTimeoutError("x", 0), ""},
		"conflict":        {"something else was quicker", "tests", apierrors.NewConflict(jobs, "t-x", errors.New("x")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, time.Hour)
			b.cluster.Fault(func(c2 workfake.Call) error {
				if c2.Verb == "create" {
					return c.answer
				}
				return nil
			})
			limit := time.Minute // nothing is waited for
			if c.says == "" {
				limit = 500 * time.Millisecond // it tries until then
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			err := b.Handle(ctx, assignment(c.namespace))
			var rejected *work.RejectedError
			switch isRejected := errors.As(err, &rejected); {
			case err == nil:
				t.Errorf("%s: nothing was reported", c.reason)
			case isRejected != (c.says != ""):
				t.Errorf("%s: answered %v", c.reason, err)
			case isRejected && !strings.Contains(rejected.Message, c.says):
				t.Errorf("%s: %q does not say %q", c.reason, rejected.Message, c.says)
			}
		})
	}
}

func TestLauncher_TriesAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Hour)
	left := 2
	b.cluster.Fault(func(c workfake.Call) error {
		if c.Verb == "create" && left > 0 {
			left--
			return apierrors.NewInternalError(errors.New("etcd is electing"))
		}
		return nil
	})
	if err := b.Handle(t.Context(), assignment("tests")); err != nil {
		t.Errorf("a fault that passes was answered %v", err)
	}
}

func TestLauncher_StopKeepsTheJob(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Hour)
	if err := b.Handle(t.Context(), assignment("tests")); err != nil {
		t.Fatal(err)
	}
	want := jobspec.Stopped{Status: 7, Reason: "Cancelled", Message: "enough"}
	if err := b.Stop(t.Context(), attempt, want); err != nil {
		t.Fatal(err)
	}
	job := b.job(t)
	if got, ok := jobspec.DecodeStopped(job.Annotations); !ok || got != want || job.Spec.Suspend == nil || !*job.Spec.Suspend {
		t.Errorf("suspended %v, reason %+v: an agent that starts anew could not tell", job.Spec.Suspend, got)
	}
	if err := b.Stop(t.Context(), "0190a1b2-c3d4-7e5f-8a9b-000000000000", want); err != nil {
		t.Errorf("stopping what never was: %v", err)
	}
}

func TestLauncher_DeletesAfterTheLinger(t *testing.T) {
	t.Parallel()
	b := setup(t, 0)
	if err := b.Handle(t.Context(), assignment("tests")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(ctx)
	}()
	b.Release(attempt)
	b.Release(attempt)
	waitFor(t, func() bool {
		for _, c := range b.cluster.Calls() {
			if c.Verb == "delete" && c.Name == b.name {
				return true
			}
		}
		return false
	})
	cancel()
	<-done
}

func TestLauncher_NeverDeletesANamesake(t *testing.T) {
	t.Parallel()
	b := setup(t, 0)
	if err := b.Handle(t.Context(), assignment("tests")); err != nil {
		t.Fatal(err)
	}
	job := b.job(t)
	b.cluster.Delete("jobs", "tests", b.name)
	job.UID = "another"
	b.cluster.Put(job)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(ctx)
	}()
	b.Release(attempt)
	waitFor(t, func() bool {
		calls := b.cluster.Calls()
		return calls[len(calls)-1].Verb == "delete"
	})
	cancel()
	<-done
	if b.job(t).UID != "another" {
		t.Error("a Job that was created since was deleted")
	}
}

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !what() {
		select {
		case <-deadline:
			t.Fatal("it did not come to that")
		case <-tick.C:
		}
	}
}

// TestLauncher_Handle_Rules: what the owner of the cluster does not allow never reaches the API server, whoever asks for it.
func TestLauncher_Handle_Rules(t *testing.T) {
	t.Parallel()
	cluster := workfake.NewCluster(t)
	cluster.Fault(func(c workfake.Call) error { t.Errorf("%s of %s", c.Verb, c.Resource); return nil })
	l := launch.New(launch.Options{
		Log: slog.New(slog.DiscardHandler), Client: cluster.Client(t), Namespaces: []string{"tests"}, Locator: nowhere{},
		Rules: permit.Rules{Images: []string{"registry.example/qa/*"}}, Settings: jobspec.Settings{Agent: "agent-1", RunnerImage: "runner:1", Endpoint: "agent:9444"},
	})
	var rejected *work.RejectedError
	if err := l.Handle(t.Context(), assignment("tests")); !errors.As(err, &rejected) || !strings.Contains(rejected.Message, "docker.io/library/x:latest") {
		t.Errorf("answered %v", err)
	}
}
