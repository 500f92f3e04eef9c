package rule

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"entgo.io/ent"
	"entgo.io/ent/dialect/sql"
	"entgo.io/ent/entql"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/privacy"
)

// Shared lists the tables that all members of an organization share, also where each sees only what the own teams have. Each has the reason.
func Shared() map[string]string {
	return map[string]string{ //nolint:gosec // G101: names of tables
		"Organization": "there is one", "Team": "who works here is no secret to who works here", "Member": "as teams", "TeamMember": "as teams",
		"Invitation": "for administrators alone", "APIToken": "package auth shows each team its own", "MemberSession": "of the viewer alone", "Setting": "for the control plane alone",
		"IdentityProvider": "for administrators alone", "MemberIdentity": "at sign-in alone", "TrustRule": "for administrators alone", "AuditEntry": "for administrators alone",
		"AuditHead": "for administrators alone", "Cluster": "all teams run there", "BootstrapToken": "at enrolment alone", "ConcurrencyGroup": "a lock: nobody reads it",
		"Notice": "for the control plane alone", "WatchMark": "for the control plane alone",
		"SearchWord": "nobody reads it but for the entries that have a word, which are a team's",
	}
}

// paths leads from each table, by edges, to the one whose team_id says whose a row is.
func paths() map[string][]string {
	execution := []string{"revision", "workflow"}
	attempt := append([]string{"execution"}, execution...)
	of := append([]string{"attempt"}, attempt...)
	return map[string][]string{
		"Workflow": {}, "Template": {}, "ReadinessPolicy": {}, "Environment": {}, "Release": {}, "Schedule": {}, "Repository": {},
		"Receiver": {}, "Trigger": {}, "Reaction": {"trigger"}, "Webhook": {}, "Delivery": {"webhook"}, "Deployment": {"receiver"},
		"WorkflowRevision": {"workflow"}, "TemplateRevision": {"template"}, "ReadinessPolicyRevision": {"policy"}, "Firing": {"schedule"},
		"ReleaseChange": {"release"}, "Waiver": {"release"}, "Snapshot": {"release"}, "ReleaseExecution": {"release"},
		"Execution": execution, "Run": attempt, "Attempt": attempt, "Call": attempt, "File": attempt, "TestResult": attempt,
		"Step": of, "Service": of, "LogStream": of, "AgentCommand": of, "LogChunk": append([]string{"stream"}, of...),
	}
}

// Confines reports whether the rows of a table are a team's, so that a viewer who sees the own teams alone does not see others.
func Confines(table string) bool {
	_, ok := paths()[table]
	return ok || byName(table)
}

// byName reports whether a table names what it belongs to, without a reference.
func byName(table string) bool {
	return table == "StripBlock" || table == "UnreliableTest" || table == "Quarantine" || table == "TemplateUse" || table == "Claim" || table == "Event" || table == "TriggerWatch" ||
		table == "SearchEntry"
}

// confine narrows what a viewer sees to the own teams, in an organization that wants that.
func confine() privacy.QueryMutationRule { return confined{} }

type confined struct{}

// EvalQuery narrows a query.
func (confined) EvalQuery(ctx context.Context, q ent.Query) error {
	v, _ := tenant.FromContext(ctx)
	if !v.Confined {
		return privacy.Skip
	}
	switch q := q.(type) {
	case *db.StripBlockQuery:
		q.Where(func(s *sql.Selector) { s.Where(sql.In(s.C("workflow"), owned(v, "workflows"))) })
		return privacy.Skip
	case *db.UnreliableTestQuery:
		q.Where(func(s *sql.Selector) { s.Where(sql.In(s.C("workflow"), owned(v, "workflows"))) })
		return privacy.Skip
	case *db.QuarantineQuery:
		q.Where(func(s *sql.Selector) { s.Where(reported(v, s.C("test_key"))) })
		return privacy.Skip
	case *db.TemplateUseQuery:
		q.Where(func(s *sql.Selector) {
			s.Where(sql.Or(sql.And(sql.EQ(s.C("user_kind"), "TestWorkflow"), sql.In(s.C("user_name"), owned(v, "workflows"))),
				sql.And(sql.NEQ(s.C("user_kind"), "TestWorkflow"), sql.In(s.C("user_name"), owned(v, "templates")))))
		})
		return privacy.Skip
	case *db.SearchEntryQuery:
		q.Where(func(s *sql.Selector) {
			s.Where(sql.Or(sql.In(s.C("workflow"), owned(v, "workflows")), sql.In(s.C("subject_id"), ownedIn(v, "releases", "id"))))
		})
		return privacy.Skip
	case *db.TriggerWatchQuery:
		q.Where(func(s *sql.Selector) { s.Where(sql.In(s.C("trigger_id"), ownedIn(v, "triggers", "id"))) })
		return privacy.Skip
	case *db.EventQuery:
		q.Where(func(s *sql.Selector) { s.Where(heard(v, s)) })
		return privacy.Skip
	case *db.ClaimQuery:
		q.Where(func(s *sql.Selector) { s.Where(claimed(v, s)) })
		return privacy.Skip
	}
	return narrow(v).EvalQuery(ctx, q)
}

// EvalMutation narrows an update or a deletion. What names its owner without a reference is written by the control plane alone, or was read
// before.
func (confined) EvalMutation(ctx context.Context, m ent.Mutation) error {
	v, _ := tenant.FromContext(ctx)
	if !v.Confined || byName(m.Type()) {
		return privacy.Skip
	}
	return narrow(v).EvalMutation(ctx, m)
}

