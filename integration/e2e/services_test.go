package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// database is an image with PostgreSQL, python3, pytest and the driver between them.
const database = "docker.io/seatrial-demo/postgres:local"

// postgres starts a server over an empty folder, as the image of a registry would by itself.
const postgres = `{image: ` + database + `, imagePullPolicy: Never, command: [sh, -c], args: ["
        cd /usr/lib/postgresql/*/bin && ./initdb -D /tmp/db -U shop -A trust --locale=C.UTF-8 >/dev/null &&
        exec ./postgres -D /tmp/db -k /tmp"],
      ready: {exec: [sh, -c, "exec /usr/lib/postgresql/*/bin/pg_isready -h 127.0.0.1"], timeout: 2m}}`

// TestServices runs what needs something next to it.
func TestServices(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	a := installAgent(t, p)
	if _, err := a.kube.Kubectl(t.Context(), "-n", a.namespace, "create", "secret", "generic", "vault", "--from-literal=key=hunter2"); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]func(*testing.T, *plane, *agent){
		"Database": aDatabase, "NeverReady": neverReady, "NoImage": noImage, "Broken": brokenService, "Secret": secretService, "Stubborn": stubborn,
		"Cancelled": cancelledWhileStarting,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, p, a)
		})
	}
}

// serve applies a workflow with services and one step, and returns its execution once that has ended.
func serve(t *testing.T, p *plane, name, services, step string) *apiv1.Execution {
	t.Helper()
	p.apply(t, withServices(name, services, step))
	return p.ended(t, p.run(t, name))
}

func withServices(name, services, step string) string {
	return `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: ` + name + `}
spec:
  container: {image: ` + database + `, imagePullPolicy: Never}
  timeout: 5m
  services:
` + services + `
  steps:
    - ` + step + `
`
}

func attemptOf(e *apiv1.Execution) *apiv1.Attempt { return e.GetRuns()[0].GetAttempts()[0] }

// aDatabase is a pytest suite that talks to a PostgreSQL next to it.
func aDatabase(t *testing.T, p *plane, _ *agent) {
	t.Helper()
	e := serve(t, p, "with-database", "    db: "+postgres, `name: test
      reports: [{format: junit, paths: [junit.xml]}]
      run: |
        cat >test_db.py <<'PY'
        import psycopg2, pytest
        @pytest.fixture
        def db():
            with psycopg2.connect(host="127.0.0.1", user="shop", dbname="postgres") as c:
                yield c.cursor()
        def test_version(db):
            db.execute("show server_version_num")
            assert int(db.fetchone()[0]) >= 150000
        def test_counts(db):
            db.execute("create temporary table boats as select generate_series(1, 1000) as n")
            db.execute("select sum(n) from boats")
            assert db.fetchone()[0] == 500500
        PY
        python3 -m pytest -p no:cacheprovider --junitxml=junit.xml`)
	if c := e.GetTests(); e.GetStatus() != apiv1.Status_STATUS_PASSED || c.GetPassed() != 2 {
		t.Fatalf("%s: %s, tests %v\n%s", e.GetStatus(), e.GetMessage(), c, p.must(t, "logs", e.GetId()))
	}
	s := attemptOf(e).GetServices()
	if len(s) != 1 || s[0].GetName() != "db" || s[0].GetStatus() != apiv1.ServiceStatus_SERVICE_STATUS_STOPPED || !s[0].GetLog().GetComplete() {
		t.Errorf("services %v", s)
	}
	log := p.must(t, "logs", e.GetId(), "--service", "db")
	for _, line := range []string{"database system is ready to accept connections", "received smart shutdown request"} {
		if n := strings.Count(log, line); n != 1 {
			t.Errorf("%q stands %d times in the log:\n%s", line, n, log)
		}
	}
	if got := p.must(t, "get", "execution", e.GetId()); !strings.Contains(got, "SERVICE") || !strings.Contains(got, "stopped") {
		t.Errorf("the command says\n%s", got)
	}
}

func neverReady(t *testing.T, p *plane, a *agent) {
	t.Helper()
	begun := time.Now()
	e := serve(t, p, "never-ready", `    idle: {image: `+database+`, imagePullPolicy: Never, command: [sh, -c], args: ["echo I do nothing; sleep 600"],
      ready: {exec: [sh, -c, "echo nobody listens; exit 1"], timeout: 6s}}`, "{name: test, run: echo never}")
	at := attemptOf(e)
	if at.GetStatus() != apiv1.Status_STATUS_ERRORED || at.GetReason() != "ServiceNotReady" ||
		!strings.Contains(at.GetMessage(), "Service idle was not ready within 6s: nobody listens") {
		t.Errorf("%s %s: %s", at.GetStatus(), at.GetReason(), at.GetMessage())
	}
	if took := time.Since(begun); took > 5*time.Minute { // its process would go on for ten
		t.Errorf("it took %s to say so", took)
	}
	if s := at.GetServices()[0]; s.GetStatus() != apiv1.ServiceStatus_SERVICE_STATUS_FAILED {
		t.Errorf("service %v", s)
	}
	if log := p.must(t, "logs", e.GetId(), "--service", "idle"); !strings.Contains(log, "I do nothing") {
		t.Errorf("log %q", log)
	}
	a.goesAway(t, e.GetId())
}

