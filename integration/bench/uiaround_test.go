package bench_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

const (
	uiTemplate = "apiVersion: seatrial.dev/v1\nkind: TestWorkflowTemplate\nmetadata: {name: base-%[1]d}\nspec: {container: {image: \"registry.example.test/base:%[1]d\"}}\n"
	uiSchedule = "apiVersion: seatrial.dev/v1\nkind: Schedule\nmetadata: {name: nightly-%[1]d}\nspec: {cron: \"@yearly\", workflows: [{name: %[2]s}]}\n"
	uiTrigger  = "apiVersion: seatrial.dev/v1\nkind: Trigger\nmetadata: {name: after-%[1]d}\nspec: {workflow: {name: %[2]s, when: [cancelled]}, workflows: [{name: everything-regression}]}\n"
	uiOnPush   = "apiVersion: seatrial.dev/v1\nkind: Trigger\nmetadata: {name: onpush-%[1]d}\nspec: {git: {repository: acme/shop-%[1]d}, workflows: [{name: %[2]s}]}\n"
)

// surround makes what is beside executions and releases: some of everything, by the program itself.
func (s *seeder) surround(out *seeds) {
	s.tb.Helper()
	ctx, c := s.tb.Context(), s.p.api()
	for i := range 60 {
		flow := out.Flows[i%len(out.Flows)]
		for _, document := range []string{uiTemplate, uiSchedule, uiTrigger, uiOnPush} {
			if !strings.Contains(document, "%[2]") {
				s.apply(fmt.Sprintf(document, i))
				continue
			}
			s.apply(fmt.Sprintf(document, i, flow))
		}
	}
	_, err := apiv1connect.NewScheduleServiceClient(c, s.p.url).RunSchedule(ctx, &apiv1.RunScheduleRequest{Name: "nightly-0"})
	ok(s.tb, err)
	triggers := apiv1connect.NewTriggerServiceClient(c, s.p.url)
	_, err = triggers.CreateReceiver(ctx, &apiv1.CreateReceiverRequest{Name: "forge", Kind: "github"})
	ok(s.tb, err)
	hooks := apiv1connect.NewWebhookServiceClient(c, s.p.url)
	for i := range 12 {
		_, err := hooks.SetWebhook(ctx, &apiv1.SetWebhookRequest{Name: fmt.Sprintf("chat-%d", i), Url: "https://hooks.example.invalid/secret", Events: []string{"execution.fixed"}})
		ok(s.tb, err)
	}
	_, err = hooks.TestWebhook(ctx, &apiv1.TestWebhookRequest{Name: "chat-0"})
	ok(s.tb, err)
	tests := apiv1connect.NewTestServiceClient(c, s.p.url)
	_, err = tests.QuarantineTest(ctx, &apiv1.QuarantineTestRequest{Key: out.Test, Reason: "it fails when the moon is full"})
	ok(s.tb, err)
	waits := s.begin(out.Flows[2], "", nil, out.Places[0]).GetId() // something happens when it is cancelled
	_, err = s.executions.CancelExecution(ctx, &apiv1.CancelExecutionRequest{Id: waits})
	ok(s.tb, err)
	people := apiv1connect.NewPeopleServiceClient(c, s.p.url)
	_, err = people.CreateTeam(ctx, &apiv1.CreateTeamRequest{Name: "payments"})
	ok(s.tb, err)
	_, err = people.InviteMember(ctx, &apiv1.InviteMemberRequest{Email: "grace@example.test", Role: "viewer", Team: "payments"})
	ok(s.tb, err)
	s.eventually("an event has started something", func() bool {
		events, err := triggers.ListEvents(ctx, &apiv1.ListEventsRequest{})
		ok(s.tb, err)
		return len(events.GetEvents()) > 0 && len(events.GetEvents()[0].GetReactions()) > 0
	})
	s.eventually("the releases are decided", func() bool {
		for _, r := range uiReleases() {
			got, err := s.releases.GetRelease(ctx, &apiv1.GetReleaseRequest{Application: r.application, Version: r.version})
			ok(s.tb, err)
			if got.GetRelease().GetDecidedAt() == nil {
				return false
			}
		}
		return true
	})
}

