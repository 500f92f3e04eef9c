package storetest

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

func owners() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"OnlyTheTeamChanges": func(t *testing.T, f *fixture) {
			other, err := f.CreateTeam(f.as(t), "web")
			if err != nil {
				t.Fatal(err)
			}
			v := f.member
			v.Role, v.Team, v.Teams = tenant.RoleMaintainer, other.ID, []uuid.UUID{other.ID}
			outsider := tenant.WithViewer(t.Context(), v)
			apply := func() error {
				_, _, _, err := f.ApplyWorkflow(outsider, workflow.Record{Name: "smoke", Digest: "d9", Source: "x"}, "")
				return err
			}
			smoke := tenant.Thing{Kind: tenant.Workflow, Name: "smoke"}
			for what, err := range map[string]error{
				"apply": apply(), "own": f.SetOwner(outsider, smoke, "web"), "restrict": f.RestrictWorkflow(outsider, "smoke", true),
				"environment": f.SetOwner(outsider, tenant.Thing{Kind: tenant.Environment, Name: "staging"}, "web"),
			} {
				if !fault.Is(err, fault.Forbidden) {
					t.Errorf("%s by another team: %v", what, err)
				}
			}
			if err := f.SetOwner(f.as(t), smoke, "web"); err != nil {
				t.Fatal(err)
			}
			if err := apply(); err != nil {
				t.Errorf("by its new team: %v", err)
			}
			if err := f.RestrictWorkflow(outsider, "smoke", true); err != nil {
				t.Fatal(err)
			}
			if w, err := f.Workflow(f.as(t), "smoke"); err != nil || w.Team != "web" || w.TeamID != other.ID || !w.Restricted {
				t.Errorf("workflow %+v, %v", w, err)
			}
		},
		"WhatTellsAndIsTold": func(t *testing.T, f *fixture) {
			if _, err := f.CreateTeam(f.as(t), "web"); err != nil {
				t.Fatal(err)
			}
			f.hook(t, "chat", "https://chat.example.test/hook")
			if _, err := f.CreateReceiver(f.as(t), trigger.Receiver{Name: "forge", Kind: "github"}, "secret", ""); err != nil {
				t.Fatal(err)
			}
			for kind, name := range map[string]string{tenant.Webhook: "chat", tenant.Receiver: "forge"} {
				if err := f.SetOwner(f.as(t), tenant.Thing{Kind: kind, Name: name}, "web"); err != nil {
					t.Errorf("%s: %v", kind, err)
				}
			}
			if list, err := f.Receivers(f.as(t)); err != nil || len(list) != 1 || list[0].Team != "web" {
				t.Errorf("%+v, %v", list, err)
			}
			if w, err := f.Webhook(f.as(t), "chat"); err != nil || w.Team != "web" {
				t.Errorf("%+v, %v", w, err)
			}
		},
		"WhatThereIsNot": func(t *testing.T, f *fixture) {
			for _, kind := range tenant.Kinds() {
				if err := f.SetOwner(f.as(t), tenant.Thing{Kind: kind, Name: "none", Version: "1"}, "default"); !fault.Is(err, fault.NotFound) {
					t.Errorf("%s: %v", kind, err)
				}
			}
			if err := f.SetOwner(f.as(t), tenant.Thing{Kind: "ship", Name: "none"}, "default"); !fault.Is(err, fault.Invalid) {
				t.Errorf("a kind that there is not: %v", err)
			}
			if err := f.SetOwner(f.as(t), tenant.Thing{Kind: tenant.Workflow, Name: "smoke"}, "none"); !fault.Is(err, fault.NotFound) {
				t.Errorf("a team that there is not: %v", err)
			}
		},
		"RunsAtOnce": func(t *testing.T, f *fixture) {
			if err := f.SetQuota(t.Context(), f.member.Organization, tenant.Quota{Runs: 2}); err != nil {
				t.Fatal(err)
			}
			for range 4 {
				f.queued(t)
			}
			taken := f.take(t)
			if len(taken) != 2 {
				t.Fatalf("%d runs begin, 2 may", len(taken))
			}
			for _, c := range taken {
				if _, err := f.AckCommand(f.agent(t, f.cluster), c.ID, cluster.Done, ""); err != nil {
					t.Fatal(err)
				}
			}
			if more := f.take(t); len(more) != 0 {
				t.Errorf("%d more begin although 2 have a place", len(more))
			}
			if use, err := f.Use(f.as(t)); err != nil || use.Runs != 2 || use.Queued != 2 || use.Clusters != 1 {
				t.Errorf("use %+v, %v", use, err)
			}
		},
		"Clusters": func(t *testing.T, f *fixture) {
			if err := f.SetQuota(t.Context(), f.member.Organization, tenant.Quota{Clusters: 1}); err != nil {
				t.Fatal(err)
			}
			_, _, err := f.EnrollCluster(f.as(t), cluster.Enrolment{Name: "second", Environment: "second", Namespace: "n", TokenHash: hash("second"), ExpiresAt: f.now.Add(time.Hour)})
			if !fault.Is(err, fault.Exhausted) {
				t.Errorf("one cluster too many: %v", err)
			}
		},
	}
}
