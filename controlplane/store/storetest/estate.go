package storetest

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

func accounts() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"BootstrapOnce": func(t *testing.T, f *fixture) {
			created, err := f.Bootstrap(t.Context(), tenant.First{Organization: "other", Team: "x", Admin: tenant.Member{Email: "x@example.test", Role: tenant.RoleOwner}, Token: tenant.Token{Name: "x", Hash: hash("x"), ExpiresAt: f.now}})
			if err != nil || created {
				t.Errorf("a second bootstrap: %t, %v", created, err)
			}
		},
		"TokenByHash": func(t *testing.T, f *fixture) {
			got, err := f.TokenByHash(t.Context(), hash("st_first"))
			if err != nil || got.Organization != f.member.Organization || got.Name != "first" || !got.ExpiresAt.Equal(f.now.Add(time.Hour)) {
				t.Errorf("token %+v, %v", got, err)
			}
			if _, err := f.TokenByHash(t.Context(), hash("st_other")); !fault.Is(err, fault.NotFound) {
				t.Errorf("unknown token: %v", err)
			}
			f.now = f.now.Add(time.Minute)
			if err := f.TouchToken(t.Context(), got); err != nil {
				t.Fatal(err)
			}
			if got, err = f.TokenByHash(t.Context(), hash("st_first")); err != nil || !got.LastUsedAt.Equal(f.now) {
				t.Errorf("last used %s, %v; want %s", got.LastUsedAt, err, f.now)
			}
		},
		"SessionEnds": func(t *testing.T, f *fixture) {
			members, err := f.MembersByEmail(t.Context(), "admin@example.test")
			if err != nil {
				t.Fatal(err)
			}
			session, err := f.CreateSession(t.Context(), members[0], tenant.Session{ExpiresAt: f.now.Add(time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			if m, err := f.SessionMember(t.Context(), session); err != nil || m.Email != "admin@example.test" {
				t.Errorf("member %+v, %v", m, err)
			}
			if err := f.EndSession(t.Context(), session); err != nil {
				t.Fatal(err)
			}
			if _, err := f.SessionMember(t.Context(), session); !fault.Is(err, fault.NotFound) {
				t.Errorf("after sign-out: %v", err)
			}
		},
		"SettingIsKept": func(t *testing.T, f *fixture) {
			for i, fresh := range []string{"first", "second"} {
				if got, err := f.SettingOrCreate(t.Context(), "key", []byte(fresh)); err != nil || string(got) != "first" {
					t.Errorf("call %d: %q, %v", i, got, err)
				}
			}
		},
		"NonceIsSpentOnce": func(t *testing.T, f *fixture) {
			for i, want := range []bool{true, false} {
				if fresh, err := f.SpendNonce(t.Context(), f.cluster.ID, 1000); err != nil || fresh != want {
					t.Errorf("use %d: fresh %t, %v", i, fresh, err)
				}
			}
			if fresh, err := f.SpendNonce(t.Context(), f.cluster.ID, 999); err != nil || fresh {
				t.Errorf("an older nonce: fresh %t, %v", fresh, err)
			}
		},
	}
}

func catalog() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"RevisionPerDigest": func(t *testing.T, f *fixture) {
			same := workflow.Record{Name: "smoke", Digest: "d1", Source: "# a comment\nkind: TestWorkflow"}
			rec, created, changed, err := f.ApplyWorkflow(f.as(t), same, "")
			if err != nil || created || changed || rec.Revision != 1 {
				t.Errorf("same digest: %+v created %t changed %t, %v", rec, created, changed, err)
			}
			rec, created, changed, err = f.ApplyWorkflow(f.as(t), workflow.Record{Name: "smoke", Digest: "d2", Source: "two", Description: "new"}, "")
			if err != nil || created || !changed || rec.Revision != 2 || rec.ID != f.workflow.ID || rec.RevisionID == f.workflow.RevisionID {
				t.Errorf("new digest: %+v created %t changed %t, %v", rec, created, changed, err)
			}
			got, err := f.Workflow(f.as(t), "smoke")
			if err != nil || got.Source != "two" || got.Digest != "d2" || got.Description != "new" {
				t.Errorf("read %+v, %v", got, err)
			}
		},
		"PagesByName": func(t *testing.T, f *fixture) {
			for _, name := range []string{"a", "b", "c", "d"} {
				if _, _, _, err := f.ApplyWorkflow(f.as(t), workflow.Record{Name: name, Digest: name, Source: name}, ""); err != nil {
					t.Fatal(err)
				}
			}
			var names []string
			for after, pages := "", 0; ; pages++ {
				list, next, err := f.Workflows(f.as(t), 2, after)
				if err != nil || pages > 5 {
					t.Fatalf("page %d: %v", pages, err)
				}
				for _, w := range list {
					names = append(names, w.Name)
					if w.Source != "" {
						t.Errorf("list of %s carries the source", w.Name)
					}
				}
				if after = next; next == "" {
					break
				}
			}
			if want := []string{"a", "b", "c", "d", "smoke"}; len(names) != len(want) || names[0] != "a" || names[4] != "smoke" {
				t.Errorf("names %v, want %v", names, want)
			}
		},
		"BadCursor": func(t *testing.T, f *fixture) {
			if _, _, err := f.Workflows(f.as(t), 2, "!!"); !fault.Is(err, fault.Invalid) {
				t.Errorf("workflows: %v", err)
			}
			if _, _, err := f.Executions(f.as(t), "", "", 2, "!!"); !fault.Is(err, fault.Invalid) {
				t.Errorf("executions: %v", err)
			}
		},
		"ExecutionsNewestFirst": func(t *testing.T, f *fixture) {
			first := f.queued(t)
			f.now = f.now.Add(time.Second)
			second := f.queued(t)
			list, next, err := f.Executions(f.as(t), "smoke", "", 1, "")
			if err != nil || len(list) != 1 || list[0].ID != second.Execution.ID || next == "" {
				t.Fatalf("first page %+v, next %q, %v", list, next, err)
			}
			list, next, err = f.Executions(f.as(t), "smoke", "queued", 1, next)
			if err != nil || len(list) != 1 || list[0].ID != first.Execution.ID || next != "" {
				t.Errorf("second page %+v, next %q, %v", list, next, err)
			}
			if list, _, err := f.Executions(f.as(t), "other", "", 10, ""); err != nil || len(list) != 0 {
				t.Errorf("of another workflow: %+v, %v", list, err)
			}
		},
	}
}