// owned selects the names of what the viewer's teams own in a table.
func owned(v tenant.Viewer, table string) *sql.Selector { return ownedIn(v, table, "name") }

// ownedIn selects a column of what the viewer's teams own in a table.
func ownedIn(v tenant.Viewer, table, column string) *sql.Selector {
	t := sql.Table(table)
	return sql.Select(t.C(column)).From(t).Where(sql.And(sql.EQ(t.C("organization_id"), v.Organization), sql.In(t.C("team_id"), teamsOf(v)...)))
}

// teamsOf are the viewer's teams as arguments of a statement.
func teamsOf(v tenant.Viewer) []any {
	teams := make([]any, 0, len(v.Teams)+1)
	for _, id := range append(slices.Clone(v.Teams), v.Team) {
		teams = append(teams, id)
	}
	return teams
}

// reported selects the keys of tests that a workflow of the viewer's teams reported last.
func reported(v tenant.Viewer, key string) *sql.Predicate {
	found, runs := sql.Table("test_results"), sql.Table("executions")
	last := sql.Select(found.C("execution_id")).From(found).Where(sql.And(sql.ColumnsEQ(found.C("test_key"), key), sql.EQ(found.C("organization_id"), v.Organization))).
		OrderBy(sql.Desc(found.C("id"))).Limit(1)
	is := sql.P(func(b *sql.Builder) {
		b.Ident(runs.C("id")).WriteOp(sql.OpEQ).Wrap(func(b *sql.Builder) { b.Join(last) })
	})
	return sql.Exists(sql.Select(runs.C("id")).From(runs).Where(sql.And(is, sql.In(runs.C("workflow"), owned(v, "workflows")))))
}

// catalog is the table of each kind of documents that has names. Who does not see the claim on a name that is kept elsewhere goes past it.
func catalog() map[string]string {
	return map[string]string{
		"TestWorkflow":         "workflows",
		"TestWorkflowTemplate": "templates",
		"ReadinessPolicy":      "readiness_policies",
		"Environment":          "environments",
		"Schedule":             "schedules",
		"Trigger":              "triggers",
		"Webhook":              "webhooks",
	}
}

// Claims reports whether claims on names of a kind of documents are seen by the team that has what is named.
func Claims(kind string) bool { return catalog()[kind] != "" }

// claimed selects the claims on names of what the viewer's teams own, and those of their repositories. One on a name that nobody has yet is
// for who administers.
func claimed(v tenant.Viewer, s *sql.Selector) *sql.Predicate {
	repositories := owned(v, "repositories")
	repositories.Select(sql.Table("repositories").C("id"))
	or := []*sql.Predicate{sql.In(s.C("repository_id"), repositories)}
	tables := catalog()
	for _, kind := range slices.Sorted(maps.Keys(tables)) {
		or = append(or, sql.And(sql.EQ(s.C("kind"), kind), sql.In(s.C("name"), owned(v, tables[kind]))))
	}
	return sql.Or(or...)
}

// heard selects the events that came to receivers of the viewer's teams, those about workflows of theirs, and those of clusters in which they
// have an environment, or in which one is that no team has taken.
func heard(v tenant.Viewer, s *sql.Selector) *sql.Predicate {
	clusters, places := sql.Table("clusters"), sql.Table("environments")
	theirs := sql.Select(clusters.C("name")).From(clusters).Join(places).On(places.C("cluster_id"), clusters.C("id")).Where(sql.And(
		sql.EQ(places.C("organization_id"), v.Organization), sql.Or(sql.In(places.C("team_id"), teamsOf(v)...), sql.IsNull(places.C("team_id")))))
	kind, workflow, kubernetes := s.C("kind"), "workflow", "kubernetes"
	return sql.Or(
		sql.And(sql.EQ(kind, workflow), sql.In(s.C("subject"), owned(v, "workflows"))),
		sql.And(sql.EQ(kind, kubernetes), sql.In(s.C("source"), theirs)),
		sql.And(sql.NotIn(kind, workflow, kubernetes), sql.In(s.C("source"), owned(v, "receivers"))),
	)
}

// narrow follows the path of a table to whose a row is.
func narrow(v tenant.Viewer) privacy.FilterFunc {
	return func(_ context.Context, f privacy.Filter) error {
		table := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", f), "*db."), "Filter")
		if _, ok := Shared()[table]; ok {
			return privacy.Skip
		}
		path, ok := paths()[table]
		if !ok {
			return privacy.Denyf("rule: nobody has said whose rows of %s are", table)
		}
		own := make([]entql.P, 0, len(v.Teams)+2)
		for _, id := range append(slices.Clone(v.Teams), v.Team) {
			if id != uuid.Nil {
				own = append(own, entql.FieldEQ("team_id", id))
			}
		}
		if table == "Environment" {
			own = append(own, entql.FieldNil("team_id")) // no team has taken it
		}
		if len(own) == 0 {
			return privacy.Denyf("rule: the viewer is in no team")
		}
		p := own[0]
		for _, other := range own[1:] {
			p = entql.Or(p, other)
		}
		for _, edge := range slices.Backward(path) {
			p = entql.HasEdgeWith(edge, p)
		}
		f.Where(p)
		return privacy.Skip
	}
}
