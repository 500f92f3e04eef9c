package examine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/bus"
	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/examine"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// kept answers with id once it was looked at so many times.
type kept struct {
	cluster cluster.Cluster
	id      uuid.UUID
	after   int
	looks   int
	fail    error
}

func (k *kept) AskExamination(context.Context, string) (cluster.Cluster, uuid.UUID, error) {
	return k.cluster, k.id, k.fail
}

func (k *kept) Examination(context.Context, string) (cluster.Examination, error) {
	if k.looks++; k.looks <= k.after {
		return cluster.Examination{ID: uuid.New()}, nil // of another time
	}
	return cluster.Examination{ID: k.id, Checks: []cluster.Check{{Name: "clock"}}}, nil
}

func TestExaminer(t *testing.T) {
	t.Parallel()
	org := uuid.New()
	admin := tenant.Viewer{Kind: tenant.KindToken, Organization: org, Scopes: []tenant.Scope{tenant.ScopeAdmin}}
	for name, tc := range map[string]struct {
		reason string
		viewer tenant.Viewer
		store  kept
		want   fault.Kind
	}{
		"OK":          {"an answer of before is none", admin, kept{after: 1}, ""},
		"ErrScope":    {"it has an agent do something", tenant.Viewer{Kind: tenant.KindToken, Organization: org, Scopes: []tenant.Scope{tenant.ScopeRead}}, kept{}, fault.Forbidden},
		"ErrAway":     {"nobody is there to answer", admin, kept{fail: fault.New(fault.Conflict, "away")}, fault.Conflict},
		"ErrNoAnswer": {"nobody waits for ever", admin, kept{after: 1 << 30}, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := tenant.WithViewer(t.Context(), tc.viewer)
			hints := bus.NewLocal()
			tc.store.cluster, tc.store.id = cluster.Cluster{ID: uuid.New(), Organization: org}, uuid.New()
			asked, cancel := hints.Subscribe(ctx, cluster.TopicExamine(org, tc.store.cluster.ID))
			defer cancel()
			e := examine.Examiner{Store: &tc.store, Bus: hints, Patience: 3 * time.Second}
			_, got, err := e.ExamineCluster(ctx, "harbour")
			if tc.want != "" {
				if !fault.Is(err, tc.want) {
					t.Errorf("%s: %v", tc.reason, err)
				}
				return
			}
			if err != nil || len(got.Checks) != 1 {
				t.Fatalf("%s: %+v, %v", tc.reason, got, err)
			}
			<-asked
		})
	}
	gone, cancel := context.WithCancel(tenant.WithViewer(t.Context(), admin))
	cancel()
	e := examine.Examiner{Store: &kept{after: 1 << 30}, Bus: bus.NewLocal()}
	if _, _, err := e.ExamineCluster(gone, "harbour"); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever asked has left: %v", err)
	}
}
