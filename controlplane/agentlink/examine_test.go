package agentlink_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/agentlink"
	"github.com/seatrial/seatrial/controlplane/cluster"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// examinations hold what is asked and what was answered.
type examinations struct {
	mu     sync.Mutex
	asked  uuid.UUID
	checks []cluster.Check
}

func (e *examinations) AskedExamination(context.Context) (uuid.UUID, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked, nil
}

func (e *examinations) AnswerExamination(_ context.Context, id uuid.UUID, checks []cluster.Check) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if id == e.asked {
		e.asked, e.checks = uuid.Nil, checks
	}
	return nil
}

func (e *examinations) answer() []cluster.Check {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.checks
}

func TestExamine(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	b.exams.asked = uuid.New()
	id := b.exams.asked
	stream, err := b.gateway.Session(as(t.Context(), "good"))
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{t: t, stream: stream}
	said := hello()
	said.GetHello().Capabilities = []string{"examine"}
	a.send(said)
	if a.recv().GetWelcome() == nil {
		t.Fatal("no Welcome")
	}
	topic := cluster.TopicExamine(b.viewer.Organization, b.viewer.Cluster)
	b.bus.await(topic)
	b.bus.Publish(t.Context(), topic)
	if got := a.recv().GetExamine().GetId(); got != id.String() {
		t.Fatalf("asked for %q, not for %s", got, id)
	}
	long := strings.Repeat("é", 5000)
	a.send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Examination{Examination: &agentv1.Examination{Id: "no id"}}})
	a.send(&agentv1.AgentFrame{Frame: &agentv1.AgentFrame_Examination{Examination: &agentv1.Examination{Id: id.String(), Checks: []*agentv1.Check{
		{Name: "clock", State: agentv1.CheckState_CHECK_STATE_BAD, Found: "late", Remedy: "Set it."},
		{Name: "DNS", State: agentv1.CheckState_CHECK_STATE_GOOD, Found: long},
		{Name: "new", State: 77},
	}}}})
	a.ping()
	want := []cluster.Check{
		{Name: "clock", State: cluster.CheckBad, Found: "late", Remedy: "Set it."},
		{Name: "DNS", State: cluster.CheckGood, Found: long[:512] + "…"},
		{Name: "new", State: cluster.CheckDoubtful},
	}
	if diff := cmp.Diff(want, b.exams.answer()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// TestExamine_OldAgent: one that cannot look at itself is answered for, so that nobody waits in vain.
func TestExamine_OldAgent(t *testing.T) {
	t.Parallel()
	b := setup(t, agentlink.Timing{})
	b.exams.asked = uuid.New()
	a := b.connect(t)
	topic := cluster.TopicExamine(b.viewer.Organization, b.viewer.Cluster)
	b.bus.await(topic)
	b.bus.Publish(t.Context(), topic)
	for answered := cluster.TopicExamined(b.viewer.Organization, b.viewer.Cluster); ; {
		if said := <-b.bus.said; said == answered {
			break
		}
	}
	a.ping() // and the session goes on, in which nothing came that it does not know
	if got := b.exams.answer(); len(got) != 1 || got[0].State != cluster.CheckBad || !strings.Contains(got[0].Remedy, "Upgrade") {
		t.Errorf("answered %+v", got)
	}
}
