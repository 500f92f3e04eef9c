package permit_test

import (
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/permit"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	attempt = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
	runner  = "seatrial/runner:1"
)

// job builds the Job of an assignment as the agent does, with everything that rules are about.
func job(t *testing.T, change func(*agentv1.Assignment)) *batchv1.Job {
	t.Helper()
	a := &agentv1.Assignment{
		AttemptId: attempt, Namespace: "tests", Plan: &runnerv1.Plan{AttemptId: attempt},
		Pod: &agentv1.Pod{ServiceAccountName: "tester", ImagePullSecrets: []string{"qa-registry"}, Volumes: []*agentv1.Volume{
			{Name: "cache", MountPath: "/cache", Source: &agentv1.Volume_EmptyDir{EmptyDir: &agentv1.EmptyDir{}}},
		}},
		Containers: []*agentv1.Container{
			{Name: "c0", RunnerImage: true, Image: "ignored"},
			{
				Name: "c1", Image: "registry.example/qa/pytest:3", Requests: map[string]string{"cpu": "500m"}, Limits: map[string]string{"memory": "1Gi"},
				Env: []*agentv1.ContainerEnv{{Name: "TOKEN", Source: &agentv1.ContainerEnv_Secret{Secret: &agentv1.KeyRef{Name: "qa-token", Key: "t"}}}},
			},
		},
		Services: []*agentv1.Service{{Name: "db", Image: "postgres:16", Requests: map[string]string{"cpu": "1"}}},
	}
	if change != nil {
		change(a)
	}
	out, err := jobspec.Build(work.Assignment{Assignment: a, Digest: "d"}, jobspec.Settings{Agent: "a", RunnerImage: runner, Endpoint: "agent:1"})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func rules(t *testing.T, text string) permit.Rules {
	t.Helper()
	r, err := permit.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRules_Apply(t *testing.T) {
	t.Parallel()
	claim := func(a *agentv1.Assignment) {
		a.Pod.Volumes = []*agentv1.Volume{{Name: "data", MountPath: "/data", Source: &agentv1.Volume_Claim{Claim: "prod"}}}
	}
	for name, c := range map[string]struct {
		rules, reason string
		change        func(*agentv1.Assignment)
		says          []string // empty: it is allowed
	}{
		"None":             {"", "an agent without rules allows what its Role allows", claim, nil},
		"ImageAllowed":     {`{"images": ["registry.example/qa/*", "postgres"]}`, "a tag is no matter, and a short name is that of a runtime", nil, nil},
		"ImageOfService":   {`{"images": ["registry.example/qa/*"]}`, "a service is a container like any other", nil, []string{"docker.io/library/postgres:16", "registry.example/qa/*", "allow.images"}},
		"ImageOfStep":      {`{"images": ["docker.io/**"]}`, "a step", nil, []string{"registry.example/qa/pytest:3"}},
		"ImageNested":      {`{"images": ["registry.example/*", "postgres"]}`, "one star is one part", nil, []string{"registry.example/qa/pytest:3"}},
		"ImageAnyDepth":    {`{"images": ["registry.example/**", "postgres"]}`, "two stars are any number of parts", nil, nil},
		"ImageTag":         {`{"images": ["registry.example/qa/pytest:2", "postgres"]}`, "a pattern with a tag wants that tag", nil, []string{"pytest:3"}},
		"ImageLookalike":   {`{"images": ["registry.example/**", "postgres"]}`, "the registry is compared as a whole", func(a *agentv1.Assignment) { a.Containers[1].Image = "registry.example.evil.test/qa/pytest:3" }, []string{"registry.example.evil.test"}},
		"ImagePath":        {`{"images": ["registry.example/qa/**", "postgres"]}`, "dots are no way out of a folder", func(a *agentv1.Assignment) { a.Containers[1].Image = "registry.example/qa/../x" }, []string{"registry.example/qa/../x"}},
		"ImageNoneAllowed": {`{"images": []}`, "an empty list allows nothing but the runner", nil, []string{"only none"}},
		"Account":          {`{"serviceAccounts": ["other"]}`, "its rights would be the test's", nil, []string{`"tester"`, "allow.serviceAccounts"}},
		"AccountDefault":   {`{"serviceAccounts": ["tester"]}`, "none named is default", func(a *agentv1.Assignment) { a.Pod.ServiceAccountName = "" }, []string{`"default"`}},
		"AccountAllowed":   {`{"serviceAccounts": ["tester"]}`, "", nil, nil},
		"SecretsAllowed":   {`{"secrets": ["qa-*"]}`, "", nil, nil},
		"SecretOfVariable": {`{"secrets": ["qa-registry"]}`, "as a variable", nil, []string{`"qa-token"`, "allow.secrets"}},
		"SecretOfRegistry": {`{"secrets": ["qa-token"]}`, "to pull images", nil, []string{`"qa-registry"`}},
		"SecretOfVolume": {`{"secrets": ["qa-*"]}`, "as files", func(a *agentv1.Assignment) {
			a.Pod.Volumes = []*agentv1.Volume{{Name: "s", MountPath: "/s", Source: &agentv1.Volume_Secret{Secret: &agentv1.ObjectVolume{Name: "prod"}}}}
		}, []string{`"prod"`}},
		"SecretOfService": {`{"secrets": ["qa-*"]}`, "of a service", func(a *agentv1.Assignment) {
			a.Services[0].Env = []*agentv1.ContainerEnv{{Name: "P", Source: &agentv1.ContainerEnv_Secret{Secret: &agentv1.KeyRef{Name: "prod", Key: "p"}}}}
		}, []string{`"prod"`}},
		"VolumesAllowed":     {`{"volumes": ["emptyDir"]}`, "those of the runner are not a workflow's", nil, nil},
		"VolumeKind":         {`{"volumes": ["emptyDir"]}`, "", claim, []string{"persistentVolumeClaim", "allow.volumes"}},
		"VolumeOfContainer":  {`{"volumes": []}`, "one container's own", func(a *agentv1.Assignment) { a.Containers[1].Volumes = a.Pod.Volumes; a.Pod.Volumes = nil }, []string{"emptyDir"}},
		"NoVolumesOwn":       {`{"volumes": []}`, "the runner's folders are always there", func(a *agentv1.Assignment) { a.Pod.Volumes = nil }, nil},
		"LimitAllowed":       {`{"container": {"memory": "1Gi", "cpu": "1"}}`, "", nil, nil},
		"Limit":              {`{"container": {"memory": "512Mi"}}`, "", nil, []string{"512Mi of memory", "limit of 1Gi", "allow.container.memory"}},
		"Request":            {`{"container": {"cpu": "600m"}}`, "a request without a limit counts, too", nil, []string{"postgres:16", "request of 1"}},
		"Device":             {`{"container": {"nvidia.com/gpu": "0"}}`, "", func(a *agentv1.Assignment) { a.Containers[1].Limits = map[string]string{"nvidia.com/gpu": "1"} }, []string{"nvidia.com/gpu"}},
		"PodAllowed":         {`{"pod": {"cpu": "1500m"}}`, "the step and the service", nil, nil},
		"Pod":                {`{"pod": {"cpu": "1499m"}}`, "the step and the service run at the same time", nil, []string{"at most 1499m of cpu", "requests 1500m", "allow.pod.cpu"}},
		"PodWithFilledLimit": {`{"pod": {"memory": "1Gi"}, "container": {"memory": "4Gi"}}`, "a limit that the agent gives is no request", nil, nil},
		"All":                {`{"images": ["x"], "serviceAccounts": [], "secrets": [], "volumes": []}`, "who mends one sees the others", nil, []string{"service account", "secret", "volumes", "And 1 more"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := rules(t, c.rules).Apply(job(t, c.change), runner)
			if (err == nil) != (len(c.says) == 0) {
				t.Fatalf("error %v, want one with %q: %s", err, c.says, c.reason)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

// TestRules_Apply_FillsLimits: a container without a limit could take everything that its node has.
func TestRules_Apply_FillsLimits(t *testing.T) {
	t.Parallel()
	j := job(t, nil)
	if err := rules(t, `{"container": {"memory": "2Gi", "cpu": "4", "nvidia.com/gpu": "1"}}`).Apply(j, runner); err != nil {
		t.Fatal(err)
	}
	spec := j.Spec.Template.Spec
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		want := "2Gi"
		if c.Name == "c1" {
			want = "1Gi"
		}
		memory, cpu := c.Resources.Limits[corev1.ResourceMemory], c.Resources.Limits[corev1.ResourceCPU]
		if memory.String() != want || cpu.String() != "4" {
			t.Errorf("%s: limits %s of memory and %s of CPU", c.Name, memory.String(), cpu.String())
		}
		if _, ok := c.Resources.Limits["nvidia.com/gpu"]; ok {
			t.Errorf("%s was given a device that it did not ask for", c.Name)
		}
		if q, ok := c.Resources.Requests[corev1.ResourceCPU]; !ok || (c.Name != "c1" && c.Name != "service-db" && !q.IsZero()) {
			t.Errorf("%s requests %s of CPU: its limit would count as a request", c.Name, q.String())
		}
	}
}

// TestRules_Apply_Never: what no assignment can say is refused as well, whatever the rules.
func TestRules_Apply_Never(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*corev1.PodSpec){
		"HostNetwork": func(s *corev1.PodSpec) { s.HostNetwork = true },
		"HostPID":     func(s *corev1.PodSpec) { s.HostPID = true },
		"HostPath": func(s *corev1.PodSpec) {
			s.Volumes = append(s.Volumes, corev1.Volume{Name: "workspace2", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}})
		},
		"OtherImage": func(s *corev1.PodSpec) {
			s.Volumes = append(s.Volumes, corev1.Volume{Name: "i", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "evil"}}})
		},
		"Projected": func(s *corev1.PodSpec) {
			s.Volumes = append(s.Volumes, corev1.Volume{Name: "v-token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}})
		},
		"Privileged": func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.Privileged = ptr.To(true) },
		"Capability": func(s *corev1.PodSpec) {
			s.InitContainers[0].SecurityContext.Capabilities.Add = []corev1.Capability{"SYS_ADMIN"}
		},
		"Priority": func(s *corev1.PodSpec) { s.PriorityClassName = "system-node-critical" },
		"Node":     func(s *corev1.PodSpec) { s.NodeName = "master" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := job(t, nil)
			change(&j.Spec.Template.Spec)
			if err := (permit.Rules{}).Apply(j, runner); err == nil || !strings.Contains(err.Error(), "never") && !strings.Contains(err.Error(), "always") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestParse_Err(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, says string }{
		"Unknown":  {`{"image": ["x"]}`, "image"},
		"Kind":     {`{"volumes": ["hostPath"]}`, "hostPath"},
		"Pattern":  {`{"images": ["x[/y"]}`, "x["},
		"Quantity": {`{"pod": {"cpu": "much"}}`, "write them as"},
		"Negative": {`{"pod": {"cpu": "-1"}}`, "less than nothing"},
		"Rest":     {`{} {}`, "something follows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := permit.Parse(c.text); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one with %q", err, c.says)
			}
		})
	}
}

func TestRules_Sentences(t *testing.T) {
	t.Parallel()
	got := rules(t, `{"images": ["a/*", "b"], "secrets": [], "pod": {"memory": "8Gi", "cpu": 4}, "container": {"cpu": "2"}}`).Sentences()
	want := []string{
		"image: a/*", "image: b", "secret: none", "limit of a container: cpu at most 2", "requests of a pod: cpu at most 4 in all",
		"requests of a pod: memory at most 8Gi in all",
	}
	if !slices.Equal(got, want) {
		t.Errorf("says %q", got)
	}
	if none := (permit.Rules{}).Sentences(); len(none) != 0 {
		t.Errorf("without rules: %q", none)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(permit.Example)
	f.Add(`{"container": {"memory": "1e3"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := permit.Parse(text)
		if err != nil {
			return
		}
		_ = r.Sentences()
		j := &batchv1.Job{}
		j.Spec.Template.Spec.Containers = []corev1.Container{{Name: "c", Image: text, Resources: corev1.ResourceRequirements{
			Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
		}}}
		_ = r.Apply(j, runner) // does not break
	})
}
