package dispatch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// What holds for an attempt unless its workflow says otherwise.
const (
	defaultTimeout  = time.Hour
	grace           = 30 * time.Second
	uploadAllowance = 10 * time.Minute
)

// encode returns the bytes of an assignment and their digest. They are stored, so that every delivery has the same digest.
func encode(a *agentv1.Assignment) (spec []byte, digest string, err error) {
	spec, err = proto.MarshalOptions{Deterministic: true}.Marshal(a)
	if err != nil {
		return nil, "", fmt.Errorf("encode assignment: %w", err)
	}
	sum := sha256.Sum256(spec)
	return spec, hex.EncodeToString(sum[:]), nil
}

// Reissue makes the assignment of the next attempt of a run out of that of an earlier one.
func Reissue(spec []byte, id execution.AttemptID, number int) (again []byte, digest string, err error) {
	a := &agentv1.Assignment{}
	if err := proto.Unmarshal(spec, a); err != nil {
		return nil, "", fmt.Errorf("decode assignment: %w", err)
	}
	a.AttemptId, a.AttemptNumber = id.String(), int32(number) //nolint:gosec // at most 11
	if a.GetPlan() != nil {
		a.Plan.AttemptId = id.String()
	}
	return encode(a)
}

func assignment(id ids, name string, env cluster.Environment, plan *workflow.Plan) *agentv1.Assignment {
	a := &agentv1.Assignment{
		AttemptId: id.attempt.String(), ExecutionId: id.execution.String(), RunId: id.run.String(), AttemptNumber: 1,
		Workflow: name, Environment: env.Name, Namespace: env.Namespace, Pod: pod(plan.Pod),
		Plan: runnerPlan(id.attempt.String(), plan),
	}
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

func runnerPlan(attempt string, plan *workflow.Plan) *runnerv1.Plan {
	timeout := plan.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	out := &runnerv1.Plan{
		AttemptId: attempt, Timeout: durationpb.New(timeout), Grace: durationpb.New(grace),
		UploadAllowance: durationpb.New(uploadAllowance),
	}
	if plan.TeardownAllowance > 0 {
		out.TeardownAllowance = durationpb.New(plan.TeardownAllowance)
	}
	if plan.PauseAllowance > 0 {
		out.PauseAllowance = durationpb.New(plan.PauseAllowance)
	}
	for _, v := range plan.Pod.Volumes {
		if v.Secret != nil {
			out.SecretDirs = append(out.SecretDirs, v.MountPath)
		}
	}
	if s := plan.Shard; s != nil {
		out.Shard = &runnerv1.Shard{Index: int32(s.Index), Count: int32(s.Count), Files: s.Files, TookMillis: map[string]int64{}} //nolint:gosec // at most 100
		for name, took := range s.Took {
			out.Shard.TookMillis[name] = max(1, took.Milliseconds())
		}
	}
	for _, f := range plan.Files {
		out.Files = append(out.Files, &runnerv1.SourceFile{Path: f.Path, Content: []byte(f.Content), Mode: uint32(f.Mode)})
	}
	for _, s := range plan.Steps {
		out.Steps = append(out.Steps, step(s))
	}
	return out
}

func step(s workflow.PlanStep) *runnerv1.Step {
	out := &runnerv1.Step{
		Index: int32(s.Index), //nolint:gosec // at most a few hundred steps
		Name:  s.Name, Container: s.Container, Script: s.Script, Command: s.Command, WorkingDir: s.WorkingDir,
		Condition: s.Condition, ContinueOnError: s.ContinueOnError, Outputs: s.Outputs, Teardown: s.Teardown, Group: s.Group,
		Retry: retry(s.Retry), Expect: expect(s.Expect), Artifacts: artifacts(s.Artifacts),
	}
	if s.Timeout > 0 {
		out.Timeout = durationpb.New(s.Timeout)
	}
	if s.Pause != nil {
		out.Pause = &runnerv1.Pause{Message: s.Pause.Message, Timeout: durationpb.New(s.Pause.Timeout)}
	}
	if s.Execute != nil {
		out.Execute = &runnerv1.Execute{}
		for _, c := range s.Execute.Calls {
			out.Execute.Calls = append(out.Execute.Calls, &runnerv1.Call{Title: c.Title(), Params: c.Params})
		}
	}
	for _, e := range s.Env {
		out.Env = append(out.Env, &runnerv1.EnvVar{Name: e.Name, Value: e.Value, From: e.From, Secret: e.Secret})
	}
	for _, r := range s.Reports {
		out.Reports = append(out.Reports, &runnerv1.ReportSpec{Format: r.Format, Paths: r.Paths})
	}
	return out
}

func retry(r *workflow.StepRetry) *runnerv1.Retry {
	if r == nil {
		return nil
	}
	return &runnerv1.Retry{
		Attempts: int32(r.Attempts), //nolint:gosec // at most 20
		Delay:    durationpb.New(time.Duration(r.Delay)), Backoff: r.Backoff,
	}
}

func expect(e *workflow.Expect) *runnerv1.Expect {
	if e == nil {
		return nil
	}
	out := &runnerv1.Expect{Failure: e.Result == document.Failure, Any: e.Result == document.Either}
	for _, code := range e.ExitCodes {
		out.ExitCodes = append(out.ExitCodes, int32(code)) //nolint:gosec // at most 255
	}
	return out
}

func artifacts(a workflow.PlanArtifacts) *runnerv1.ArtifactSpec {
	if len(a.Paths) == 0 {
		return nil
	}
	when := map[string]runnerv1.ArtifactSpec_When{
		"passed": runnerv1.ArtifactSpec_WHEN_PASSED, "failed": runnerv1.ArtifactSpec_WHEN_FAILED,
	}
	return &runnerv1.ArtifactSpec{Paths: a.Paths, When: when[a.When], MaxSize: a.MaxSize}
}
