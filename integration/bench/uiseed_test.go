package bench_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seatrial/seatrial/controlplane/app"
	"github.com/seatrial/seatrial/controlplane/blob"
	"github.com/seatrial/seatrial/controlplane/bus"
	"github.com/seatrial/seatrial/controlplane/config"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/intake"
	"github.com/seatrial/seatrial/controlplane/secretbox"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/tenant"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// ending is how a seed ends, and how many of a thousand executions end so.
type ending struct {
	name  string
	share int
}

// endings of the executions of each workflow.
func endings() []ending {
	return []ending{{"passed", 890}, {"own failure", 45}, {"common failure", 25}, {"flaky", 25}, {"timed out", 15}}
}

// seeds are the executions that all others are copies of, and what the pages are asked for.
type seeds struct {
	shape     shape
	Flows     []string
	Places    []string // environments, each in a cluster of its own
	Failed    string   // an execution whose tests failed
	Big       string   // one of very many tests
	Wide      string   // one that ran everywhere
	Running   string
	Test      string // a test that is not reliable
	Alike     string // fingerprint of the failures that most tests have
	copied    []seed
	bigCopied seed
}

// seed is an execution that is copied.
type seed struct {
	id     string
	flow   int
	ending int
}

// seeder makes them with the program, which is given what an agent would give it.
type seeder struct {
	tb     testing.TB
	p      *program
	store  *store.Store
	intake *intake.Intake
	agents map[string]context.Context //nolint:containedctx // each speaks for the agent of a cluster, by its environment

	workflows  apiv1connect.WorkflowServiceClient
	executions apiv1connect.ExecutionServiceClient
	clusters   apiv1connect.ClusterServiceClient
	releases   apiv1connect.ReleaseServiceClient
}

func newSeeder(tb testing.TB, p *program, user, owner string) *seeder {
	tb.Helper()
	keys, err := app.Keys(config.Config{DataDir: p.dir})
	ok(tb, err)
	records, err := store.Open(tb.Context(), user, store.WithSystem(owner), store.WithSecrets(secretbox.New(keys)))
	ok(tb, err)
	tb.Cleanup(func() { _ = records.Close() })
	blobs, err := blob.NewDir(filepath.Join(p.dir, "blobs"))
	ok(tb, err)
	in, err := intake.New(records, blobs, bus.NewLocal(), slog.New(slog.DiscardHandler), intake.NewHops(prometheus.NewRegistry()), intake.Limits{})
	ok(tb, err)
	c := p.api()
	return &seeder{
		tb: tb, p: p, store: records, intake: in, agents: map[string]context.Context{},
		workflows: apiv1connect.NewWorkflowServiceClient(c, p.url), executions: apiv1connect.NewExecutionServiceClient(c, p.url),
		clusters: apiv1connect.NewClusterServiceClient(c, p.url), releases: apiv1connect.NewReleaseServiceClient(c, p.url),
	}
}

