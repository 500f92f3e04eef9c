package crowd_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/crowd"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// TestInSight_Ask proves that nobody is told what another one sees, unless both see the same.
func TestInSight_Ask(t *testing.T) {
	t.Parallel()
	one, other := uuid.New(), uuid.New()
	member := func(of tenant.ID, confined bool) tenant.Viewer {
		return tenant.Viewer{Kind: tenant.KindMember, Organization: of, Subject: uuid.New(), Role: tenant.RoleViewer, Confined: confined}
	}
	for name, tc := range map[string]struct {
		viewers []tenant.Viewer
		looked  int
		reason  string
	}{
		"Together":      {[]tenant.Viewer{member(one, false), member(one, false), {Kind: tenant.KindToken, Organization: one}}, 2, "the second answer is for the second and the third"},
		"Organizations": {[]tenant.Viewer{member(one, false), member(other, false)}, 2, "each has its own"},
		"Confined":      {[]tenant.Viewer{member(one, true), member(one, true), member(one, true)}, 3, "each sees what the own teams have"},
		"Agents":        {[]tenant.Viewer{{Kind: tenant.KindAgent, Organization: one}, {Kind: tenant.KindAgent, Organization: one}, {Kind: tenant.KindAgent, Organization: one}}, 3, "each sees its cluster"},
		"Nobody":        {[]tenant.Viewer{{}, {}, {}}, 3, "who has no viewer is refused, each anew"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var c crowd.InSight[string, tenant.Viewer]
				var all sync.WaitGroup
				var mu sync.Mutex
				looked := 0
				for _, v := range tc.viewers {
					all.Go(func() {
						got, err := c.Ask(tenant.WithViewer(t.Context(), v), "k", func(ctx context.Context) (tenant.Viewer, error) {
							mu.Lock()
							looked++
							mu.Unlock()
							<-time.After(lasts)
							who, _ := tenant.FromContext(ctx)
							return who, nil
						})
						if err != nil || got.Organization != v.Organization || v.Confined && got.Subject != v.Subject {
							t.Errorf("%+v was told what %+v sees, %v", v, got, err)
						}
					})
					synctest.Wait()
				}
				all.Wait()
				if looked != tc.looked {
					t.Errorf("looked %d times, want %d: %s", looked, tc.looked, tc.reason)
				}
			})
		})
	}
}