func fleet() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"Lists": func(t *testing.T, f *fixture) {
			f.enroll(t, "second", "production")
			clusters, err := f.Clusters(f.as(t))
			if err != nil || len(clusters) != 2 || !clusters[0].Enrolled {
				t.Errorf("clusters %+v, %v", clusters, err)
			}
			if envs, err := f.Environments(f.as(t)); err != nil || len(envs) != 2 {
				t.Errorf("environments %+v, %v", envs, err)
			}
		},
		"EnvironmentsAreApplied": appliedEnvironments,
		"EnrolledAgain":          enrolledAgain,
		"BootstrapTokenIsSpentOnce": func(t *testing.T, f *fixture) {
			arrival := cluster.Arrival{TokenHash: hash("st_boot_harbour"), PublicKey: make([]byte, 32), ClusterUID: "uid-harbour"}
			got, err := f.SpendBootstrap(t.Context(), arrival)
			if err != nil || got.Cluster != f.cluster.ID {
				t.Errorf("the same agent again: %+v, %v", got, err)
			}
			arrival.PublicKey = bytes.Repeat([]byte{1}, 32)
			if _, err := f.SpendBootstrap(t.Context(), arrival); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("another key: %v", err)
			}
			if _, err := f.SpendBootstrap(t.Context(), cluster.Arrival{TokenHash: hash("st_boot_no"), PublicKey: make([]byte, 32)}); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("unknown token: %v", err)
			}
		},
		"BootstrapTokenExpires": func(t *testing.T, f *fixture) {
			if _, _, err := f.EnrollCluster(f.as(t), cluster.Enrolment{Name: "late", Environment: "late", Namespace: "n", TokenHash: hash("late"), ExpiresAt: f.now.Add(time.Minute)}); err != nil {
				t.Fatal(err)
			}
			f.now = f.now.Add(time.Hour)
			if _, err := f.SpendBootstrap(t.Context(), cluster.Arrival{TokenHash: hash("late"), PublicKey: make([]byte, 32)}); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("err = %v", err)
			}
		},
		"ConnectedClusterKeepsItsName": func(t *testing.T, f *fixture) {
			if _, err := f.OpenSession(f.agent(t, f.cluster), cluster.Hello{}); err != nil {
				t.Fatal(err)
			}
			_, _, err := f.EnrollCluster(f.as(t), cluster.Enrolment{Name: "harbour", Environment: "staging", Namespace: "n", TokenHash: hash("again"), ExpiresAt: f.now.Add(time.Hour)})
			if !fault.Is(err, fault.Conflict) {
				t.Errorf("err = %v, want conflict", err)
			}
		},
		"RevokedAgent": revokedAgent,
		"TwoKeys":      twoKeys,
		"Examined":     examinedAgent,
		"NewestSessionWins": func(t *testing.T, f *fixture) {
			ctx := f.agent(t, f.cluster)
			old, err := f.OpenSession(ctx, cluster.Hello{AgentVersion: "1", Namespaces: []string{"tests"}})
			if err != nil {
				t.Fatal(err)
			}
			epoch, err := f.OpenSession(ctx, cluster.Hello{AgentVersion: "2", Namespaces: []string{"tests"}})
			if err != nil || epoch <= old {
				t.Fatalf("epoch %d after %d, %v", epoch, old, err)
			}
			superseded, revoked, err := f.TouchSessions(t.Context(), map[cluster.ID]int64{f.cluster.ID: old})
			if err != nil || len(superseded) != 1 || len(revoked) != 0 {
				t.Errorf("superseded %v revoked %v, %v", superseded, revoked, err)
			}
			if err := f.CloseSession(ctx, old); err != nil {
				t.Fatal(err)
			}
			list, err := f.Clusters(f.as(t))
			if err != nil || !list[0].Connected || list[0].AgentVersion != "2" {
				t.Errorf("a late goodbye of the old session: %+v, %v", list, err)
			}
			if err := f.CloseSession(ctx, epoch); err != nil {
				t.Fatal(err)
			}
			if list, err := f.Clusters(f.as(t)); err != nil || list[0].Connected {
				t.Errorf("after the goodbye: %+v, %v", list, err)
			}
		},
		"SilenceIsOffline": func(t *testing.T, f *fixture) {
			ctx := f.agent(t, f.cluster)
			epoch, err := f.OpenSession(ctx, cluster.Hello{})
			if err != nil {
				t.Fatal(err)
			}
			f.now = f.now.Add(cluster.OfflineAfter - time.Second)
			if superseded, _, err := f.TouchSessions(t.Context(), map[cluster.ID]int64{f.cluster.ID: epoch}); err != nil || len(superseded) != 0 {
				t.Fatalf("superseded %v, %v", superseded, err)
			}
			f.now = f.now.Add(cluster.OfflineAfter - time.Second)
			if list, err := f.Clusters(f.as(t)); err != nil || !list[0].Connected {
				t.Errorf("after a sign of life: %+v, %v", list, err)
			}
			f.now = f.now.Add(2 * time.Second)
			if list, err := f.Clusters(f.as(t)); err != nil || list[0].Connected {
				t.Errorf("after %s of silence: %+v, %v", cluster.OfflineAfter, list, err)
			}
		},
		"ManySessionsAreTouchedAtOnce": func(t *testing.T, f *fixture) {
			epoch, err := f.OpenSession(f.agent(t, f.cluster), cluster.Hello{})
			if err != nil {
				t.Fatal(err)
			}
			epochs := map[cluster.ID]int64{f.cluster.ID: epoch}
			for len(epochs) < 2500 {
				epochs[id(t)] = 1 // removed meanwhile
			}
			superseded, revoked, err := f.TouchSessions(t.Context(), epochs)
			if err != nil || len(superseded) != 0 || len(revoked) != len(epochs)-1 || slices.Contains(revoked, f.cluster.ID) {
				t.Errorf("%d superseded, %d revoked, %v", len(superseded), len(revoked), err)
			}
		},
		"AttemptsSayWhoTheyWaitFor": func(t *testing.T, f *fixture) {
			n := f.queued(t)
			said := func() execution.Attempt { return attemptOf(t, f.execution(t, n.Execution.ID)) }
			epoch, err := f.OpenSession(f.agent(t, f.cluster), cluster.Hello{})
			if err != nil {
				t.Fatal(err)
			}
			if a := said(); a.Reason != "" || a.Message != "" {
				t.Errorf("with its agent connected: %q %q", a.Reason, a.Message)
			}
			if err := f.CloseSession(f.agent(t, f.cluster), epoch); err != nil {
				t.Fatal(err)
			}
			if a := said(); a.Reason != cluster.ReasonAway || !strings.Contains(a.Message, f.cluster.Name) || !strings.Contains(a.Message, "offline since") {
				t.Errorf("with its agent away: %q %q", a.Reason, a.Message)
			}
		},
	}
}