func ok(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

var (
	areas = []string{
		"checkout", "cart", "search", "catalogue", "billing", "identity", "shipping", "returns", "pricing", "reviews", "payments", "inventory", "orders",
		"profile", "loyalty", "messages", "media", "reports", "backoffice", "gateway",
	}
	kindsOfSuites = []string{"smoke", "api", "browser", "contract", "load", "migration", "security", "backup", "failover", "accessibility"}
)

const uiFlow = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata:
  name: %[1]s-%[2]s
  labels: {app: %[1]s, suite: %[2]s, tier: %[3]s}
spec:
  description: The %[2]s tests of %[1]s.
  # They talk to whatever runs in the namespace.
  params:
    base_url: {type: string, default: "http://%[1]s.shop.svc"}
    workers: {type: integer, default: 4}
  container: {image: "registry.example.test/%[1]s/tests:1.8"}
  steps:
    - {name: test, run: "pytest -n ${{ params.workers }} --junitxml=out/junit.xml", reports: [{format: junit, paths: [out/junit.xml]}]}
  timeout: 15m
`

const uiPolicy = `apiVersion: seatrial.dev/v1
kind: ReadinessPolicy
metadata: {name: %[1]s-gate}
spec:
  description: What %[1]s has to show before it ships.
  appliesTo: {applications: [%[1]s]}
  require: [{selector: '%[2]s', environments: [%[3]s]}]
  waivers: {approvers: "team:default", selfApproval: true, maxAge: 72h}
`

// testsOf is how many tests a workflow has: most are small, a few are not. An execution has ten on average.
func testsOf(flow int) int {
	switch {
	case flow%100 == 7:
		return 160
	case flow%10 == 3:
		return 40
	}
	return 5
}

// all makes the seeds.
func (s *seeder) all(sh shape) *seeds {
	out := &seeds{shape: sh}
	for i := range sh.clusters {
		out.Places = append(out.Places, s.enroll(fmt.Sprintf("%s-%d", []string{"eu", "us", "ap", "sa"}[i%4], i/4+1)))
	}
	for i := range sh.flows {
		area, kind, tier := areas[i/len(kindsOfSuites)%len(areas)], kindsOfSuites[i%len(kindsOfSuites)], "standard"
		if kind == "smoke" {
			tier = "critical"
		}
		s.apply(fmt.Sprintf(uiFlow, area, kind, tier))
		out.Flows = append(out.Flows, area+"-"+kind)
	}
	s.apply(fmt.Sprintf(uiFlow, "everything", "regression", "standard"))
	for i, flow := range out.Flows {
		for e, end := range endings() {
			id := s.run(flow, i, end.name, testsOf(i), "", nil, out.Places[i%len(out.Places)])
			out.copied = append(out.copied, seed{id, i, e})
			if end.name == "own failure" {
				out.Failed = id
			}
		}
	}
	out.bigCopied = seed{id: s.run("everything-regression", sh.flows, "common failure", sh.bigTests, "", nil, out.Places[0]), flow: sh.flows}
	out.Big = out.bigCopied.id
	out.Wide = s.run(out.Flows[0], 0, "own failure", testsOf(0), "", nil, out.Places...)
	s.shipped(out)
	s.known(out)
	started := s.begin(out.Flows[1], "", nil, out.Places[0])
	s.report(started.GetRuns()[0], execution.Running, nil, time.Now())
	out.Running = started.GetId()
	for i := range 3 * len(out.Places) {
		s.begin(out.Flows[2], "", nil, out.Places[i%len(out.Places)])
	}
	return out
}

// uiRelease is a release that is tested, in some places, by workflows of some kinds.
type uiRelease struct {
	application, version string
	kinds                []string
	places               int
	ends                 string // how a few of them end
}

// uiReleases are of each kind: one with all it needs, one with failures, one that lacks evidence, and a large one.
func uiReleases() []uiRelease {
	return []uiRelease{
		{"shop", "1.40.0", []string{"smoke"}, 3, "passed"}, {"shop", "1.41.0", []string{"smoke"}, 3, "own failure"},
		{"shop", "1.42.0", nil, 3, ""}, {"platform", "2026.11.0", []string{"smoke", "api"}, 6, "common failure"},
	}
}

// shipped makes the releases.
func (s *seeder) shipped(out *seeds) {
	first := func(n int) string { return strings.Join(out.Places[:min(n, len(out.Places))], ", ") }
	s.apply(fmt.Sprintf(uiPolicy, "shop", `suite == "smoke"`, first(3)))
	s.apply(fmt.Sprintf(uiPolicy, "platform", `suite in ["smoke", "api"]`, first(6)))
	for _, r := range uiReleases() {
		name := &apiv1.ReleaseName{Application: r.application, Version: r.version}
		commit := fmt.Sprintf("%x", sha256.Sum256([]byte(r.version)))[:40]
		_, err := s.releases.CreateRelease(s.tb.Context(), &apiv1.CreateReleaseRequest{Application: r.application, Version: r.version, Commit: commit})
		ok(s.tb, err)
		for i, flow := range out.Flows {
			_, kind, _ := strings.Cut(flow, "-")
			for _, k := range r.kinds {
				if k != kind {
					continue
				}
				end := "passed"
				if i%9 == 0 {
					end = r.ends
				}
				s.run(flow, i, end, testsOf(i), commit, name, out.Places[:min(r.places, len(out.Places))]...)
			}
		}
	}
}

// known looks up what pages are asked for by names that the program has given.
func (s *seeder) known(out *seeds) {
	of := func(id string) *apiv1.TestResult {
		list, err := s.executions.ListTestResults(s.tb.Context(), &apiv1.ListTestResultsRequest{ExecutionId: id, Outcomes: []string{"failed"}})
		ok(s.tb, err)
		if len(list.GetResults()) == 0 {
			s.tb.Fatalf("no test of %s has failed", id)
		}
		return list.GetResults()[0]
	}
	out.Test, out.Alike = of(out.Failed).GetKey(), of(out.Big).GetFingerprint()
}

func (s *seeder) apply(source string) {
	s.tb.Helper()
	_, err := s.workflows.ApplyWorkflow(s.tb.Context(), &apiv1.ApplyWorkflowRequest{Source: source})
	ok(s.tb, err)
}

// enroll makes a cluster with an environment, which it returns.
func (s *seeder) enroll(name string) (environment string) {
	s.tb.Helper()
	environment = "staging-" + name
	res, err := s.clusters.EnrollCluster(s.tb.Context(), &apiv1.EnrollClusterRequest{Name: name, Namespace: "shop", Environment: environment})
	ok(s.tb, err)
	m, err := s.store.MembersByEmail(s.tb.Context(), uiEmail)
	ok(s.tb, err)
	id := uuid.MustParse(res.GetCluster().GetId())
	s.agents[environment] = tenant.WithViewer(s.tb.Context(), tenant.Viewer{Kind: tenant.KindAgent, Organization: m[0].Organization, Cluster: id, Subject: id})
	return environment
}

func (s *seeder) begin(flow, commit string, of *apiv1.ReleaseName, places ...string) *apiv1.Execution {
	s.tb.Helper()
	res, err := s.executions.RunWorkflow(s.tb.Context(), &apiv1.RunWorkflowRequest{Workflow: flow, Environments: places, Commit: commit, Release: of})
	ok(s.tb, err)
	return res.GetExecution()
}

// run starts a workflow and has it end.
func (s *seeder) run(flow string, n int, end string, tests int, commit string, of *apiv1.ReleaseName, places ...string) (id string) {
	s.tb.Helper()
	e := s.begin(flow, commit, of, places...)
	for _, r := range e.GetRuns() {
		began := time.Now()
		s.report(r, execution.Running, nil, began)
		s.log(r, fmt.Sprintf(strings.Repeat("tests/test_%[1]s.py::test_item[%[2]d] \x1b[32mPASSED\x1b[0m\n", 60), flow, n))
		code, status := 0, execution.Passed
		switch {
		case end == "timed out":
			code, status = 124, execution.TimedOut
		default:
			s.file(r, junitOf(flow, n, end, tests))
			if strings.Contains(end, "failure") {
				code, status = 1, execution.Failed
			}
		}
		s.report(r, status, &code, began)
	}
	return e.GetId()
}

func (s *seeder) report(r *apiv1.Run, status execution.Status, code *int, began time.Time) {
	s.tb.Helper()
	now := time.Now()
	step := execution.Step{Name: "test", Status: status, ExitCode: code, StartedAt: began}
	out := execution.Report{
		Attempt: uuid.MustParse(r.GetAttempts()[0].GetId()), Status: status, Node: "node-1", Pod: "seatrial-test", StartedAt: began, ObservedAt: now, FromRunner: true,
	}
	if status.Terminal() {
		step.FinishedAt, out.FinishedAt, out.Delivered = began.Add(4*time.Minute), began.Add(4*time.Minute+3*time.Second), true
	}
	out.Steps = []execution.Step{step}
	_, err := s.intake.Report(s.agents[r.GetEnvironment()], out)
	ok(s.tb, err)
}

func (s *seeder) log(r *apiv1.Run, text string) {
	s.tb.Helper()
	pack, err := zstd.NewWriter(nil)
	ok(s.tb, err)
	sum := crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli))
	lines := strings.Count(text, "\n")
	states, err := s.intake.Append(s.agents[r.GetEnvironment()], []execution.Chunk{{
		Attempt: uuid.MustParse(r.GetAttempts()[0].GetId()), Stream: execution.Stream(0), RawLen: len(text), Lines: lines, Data: pack.EncodeAll([]byte(text), nil), CRC: sum,
		FirstTime: time.Now(), LastTime: time.Now(), Final: &execution.Totals{Bytes: int64(len(text)), Lines: int64(lines), CRC: sum},
	}})
	ok(s.tb, err)
	if states[0].Refused != "" {
		s.tb.Fatal(states[0].Refused)
	}
}

func (s *seeder) file(r *apiv1.Run, text []byte) {
	s.tb.Helper()
	sum := sha256.Sum256(text)
	ok(s.tb, s.intake.File(s.agents[r.GetEnvironment()], execution.File{
		Attempt: uuid.MustParse(r.GetAttempts()[0].GetId()), Kind: execution.FileReport, Path: "out/junit.xml", Size: int64(len(text)),
		SHA256: hex.EncodeToString(sum[:]), ContentType: "application/xml", Format: "junit",
	}, bytes.NewReader(text)))
}

// junitOf is a report whose tests end as is asked. A failure of its own is of one test; a common one is of three, with a message that is the
// same whatever failed.
func junitOf(flow string, n int, end string, tests int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<testsuites><testsuite name="%s" tests="%d">`, flow, tests)
	for i := range tests {
		fmt.Fprintf(&b, `<testcase classname="tests.test_%s.TestItems" name="test_item_%d_is_as_it_was_asked_for" time="0.%02d">`, strings.ReplaceAll(flow, "-", "_"), i, i%90+1)
		switch {
		case end == "own failure" && i == n%tests:
			fmt.Fprintf(&b, `<failure message="assert the %s answers with status 200: it was 503">tests/test_%s.py:%d: AssertionError</failure>`, flow, flow, i+20)
		case end == "common failure" && i < 3:
			b.WriteString(`<failure message="connection refused by ledger.shop.svc:5432">tests/conftest.py:31: ConnectionRefusedError</failure>`)
		case end == "flaky" && i == (n+1)%tests:
			b.WriteString(`<flakyFailure message="timed out after 30 s">tests/conftest.py:12: TimeoutError</flakyFailure>`)
		}
		b.WriteString("</testcase>")
	}
	b.WriteString("</testsuite></testsuites>")
	return b.Bytes()
}
