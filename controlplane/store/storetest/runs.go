package storetest

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/workflow/expand"
)

// several stores an execution of three runs that go to two clusters in turn: the first and the third to the fixture's.
func (f *fixture) several(t *testing.T, change func(*execution.New)) (n execution.New, other cluster.Cluster) {
	t.Helper()
	other, env := f.enroll(t, "lighthouse", "canary")
	n = f.request(t, "")
	first := n.Runs[0]
	n.Runs = nil
	browsers := []string{"firefox", "chromium", "webkit"}
	for i, browser := range browsers {
		r := first
		r.ID, r.AttemptID, r.Name = id(t), id(t), "browser="+browser
		r.Matrix, r.Shard, r.Shards = map[string]string{"browser": browser}, i+1, len(browsers)
		if i%2 == 1 {
			r.Environment = env
		}
		n.Runs = append(n.Runs, r)
	}
	if change != nil {
		change(&n)
	}
	if _, _, err := f.CreateExecution(f.as(t), n); err != nil {
		t.Fatal(err)
	}
	return n, other
}

// loads holds what is known of how much clusters have to do.
func (f *fixture) loads(t *testing.T) {
	t.Helper()
	n, other := f.several(t, nil)
	ids := []cluster.ID{f.cluster.ID, other.ID}
	want := map[cluster.ID]cluster.Load{f.cluster.ID: {Away: true, Active: 2}, other.ID: {Away: true, Active: 1}}
	if got, err := f.Loads(f.as(t), ids); err != nil || !maps.Equal(got, want) {
		t.Errorf("loads %+v, %v; want %+v", got, err, want)
	}
	f.begun(t)
	f.report(t, execution.Report{Attempt: n.Runs[0].AttemptID, Status: execution.Passed, Delivered: true})
	if got, err := f.Loads(f.as(t), ids); err != nil || got[f.cluster.ID].Active != 1 {
		t.Errorf("once one has ended: %+v, %v", got, err)
	}
	if got, err := f.Loads(foreigner(t), ids); err != nil || len(got) != 0 {
		t.Errorf("a stranger is told %+v, %v", got, err)
	}
}

// thousand stores an execution of as many runs as there may be, ten of them under way at once.
func (f *fixture) thousand(t *testing.T) execution.New {
	t.Helper()
	n := f.request(t, "")
	n.MaxParallel, n.FailFast = 10, true
	first := n.Runs[0]
	n.Runs = make([]execution.NewRun, expand.MaxRuns)
	for i := range n.Runs {
		n.Runs[i] = first
		n.Runs[i].ID, n.Runs[i].AttemptID, n.Runs[i].Name = id(t), id(t), fmt.Sprintf("part=%d", i)
	}
	if _, _, err := f.CreateExecution(f.as(t), n); err != nil {
		t.Fatal(err)
	}
	return n
}

