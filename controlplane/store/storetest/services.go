package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
)

// served stores an execution with a service whose log is kept, and one that is given a secret.
func (f *fixture) served(t *testing.T) accepted {
	t.Helper()
	n := f.request(t, "")
	n.Runs[0].Services = []execution.Service{{Name: "web"}, {Name: "db", LogWithheld: true}}
	if _, _, err := f.CreateExecution(f.as(t), n); err != nil {
		t.Fatal(err)
	}
	for _, c := range f.take(t) {
		if _, err := f.AckCommand(f.agent(t, f.cluster), c.ID, cluster.Done, ""); err != nil {
			t.Fatal(err)
		}
	}
	return accepted{n, n.Runs[0]}
}

func ofService(n accepted, name string, start int64, text string, lines int, last time.Time) execution.Chunk {
	c := chunk(n, start, text, 0, lines)
	c.Stream, c.LastTime, c.ViaKubeAPI = execution.ServiceStream(name), last, true
	return c
}

// services returns the services of an execution's only attempt.
func (f *fixture) services(t *testing.T, id execution.ID) []execution.Service {
	t.Helper()
	return attemptOf(t, f.execution(t, id)).Services
}

func beside() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"WaitInOrder": func(t *testing.T, f *fixture) {
			n := f.served(t)
			got := f.services(t, n.Execution.ID)
			if len(got) != 2 || got[0].Name != "web" || got[0].Status != execution.ServiceWaiting || got[0].LogWithheld || !got[1].LogWithheld {
				t.Errorf("services %+v", got)
			}
		},
		"NewestReportIsRight": func(t *testing.T, f *fixture) {
			n := f.served(t)
			code, start := 3, f.now.Add(time.Second)
			for _, s := range []execution.Service{
				{Name: "web", Status: execution.ServiceReady, StartedAt: f.now},
				{Name: "web", Status: execution.ServiceStarting, Message: "Ended with exit code 3", ExitCode: &code, StartedAt: f.now, FinishedAt: start},
				{Name: "web", Status: execution.ServiceReady, ExitCode: &code, Restarts: 1, StartedAt: start},
				{Name: "strange", Status: execution.ServiceReady},
			} {
				f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Running, Services: []execution.Service{s}})
			}
			got := f.services(t, n.Execution.ID)
			web := got[0]
			if len(got) != 2 || web.Status != execution.ServiceReady || web.Message != "" || web.Restarts != 1 || *web.ExitCode != 3 ||
				!web.StartedAt.Equal(start) || !web.FinishedAt.IsZero() {
				t.Errorf("services %+v", got)
			}
		},
		"EndedStays": func(t *testing.T, f *fixture) {
			n := f.served(t)
			for _, status := range []execution.ServiceStatus{execution.ServiceFailed, execution.ServiceReady} {
				f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Pending, Services: []execution.Service{{Name: "web", Status: status}}})
			}
			if got := f.services(t, n.Execution.ID)[0]; got.Status != execution.ServiceFailed {
				t.Errorf("an old snapshot came late: %+v", got)
			}
		},
		"LogHasACursor": func(t *testing.T, f *fixture) {
			n := f.served(t)
			last := f.now.Add(123456 * time.Microsecond)
			gap := ofService(n, "web", 8, "", 0, time.Time{})
			gap.Data, gap.Gap, gap.FirstTime = nil, 5, time.Time{}
			f.add(t, ofService(n, "web", 0, "one\n", 1, f.now), ofService(n, "web", 4, "two\n", 1, last), gap)
			states, err := f.Streams(f.agent(t, f.cluster), n.AttemptID)
			if err != nil || len(states) != 1 || states[0].Stream != "service/web" || states[0].Committed != 13 {
				t.Fatalf("streams %+v, %v", states, err)
			}
			if c := states[0].Cursor; !c.LastTime.Equal(last) || c.Lines != 2 || c.GapBytes != 5 {
				t.Errorf("whoever goes on begins at %+v", c)
			}
			list, _, err := f.Chunks(f.as(t), n.AttemptID, "service/web", 0, 1<<20)
			if err != nil || len(list) != 3 || string(list[1].Data) != "two\n" {
				t.Errorf("chunks %+v, %v", list, err)
			}
			if log := f.services(t, n.Execution.ID)[0].Log; log.Bytes != 13 || log.Lines != 2 || log.GapBytes != 5 || !log.ViaKubeAPI || log.Complete {
				t.Errorf("log %+v", log)
			}
			end := ofService(n, "web", 13, "", 0, time.Time{})
			end.Data, end.Final = nil, &execution.Totals{Bytes: 13, Lines: 2, GapBytes: 5}
			f.add(t, end)
			if log := f.services(t, n.Execution.ID)[0].Log; !log.Complete {
				t.Errorf("log %+v", log)
			}
		},
		"SecretsStay": func(t *testing.T, f *fixture) {
			n := f.served(t)
			_, err := f.AppendChunks(f.agent(t, f.cluster), []execution.Chunk{ofService(n, "db", 0, "hunter2\n", 1, f.now)})
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("the log of a service with a secret was taken: %v", err)
			}
		},
		"NoSuchLog": func(t *testing.T, f *fixture) {
			n := f.served(t)
			for _, name := range []string{"service/other", "service/", "step/9"} {
				if _, _, err := f.Chunks(f.as(t), n.AttemptID, name, 0, 1); !fault.Is(err, fault.NotFound) {
					t.Errorf("%s: %v", name, err)
				}
			}
			for _, who := range []struct {
				name string
				call func() error
			}{
				{"Chunks", func() error { _, _, err := f.Chunks(foreigner(t), n.AttemptID, "service/web", 0, 1); return err }},
				{"Attempt", func() error { _, _, err := f.Attempt(f.as(t), uuid.New()); return err }},
			} {
				if err := who.call(); !fault.Is(err, fault.NotFound) {
					t.Errorf("%s: %v", who.name, err)
				}
			}
		},
		"GivenUp": func(t *testing.T, f *fixture) {
			n := f.served(t)
			f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Running, Services: []execution.Service{{Name: "web", Status: execution.ServiceReady}}})
			f.now = f.now.Add(cluster.GiveUpAfter + time.Hour)
			if _, err := f.CancelExecution(f.as(t), n.Execution.ID, "enough"); err != nil {
				t.Fatal(err)
			}
			got := f.services(t, n.Execution.ID)
			if i := slices.IndexFunc(got, func(s execution.Service) bool { return s.Status == execution.ServiceReady }); i >= 0 {
				t.Errorf("%s is said to be ready in an attempt of which nothing will be heard", got[i].Name)
			}
		},
	}
}
