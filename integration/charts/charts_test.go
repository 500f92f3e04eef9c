package charts_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	agent "github.com/seatrial/seatrial/agent/config"
	controlplane "github.com/seatrial/seatrial/controlplane/config"
	"github.com/seatrial/seatrial/integration/harness"
)

var update = flag.Bool("update", false, "write the golden files")

// render returns what a chart makes of values, without its custom resource definitions.
func render(t *testing.T, chart string, args ...string) (string, error) {
	t.Helper()
	kube := harness.Cluster(t) // for its helm
	seen(t, chart)
	all := append([]string{"template", "one", filepath.Join("..", "..", "charts", chart), "--namespace", "seatrial"}, args...)
	return kube.Helm(t.Context(), all...)
}

// seen reads the files of a chart, so that a result of before is not taken for one of now: Go knows nothing of what helm reads.
func seen(t *testing.T, chart string) {
	t.Helper()
	if err := filepath.WalkDir(filepath.Join("..", "..", "charts", chart), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		_, err = os.ReadFile(path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// documents are the parts of what was rendered.
func documents(rendered string) []string {
	var out []string
	for part := range strings.SplitSeq(rendered, "\n---\n") {
		part = strings.TrimPrefix(part, "---\n")
		if strings.TrimSpace(strings.TrimLeft(part, "#")) != "" {
			out = append(out, part)
		}
	}
	return out
}

// TestRender compares what each file of values gives with what was once agreed upon, and reads it as Kubernetes does: a field that there
// is not is a mistake.
func TestRender(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no values: %v", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".golden.yaml") {
			continue
		}
		chart := filepath.Base(filepath.Dir(file))
		t.Run(chart+"/"+strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			got, err := render(t, chart, "-f", file)
			if err != nil {
				t.Fatal(err)
			}
			var kept strings.Builder
			for _, doc := range documents(got) {
				if strings.Contains(doc, "kind: CustomResourceDefinition") {
					continue // generated and tested where they are
				}
				strict(t, doc)
				kept.WriteString("---\n" + strings.TrimRight(doc, "\n") + "\n")
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden.yaml", kept.String())
			settings(t, chart, got)
			kube := harness.Cluster(t)
			if out, err := kube.Helm(t.Context(), "lint", "--strict", filepath.Join("..", "..", "charts", chart), "-f", file); err != nil {
				t.Errorf("lint: %v\n%s", err, out)
			}
		})
	}
}

// types are those of Kubernetes by kind.
func types() map[string]any {
	return map[string]any{
		"Deployment": &appsv1.Deployment{}, "StatefulSet": &appsv1.StatefulSet{}, "Service": &corev1.Service{}, "ServiceAccount": &corev1.ServiceAccount{},
		"ConfigMap": &corev1.ConfigMap{}, "Secret": &corev1.Secret{}, "Namespace": &corev1.Namespace{}, "Pod": &corev1.Pod{},
		"Ingress": &networkingv1.Ingress{}, "NetworkPolicy": &networkingv1.NetworkPolicy{}, "PodDisruptionBudget": &policyv1.PodDisruptionBudget{},
		"HorizontalPodAutoscaler": &autoscalingv2.HorizontalPodAutoscaler{}, "Role": &rbacv1.Role{}, "RoleBinding": &rbacv1.RoleBinding{},
		"ValidatingAdmissionPolicy": &admissionv1.ValidatingAdmissionPolicy{}, "ValidatingAdmissionPolicyBinding": &admissionv1.ValidatingAdmissionPolicyBinding{},
		"ClusterRole": &rbacv1.ClusterRole{}, "ClusterRoleBinding": &rbacv1.ClusterRoleBinding{},
	}
}

// strict reads a document into its type. Those of others (cert-manager, the Gateway API, the Prometheus operator) have none here.
func strict(t *testing.T, doc string) {
	t.Helper()
	var head struct{ Kind string }
	if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
		t.Fatalf("%v in\n%s", err, doc)
	}
	others := []string{"Certificate", "HTTPRoute", "TLSRoute", "ServiceMonitor", "PodMonitor"}
	into, known := types()[head.Kind]
	switch {
	case known:
		if err := yaml.UnmarshalStrict([]byte(doc), into); err != nil {
			t.Errorf("%s: %v in\n%s", head.Kind, err, doc)
		}
	case !slices.Contains(others, head.Kind):
		t.Errorf("a %s is of no type that this test knows", head.Kind)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", file, diff)
	}
}

