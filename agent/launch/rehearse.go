package launch

import (
	"context"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// Rehearse has the API server look at a Job as those of tests are, through authorization, admission and validation, and create none. A
// *work.RejectedError says what would refuse it and what to do.
func (l *Launcher) Rehearse(ctx context.Context, namespace string) error {
	id := uuid.NewString()
	a := work.Assignment{Assignment: &agentv1.Assignment{
		AttemptId: id, ExecutionId: id, RunId: id, AttemptNumber: 1, Workflow: "examination", Namespace: namespace,
		Pod: &agentv1.Pod{Security: &agentv1.PodSecurity{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](65532), RunAsGroup: ptr.To[int64](65532),
		}},
		Containers: []*agentv1.Container{{Name: "test", Image: l.o.Settings.RunnerImage}},
		Plan:       &runnerv1.Plan{AttemptId: id},
	}}
	if allowed := l.o.Rules.ServiceAccounts; len(allowed) > 0 {
		a.Pod.ServiceAccountName = allowed[0]
	}
	job, err := jobspec.Build(a, l.o.Settings)
	if err != nil {
		return err //nolint:wrapcheck // says what it is
	}
	if err := l.o.Rules.Apply(job, l.o.Settings.RunnerImage); err != nil {
		return &work.RejectedError{Message: err.Error()}
	}
	_, err = l.o.Client.Jobs(namespace).Create(ctx, job, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if r := refusal(err, namespace); r != nil {
		return r
	}
	return err //nolint:wrapcheck // the API server's own words
}
