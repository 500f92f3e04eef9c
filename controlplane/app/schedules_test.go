package app_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/seatrial/seatrial/integration/harness"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

const everySecond = `apiVersion: seatrial.dev/v1
kind: Schedule
metadata: {name: restless}
spec: {cron: "* * * * * *", catchUp: all, workflows: [{name: checkout}]}
`

// replicas are programs on one database with the same keys.
type replicas struct {
	dir, dsn string
	started  int
	running  []*program
}

func (r *replicas) start(t *testing.T) {
	t.Helper()
	r.started++
	p := start(t, filepath.Join(r.dir, fmt.Sprint(r.started)), "--database", r.dsn, "--encryption-key-file", filepath.Join(r.dir, "1", "encryption.keys"))
	r.running = append(r.running, p)
}

func (r *replicas) stop(t *testing.T) {
	t.Helper()
	for _, p := range r.running {
		worked(t, p.stop())
	}
	r.running = nil
}

// TestSchedule_ThreeReplicas: three replicas fire every due time exactly once, also when one is replaced while it works and when all are
// away for a while.
func TestSchedule_ThreeReplicas(t *testing.T) {
	t.Parallel()
	r := &replicas{dir: t.TempDir(), dsn: harness.Postgres(t)}
	first := start(t, filepath.Join(r.dir, "1"), "--database", r.dsn)
	r.started, r.running = 1, []*program{first}
	token := first.token
	c := first.clients(token)
	_, err := c.clusters.EnrollCluster(t.Context(), &apiv1.EnrollClusterRequest{Name: "harbour", Namespace: "tests", Environment: "staging"})
	worked(t, err)
	r.start(t)
	r.start(t)
	for _, source := range []string{document, everySecond} {
		_, err := c.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: source})
		worked(t, err)
	}
	r.until(t, token, 3)
	worked(t, first.stop()) // one is replaced while the others go on
	r.running = r.running[1:]
	r.start(t)
	r.until(t, token, 6)
	r.stop(t) // and all of them
	for range 3 {
		r.start(t)
	}
	due := r.until(t, token, 12)

	schedules := apiv1connect.NewScheduleServiceClient(r.running[0].clients(token).http, r.running[0].url)
	_, err = schedules.SuspendSchedule(t.Context(), &apiv1.SuspendScheduleRequest{Name: "restless"})
	worked(t, err)
	due = r.until(t, token, due) // those that were on their way
	executions := map[string]int{}
	for after := ""; ; {
		list, err := r.running[0].clients(token).executions.ListExecutions(t.Context(), &apiv1.ListExecutionsRequest{PageSize: 500, PageToken: after})
		worked(t, err)
		for _, e := range list.GetExecutions() {
			executions[e.GetId()]++
		}
		if after = list.GetNextPageToken(); after == "" {
			break
		}
	}
	all, err := schedules.ListFirings(t.Context(), &apiv1.ListFiringsRequest{Name: "restless", PageSize: 1000})
	worked(t, err)
	seen := map[time.Time]bool{}
	var last time.Time
	for _, f := range all.GetFirings() {
		at := f.GetDue().AsTime()
		if seen[at] || f.GetState() != "started" || len(f.GetStarted()) != 1 || executions[f.GetStarted()[0].GetExecutionId()] != 1 {
			t.Errorf("at %s: %v", at, f)
		}
		if !last.IsZero() && last.Sub(at) != time.Second {
			t.Errorf("nothing between %s and %s", at, last)
		}
		seen[at], last = true, at
		for _, s := range f.GetStarted() {
			delete(executions, s.GetExecutionId())
		}
	}
	if len(seen) != due || len(executions) != 0 {
		t.Errorf("%d due times, %d firings, %d executions more than those", due, len(seen), len(executions))
	}
}

// until waits until so many due times have been dealt with and none is on its way, and returns how many there are.
func (r *replicas) until(t *testing.T, token string, n int) int {
	t.Helper()
	p := r.running[len(r.running)-1]
	schedules := apiv1connect.NewScheduleServiceClient(p.clients(token).http, p.url)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := schedules.ListFirings(t.Context(), &apiv1.ListFiringsRequest{Name: "restless", PageSize: 1000})
		worked(t, err)
		done, open := 0, 0
		for _, f := range list.GetFirings() {
			if f.GetState() == "claimed" {
				open++
			} else {
				done++
			}
		}
		if done >= n && open == 0 {
			return done
		}
		<-tick.C
	}
}