// settings holds that the program understands the environment that its pod is given.
func settings(t *testing.T, chart, rendered string) {
	t.Helper()
	env := map[string]string{}
	for _, doc := range documents(rendered) {
		var pod struct {
			Kind string
			Spec struct{ Template corev1.PodTemplateSpec }
		}
		if err := yaml.Unmarshal([]byte(doc), &pod); err != nil || (pod.Kind != "Deployment" && pod.Kind != "StatefulSet") {
			continue
		}
		for _, v := range pod.Spec.Template.Spec.Containers[0].Env {
			env[v.Name] = v.Value
			if v.ValueFrom != nil {
				env[v.Name] = secret(v.Name)
			}
		}
	}
	if len(env) == 0 {
		t.Fatal("no pod was rendered")
	}
	known := map[string]bool{}
	lookup := func(name string) (string, bool) {
		known[name] = true
		v, ok := env[name]
		return v, ok
	}
	var err error
	if chart == "agent" {
		_, err = agent.Parse(nil, func(name string) string {
			v, _ := lookup(name)
			if strings.HasSuffix(name, "_FILE") { // is there in the pod only
				return ""
			}
			if name == "SEATRIAL_VERIFY_KEYS" && env[name+"_FILE"] != "" {
				return "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAW4ZJwM/Nvnil/5Yu36SJFN/UWvIq/jWN4fTdfkVn1co=\n-----END PUBLIC KEY-----\n"
			}
			return v
		}, io.Discard)
	} else {
		_, err = controlplane.Parse(nil, lookup, "test", io.Discard)
	}
	if err != nil {
		t.Errorf("the program refuses its environment: %v", err)
	}
	for name := range env {
		if strings.HasPrefix(name, "SEATRIAL_") && !known[name] {
			t.Errorf("the program has no setting %s", name)
		}
	}
}

// secret stands for what a Secret holds.
func secret(name string) string {
	return map[string]string{
		"SEATRIAL_DATABASE": "postgres://a@b/c", "SEATRIAL_DATABASE_SYSTEM": "postgres://o@b/c", "SEATRIAL_REDIS": "redis://r",
	}[name]
}

// TestRender_Err holds that values which cannot be meant are refused with what to do.
func TestRender_Err(t *testing.T) {
	t.Parallel()
	stateless := []string{"database.existingSecret=a", "s3.endpoint=s3:443", "s3.bucket=b"}
	agentBase := []string{"controlPlane.address=a:1", "runNamespaces={t}"}
	for name, tc := range map[string]struct {
		chart string
		set   []string
		says  string
	}{
		"ReplicasOfVolume":  {"controlplane", []string{"replicas=2"}, "more than one needs database.existingSecret"},
		"ReplicasNoRedis":   {"controlplane", append(slices.Clone(stateless), "encryption.existingSecret=e", "agents.tls.existingSecret=t", "replicas=2"), "needs redis.existingSecret"},
		"ScaledVolume":      {"controlplane", []string{"autoscaling.enabled=true"}, "more than one needs"},
		"NoEncryption":      {"controlplane", stateless, "openssl rand -base64 32"},
		"NoAgentTLS":        {"controlplane", append(slices.Clone(stateless), "encryption.existingSecret=e"), "agents.tls is not set"},
		"NoBucket":          {"controlplane", []string{"s3.endpoint=s3:443"}, "s3.bucket is not set"},
		"NoHost":            {"controlplane", []string{"ingress.enabled=true"}, "ingress.host is not set"},
		"NoGateway":         {"controlplane", []string{"gateway.enabled=true", "gateway.host=a"}, "gateway: host and parentRefs are needed"},
		"SystemURL":         {"controlplane", []string{"database.systemURL=true"}, "of use with database.existingSecret only"},
		"Unknown":           {"controlplane", []string{"replica=2"}, "additional properties 'replica' not allowed"},
		"PublicPath":        {"controlplane", []string{"publicURL=https://a/b"}, "publicURL"},
		"FewResults":        {"controlplane", []string{"keepResults=7"}, "keepResults"},
		"AgentNoAddress":    {"agent", []string{"runNamespaces={t}"}, "controlPlane.address is not set"},
		"AgentNoOrg":        {"agent", append(slices.Clone(agentBase), "runSpecifications.publicKeys={-----BEGIN PUBLIC KEY-----}"), "runSpecifications.organization is not set"},
		"AgentNoKeys":       {"agent", append(slices.Clone(agentBase), "runSpecifications.organization=acme"), "nothing would have to be signed"},
		"AgentPrivateKey":   {"agent", append(slices.Clone(agentBase), "runSpecifications.publicKeys={-----BEGIN PRIVATE KEY-----}", "runSpecifications.organization=a"), "publicKeys"},
		"AgentSignedBefore": {"agent", append(slices.Clone(agentBase), "runSpecifications.signedAfter=yesterday"), "signedAfter"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := make([]string, 0, 2*len(tc.set))
			for _, one := range tc.set {
				args = append(args, "--set", one)
			}
			out, err := render(t, tc.chart, args...)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q\n%s", err, tc.says, bytes.TrimSpace([]byte(out)[:min(len(out), 200)]))
			}
		})
	}
}

// TestRender_Values holds that every value that there is has an effect or a reason: each key of the file is in its schema.
func TestRender_Values(t *testing.T) {
	t.Parallel()
	for _, chart := range []string{"agent", "controlplane"} {
		var values map[string]any
		var schema struct {
			Properties map[string]any `json:"properties"`
		}
		for name, into := range map[string]any{"values.yaml": &values, "values.schema.json": &schema} {
			text, err := os.ReadFile(filepath.Join("..", "..", "charts", chart, name))
			if err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal(text, into); err != nil {
				t.Fatal(fmt.Errorf("%s of %s: %w", name, chart, err))
			}
		}
		for name := range schema.Properties {
			if _, ok := values[name]; !ok && name != "global" {
				t.Errorf("%s: the schema has %s, the values do not", chart, name)
			}
		}
	}
}