func noImage(t *testing.T, p *plane, _ *agent) {
	t.Helper()
	at := attemptOf(serve(t, p, "no-image", "    cache: {image: \"127.0.0.1:1/none:1\"}", "{name: test, run: echo never}"))
	if at.GetStatus() != apiv1.Status_STATUS_ERRORED || at.GetReason() != "ImagePull" || !strings.Contains(at.GetMessage(), "of service cache cannot be pulled") ||
		!strings.Contains(at.GetMessage(), "refused") {
		t.Errorf("%s %s: %s", at.GetStatus(), at.GetReason(), at.GetMessage())
	}
}

func brokenService(t *testing.T, p *plane, _ *agent) {
	t.Helper()
	at := attemptOf(serve(t, p, "broken-service", `    db: {image: `+database+`, imagePullPolicy: Never, command: [sh, -c], args: ["echo no such option >&2; exit 3"],
      ready: {tcp: {port: 5432}}}`, "{name: test, run: echo never}"))
	if at.GetStatus() != apiv1.Status_STATUS_ERRORED || at.GetReason() != "ServiceEnded" ||
		!strings.Contains(at.GetMessage(), "Service db ended before it was ready, with exit code 3: no such option") {
		t.Errorf("%s %s: %s", at.GetStatus(), at.GetReason(), at.GetMessage())
	}
}

// secretService holds that nothing of a service that is given a secret leaves the cluster.
func secretService(t *testing.T, p *plane, _ *agent) {
	t.Helper()
	e := serve(t, p, "secret-service", `    vault: {image: `+database+`, imagePullPolicy: Never, command: [sh, -c], args: ["echo $KEY; exec sleep 600"],
      env: [{name: KEY, valueFrom: {secretKeyRef: {name: vault, key: key}}}]}`, "{name: test, run: echo done}")
	if e.GetStatus() != apiv1.Status_STATUS_PASSED || !attemptOf(e).GetServices()[0].GetLogWithheld() {
		t.Errorf("%s: %s, services %v", e.GetStatus(), e.GetMessage(), attemptOf(e).GetServices())
	}
	got := p.cli(t, "logs", e.GetId(), "--service", "vault")
	if got.code == 0 || strings.Contains(got.out, "hunter2") || !strings.Contains(got.err, "given a secret") {
		t.Errorf("exit %d: %q %q", got.code, got.out, got.err)
	}
}

// stubborn holds that a service that does not end when it is told keeps the pod for a moment only, and the result not at all.
func stubborn(t *testing.T, p *plane, a *agent) {
	t.Helper()
	e := serve(t, p, "stubborn", `    loop: {image: `+database+`, imagePullPolicy: Never, command: [sh, -c], args: ["trap : TERM; echo up; while :; do sleep 1; done"]}`,
		"{name: test, run: echo done}")
	if e.GetStatus() != apiv1.Status_STATUS_PASSED {
		t.Errorf("%s: %s", e.GetStatus(), e.GetMessage())
	}
	if notes := strings.Join(attemptOf(e).GetNotes(), "\n"); !strings.Contains(notes, "Service loop did not end within 5s") {
		t.Errorf("noted %q", notes)
	}
	// The kubelet kills it a minute after it was told to end: the result has not waited for that.
	if took := e.GetFinishedAt().AsTime().Sub(attemptOf(e).GetSteps()[0].GetFinishedAt().AsTime()); took > 50*time.Second {
		t.Errorf("the service held up the result: %s", took)
	}
	if log := p.must(t, "logs", e.GetId(), "--service", "loop"); log != "up\n" {
		t.Errorf("log %q", log)
	}
	a.goesAway(t, e.GetId())
}

// cancelledWhileStarting holds that nobody waits for services of what is cancelled.
func cancelledWhileStarting(t *testing.T, p *plane, a *agent) {
	t.Helper()
	p.apply(t, withServices("cancelled", `    slow: {image: `+database+`, imagePullPolicy: Never, command: [sleep, "600"], ready: {tcp: {port: 1}, timeout: 5m}}`,
		"{name: test, run: echo never}"))
	id := p.run(t, "cancelled")
	p.shows(t, id, "Service slow is not ready yet")
	begun := time.Now()
	p.must(t, "cancel", id)
	if e := p.ended(t, id); e.GetStatus() != apiv1.Status_STATUS_CANCELLED || time.Since(begun) > 4*time.Minute {
		t.Errorf("%s after %s", e.GetStatus(), time.Since(begun))
	}
	a.goesAway(t, id)
}

// shows waits until an execution says something of itself.
func (p *plane) shows(tb testing.TB, id, what string) {
	tb.Helper()
	for deadline := time.After(patience); ; {
		got := p.must(tb, "get", "execution", id, "-o", "json")
		if strings.Contains(got, what) {
			return
		}
		select {
		case <-deadline:
			tb.Fatalf("no %q in\n%s", what, got)
		case <-time.After(time.Second):
		}
	}
}

// goesAway waits until no pod of an execution runs: a service that does not end when it is told gets one minute.
func (a *agent) goesAway(tb testing.TB, execution string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 2*time.Minute)
	defer cancel()
	for {
		out, err := a.kube.Kubectl(ctx, "-n", a.namespace, "get", "pods", "-l", "seatrial.dev/execution="+execution,
			"-o", "jsonpath={.items[*].status.phase}")
		if err == nil && !strings.Contains(out, "Running") && !strings.Contains(out, "Pending") {
			return
		}
		select {
		case <-ctx.Done():
			tb.Errorf("the pod is still there: %q, %v", out, err)
			return
		case <-time.After(time.Second):
		}
	}
}
