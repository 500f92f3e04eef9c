package jobspec_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

var update = flag.Bool("update", false, "write the golden files")

const attempt = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"

func settings() jobspec.Settings {
	return jobspec.Settings{
		Agent: "0190a000-0000-7000-8000-00000000a9e1", RunnerImage: "seatrial/runner:1", RunnerPullPolicy: "IfNotPresent",
		ImageVolume: true, SchedulingGrace: time.Hour, Endpoint: "seatrial-agent.seatrial.svc:9444", Pin: strings.Repeat("ab", 32),
	}
}

func assignment(change func(*agentv1.Assignment)) work.Assignment {
	a := &agentv1.Assignment{
		AttemptId: attempt, ExecutionId: "0190a1b2-0000-7000-8000-000000000001", RunId: "0190a1b2-0000-7000-8000-000000000002",
		AttemptNumber: 1, Workflow: "checkout", Environment: "staging", Namespace: "tests", Pod: &agentv1.Pod{},
		Containers: []*agentv1.Container{{Name: "main", Image: "example.test/pytest:1"}},
		Plan: &runnerv1.Plan{
			AttemptId: attempt, Timeout: durationpb.New(10 * time.Minute), Grace: durationpb.New(20 * time.Second),
			UploadAllowance: durationpb.New(2 * time.Minute),
			Steps:           []*runnerv1.Step{{Index: 0, Name: "test", Container: "main", Script: "pytest"}},
		},
	}
	if change != nil {
		change(a)
	}
	return work.Assignment{Assignment: a, Digest: "d1"}
}

func full(a *agentv1.Assignment) {
	a.Plan.TeardownAllowance = durationpb.New(3 * time.Minute)
	a.Pod = &agentv1.Pod{
		ServiceAccountName: "tester", NodeSelector: map[string]string{"disk": "ssd"}, ImagePullSecrets: []string{"registry"},
		Tolerations: []*agentv1.Toleration{{Key: "spot", Operator: "Exists", Effect: "NoSchedule", TolerationSeconds: ptr.To[int64](60)}},
		Security: &agentv1.PodSecurity{
			RunAsUser: ptr.To[int64](1000), RunAsGroup: ptr.To[int64](1000), RunAsNonRoot: ptr.To(true), FsGroup: ptr.To[int64](1000),
			ReadOnlyRootFilesystem: ptr.To(true),
		},
		Volumes: []*agentv1.Volume{
			{Name: "shm", MountPath: "/dev/shm", Source: &agentv1.Volume_EmptyDir{EmptyDir: &agentv1.EmptyDir{Memory: true, SizeLimit: "1Gi"}}},
			{Name: "tmp", MountPath: "/tmp", Source: &agentv1.Volume_EmptyDir{EmptyDir: &agentv1.EmptyDir{}}},
			{Name: "conf", MountPath: "/conf", Source: &agentv1.Volume_ConfigMap{ConfigMap: &agentv1.ObjectVolume{Name: "conf"}}},
			{Name: "certs", MountPath: "/certs", ReadOnly: true, Source: &agentv1.Volume_Secret{Secret: &agentv1.ObjectVolume{Name: "certs", Optional: true}}},
			{Name: "data", MountPath: "/data", SubPath: "shop", Source: &agentv1.Volume_Claim{Claim: "shop"}},
		},
		Labels:      map[string]string{"team": "shop", "seatrial.dev/attempt": "forged"},
		Annotations: map[string]string{"note": "hello", "seatrial.dev/plan": "forged"},
	}
	a.Containers = []*agentv1.Container{
		{Name: "c0", RunnerImage: true, Volumes: []*agentv1.Volume{{
			Name: "source", MountPath: "/var/run/seatrial-source", ReadOnly: true,
			Source: &agentv1.Volume_ConfigMap{ConfigMap: &agentv1.ObjectVolume{Name: "settings"}},
		}}},
		{
			Name: "build", Image: "example.test/go:1", ImagePullPolicy: "Always",
			Requests: map[string]string{"cpu": "2", "memory": "512Mi"}, Limits: map[string]string{"memory": "1Gi", "example.test/gpu": "1"},
			Env: []*agentv1.ContainerEnv{
				{Name: "PLAIN", Source: &agentv1.ContainerEnv_Value{Value: "x"}},
				{Name: "TOKEN", Source: &agentv1.ContainerEnv_Secret{Secret: &agentv1.KeyRef{Name: "shop", Key: "token"}}},
				{Name: "URL", Source: &agentv1.ContainerEnv_ConfigMap{ConfigMap: &agentv1.KeyRef{Name: "shop", Key: "url", Optional: true}}},
			},
		},
		{Name: "test", Image: "example.test/pytest:1", Requests: map[string]string{"cpu": "500m", "memory": "1Gi"}},
	}
}

