package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/ent/rule"
)

// LogStream is the output of one step or service and how far it is committed.
type LogStream struct{ ent.Schema }

// Mixin of the table.
func (LogStream) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. The totals are null until the writer has told them.
func (LogStream) Fields() []ent.Field {
	return []ent.Field{
		ref("attempt"),
		field.String("name").Immutable(),
		field.Int("step_index").Immutable(), // -1 for a service, which the name tells
		field.Int64("committed").Default(0), // the gaps included
		field.Int64("lines").Default(0),
		field.Int64("gap_bytes").Default(0),
		field.Int64("total_bytes").Optional().Nillable(),
		field.Int64("total_lines").Optional().Nillable(),
		field.Int64("total_gap_bytes").Optional().Nillable(),
		field.Uint32("total_crc").Optional().Nillable(),
		field.Bool("complete").Default(false),
		field.Bool("via_kube_api").Default(false),
	}
}

// Edges of the table.
func (LogStream) Edges() []ent.Edge { return []ent.Edge{parent("attempt", Attempt.Type)} }

// Indexes of the table.
func (LogStream) Indexes() []ent.Index {
	return []ent.Index{unique("attempt_id", "name"), index.Fields("attempt_id")}
}

// LogChunk is a run of bytes of a stream as it was received: never one row per line.
type LogChunk struct{ ent.Schema }

// Mixin of the table.
func (LogChunk) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (LogChunk) Fields() []ent.Field {
	return []ent.Field{
		ref("stream"),
		field.Int64("start").Immutable(),
		field.Int64("end").Immutable(),
		field.Int("raw_len").Immutable(),
		field.Int("lines").Immutable(),
		field.Int64("first_line").Immutable(),
		field.Time("first_time").Optional().Nillable().Immutable(),
		field.Time("last_time").Optional().Nillable().Immutable(),
		field.Uint32("crc").Immutable(),
		field.Int64("gap").Default(0).Immutable(),
		field.Bool("via_kube_api").Default(false).Immutable(),
		field.Bytes("data").Optional().Immutable(), // a Zstandard frame; null for a gap
	}
}

// Edges of the table.
func (LogChunk) Edges() []ent.Edge { return []ent.Edge{parent("stream", LogStream.Type)} }

// Indexes of the table.
func (LogChunk) Indexes() []ent.Index {
	return []ent.Index{unique("stream_id", "start"), index.Fields("stream_id", "end")}
}

// File is the record of a report or artifact; its bytes are in the blob store.
type File struct{ ent.Schema }

// Mixin of the table.
func (File) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. Grade and reason are those of the bytes alone.
func (File) Fields() []ent.Field {
	return []ent.Field{
		ref("execution"),
		ref("attempt"),
		field.String("environment_name").Immutable(),
		field.Int("step_index").Immutable(),
		field.String("kind").Immutable(),
		field.String("path").Immutable(),
		field.Int64("size").Immutable(),
		field.String("sha256").Immutable(),
		field.String("content_type").Immutable(),
		field.String("format").Immutable(),
		field.String("grade").Immutable(),
		field.Text("grade_reason").Immutable(),
		// Why the exit code of the step contradicts the reports of the step, this one included; it may change with each of them.
		field.Text("exit_reason").Default(""),
		field.String("blob").Immutable(),
		// How the stored bytes are compressed, how many they are and their digest; without an encoding they are the file.
		field.String("encoding").Default("").Immutable(),
		field.Int64("stored_size").Default(0).Immutable(),
		field.String("stored_sha256").Default("").Immutable(),
	}
}

// Edges of the table.
func (File) Edges() []ent.Edge {
	return []ent.Edge{parent("execution", Execution.Type), parent("attempt", Attempt.Type)}
}

// Indexes of the table.
func (File) Indexes() []ent.Index {
	return []ent.Index{unique("attempt_id", "kind", "path", "sha256"), index.Fields("execution_id")}
}

// TestResult is the outcome of one test case in one attempt. PostgreSQL keeps the results of each month in a partition of their own, by
// the time that begins an id; nothing refers to a result by a foreign key, and it refers to nothing by one: a hundred thousand of them
// come in at once.
type TestResult struct{ ent.Schema }

