package schema

import (
	"encoding/json"

	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// progress is what executions, runs, attempts and steps share.
func progress() []ent.Field {
	return []ent.Field{
		field.String("status"),
		field.String("reason").Default(""),
		field.Text("message").Default(""),
		field.Time("started_at").Optional().Nillable(),
		field.Time("finished_at").Optional().Nillable(),
	}
}

// Execution is one trigger of one workflow revision.
type Execution struct{ ent.Schema }

// Mixin of the table.
func (Execution) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. Workflow, revision number and digest repeat what the revision says, so that lists need no join.
func (Execution) Fields() []ent.Field {
	return append(progress(),
		ref("revision"),
		field.String("workflow").Immutable(),
		field.Int("revision_number").Immutable(),
		field.String("digest").Immutable(),
		field.JSON("params", map[string]string{}).Optional(),
		field.JSON("templates", json.RawMessage{}).Optional().Immutable(), // execution.Template of each that the workflow was merged with
		field.String("trigger").Immutable(),
		field.String("actor").Immutable(),
		field.String("commit").Default("").Immutable(), // of the application, as the trigger says
		field.String("idempotency_key").Optional().Nillable().Immutable(),
		field.Bool("fail_fast").Default(false).Immutable(), // the first run that fails ends the others
		field.Int("max_parallel").Default(0).Immutable(),   // runs under way at a time; 0 for no limit
		field.Int("priority").Default(50).Immutable(),      // the higher goes first
		field.UUID("parent_id", uuid.UUID{}).Optional().Nillable().Immutable(),
		field.UUID("root_id", uuid.UUID{}).Optional().Nillable().Immutable(), // the outermost of those above
		field.JSON("parent", json.RawMessage{}).Optional().Immutable(),       // execution.Parent of one that a step has started
		field.Bool("calls").Default(false).Immutable(),                       // it has steps that execute other workflows
		field.Int("tests_passed").Default(0),
		field.Int("tests_failed").Default(0),
		field.Int("tests_errored").Default(0),
		field.Int("tests_skipped").Default(0))
}

// Edges of the table.
func (Execution) Edges() []ent.Edge { return []ent.Edge{parent("revision", WorkflowRevision.Type)} }

// Indexes of the table. The key is null for executions without one; nulls are distinct in both databases.
func (Execution) Indexes() []ent.Index {
	return []ent.Index{
		unique("idempotency_key"),
		index.Fields("organization_id", "id"),
		index.Fields("organization_id", "workflow", "id"),
		index.Fields("organization_id", "commit", "id").Annotations(entsql.IndexWhere(`"commit" <> ''`)),
		index.Fields("organization_id", "status", "id"), // of the rare ones: looked for one by one, all would be read
		index.Fields("root_id"),
	}
}

// Call is an execution that a step has asked for.
type Call struct{ ent.Schema }

// Mixin of the table.
func (Call) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. Execution and attempt are those of the step; the execution that it has started is the child.
func (Call) Fields() []ent.Field {
	return []ent.Field{
		ref("execution"),
		ref("attempt"),
		field.Int("step_index").Immutable(),
		field.Int("ordinal").Immutable(),
		field.String("workflow").Immutable(), // empty when nothing was found to execute
		field.JSON("params", map[string]string{}).Optional().Immutable(),
		field.UUID("child_id", uuid.UUID{}).Optional().Nillable(),
		field.String("status"),
		field.Text("message").Default(""),
		// open while there may be something to decide, waiting until something changes, closed when nothing will.
		field.String("state").Default("open"),
		field.Time("leased_until").Optional().Nillable(), // somebody carries out what was decided; until then nobody else looks
	}
}

// Edges of the table.
func (Call) Edges() []ent.Edge {
	return []ent.Edge{parent("execution", Execution.Type), parent("attempt", Attempt.Type)}
}

// Indexes of the table.
func (Call) Indexes() []ent.Index {
	return []ent.Index{
		unique("attempt_id", "step_index", "ordinal"),
		index.Fields("execution_id"),
		index.Fields("child_id"),
		index.Fields("state"),
	}
}

// Run is one cell of an execution: environment × matrix cell × shard, in the order of its ordinal. Environment, cluster and namespace
// are the names at the time.
type Run struct{ ent.Schema }

// Mixin of the table.
func (Run) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Run) Fields() []ent.Field {
	return append(progress(),
		ref("execution"),
		ref("environment"),
		ref("cluster"),
		field.String("workflow").Default("").Immutable(),
		field.Int("priority").Default(50).Immutable(),
		field.Int64("turn").Default(0).Immutable(), // of its start command: see execution.Turn; 0 for one from before there were turns
		field.Int("ordinal").Default(0).Immutable(),
		field.String("name").Default("").Immutable(), // what sets it apart; empty for a run alone
		field.JSON("matrix", map[string]string{}).Optional().Immutable(),
		field.Int("shard").Default(0).Immutable(), // from 1; 0 without shards
		field.Int("shards").Default(0).Immutable(),
		field.String("environment_name").Immutable(),
		field.String("cluster_name").Immutable(),
		field.String("namespace").Immutable(),
		field.Int("retries").Default(0).Immutable(), // new attempts that a loss of the infrastructure allows
		field.String("concurrency_group").Default("").Immutable(),
		field.Int("concurrency_limit").Default(0).Immutable(),
		field.String("on_conflict").Default("").Immutable(), // queue, cancel or skip
		field.Time("admitted_at").Optional().Nillable())     // when it took its place in the group, which it holds until it ends
}

