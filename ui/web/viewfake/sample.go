package viewfake

import (
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ui/web/view"
)

// Now is the instant that the sample is seen at.
func Now() time.Time { return time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC) }

// ago returns an instant before Now.
func ago(d time.Duration) time.Time { return Now().Add(-d) }

// Sample returns an organization at work: every status, a live log, failures of several kinds.
func Sample() *World {
	w := New(Now)
	samplePeople(&w.people)
	sampleAccess(&w.access)
	w.record()
	w.Fleet = []cluster.Cluster{
		{
			ID: ID("eu-1"), Name: "eu-1", Enrolled: true, Connected: true, ConnectedAt: ago(26 * time.Hour), LastSeenAt: ago(4 * time.Second),
			AgentVersion: "0.1.0", KubernetesVersion: "v1.34.1", RunnerDelivery: "image-volume", Namespaces: []string{"seatrial-tests", "shop-tests"},
			CreatedAt: ago(30 * 24 * time.Hour), KeySince: ago(9 * 24 * time.Hour),
			Rules: []string{"images: registry.example/qa/*", "memory of a container: at most 4Gi"}, MaxRuns: 20, Busy: 20, Queued: 1340,
		},
		{
			ID: ID("ap-4"), Name: "ap-4", Enrolled: true, Connected: true, ConnectedAt: ago(90 * time.Hour), LastSeenAt: ago(2 * time.Second),
			AgentVersion: "0.1.0", KubernetesVersion: "v1.34.1", RunnerDelivery: "image-volume", Namespaces: []string{"seatrial-tests"},
			CreatedAt: ago(30 * 24 * time.Hour), KeySince: ago(9 * 24 * time.Hour), Busy: 3, Queued: 12,
			Drained: cluster.Drain{Since: ago(40 * time.Minute), By: "ada@example.test", Reason: "new nodes"},
		},
		{
			ID: ID("us-2"), Name: "us-2", Enrolled: true, ConnectedAt: ago(50 * time.Hour), LastSeenAt: ago(17 * time.Minute), AgentVersion: "0.1.0",
			KubernetesVersion: "v1.32.4", RunnerDelivery: "init-copy", Namespaces: []string{"seatrial-tests"}, CreatedAt: ago(20 * 24 * time.Hour),
		},
		{ID: ID("lab"), Name: "lab", Namespaces: []string{"seatrial-tests"}, CreatedAt: ago(12 * time.Minute)},
	}
	w.Places = []cluster.Environment{
		place("staging-eu", w.Fleet[0], "shop-tests"), place("staging-us", w.Fleet[2], "seatrial-tests"), place("lab", w.Fleet[3], "seatrial-tests"),
	}
	w.Workflows = sampleWorkflows()
	w.Templates = sampleTemplates()
	w.sampleExecutions()
	w.sampleReleases()
	w.sampleShared()
	w.sampleTests()
	w.sampleComparison()
	return w
}

func place(name string, c cluster.Cluster, namespace string) cluster.Environment {
	return cluster.Environment{ID: ID("env " + name), Name: name, ClusterID: c.ID, ClusterName: c.Name, Namespace: namespace}
}

const source = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata:
  name: checkout-api
  labels:
    app: shop
spec:
  # The suite talks to the shop of the namespace it runs in.
  params:
    base_url: {type: string, default: "http://shop.shop-tests.svc"}
    workers: {type: integer, default: 4}
  container:
    image: registry.example.com/shop/checkout-tests:1.8
  source:
    git: {url: https://git.example.com/shop/checkout.git, ref: main}
  steps:
    - name: install
      run: pip install --no-index -r requirements.txt
    - name: test
      run: pytest -n {{ params.workers }} --junitxml=out/junit.xml
  timeout: 15m
  reports:
    - junit: out/*.xml
  artifacts: [out/**]
`

func sampleWorkflows() []view.Workflow {
	record := func(name, team, text string, revision int, updated time.Time) workflow.Record {
		return workflow.Record{
			ID: ID("workflow " + name), Name: name, Team: team, Labels: map[string]string{"app": "shop", "tier": "api"}, Description: text,
			RevisionID: ID(name + " revision"), Revision: revision, Digest: Digest(name), Source: source, UpdatedAt: updated,
		}
	}
	return []view.Workflow{
		{Record: record("checkout-api", "payments", "Cart, discounts and payment against the running shop", 7, ago(3*time.Hour)), Params: []view.Param{
			{Name: "base_url", Type: "string", Default: "http://shop.shop-tests.svc", Description: "Where the shop answers"},
			{Name: "workers", Type: "integer", Default: "4"},
			{Name: "ratio", Type: "number", Default: "0.5", Description: "Share of requests that pay by card"},
			{Name: "currency", Type: "string", Required: true, Enum: []string{"EUR", "USD", "GBP"}},
			{Name: "slow", Type: "boolean", Default: "false", Description: "Run the slow tests too"},
		}},
		{Record: record("nightly-load", "platform", "", 2, ago(9*24*time.Hour))},
		{Record: record("shell-check", "platform", "Answers of the shop, checked from a shell", 1, ago(40*time.Minute))},
		{Record: upon(record("shop-browser", "frontend", "A person buys a boat, in a real browser", 12, ago(26*time.Hour)), "playwright")},
	}
}

// upon makes a workflow use templates.
func upon(r workflow.Record, templates ...string) workflow.Record {
	r.Uses = templates
	return r
}

// Digest returns something that looks like the digest of a document.
func Digest(name string) string {
	one, two := ID(name), ID("digest of "+name)
	const hex = "0123456789abcdef"
	var out []byte
	for _, b := range append(one[:], two[:]...) {
		out = append(out, hex[b>>4], hex[b&15])
	}
	return string(out)
}

func code(n int) *int { return &n }

// attempt makes an execution of one run with one attempt, which begins at an instant.
func attempt(name, flow string, s execution.Status, start time.Time, steps ...execution.Step) execution.Execution {
	e := execution.Execution{
		ID: ID("execution " + name), Workflow: flow, Revision: 7, Digest: Digest(flow), Status: s, Trigger: "api", Actor: "pipeline of shop",
		CreatedAt: start.Add(-4 * time.Second), StartedAt: start,
	}
	at := execution.Attempt{
		ID: ID("attempt " + name), Number: 1, Status: s, Node: "node-3", Pod: "st-" + name + "-1-x7k2p", StartedAt: start, Steps: steps,
	}
	if s.Terminal() {
		e.FinishedAt, at.Delivered = start, true
		for _, st := range steps {
			if st.FinishedAt.After(e.FinishedAt) {
				e.FinishedAt = st.FinishedAt
			}
		}
		at.FinishedAt = e.FinishedAt
	}
	e.Runs = []execution.Run{{ID: ID("run " + name), Environment: "staging-eu", Cluster: "eu-1", Namespace: "shop-tests", Status: s, Attempts: []execution.Attempt{at}}}
	return e
}

// step makes a step that begins after start and takes some time; a live one takes none yet.
func step(i int, name string, s execution.Status, start time.Time, took time.Duration, exit *int) execution.Step {
	st := execution.Step{Index: i, Name: name, Status: s, ExitCode: exit, StartedAt: start}
	if s.Terminal() {
		st.FinishedAt = start.Add(took)
	}
	if s == execution.Waiting || s == execution.Skipped {
		st.StartedAt, st.FinishedAt = time.Time{}, time.Time{}
	}
	return st
}