// commandsOf returns what an agent gets, which is the kind and the run of each command.
func (f *fixture) commandsOf(t *testing.T, n execution.New, c cluster.Cluster) []string {
	t.Helper()
	ctx := f.agent(t, c)
	epoch, err := f.OpenSession(ctx, cluster.Hello{Gateway: "g"})
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.TakeCommands(ctx, epoch, 100, time.Hour, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, cmd := range list {
		for _, r := range n.Runs {
			if r.AttemptID == cmd.Attempt {
				out = append(out, string(cmd.Kind)+" "+r.Name)
			}
		}
		if _, err := f.AckCommand(ctx, cmd.ID, cluster.Done, ""); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// ended reports the end of a run and returns whose agents are to be woken.
func (f *fixture) ended(t *testing.T, r execution.NewRun, c cluster.Cluster, status execution.Status) []cluster.ID {
	t.Helper()
	saved, err := f.SaveReport(f.agent(t, c), execution.Report{Attempt: r.AttemptID, Status: status, Message: "why it " + string(status)})
	if err != nil {
		t.Fatal(err)
	}
	return saved.Wake
}

func statuses(e execution.Execution) string {
	all := make([]string, len(e.Runs))
	for i, r := range e.Runs {
		all[i] = string(r.Status)
	}
	return strings.Join(all, " ")
}

func runs() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"Loads": func(t *testing.T, f *fixture) { f.loads(t) },
		"KeepWhatSetsThemApart": func(t *testing.T, f *fixture) {
			n, _ := f.several(t, nil)
			e := f.execution(t, n.Execution.ID)
			want := []execution.Run{
				{Name: "browser=firefox", Matrix: map[string]string{"browser": "firefox"}, Shard: 1, Shards: 3, Environment: "staging", Cluster: "harbour"},
				{Name: "browser=chromium", Matrix: map[string]string{"browser": "chromium"}, Shard: 2, Shards: 3, Environment: "canary", Cluster: "lighthouse"},
				{Name: "browser=webkit", Matrix: map[string]string{"browser": "webkit"}, Shard: 3, Shards: 3, Environment: "staging", Cluster: "harbour"},
			}
			if d := cmp.Diff(want, e.Runs, cmpopts.IgnoreFields(execution.Run{}, "ID", "Namespace", "Status", "Attempts")); d != "" {
				t.Errorf("runs (-want +got):\n%s", d)
			}
		},
		"ByPriorityThenAge": func(t *testing.T, f *fixture) {
			var want []execution.AttemptID
			for _, priority := range []int{50, 50, 90, 0} {
				n := f.request(t, "")
				n.Execution.Priority = priority
				f.enter(t, n)
				want = append(want, n.Runs[0].AttemptID)
				f.now = f.now.Add(time.Second)
			}
			f.now = f.now.Add(2 * time.Hour)
			late := f.request(t, "")
			late.Execution.Priority = 100
			f.enter(t, late)
			// The least of them is old enough by now not to be passed any more.
			f.starts(t, want[2], want[0], want[1], want[3], late.Runs[0].AttemptID)
		},
		"WorstCounts": func(t *testing.T, f *fixture) {
			n, other := f.several(t, nil)
			if got := f.commandsOf(t, n, f.cluster); len(got) != 2 {
				t.Fatalf("commands %v", got)
			}
			if got := f.commandsOf(t, n, other); len(got) != 1 {
				t.Fatalf("commands of the other cluster %v", got)
			}
			f.ended(t, n.Runs[0], f.cluster, execution.Passed)
			f.ended(t, n.Runs[1], other, execution.Failed)
			if e := f.execution(t, n.Execution.ID); e.Status != execution.Running {
				t.Errorf("%s while a run is live", e.Status)
			}
			f.ended(t, n.Runs[2], f.cluster, execution.TimedOut)
			e := f.execution(t, n.Execution.ID)
			if e.Status != execution.Failed || e.Message != "browser=chromium: why it failed" {
				t.Errorf("%s: %q; want the worst run to decide, by name", e.Status, e.Message)
			}
		},
		"MaxParallelLetsThemWait": func(t *testing.T, f *fixture) {
			n, other := f.several(t, func(n *execution.New) { n.MaxParallel = 1 })
			if got := f.commandsOf(t, n, other); got != nil {
				t.Fatalf("%v while another run is under way", got)
			}
			waiting := f.execution(t, n.Execution.ID).Runs[1].Attempts[0]
			if waiting.Status != execution.Queued || waiting.Reason != "MaxParallel" || !strings.Contains(waiting.Message, "maxParallel") {
				t.Errorf("a run that waits says %q: %q", waiting.Reason, waiting.Message)
			}
			if d := cmp.Diff([]string{"start browser=firefox"}, f.commandsOf(t, n, f.cluster)); d != "" {
				t.Fatal(d)
			}
			if wake := f.ended(t, n.Runs[0], f.cluster, execution.Failed); len(wake) != 1 || wake[0] != other.ID {
				t.Errorf("woken are %v, want the cluster of the run that is next", wake)
			}
			if d := cmp.Diff([]string{"start browser=chromium"}, f.commandsOf(t, n, other)); d != "" {
				t.Fatal(d)
			}
			if a := f.execution(t, n.Execution.ID).Runs[1].Attempts[0]; a.Reason != "" || a.Message != "" {
				t.Errorf("its turn has come, and it still says %q: %q", a.Reason, a.Message)
			}
			f.ended(t, n.Runs[1], other, execution.Passed)
			if d := cmp.Diff([]string{"start browser=webkit"}, f.commandsOf(t, n, f.cluster)); d != "" {
				t.Fatal(d)
			}
			f.ended(t, n.Runs[2], f.cluster, execution.Passed)
			if e := f.execution(t, n.Execution.ID); e.Status != execution.Failed {
				t.Errorf("status %s", e.Status)
			}
		},
		"FailFastEndsTheOthers": func(t *testing.T, f *fixture) {
			n, other := f.several(t, func(n *execution.New) { n.MaxParallel, n.FailFast = 2, true })
			f.commandsOf(t, n, f.cluster)
			f.commandsOf(t, n, other)
			if wake := f.ended(t, n.Runs[0], f.cluster, execution.Failed); len(wake) != 1 || wake[0] != other.ID {
				t.Errorf("woken are %v, want the cluster of the run that is under way", wake)
			}
			if d := cmp.Diff([]string{"cancel browser=chromium"}, f.commandsOf(t, n, other)); d != "" {
				t.Error(d)
			}
			e := f.execution(t, n.Execution.ID)
			if a := e.Runs[2].Attempts[0]; a.Status != execution.Cancelled || a.Reason != "FailFast" || !strings.Contains(a.Message, "browser=firefox") {
				t.Errorf("the run that waited ended as %s: %s %q", a.Status, a.Reason, a.Message)
			}
			f.ended(t, n.Runs[1], other, execution.Cancelled)
			if e := f.execution(t, n.Execution.ID); e.Status != execution.Failed || statuses(e) != "failed cancelled cancelled" {
				t.Errorf("%s with the runs %s", e.Status, statuses(e))
			}
		},
		"AThousandEndTogether": func(t *testing.T, f *fixture) {
			n := f.thousand(t)
			f.commandsOf(t, n, f.cluster)
			if wake := f.ended(t, n.Runs[0], f.cluster, execution.Failed); len(wake) != 1 {
				t.Errorf("woken are %v: the others under way are to be cancelled", wake)
			}
			if wake := f.ended(t, n.Runs[1], f.cluster, execution.Cancelled); wake != nil {
				t.Errorf("woken are %v again: they were asked already", wake)
			}
			if got := f.commandsOf(t, n, f.cluster); len(got) != 9 {
				t.Errorf("%d commands, want one cancel for each run that was under way: %v", len(got), got)
			}
			for _, r := range n.Runs[2:10] {
				f.ended(t, r, f.cluster, execution.Cancelled)
			}
			e := f.execution(t, n.Execution.ID)
			if e.Status != execution.Failed || strings.Count(statuses(e), "cancelled") != len(n.Runs)-1 {
				t.Errorf("%s, %d of the others cancelled", e.Status, strings.Count(statuses(e), "cancelled"))
			}
			if a := e.Runs[999].Attempts[0]; a.Reason != "FailFast" || a.Steps[0].Status != execution.Skipped || a.Steps[1].Status != execution.Skipped {
				t.Errorf("the last one: %+v", a)
			}
			if list, _, err := f.Executions(f.as(t), "", "", 50, ""); err != nil || len(list) != 1 {
				t.Errorf("the list: %d, %v", len(list), err)
			}
		},
		"CancelEndsThoseThatWait": func(t *testing.T, f *fixture) {
			n, _ := f.several(t, func(n *execution.New) { n.MaxParallel = 1 })
			f.commandsOf(t, n, f.cluster)
			effects, err := f.CancelExecution(f.as(t), n.Execution.ID, "stop")
			if wake := effects.Wake; err != nil || len(wake) != 1 || wake[0] != f.cluster.ID {
				t.Errorf("woken are %v, %v; want the one whose run is under way", wake, err)
			}
			f.ended(t, n.Runs[0], f.cluster, execution.Cancelled)
			if e := f.execution(t, n.Execution.ID); e.Status != execution.Cancelled || statuses(e) != "cancelled cancelled cancelled" {
				t.Errorf("%s with the runs %s: none may start after the cancel", e.Status, statuses(e))
			}
		},
	}
}