// Edges of the table.
func (Run) Edges() []ent.Edge {
	return []ent.Edge{
		parent("execution", Execution.Type),
		parent("environment", Environment.Type),
		parent("cluster", Cluster.Type),
	}
}

// Indexes of the table.
func (Run) Indexes() []ent.Index {
	return []ent.Index{
		unique("execution_id", "ordinal"),
		index.Fields("execution_id"),
		index.Fields("organization_id", "concurrency_group", "status"),
		index.Fields("status", "concurrency_group"),
		// What a cluster is busy with; and of each workflow, how far back the last run of a priority stands.
		index.Fields("cluster_id", "status"),
		index.Fields("organization_id", "cluster_id", "workflow", "priority", "turn").Annotations(entsql.IndexWhere("status = 'queued'")),
		// The last result of each workflow in each environment.
		index.Fields("organization_id", "workflow", "environment_name", "id"),
	}
}

// ConcurrencyGroup is the row that is locked while it is decided who of a group may begin. It is there while runs of the group are.
type ConcurrencyGroup struct{ ent.Schema }

// Mixin of the table.
func (ConcurrencyGroup) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (ConcurrencyGroup) Fields() []ent.Field {
	return []ent.Field{field.String("name").NotEmpty().Immutable()}
}

// Indexes of the table.
func (ConcurrencyGroup) Indexes() []ent.Index { return []ent.Index{unique("name")} }

// Attempt is one try of a run: one Job.
type Attempt struct{ ent.Schema }

// Mixin of the table.
func (Attempt) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Attempt) Fields() []ent.Field {
	return append(progress(),
		ref("execution"),
		ref("run"),
		ref("cluster"),
		field.Int("number").Immutable(),
		field.String("node").Default(""),
		field.String("pod").Default(""),
		field.Time("assigned_at").Optional().Nillable(),
		field.Bool("delivered").Default(false),
		field.Strings("notes").Optional(),
		field.JSON("subject_start", json.RawMessage{}).Optional(), // execution.Subject, as observed when the attempt began
		field.JSON("subject_end", json.RawMessage{}).Optional(),   // and when it ended
		field.Bytes("spec").Immutable(),                           // the encoded assignment
		field.String("spec_digest").Immutable())
}

// Edges of the table.
func (Attempt) Edges() []ent.Edge {
	return []ent.Edge{
		parent("execution", Execution.Type),
		parent("run", Run.Type),
		parent("cluster", Cluster.Type),
	}
}

// Indexes of the table.
func (Attempt) Indexes() []ent.Index {
	return []ent.Index{
		unique("run_id", "number"),
		index.Fields("execution_id"),
		index.Fields("cluster_id", "status"),
	}
}

// Step is one command of an attempt.
type Step struct{ ent.Schema }

// Mixin of the table.
func (Step) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Step) Fields() []ent.Field {
	return append(progress(),
		ref("attempt"),
		field.Int("index").Immutable(),
		field.String("name").Immutable(),
		field.Int("exit_code").Optional().Nillable(),
		field.JSON("execute", json.RawMessage{}).Optional().Immutable(), // execution.Execute of one that executes other workflows
		field.Bool("allowed").Default(false),                            // its bad end does not fail the attempt
		field.Int64("reports_bad").Default(0),                           // failures that its reports account for
		field.JSON("usage", json.RawMessage{}).Optional(),               // execution.Usage of one that was measured and has ended
		field.UUID("exit_result_id", uuid.UUID{}).Optional().Nillable()) // the result that stands for a failure no report lists
}

// Edges of the table.
func (Step) Edges() []ent.Edge { return []ent.Edge{parent("attempt", Attempt.Type)} }

// Indexes of the table.
func (Step) Indexes() []ent.Index {
	return []ent.Index{unique("attempt_id", "index"), index.Fields("attempt_id")}
}

// Service is a dependency that runs next to the steps of an attempt, in the order of its ordinal.
type Service struct{ ent.Schema }

// Mixin of the table.
func (Service) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Service) Fields() []ent.Field {
	return []ent.Field{
		ref("attempt"),
		field.Int("ordinal").Immutable(),
		field.String("name").Immutable(),
		field.String("status"),
		field.Text("message").Default(""),
		field.Int("exit_code").Optional().Nillable(), // of its process that ended last
		field.Int("restarts").Default(0),
		field.Time("started_at").Optional().Nillable(), // of the process that runs, or ran last
		field.Time("finished_at").Optional().Nillable(),
		field.Bool("log_withheld").Default(false).Immutable(), // it is given a secret, which nothing would redact
	}
}

// Edges of the table.
func (Service) Edges() []ent.Edge { return []ent.Edge{parent("attempt", Attempt.Type)} }

// Indexes of the table.
func (Service) Indexes() []ent.Index {
	return []ent.Index{unique("attempt_id", "name"), index.Fields("attempt_id")}
}
