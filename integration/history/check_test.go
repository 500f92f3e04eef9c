package history_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/seatrial/seatrial/integration/history"
)

func at(seconds int) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}

// good is a history that keeps every promise: one execution is run and one is cancelled.
func good() []history.Event {
	list := []history.Event{
		{Kind: history.Gauge, Name: "goroutines", Phase: history.PhaseBaseline, Value: 10},
		{Kind: history.Canary, Tenant: "a", Data: []byte("canary-a")},
		{Kind: history.Opened, Cluster: "c", Epoch: 1},
		{Kind: history.Accepted, Tenant: "a", Execution: "e1", Key: "k1"},
		{Kind: history.Accepted, Tenant: "a", Execution: "e1", Key: "k1"},
		{Kind: history.Accepted, Tenant: "a", Execution: "e2", Key: "k2"},
		{Kind: history.Acted, Cluster: "c", Epoch: 1, Since: at(6), Name: "take commands"},
		{Kind: history.Created, Attempt: "t1", Object: "job1"},
		{Kind: history.Began, Execution: "e1", Attempt: "t1", Object: "pod1"},
		{Kind: history.Wrote, Attempt: "t1", Stream: "step/0", Offset: 0, Bytes: 6, Data: []byte("first\n")},
		{Kind: history.Read, Viewer: "v", Attempt: "t1", Stream: "step/0", Offset: 0, Bytes: 6, Data: []byte("first\n")},
		{Kind: history.Sent, Tenant: "a", Data: []byte("canary-a in a log")},
		{Kind: history.Committed, Attempt: "t1", Stream: "step/0", Offset: 6},
		{Kind: history.Wrote, Attempt: "t1", Stream: "step/0", Offset: 6, Bytes: 7, Data: []byte("second\n")},
		{Kind: history.Seen, Execution: "e1", Status: "running"},
		{Kind: history.CancelAccepted, Execution: "e2"},
		{Kind: history.Seen, Execution: "e2", Status: "cancelled", Terminal: true, Reason: "Cancelled"},
		{Kind: history.Ended, Attempt: "t1", Object: "pod1"},
		{Kind: history.Reported, Attempt: "t1", Status: "passed", Terminal: true},
		{Kind: history.Read, Viewer: "v", Attempt: "t1", Stream: "step/0", Offset: 6, Bytes: 7, Data: []byte("second\n")},
		{Kind: history.Read, Viewer: "w", Attempt: "t1", Stream: "step/0", Offset: 0, Bytes: 13, Data: []byte("first\nsecond\n")},
		{Kind: history.Totals, Attempt: "t1", Stream: "step/0", Offset: 13, Complete: true},
		{Kind: history.Seen, Execution: "e1", Status: "passed", Terminal: true},
		{Kind: history.Seen, Execution: "e1", Attempt: "t1", Status: "passed", Terminal: true},
		{Kind: history.Healed},
		{Kind: history.Settled},
		{Kind: history.Gauge, Name: "goroutines", Phase: history.PhaseDrained, Value: 10},
	}
	for i := range list {
		list[i].At = at(i)
	}
	return list
}

// without drops events; with adds some at the end, a second after each other.
func without(drop func(history.Event) bool) []history.Event { return slices.DeleteFunc(good(), drop) }

func with(more ...history.Event) []history.Event {
	list := good()
	for _, e := range more {
		if e.At.IsZero() {
			e.At = list[len(list)-1].At.Add(time.Second)
		}
		list = append(list, e)
	}
	return list
}

// changed returns the good history after a change of the events that match.
func changed(match func(history.Event) bool, change func(*history.Event)) []history.Event {
	list := good()
	for i := range list {
		if match(list[i]) {
			change(&list[i])
		}
	}
	return list
}

func kind(k history.Kind) func(history.Event) bool {
	return func(e history.Event) bool { return e.Kind == k }
}

func limits() history.Limits { return history.Limits{Cancel: time.Minute, Recover: 5 * time.Minute} }

func TestCheck_Good(t *testing.T) {
	t.Parallel()
	if v := history.Check(good(), limits()); len(v) > 0 {
		t.Errorf("a history that keeps every promise: %v", v)
	}
}

