package storetest

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/results"
)

func insights() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"Cases": func(t *testing.T, f *fixture) {
			n := f.assigned(t)
			file := execution.File{ID: uuid.New(), Attempt: n.AttemptID, Step: 1, Kind: execution.FileReport, Path: "junit.xml", SHA256: "aa", Grade: "consistent", Format: "junit", Blob: "b"}
			list := []execution.TestResult{
				{Key: "k", Suite: "cart", Name: "pays", Outcome: "failed", Fingerprint: "fp1:1", Message: "no", Variant: "chromium", Duration: time.Second, Earlier: []string{"passed"}},
				{Key: "other", Name: "adds", Outcome: "passed"},
			}
			for i := range 21_000 { // more than a page
				list = append(list, execution.TestResult{Key: uuid.NewString(), Name: "many", Outcome: []string{"passed", "skipped"}[i%2]})
			}
			if _, err := f.SaveFile(f.agent(t, f.cluster), file, list); err != nil {
				t.Fatal(err)
			}
			got, err := f.Cases(f.as(t), n.Execution.ID, 100_000)
			if err != nil || len(got) != 21_002 {
				t.Fatalf("%d cases, %v", len(got), err)
			}
			seen := map[uuid.UUID]bool{}
			for _, c := range got {
				seen[c.ID] = true
				if c.Key != "k" {
					continue
				}
				if c.Title != "cart › pays" || c.Attempt != n.AttemptID || c.Outcome != results.Failed || c.Fingerprint != "fp1:1" || c.Variant != "chromium" ||
					c.Duration != time.Second || len(c.Earlier) != 1 {
					t.Errorf("case %+v", c)
				}
				messages, err := f.Messages(f.as(t), []uuid.UUID{c.ID, uuid.New()})
				if err != nil || len(messages) != 1 || messages[c.ID] != "no" {
					t.Errorf("messages %v, %v", messages, err)
				}
				if messages, err := f.Messages(foreigner(t), []uuid.UUID{c.ID}); err != nil || len(messages) != 0 {
					t.Errorf("a stranger reads %v, %v", messages, err)
				}
			}
			if len(seen) != 21_002 {
				t.Errorf("%d different cases", len(seen))
			}
			if got, err := f.Cases(f.as(t), n.Execution.ID, 20_500); err != nil || len(got) != 20_500 {
				t.Errorf("%d cases, %v: want no more than asked for", len(got), err)
			}
			if _, err := f.Cases(foreigner(t), n.Execution.ID, 10); !fault.Is(err, fault.NotFound) {
				t.Errorf("a stranger: %v", err)
			}
		},
		"CasesOfLostAttempts": func(t *testing.T, f *fixture) {
			n := f.request(t, "")
			n.Runs[0].Retries = 1
			f.enter(t, n)
			f.begun(t)
			f.arrive(t, accepted{n, n.Runs[0]}, 0, execution.Running, arrival{file: "before.xml", bad: 2})
			f.lose(t, n.Runs[0].AttemptID, execution.Errored, "NodeLost")
			if got, err := f.Cases(f.as(t), n.Execution.ID, 10); err != nil || len(got) != 0 {
				t.Errorf("%+v, %v: what a lost attempt said counts no more", got, err)
			}
		},
		"Past": func(t *testing.T, f *fixture) {
			first, second, third := f.queued(t), f.queued(t), f.queued(t)
			got, err := f.Past(f.as(t), "smoke", third.Execution.ID, 10)
			if err != nil || len(got) != 2 || got[0].ID != second.Execution.ID || got[1].ID != first.Execution.ID {
				t.Fatalf("%+v, %v", got, err)
			}
			if len(got[0].Runs) != 1 || got[0].Runs[0].Environment != "staging" || got[0].Runs[0].Status != execution.Queued {
				t.Errorf("runs %+v", got[0].Runs)
			}
			if got, err := f.Past(f.as(t), "smoke", third.Execution.ID, 1); err != nil || len(got) != 1 || got[0].ID != second.Execution.ID {
				t.Errorf("the newest: %+v, %v", got, err)
			}
			if got, err := f.Past(f.as(t), "other", third.Execution.ID, 10); err != nil || len(got) != 0 {
				t.Errorf("of another workflow: %+v, %v", got, err)
			}
			if got, err := f.Past(foreigner(t), "smoke", third.Execution.ID, 10); err != nil || len(got) != 0 {
				t.Errorf("a stranger: %+v, %v", got, err)
			}
		},
	}
}