// beside adds services with every way to tell that they are ready.
func beside(a *agentv1.Assignment) {
	a.Pod.Security = &agentv1.PodSecurity{RunAsNonRoot: ptr.To(true), ReadOnlyRootFilesystem: ptr.To(true)}
	a.Pod.Volumes = []*agentv1.Volume{{Name: "certs", MountPath: "/certs", Source: &agentv1.Volume_Secret{Secret: &agentv1.ObjectVolume{Name: "certs"}}}}
	a.Services = []*agentv1.Service{
		{
			Name: "cache", Image: "example.test/redis:7", Command: []string{"redis-server"}, Args: []string{"--dir", "$(HOME)"}, WorkingDir: "cache",
			Requests: map[string]string{"cpu": "100m"}, Limits: map[string]string{"memory": "64Mi"},
			Ready: &agentv1.Ready{
				Check: &agentv1.Ready_TcpPort{TcpPort: 6379}, Timeout: durationpb.New(time.Minute), Interval: durationpb.New(1500 * time.Millisecond),
			},
		},
		{
			Name: "db", Image: "example.test/postgres:17", ImagePullPolicy: "IfNotPresent", WorkingDir: "/var/lib",
			RunAsUser: ptr.To[int64](999), RunAsGroup: ptr.To[int64](998),
			Env: []*agentv1.ContainerEnv{
				{Name: "PLAIN", Source: &agentv1.ContainerEnv_Value{Value: "$x"}},
				{Name: "PASSWORD", Source: &agentv1.ContainerEnv_Secret{Secret: &agentv1.KeyRef{Name: "db", Key: "password"}}},
				{Name: "NAME", Source: &agentv1.ContainerEnv_ConfigMap{ConfigMap: &agentv1.KeyRef{Name: "db", Key: "name"}}},
			},
			Ready: &agentv1.Ready{
				Check:   &agentv1.Ready_Exec{Exec: &agentv1.ExecCheck{Command: []string{"pg_isready", "-U", "$USER"}}},
				Timeout: durationpb.New(time.Minute), Interval: durationpb.New(time.Second),
			},
		},
		{Name: "plain", Image: "example.test/mail:1"},
		{
			Name: "web", Image: "example.test/nginx:1", Ready: &agentv1.Ready{
				Check:   &agentv1.Ready_Http{Http: &agentv1.HTTPCheck{Port: 8443, Path: "/healthz", Https: true}},
				Timeout: durationpb.New(10 * time.Second), Interval: durationpb.New(7 * time.Second),
			},
		},
	}
}

func TestBuild_Golden(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason   string
		change   func(*agentv1.Assignment)
		settings func(*jobspec.Settings)
	}{
		"image-volume": {reason: "the runner comes as a volume where the cluster can do that"},
		"init-copy": {
			reason:   "elsewhere an init container copies it",
			settings: func(s *jobspec.Settings) { s.ImageVolume = false },
		},
		"full": {reason: "what a workflow may ask of its pod, with three containers that share one request", change: full},
		"services": {
			reason: "services are sidecars after what copies the runner, ready before the steps, and see nothing but the workspace", change: beside,
			settings: func(s *jobspec.Settings) { s.ImageVolume = false },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := settings()
			if c.settings != nil {
				c.settings(&s)
			}
			job, err := jobspec.Build(assignment(c.change), s)
			if err != nil {
				t.Fatal(err)
			}
			// The plan is compressed: its golden form would hide every change.
			job.Spec.Template.Annotations[jobspec.AnnotationPlan] = "(plan)"
			got, err := yaml.Marshal(job)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("%s: the Job is not that of %s (run with -update when it is meant):\n%s", c.reason, file, got)
			}
		})
	}
}