// Mixin of the table.
func (TestResult) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table. Severity sorts the worst first, and results of superseded attempts behind all others.
func (TestResult) Fields() []ent.Field {
	return []ent.Field{
		ref("execution"),
		ref("attempt"),
		ref("file"),
		field.String("environment_name").Immutable(),
		field.Int("step_index").Immutable(),
		field.Int("severity"),
		field.Text("suite").Immutable(),
		field.Text("name").Immutable(),
		field.Text("source").Immutable(), // the file of the test's code
		field.String("test_key").Default("").Immutable(),
		field.Text("variant").Default("").Immutable(), // what it ran on, such as a browser: not a part of its identity
		field.String("fingerprint").Default("").Immutable(),
		field.Strings("earlier").Optional().Immutable(), // outcomes of earlier tries that the tool listed beside the result
		field.Int("flags").Default(0).Immutable(),       // sum of execution.Flag
		field.String("outcome").Immutable(),
		field.Int64("duration").Immutable(), // nanoseconds
		field.Text("message").Immutable(),
		field.Text("detail").Immutable(),
	}
}

// Edges of the table.
func (TestResult) Edges() []ent.Edge {
	return []ent.Edge{
		parent("execution", Execution.Type),
		parent("attempt", Attempt.Type),
		parent("file", File.Type),
	}
}

// Indexes of the table.
func (TestResult) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("execution_id", "severity", "id"),
		index.Fields("test_key", "id"), // a key is of one organization
		// Most results pass at once: the others are few.
		index.Fields("organization_id", "id").
			Annotations(entsql.IndexWhere("outcome IN ('failed', 'errored', 'timed_out') OR earlier IS NOT NULL")),
		// Failures that are alike are counted wherever one is shown.
		index.Fields("organization_id", "fingerprint", "id").Annotations(entsql.IndexWhere("fingerprint <> ''")),
	}
}

// StripBlock is a read model: the latest outcomes of the tests of a workflow in an environment whose keys begin alike, packed by package
// strips. It changes in the transaction that stores results: a report of a hundred thousand tests changes sixteen rows.
type StripBlock struct{ ent.Schema }

// Fields of the table. It is narrow, because it changes with every report: its id is a number, and it has no times but that it is for.
func (StripBlock) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("organization_id", uuid.UUID{}).Immutable(),
		field.String("workflow").Immutable(),
		field.String("environment_name").Immutable(),
		field.String("prefix").Immutable(), // of the keys
		field.Text("body"),                 // a line for each test
		field.Time("oldest_at"),            // when that of its tests ran last that has not run for longest
		field.Int("grown").Default(1),      // how often tests have come into it
		field.Int("listed").Default(0),     // how often they had when its tests were made to be found by their names
	}
}

// Policy of the table.
func (StripBlock) Policy() ent.Policy { return rule.Owned() }

// Indexes of the table.
func (StripBlock) Indexes() []ent.Index {
	return []ent.Index{
		unique("workflow", "environment_name", "prefix"),
		index.Fields("oldest_at"),
		index.Fields("id").StorageKey("stripblock_unlisted").Annotations(entsql.IndexWhere("grown <> listed")),
	}
}

// UnreliableTest is a read model: a test that failed in an environment, or passed only when it was tried again, and how often it did so among
// its latest runs. It changes with the strip of the test.
type UnreliableTest struct{ ent.Schema }

// Fields of the table, which is as narrow as that of strips.
func (UnreliableTest) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("organization_id", uuid.UUID{}).Immutable(),
		field.String("test_key").NotEmpty().Immutable(), // of one workflow of one organization
		field.String("environment_name").Immutable(),
		field.String("workflow").Immutable(),
		field.Int("outcomes"), // those in its strip that do not speak for it
		field.Time("last_at"), // when the latest of them came in
	}
}

// Policy of the table.
func (UnreliableTest) Policy() ent.Policy { return rule.Owned() }

// Indexes of the table.
func (UnreliableTest) Indexes() []ent.Index {
	return []ent.Index{
		unique("test_key", "environment_name"),
		index.Fields("organization_id", "last_at"),
	}
}

// Quarantine lets a test run without its failures counting against a release, for a while. The newest of a test that has not ended
// counts.
type Quarantine struct{ ent.Schema }

// Mixin of the table.
func (Quarantine) Mixin() []ent.Mixin { return []ent.Mixin{owned{}} }

// Fields of the table.
func (Quarantine) Fields() []ent.Field {
	return []ent.Field{
		field.String("test_key").NotEmpty().Immutable(),
		field.Text("test_name").Immutable(), // suite and name at the time
		field.String("owner").Immutable(),   // who is to mend it
		field.Text("reason").Immutable(),
		field.String("ticket").Default("").Immutable(),
		field.String("actor").Immutable(),
		field.Time("until").Immutable(),
		field.String("ended_by").Default(""),
		field.Time("ended_at").Optional().Nillable(),
	}
}

// Indexes of the table.
func (Quarantine) Indexes() []ent.Index {
	return []ent.Index{index.Fields("organization_id", "test_key", "id")}
}
