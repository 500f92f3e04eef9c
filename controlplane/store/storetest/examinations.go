package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
)

func examinedAgent(t *testing.T, f *fixture) {
	if _, _, err := f.AskExamination(f.as(t), "harbour"); !fault.Is(err, fault.Conflict) {
		t.Errorf("of an agent that is away: %v", err)
	}
	if _, err := f.OpenSession(f.agent(t, f.cluster), cluster.Hello{}); err != nil {
		t.Fatal(err)
	}
	nothing := func(reason string) {
		t.Helper()
		if id, err := f.AskedExamination(f.agent(t, f.cluster)); err != nil || id != uuid.Nil {
			t.Errorf("%s: the agent is asked for %s, %v", reason, id, err)
		}
	}
	nothing("before anybody asked")
	c, id, err := f.AskExamination(f.as(t), "harbour")
	if err != nil || c.ID != f.cluster.ID || id == uuid.Nil {
		t.Fatal(c, id, err)
	}
	if _, again, err := f.AskExamination(f.as(t), "harbour"); err != nil || again != id {
		t.Errorf("two who ask at once share one: %s and %s, %v", id, again, err)
	}
	_, _, nobody := f.AskExamination(f.as(t), "nobody")
	_, _, foreign := f.AskExamination(foreigner(t), "harbour")
	_, answer := f.Examination(foreigner(t), "harbour")
	for name, err := range map[string]error{"no cluster": nobody, "another organization": foreign, "the answer for another organization": answer} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := f.AskedExamination(f.agent(t, f.cluster)); err != nil || got != id {
		t.Errorf("the agent is asked for %s, %v", got, err)
	}
	checks := []cluster.Check{{Name: "clock", State: cluster.CheckBad, Found: "late", Remedy: "Set it."}}
	if err := f.AnswerExamination(f.agent(t, f.cluster), uuid.New(), nil); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Examination(f.as(t), "harbour"); err != nil || got.ID != uuid.Nil {
		t.Errorf("an answer to what nobody asks counts: %+v, %v", got, err)
	}
	if err := f.AnswerExamination(f.agent(t, f.cluster), id, checks); err != nil {
		t.Fatal(err)
	}
	got, err := f.Examination(f.as(t), "harbour")
	if err != nil || got.ID != id || !got.At.Equal(f.now) || !cmp.Equal(got.Checks, checks) {
		t.Errorf("the answer is %+v, %v", got, err)
	}
	nothing("once it has answered")
	_, next, err := f.AskExamination(f.as(t), "harbour")
	if err != nil || next == id {
		t.Errorf("asked anew: %s, %v", next, err)
	}
	f.now = f.now.Add(time.Minute)
	nothing("after a minute without an answer")
}