func TestBuild_MakesRoomForPauses(t *testing.T) {
	t.Parallel()
	deadline := func(pause time.Duration) int64 {
		job, err := jobspec.Build(assignment(func(a *agentv1.Assignment) { a.Plan.PauseAllowance = durationpb.New(pause) }), settings())
		if err != nil {
			t.Fatal(err)
		}
		return *job.Spec.Template.Spec.ActiveDeadlineSeconds
	}
	if got := deadline(2*time.Hour) - deadline(0); got != 2*60*60 {
		t.Errorf("a pause of two hours adds %d s to the pod's deadline", got)
	}
}

func TestBuild_ConcurrentStepsRequestEach(t *testing.T) {
	t.Parallel()
	job, err := jobspec.Build(assignment(func(a *agentv1.Assignment) {
		ask := map[string]string{"cpu": "500m"}
		a.Containers = []*agentv1.Container{
			{Name: "c0", Image: "i", Requests: ask, Concurrent: true},
			{Name: "c1", Image: "i", Requests: ask, Concurrent: true},
			{Name: "c2", Image: "j", Requests: map[string]string{"cpu": "0"}},
		}
	}), settings())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range job.Spec.Template.Spec.Containers {
		q := c.Resources.Requests[corev1.ResourceCPU]
		got = append(got, q.String())
	}
	if strings.Join(got, " ") != "500m 500m 0" {
		t.Errorf("the containers ask for %v: what runs at once adds up", got)
	}
}

func TestBuild_OnlyTheLargestStepRequests(t *testing.T) {
	t.Parallel()
	job, err := jobspec.Build(assignment(full), settings())
	if err != nil {
		t.Fatal(err)
	}
	sum := map[corev1.ResourceName]string{}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		total := job.Spec.Template.Spec.Containers[0].Resources.Requests[name]
		for _, c := range job.Spec.Template.Spec.Containers[1:] {
			total.Add(c.Resources.Requests[name])
		}
		sum[name] = total.String()
	}
	// build asks for 2 CPU; test asks for 1Gi of memory and build is limited to as much, which would count as its request.
	if sum[corev1.ResourceCPU] != "2" || sum[corev1.ResourceMemory] != "1Gi" {
		t.Errorf("the pod asks for %v in all, want that of the largest step", sum)
	}
}

func TestBuild_Refuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason string
		change func(*agentv1.Assignment)
		says   string
	}{
		"no id":          {"a name is made of it", func(a *agentv1.Assignment) { a.AttemptId = "x" }, "attempt id"},
		"no container":   {"there is nothing to run", func(a *agentv1.Assignment) { a.Containers = nil }, "no container"},
		"no quantity":    {"the API server would refuse it with less", func(a *agentv1.Assignment) { a.Containers[0].Limits = map[string]string{"memory": "much"} }, "limits"},
		"plan too large": {"an annotation has a limit", func(a *agentv1.Assignment) { a.Plan.Files = []*runnerv1.SourceFile{{Content: noise(400 << 10)}} }, "move files"},
		"service unclear": {"and for services", func(a *agentv1.Assignment) {
			a.Services = []*agentv1.Service{{Name: "db", Limits: map[string]string{"memory": "much"}}}
		}, "service db: limits"},
		"request unclear": {"the same for requests", func(a *agentv1.Assignment) { a.Containers[0].Requests = map[string]string{"cpu": "-x"} }, "requests"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := jobspec.Build(assignment(c.change), settings())
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: got %v, want an error about %q", c.reason, err, c.says)
			}
		})
	}
}

func TestName_IsTheAttemptsAlone(t *testing.T) {
	t.Parallel()
	first, err := jobspec.Name(attempt)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := jobspec.Name(strings.ToUpper(attempt))
	other, _ := jobspec.Name("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c")
	if first != again || first == other || len(first) > 63 {
		t.Errorf("names %q, %q, %q: one attempt must have one name that fits a label", first, again, other)
	}
}

func TestBuild_WithoutTimeoutHasNoDeadline(t *testing.T) {
	t.Parallel()
	job, err := jobspec.Build(assignment(func(a *agentv1.Assignment) { a.Plan.Timeout = nil }), settings())
	if err != nil {
		t.Fatal(err)
	}
	if job.Spec.ActiveDeadlineSeconds != nil || job.Spec.Template.Spec.ActiveDeadlineSeconds != nil {
		t.Error("a test without timeout would be ended by the cluster")
	}
}