func TestCheck_Violated(t *testing.T) {
	t.Parallel()
	lastRead := func(e history.Event) bool { return e.Kind == history.Read && e.Viewer == "v" && e.Offset > 0 }
	for reason, tc := range map[string]struct {
		invariant history.Invariant
		events    []history.Event
	}{
		"two Jobs for an attempt":                             {history.I1, with(history.Event{Kind: history.Created, Attempt: "t1", Object: "job2"})},
		"two Jobs, one taken away after it had been heard of": {history.I1, again(history.Event{Kind: history.Reported, Attempt: "t1", Status: "pending"})},
		"three Jobs, one taken away unheard":                  {history.I1, again(history.Event{Kind: history.Created, Attempt: "t1", Object: "job0"})},
		"the process ran twice":                               {history.I1, with(history.Event{Kind: history.Began, Attempt: "t1", Object: "pod2"})},
		"passed without having run":                           {history.I1, without(kind(history.Began))},
		"one key, two executions":                             {history.I2, with(history.Event{Kind: history.Accepted, Tenant: "a", Execution: "e3", Key: "k1"}, history.Event{Kind: history.Seen, Execution: "e3", Status: "passed", Terminal: true})},
		"an end that changed":                                 {history.I2, with(history.Event{Kind: history.Seen, Execution: "e1", Status: "failed", Terminal: true})},
		"an end that was taken back":                          {history.I2, with(history.Event{Kind: history.Seen, Execution: "e1", Status: "running"})},
		"an end without a reason":                             {history.I2, changed(func(e history.Event) bool { return e.Status == "cancelled" }, func(e *history.Event) { e.Reason = "" })},
		"nobody took its pod away":                            {history.I2, with(history.Event{Kind: history.Seen, Execution: "e2", Attempt: "t2", Status: "errored", Terminal: true, Reason: "JobDeleted"})},
		"no end at all": {history.I2, without(func(e history.Event) bool {
			return e.Kind == history.Seen && e.Execution == "e1" && e.Terminal && e.Attempt == ""
		})},
		"a byte is another":        {history.I3, changed(lastRead, func(e *history.Event) { e.Data = []byte("secOnd\n") })},
		"bytes came twice":         {history.I3, with(history.Event{Kind: history.Read, Viewer: "v", Attempt: "t1", Stream: "step/0", Offset: 6, Bytes: 7, Data: []byte("second\n")})},
		"bytes are left out":       {history.I3, changed(lastRead, func(e *history.Event) { e.Offset, e.Bytes, e.Data = 8, 5, []byte("cond\n") })},
		"more than was written":    {history.I3, with(history.Event{Kind: history.Read, Viewer: "w", Attempt: "t1", Stream: "step/0", Offset: 13, Bytes: 2, Data: []byte("!\n")})},
		"complete and too short":   {history.I3, changed(kind(history.Totals), func(e *history.Event) { e.Offset = 6 })},
		"incomplete for no reason": {history.I3, changed(kind(history.Totals), func(e *history.Event) { e.Complete = false })},
		"nothing stored":           {history.I3, slices.DeleteFunc(with(history.Event{Kind: history.Wrote, Attempt: "t1", Stream: "step/1", Bytes: 3, Data: []byte("ab\n")}), kind(history.Read))},
		"another sum":              {history.I3, sums(7)},
		"a trigger was forgotten": {history.I4, without(func(e history.Event) bool {
			return e.Kind == history.Seen && e.Execution == "e2" || e.Kind == history.Healed
		})},
		"an acknowledged end is undone": {history.I4, changed(func(e history.Event) bool { return e.Kind == history.Seen && e.Attempt == "t1" }, func(e *history.Event) {
			e.Status, e.Terminal = "running", false
		})},
		"acknowledged bytes are gone":  {history.I4, with(history.Event{Kind: history.Committed, Attempt: "t1", Stream: "step/0", Offset: 20})},
		"an old session got commands":  {history.I5, with(history.Event{Kind: history.Opened, Cluster: "c", Epoch: 2}, history.Event{Kind: history.Acted, Cluster: "c", Epoch: 1, Since: at(100), At: at(101)})},
		"two sessions with one epoch":  {history.I5, with(history.Event{Kind: history.Opened, Cluster: "c", Epoch: 1})},
		"a cancelled process lives on": {history.I6, slices.DeleteFunc(with(history.Event{Kind: history.CancelAccepted, Execution: "e1"}, history.Event{Kind: history.Fault, At: at(200)}), kind(history.Ended))},
		"it ended much too late": {history.I6, changedLast(with(history.Event{Kind: history.CancelAccepted, Execution: "e1", At: at(1)}), func(e history.Event) bool { return e.Kind == history.Ended }, func(e *history.Event) {
			e.At = at(500)
		})},
		"a secret of another tenant": {history.I7, with(history.Event{Kind: history.Sent, Tenant: "b", Data: []byte("there is canary-a in it")})},
		"more than is allowed":       {history.I8, with(history.Event{Kind: history.Gauge, Name: "spool", Phase: history.PhasePeak, Value: 11, Limit: 10})},
		"more than before":           {history.I8, changed(func(e history.Event) bool { return e.Phase == history.PhaseDrained }, func(e *history.Event) { e.Value = 11 })},
		"never settled":              {history.I9, slices.DeleteFunc(with(history.Event{Kind: history.Fault, At: at(1000)}), kind(history.Settled))},
		"settled too late":           {history.I9, changed(kind(history.Settled), func(e *history.Event) { e.At = at(1000) })},
		"an orphan":                  {history.I10, with(history.Event{Kind: history.Left, Name: "jobs", Object: "tests/t-1"})},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			got := history.Check(tc.events, limits())
			if !slices.ContainsFunc(got, func(v history.Violation) bool { return v.Invariant == tc.invariant }) {
				t.Errorf("%s is not found: %v", tc.invariant, got)
			}
			for _, v := range got {
				if v.Invariant != tc.invariant {
					t.Errorf("it breaks %s as well: %s", v.Invariant, v)
				}
			}
		})
	}
}