// eventually waits for what the program does by itself.
func (s *seeder) eventually(what string, done func() bool) {
	s.tb.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); !done(); <-tick.C {
		if time.Since(begun) > 2*time.Minute {
			s.tb.Fatalf("it never came that %s", what)
		}
	}
}

// around multiplies what is beside executions.
func (f *filler) around(s *seeds) {
	n := s.shape.entries
	for _, application := range []string{"shop", "platform"} {
		f.spread("releases", s.shape.releases, 2*time.Hour, "application = '"+application+"'", map[string]string{"version": "'0.' || g", "stale_at": "NULL"})
	}
	f.spread("audit_entries", n, time.Minute, "true", map[string]string{"number": "s.number + 1 + $n - g"})
	f.do("UPDATE audit_heads SET number = (SELECT max(number) FROM audit_entries)")
	f.spread("events", n, time.Minute, "true", map[string]string{"key": "'bench-' || g"})
	f.spread("reactions", n, time.Minute, "true", map[string]string{"event_id": "$id"})
	f.spread("firings", n, time.Hour, "true", map[string]string{"due": "$at", "planned": "$at", "fired_at": "$at"})
	f.spread("deliveries", n, time.Minute, "true", map[string]string{"notice_id": "$id"})
	f.spread("quarantines", 50, time.Hour, "true", map[string]string{"test_key": "(SELECT DISTINCT test_key FROM strips ORDER BY test_key LIMIT 1 OFFSET g)"})
	f.spread("members", 200, time.Hour, "true", map[string]string{"email": "'person' || g || '@example.test'", "role": "'viewer'"})
	f.spread("team_members", 200, time.Hour, "true", map[string]string{"member_id": "$id"})
	f.spread("teams", 20, time.Hour, "true", map[string]string{"name": "'team-' || g"})
	f.spread("api_tokens", 200, time.Hour, "true", map[string]string{"name": "'pipeline-' || g", "hash": "sha256(g::text::bytea)"})
	flow := "workflow_id = (SELECT id FROM workflows WHERE name = '" + s.Flows[0] + "')"
	f.do("UPDATE workflow_revisions SET number = 301 WHERE " + flow)
	f.do("UPDATE workflows SET revision = 301 WHERE name = '" + s.Flows[0] + "'")
	f.spread("workflow_revisions", 300, 24*time.Hour, flow, map[string]string{"number": "301 - g", "source": "replace(s.source, '1.8', '1.' || g)", "digest": "md5(g::text)"})
}

// spread copies the newest row of a table that fulfils a condition n times: the first is as old as step, each one older by it. In the values
// given for columns, $id and $at are the id and the time of the copy, g its number, s the row that is copied, and $n how many there are.
func (f *filler) spread(table string, n int, step time.Duration, where string, given map[string]string) {
	const begin = "(SELECT at FROM bench_now)"
	f.do("CREATE TEMPORARY TABLE IF NOT EXISTS bench_now AS SELECT now() AS at")
	at := fmt.Sprintf("(%s - g * interval '%d seconds')", begin, int(step.Seconds()))
	id := "pg_temp.child(pg_temp.first_id(" + at + "), md5('" + strings.ReplaceAll(where, "'", "") + "' || g)::uuid)" // the same in each table for the same condition
	var columns, values []string
	for _, name := range f.list("SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position", table) {
		value, special := given[name]
		switch {
		case special:
			value = strings.NewReplacer("$id", id, "$at", at, "$n", fmt.Sprint(n)).Replace(value)
		case name == "id":
			value = id
		case name == "created_at":
			value = at
		default:
			value = `s."` + name + `"`
		}
		columns, values = append(columns, `"`+name+`"`), append(values, value)
	}
	var found uuid.UUID
	f.one(&found, "SELECT id FROM "+table+" WHERE "+where+" ORDER BY id DESC LIMIT 1")
	f.do(fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s AS s, generate_series(1, %d) AS g WHERE s.id = '%s'",
		table, strings.Join(columns, ", "), strings.Join(values, ", "), table, n, found))
}