// TestBuild_DeadlineOfTheJob holds that the time in which a pod waits for a node is not taken from the test: the Job's deadline counts from
// the Job's start, and would delete the pod.
func TestBuild_DeadlineOfTheJob(t *testing.T) {
	t.Parallel()
	for grace, want := range map[time.Duration]*int64{
		5 * time.Minute: ptr.To[int64](35 * 60), 3 * time.Hour: ptr.To[int64](210 * 60),
		0: nil, // for ever
	} {
		s := settings()
		s.SchedulingGrace = grace
		job, err := jobspec.Build(assignment(nil), s)
		if err != nil {
			t.Fatal(err)
		}
		got := job.Spec.ActiveDeadlineSeconds
		if got != nil {
			*got -= *job.Spec.Template.Spec.ActiveDeadlineSeconds
		}
		if !ptr.Equal(got, want) {
			t.Errorf("with a grace of %s the Job ends %d s after its pod may have", grace, ptr.Deref(got, -1))
		}
	}
}

// TestBuild_DeadlineLeavesRoomForServices holds that waiting for services does not eat up the time of the steps.
func TestBuild_DeadlineLeavesRoomForServices(t *testing.T) {
	t.Parallel()
	without, err := jobspec.Build(assignment(nil), settings())
	if err != nil {
		t.Fatal(err)
	}
	with, err := jobspec.Build(assignment(beside), settings())
	if err != nil {
		t.Fatal(err)
	}
	// 1 min, 1 min and 14 s: the timeouts, each in whole intervals.
	room := *with.Spec.Template.Spec.ActiveDeadlineSeconds - *without.Spec.Template.Spec.ActiveDeadlineSeconds
	if room != 60+60+14 {
		t.Errorf("the deadline leaves %d s for the services", room)
	}
}

// TestBuild_ServicesShortenTheGrace holds that a service that does not end when it is told cannot keep the pod for ten minutes.
func TestBuild_ServicesShortenTheGrace(t *testing.T) {
	t.Parallel()
	long := func(a *agentv1.Assignment) { a.Plan.UploadAllowance = durationpb.New(time.Hour) }
	for name, c := range map[string]struct {
		change func(*agentv1.Assignment)
		want   int64
	}{"Without": {long, 600}, "With": {func(a *agentv1.Assignment) { long(a); beside(a) }, 60}} {
		job, err := jobspec.Build(assignment(c.change), settings())
		if err != nil || *job.Spec.Template.Spec.TerminationGracePeriodSeconds != c.want {
			t.Errorf("%s: %v, want a grace of %d s", name, err, c.want)
		}
	}
}

func TestPlan_ComesBack(t *testing.T) {
	t.Parallel()
	want := assignment(nil).GetPlan()
	text, err := jobspec.EncodePlan(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := jobspec.DecodePlan(text)
	if err != nil || !proto.Equal(got, want) {
		t.Errorf("plan came back as %v, %v", got, err)
	}
}

func TestStopped_ComesBack(t *testing.T) {
	t.Parallel()
	want := jobspec.Stopped{Status: 7, Reason: "Cancelled", Message: "by \"hand\""}
	text, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := jobspec.DecodeStopped(map[string]string{jobspec.AnnotationStopped: text}); !ok || got != want {
		t.Errorf("came back as %+v, %v", got, ok)
	}
	if _, ok := jobspec.DecodeStopped(map[string]string{jobspec.AnnotationStopped: "{"}); ok {
		t.Error("garbage counts as a reason")
	}
}

// noise does not compress.
func noise(n int) []byte {
	out := make([]byte, n)
	x := uint32(1)
	for i := range out {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		out[i] = byte(x)
	}
	return out
}

func FuzzDecodePlan(f *testing.F) {
	text, err := jobspec.EncodePlan(assignment(nil).GetPlan())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("")
	f.Add("KLUv/QBYAAA=")
	f.Fuzz(func(t *testing.T, annotation string) {
		plan, err := jobspec.DecodePlan(annotation)
		if err == nil && plan == nil {
			t.Error("neither a plan nor an error")
		}
	})
}