func changedLast(list []history.Event, match func(history.Event) bool, change func(*history.Event)) []history.Event {
	for i := len(list) - 1; i >= 0; i-- {
		if match(list[i]) {
			change(&list[i])
			return list
		}
	}
	return list
}

// sums is the good history with checksums in the place of bytes, of which the one that is read is given.
func sums(read uint32) []history.Event {
	return changed(func(e history.Event) bool { return e.Kind == history.Wrote || e.Kind == history.Read }, func(e *history.Event) {
		e.Data, e.Sum = nil, uint32(e.Offset+e.Bytes)
		if e.Kind == history.Read && e.Viewer == "w" {
			e.Sum = read
		}
	})
}

// again is the good history of a Job of which nobody had heard when it was taken away, with one more thing between.
func again(more ...history.Event) []history.Event {
	list := good()
	i := slices.IndexFunc(list, kind(history.Began))
	between := append(slices.Clone(more), history.Event{Kind: history.Began, Execution: "e1", Attempt: "t1", Object: "pod0"},
		history.Event{Kind: history.Taken, Attempt: "t1"}, history.Event{Kind: history.Created, Attempt: "t1", Object: "job2"})
	for j := range between {
		between[j].At = list[i-1].At
	}
	return slices.Insert(list, i, between...)
}

func TestCheck_Allowed(t *testing.T) {
	t.Parallel()
	incomplete := changed(kind(history.Totals), func(e *history.Event) { e.Complete, e.Offset = false, 13 })
	for reason, events := range map[string][]history.Event{
		"a pod that was taken away may leave an incomplete log":            append(incomplete, history.Event{Kind: history.Taken, Attempt: "t1", At: at(30)}),
		"a Job that is taken away before anybody heard of it is made anew": again(),
		"checksums are as good as bytes":                                   sums(13),
		"a gap is stated with its size": changed(func(e history.Event) bool { return e.Kind == history.Read && e.Viewer == "w" }, func(e *history.Event) {
			e.Gap, e.Data = 6, []byte("second\n")
		}),
		"what began before the newer session was opened may come to its end": with(
			history.Event{Kind: history.Opened, Cluster: "c", Epoch: 2, At: at(50)},
			history.Event{Kind: history.Acted, Cluster: "c", Epoch: 1, Since: at(50), At: at(51)},
		),
		"while faults go on nothing has to settle": without(func(e history.Event) bool { return e.Kind == history.Healed || e.Kind == history.Settled }),
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			if v := history.Check(events, limits()); len(v) > 0 {
				t.Error(v)
			}
		})
	}
}

func TestRecorder(t *testing.T) {
	t.Parallel()
	var r history.Recorder
	for _, e := range good() {
		r.Add(e)
	}
	r.Add(history.Event{Kind: history.Fault, Name: "now"})
	var file bytes.Buffer
	if err := history.Write(&file, r.Events()); err != nil {
		t.Fatal(err)
	}
	list, err := history.Load(&file)
	if err != nil || len(list) != len(good())+1 {
		t.Fatalf("%d events, %v", len(list), err)
	}
	if v := history.Check(list, history.Limits{}); len(v) > 0 {
		t.Errorf("judged anew: %v", v)
	}
	if _, err := history.Load(bytes.NewBufferString("{")); err == nil {
		t.Error("half an event was read")
	}
}
