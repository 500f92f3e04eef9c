package e2e_test

import (
	"strings"
	"testing"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

const mounting = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: mounting}
spec:
  container: {image: ` + python + `, imagePullPolicy: Never}
  timeout: 2m
  pod:
    volumes:
      - {name: scratch, mountPath: /scratch, emptyDir: {medium: Memory, sizeLimit: 16Mi}}
      - {name: conf, mountPath: /conf, configMap: {name: greeting}}
      - {name: cert, mountPath: /cert, readOnly: true, secret: {name: cert}}
      - {name: none, mountPath: /none, secret: {name: absent, optional: true}}
  steps:
    - {name: write, run: "cat /conf/words > /scratch/words; cat /cert/password"}
    - {name: read, run: "cat /scratch/words; stat -f -c %T /scratch; ls /none | wc -l"}
`

// volumes mounts what a workflow names, and hides what stands in a mounted secret.
func volumes(t *testing.T, p *plane, a *agent) {
	t.Helper()
	for _, args := range [][]string{
		{"create", "configmap", "greeting", "--from-literal=words=ahoy"}, {"create", "secret", "generic", "cert", "--from-literal=password=hunter2-hunter2"},
	} {
		if out, err := a.kube.Kubectl(t.Context(), append([]string{"-n", a.namespace}, args...)...); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	p.apply(t, mounting)
	id := p.run(t, "mounting")
	if e := p.ended(t, id); e.GetStatus() != apiv1.Status_STATUS_PASSED {
		t.Fatalf("%s: %s", e.GetStatus(), e.GetMessage())
	}
	if got := p.must(t, "logs", id, "--step", "write"); strings.Contains(got, "hunter2") || !strings.Contains(got, "***") {
		t.Errorf("the secret is shown: %q", got)
	}
	if got := p.must(t, "logs", id, "--step", "read"); !strings.Contains(got, "ahoy") || !strings.Contains(got, "tmpfs") || !strings.Contains(got, "\n0\n") {
		t.Errorf("the volumes: %q", got)
	}
}
